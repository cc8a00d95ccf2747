//! What one commit stores, as the rows that it becomes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pki::{CrlNumber, Identity};
use serde::Serialize;
use wire::{ClientId, Entry, Kind, Reason, Timestamp};

use crate::network::LocalEnd;
use crate::senders::Sender;

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
    pub(crate) nonce: Option<String>,
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
    pub(crate) facts: Facts,
}

/// What is known of a connection whose client was let in.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) identity: Identity,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) local: LocalEnd,
    pub(crate) tls: &'static str,
    pub(crate) cipher: String,
    pub(crate) key_exchange: Option<String>,
    /// The dialect that the client named.
    pub(crate) dialect: Option<&'static str>,
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

    pub(crate) fn joins_json(&self) -> String {
        let mut rows = Rows::default();
        for Join { session, at, facts } in &self.joins {
            let Facts {
                identity, local, ..
            } = facts;
            rows.push(&(
                session,
                identity.id().as_str(),
                identity.role().as_str(),
                facts.ip,
                facts.port,
                local.ip,
                local.interface.as_ref().map(|i| i.prefix_bits),
                local.interface.as_ref().map(|i| &i.name),
                local.interface.as_ref().and_then(|i| i.index),
                identity.serial().to_string(),
                identity.fingerprint().to_string(),
                facts.tls,
                &facts.cipher,
                &facts.key_exchange,
                facts.dialect,
                at.to_string(),
            ));
        }
        rows.close()
    }

    pub(crate) fn entries_json(&self) -> String {
        let mut rows = Rows::default();
        for recorded in &self.entries {
            let Entry {
                seq,
                at,
                id,
                ip,
                kind,
            } = &recorded.entry;
            let (kind, text) = match kind {
                Kind::Message(line) => ("message", line.as_str()),
                Kind::Enter => ("enter", ""),
                Kind::Leave(reason) => ("leave", reason.as_str()),
            };
            let at = at.encode();
            let at = str::from_utf8(&at).expect("a time is ASCII");
            let Recorded {
                session,
                nonce,
                prev,
                ..
            } = recorded;
            rows.push(&(seq, at, kind, id.as_str(), ip, text, session, nonce, prev));
        }
        rows.close()
    }

    pub(crate) fn begun_json(&self) -> String {
        let mut rows = Rows::default();
        for (first, newest) in &self.runs {
            if let Some((id, run)) = &newest.begun {
                rows.push(&(first, id.as_str(), run.as_str(), newest.seq, newest.n));
            }
        }
        rows.close()
    }

    pub(crate) fn continued_json(&self) -> String {
        let mut rows = Rows::default();
        let continued = self.runs.iter().filter(|(_, run)| run.begun.is_none());
        for (first, newest) in continued {
            rows.push(&(first, newest.seq, newest.n));
        }
        rows.close()
    }

    pub(crate) fn ends_json(&self) -> String {
        let mut rows = Rows::default();
        for (session, at, reason) in &self.ends {
            rows.push(&(session, at.to_string(), reason.as_str()));
        }
        rows.close()
    }

    pub(crate) fn leaves_json(&self) -> String {
        let mut rows = Rows::default();
        for (id, seq, session) in &self.leaves {
            rows.push(&(id.as_str(), seq, session));
        }
        rows.close()
    }
}

/// An array of rows, each an array, as SQLite's `jsonb_each` takes it. Written as it grows: a tree of
/// values would cost an allocation for each of them.
#[derive(Default)]
struct Rows(Vec<u8>);

impl Rows {
    fn push(&mut self, row: &impl Serialize) {
        self.0.push(if self.0.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.0, row).expect("a row of texts and numbers is JSON");
    }

    fn close(mut self) -> String {
        if self.0.is_empty() {
            self.0.push(b'[');
        }
        self.0.push(b']');
        String::from_utf8(self.0).expect("JSON is UTF-8")
    }
}
