//! What people are told, in words: times, failures, and the standard error on which they are told.

pub(crate) mod clock;
pub(crate) mod failure;
pub(crate) mod terminal;
