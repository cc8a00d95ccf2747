//! The command line as it is typed, and the configuration as it is true.

pub(crate) mod args;
