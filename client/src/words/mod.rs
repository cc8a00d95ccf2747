//! The words for people: failures, faults, times, lists of names, the sentences that both views
//! say, and the standard error on which they appear.
//!
//! Everything above may use the names in this file, and `sentences`. Nothing here connects, reads a
//! file, or knows the room; a sentence that only one view says belongs to that view.

mod clock;
mod drawable;
mod expiry;
mod explain;
mod failure;
mod fault;
mod few;
pub(crate) mod sentences;
mod stamped;
mod terminal;
pub(crate) mod width;

pub use clock::Clock;
pub use explain::explain;
pub use failure::{Cause, Exit, Failure, Scene};
pub use fault::Fault;
pub use terminal::{report, tell};

pub(crate) use drawable::drawable;
pub(crate) use expiry::Expiry;
pub(crate) use few::few;
pub(crate) use stamped::{stamped, stamped_newer, unknown};
pub(crate) use terminal::{
    Readable, note_on_ascii, stderr_columns, stdout_columns, tell_unacknowledged,
};
