//! The program at a terminal: what is typed, and what is shown while a command runs.

pub(crate) mod args;
pub(crate) mod progress;
pub(crate) mod report_args;
pub(crate) mod terminal;
