//! The command line as it is typed, and the configuration as it is true.
//!
//! [`Args::load`] reads the files that the arguments name and refuses early; from there on nobody doubts a [`Config`].
//! Nothing here connects.

mod args;
mod ask;

pub use args::{Args, Config};
