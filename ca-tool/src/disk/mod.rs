//! Files and folders that survive a crash: locks, drafts and the names in a CA's folder.

pub(crate) mod draft;
pub(crate) mod folder;
