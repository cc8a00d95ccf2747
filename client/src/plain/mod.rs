//! The plain mode: lines in, lines out.

pub(crate) mod form;
pub(crate) mod talk;
mod typed;
