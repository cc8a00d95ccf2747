//! What one commit stores, as plain data.

use std::collections::BTreeMap;

use pki::CrlNumber;
use wire::{ClientId, Entry, Nonce, Reason, Timestamp};

use crate::room::facts::ConnectionFacts;
use crate::room::senders::Sender;

/// Everything that is committed at once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(crate) entries: Vec<Recorded>,
    /// The runs that have lines among them, by their first line.
    pub(crate) runs: BTreeMap<u64, Newest>,
    pub(crate) joins: Vec<Join>,
    pub(crate) ends: Vec<(u64, Timestamp, Reason)>,
    /// Whose presence ended, with which entry, and the newest session that it covers.
    pub(crate) leaves: Vec<(ClientId, u64, u64)>,
    pub(crate) crl_number: Option<CrlNumber>,
}

/// An entry, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) entry: Entry,
    pub(crate) session: u64,
    pub(crate) nonce: Option<Nonce>,
    /// The line of the same run before it.
    pub(crate) prev: Option<u64>,
}

/// Where the newest line of a run is: a row of `senders`.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
    /// Whose run it is, when it begins in this batch.
    pub(crate) begun: Option<Sender>,
    pub(crate) seq: u64,
    pub(crate) n: u64,
}

/// A row of `joins`.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) session: u64,
    pub(crate) at: Timestamp,
    pub(crate) facts: ConnectionFacts,
}

impl Batch {
    /// Whether there is nothing to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.joins.is_empty()
            && self.ends.is_empty()
            && self.leaves.is_empty()
            && self.crl_number.is_none()
    }
}
