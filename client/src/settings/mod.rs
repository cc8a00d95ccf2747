//! What a person may choose.

pub(crate) mod target;
