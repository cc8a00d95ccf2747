//! The room as a member sees it.

pub(crate) mod timeline;
