//! The values that a person may choose: which server, what to show, and how.
//!
//! Every layer above may use them. `config` reads them from the command line; nothing here knows where a value came from
//! or what is done about it.

mod choices;
mod target;

pub use choices::{Bell, Form, Since, Theme};
pub use target::{Target, TargetError};
