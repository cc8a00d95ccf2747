//! Describes a CA's folder and the files from it, in words and as JSON. Only `connected` runs
//! another program: `server query`, on a server's database.
//!
//! Every report takes a `Register`, which has no key: nothing in this folder can sign, or ask for a
//! passphrase. A report returns its result; `look.rs` makes a reply of it.

mod agreement;
mod connected;
mod contents;
pub(crate) mod doctor;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verify;
