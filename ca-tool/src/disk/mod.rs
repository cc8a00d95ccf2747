//! Files and folders that survive a crash: a file is either the old one or the new one, never half
//! of each, and what an interrupted run leaves is found again.
//!
//! `files` writes and reads, `folder` knows the names in a CA's folder, `lock` keeps other runs away,
//! `draft` collects files until they get their names together, and `leftovers` removes what runs left
//! that were killed. Nothing here understands the files: certificates, the index and the list are only
//! bytes.

pub(crate) mod draft;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod leftovers;
pub(crate) mod lock;
pub(crate) mod temporary;
