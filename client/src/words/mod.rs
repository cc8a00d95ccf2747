//! The words for people: failures, times, lists of names, and the standard error on which they
//! appear.
//!
//! Everything above may use the names in this file. Nothing here connects, reads a file, or knows
//! the room; the sentences of a view (a list of people, a row of a screen) belong to the view.

mod clock;
mod drawable;
mod expiry;
mod explain;
mod failure;
mod fault;
mod few;
mod sentences;
mod stamped;
mod terminal;

pub use clock::Clock;
pub use explain::explain;
pub use failure::{Cause, Exit, Failure, Scene};
pub use fault::Fault;
pub use terminal::{report, tell};

pub(crate) use clock::seconds;
pub(crate) use drawable::drawable;
pub(crate) use expiry::Expiry;
pub(crate) use few::few;
pub(crate) use sentences::{OTHER_HISTORY, OUR_COMMANDS, disorder, warnings_left_out};
pub(crate) use stamped::{stamped, stamped_newer, unknown};
pub(crate) use terminal::{stdout_columns, tell_unacknowledged};
