//! The command line as it is typed, and the configuration that follows from it.
//!
//! [`Args::load`] reads the files that the arguments name and refuses early; after that, nobody
//! doubts a [`Config`]. Nothing here connects.

mod args;
mod ask;
mod cert;

pub use args::{Args, Config};
pub(crate) use cert::read as read_bundle;
