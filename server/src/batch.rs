//! What one commit stores, as the rows that it becomes.

use std::net::IpAddr;

use pki::{CrlNumber, Identity};
use serde_json::json;
use wire::{ClientId, Entry, Kind, Reason, Timestamp};

use crate::network::LocalEnd;
use crate::senders::{Sender, Stored};

/// Everything that is committed at once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(crate) entries: Vec<Recorded>,
    pub(crate) senders: Vec<(Sender, Stored)>,
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
        rows(self.joins.iter().map(|join| {
            let Facts {
                identity, local, ..
            } = &join.facts;
            json!([
                join.session,
                identity.id().as_str(),
                identity.role().as_str(),
                join.facts.ip.to_string(),
                join.facts.port,
                local.ip.to_string(),
                local.interface.as_ref().map(|i| i.prefix_bits),
                local.interface.as_ref().map(|i| &i.name),
                local.interface.as_ref().and_then(|i| i.index),
                identity.serial().to_string(),
                identity.fingerprint().to_string(),
                join.facts.tls,
                join.facts.cipher,
                join.facts.key_exchange,
                join.facts.dialect,
                join.at.to_string(),
            ])
        }))
    }

    pub(crate) fn entries_json(&self) -> String {
        rows(self.entries.iter().map(|recorded| {
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
            let (at, ip) = (at.to_string(), ip.to_string());
            json!([
                seq,
                at,
                kind,
                id.as_str(),
                ip,
                text,
                recorded.session,
                recorded.nonce
            ])
        }))
    }

    pub(crate) fn senders_json(&self) -> String {
        rows(self.senders.iter().map(|((id, run), line)| {
            let Stored { n, seq, hash, slot } = line;
            json!([id.as_str(), run.as_str(), slot, n, seq, hash])
        }))
    }

    pub(crate) fn ends_json(&self) -> String {
        let ends = self.ends.iter();
        rows(ends.map(|(session, at, reason)| json!([session, at.to_string(), reason.as_str()])))
    }

    pub(crate) fn leaves_json(&self) -> String {
        rows(
            self.leaves
                .iter()
                .map(|(id, seq, session)| json!([id.as_str(), seq, session])),
        )
    }
}

fn rows(rows: impl Iterator<Item = serde_json::Value>) -> String {
    serde_json::Value::Array(rows.collect()).to_string()
}
