//! What people are told, in words: failures, times, lists of names, and the standard error on which they read them.
//!
//! Everything above may use what this file names. Nothing here connects, reads a file, or knows what a room is; the
//! sentences of a view (a list of people, a row of a screen) are the view's own.

mod clock;
mod drawable;
mod expiry;
mod explain;
mod failure;
mod few;
mod stamped;
mod terminal;

pub use clock::Clock;
pub use explain::explain;
pub use failure::{Cause, Exit, Failure, Scene};
pub use terminal::{report, tell};

pub(crate) use clock::seconds;
pub(crate) use drawable::drawable;
pub(crate) use expiry::Expiry;
pub(crate) use few::few;
pub(crate) use stamped::{stamped, stamped_newer, unknown};
pub(crate) use terminal::stdout_columns;
