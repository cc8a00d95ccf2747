//! The contents of one commit, as plain data.

use std::collections::BTreeMap;

use pki::CrlNumber;
use wire::{ClientId, Entry, Nonce, Reason, Timestamp};

use crate::room::facts::ConnectionFacts;
use crate::room::senders::Sender;

/// Everything that one commit stores.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(crate) entries: Vec<Recorded>,
    /// The runs of the lines among the entries, by their first line.
    pub(crate) runs: BTreeMap<u64, Newest>,
    pub(crate) joins: Vec<Join>,
    pub(crate) ends: Vec<SessionEnd>,
    pub(crate) leaves: Vec<Leave>,
    pub(crate) crl_number: Option<CrlNumber>,
}

/// An entry, with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) entry: Entry,
    pub(crate) session: u64,
    pub(crate) nonce: Option<Nonce>,
    /// The previous line of the same run.
    pub(crate) prev: Option<u64>,
}

/// The newest line of a run: a row of `senders`.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
    /// The sender, if the run begins in this batch.
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

/// The end of a session, for its row of `joins`.
#[derive(Debug, Clone)]
pub(crate) struct SessionEnd {
    pub(crate) session: u64,
    pub(crate) at: Timestamp,
    pub(crate) reason: Reason,
}

/// A person who left, for the rows of `joins` that the leave covers.
#[derive(Debug, Clone)]
pub(crate) struct Leave {
    pub(crate) id: ClientId,
    /// The seq of the entry that says so.
    pub(crate) seq: u64,
    /// The newest session that it covers.
    pub(crate) newest_session: u64,
}

impl Batch {
    /// Returns whether there is nothing to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.joins.is_empty()
            && self.ends.is_empty()
            && self.leaves.is_empty()
            && self.crl_number.is_none()
    }
}
