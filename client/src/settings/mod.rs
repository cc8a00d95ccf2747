//! The values that a person may choose: which server, which entries, and how to show them.
//!
//! Every layer above may use them. `config` reads them from the command line; nothing here knows
//! the source of a value or its consequences.

mod choices;
mod target;

pub use choices::{Bell, Form, Mouse, Since, Theme};
pub use target::{Target, TargetError};
