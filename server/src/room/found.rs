//! The state of the record when it was opened: the room begins with it.

use std::collections::BTreeMap;

use pki::CrlNumber;
use wire::{ClientId, FullName, Role, Timestamp};

use crate::room::presence::Left;
use crate::room::quota::Used;

/// The state that the record holds when it is opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub(crate) epoch: String,
    pub(crate) head: u64,
    pub(crate) last_at: Timestamp,
    pub(crate) last_session: u64,
    pub(crate) crl_number: CrlNumber,
    /// Sessions that a crash left open.
    pub(crate) crashed: u64,
    /// The people who were here when the server stopped.
    pub(crate) here: Vec<WasHere>,
    /// Every ID that was ever here.
    pub(crate) ids: Vec<String>,
    /// The bytes and runs that each ID has added to the record on the day of the newest entry.
    pub(crate) used: BTreeMap<ClientId, Used>,
}

/// A person who was here when the server stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WasHere {
    /// The end of the last session.
    pub(crate) left: Left,
    /// The start of the last session.
    pub(crate) since: Timestamp,
    pub(crate) role: Role,
    pub(crate) name: Option<FullName>,
}
