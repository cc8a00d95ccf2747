//! Files that change while the server runs: its bundle and the revocation list.
//!
//! `run` starts a watch for each; sessions and handshakes read what they publish. Not here: how a
//! certificate or a list is judged; that is in the crate `pki`.

pub(crate) mod bundle;
pub(crate) mod file;
pub(crate) mod reminder;
pub(crate) mod revocation;
