//! What one commit stores, as the rows that it becomes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pki::{CrlNumber, Identity};
use wire::{ClientId, Entry, Kind, Nonce, Reason, Timestamp};

use crate::store::sqlite::jsonb::{Row, Rows};
use crate::door::socket::LocalEnd;
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

    pub(crate) fn joins_rows(&self) -> Option<Vec<u8>> {
        let mut rows = Rows::new();
        for Join { session, at, facts } in &self.joins {
            let Facts {
                identity, local, ..
            } = facts;
            let interface = local.interface.as_ref();
            rows.push(|row| {
                row.number(*session)
                    .text(identity.id().as_str())
                    .text(identity.role().as_str())
                    .shown(facts.ip)
                    .number(facts.port.into())
                    .shown(local.ip)
                    .or_null(interface.map(|i| i.prefix_bits.into()), Row::number)
                    .or_null(interface.map(|i| i.name.as_str()), Row::text)
                    .or_null(interface.and_then(|i| i.index).map(u64::from), Row::number)
                    .shown(identity.serial())
                    .shown(identity.fingerprint())
                    .text(facts.tls)
                    .text(&facts.cipher)
                    .or_null(facts.key_exchange.as_deref(), Row::text)
                    .or_null(facts.dialect, Row::text)
                    .shown(at);
            });
        }
        rows.close()
    }

    pub(crate) fn entries_rows(&self) -> Option<Vec<u8>> {
        let mut rows = Rows::new();
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
            rows.push(|row| {
                row.number(*seq)
                    .text(str::from_utf8(&at).expect("a time is ASCII"))
                    .text(kind)
                    .text(id.as_str())
                    .shown(ip)
                    .text(text)
                    .number(recorded.session)
                    .or_null(recorded.nonce.as_ref(), Row::shown)
                    .or_null(recorded.prev, Row::number);
            });
        }
        rows.close()
    }

    pub(crate) fn begun_rows(&self) -> Option<Vec<u8>> {
        let mut rows = Rows::new();
        for (first, newest) in &self.runs {
            if let Some((id, run)) = &newest.begun {
                rows.push(|row| {
                    row.number(*first)
                        .text(id.as_str())
                        .text(run.as_str())
                        .number(newest.seq)
                        .number(newest.n);
                });
            }
        }
        rows.close()
    }

    pub(crate) fn continued_rows(&self) -> Option<Vec<u8>> {
        let mut rows = Rows::new();
        let continued = self.runs.iter().filter(|(_, run)| run.begun.is_none());
        for (first, newest) in continued {
            rows.push(|row| {
                row.number(*first).number(newest.seq).number(newest.n);
            });
        }
        rows.close()
    }

    pub(crate) fn ends_rows(&self) -> Option<Vec<u8>> {
        let mut rows = Rows::new();
        for (session, at, reason) in &self.ends {
            rows.push(|row| {
                row.number(*session).shown(at).text(reason.as_str());
            });
        }
        rows.close()
    }

    pub(crate) fn leaves_rows(&self) -> Option<Vec<u8>> {
        let mut rows = Rows::new();
        for (id, seq, session) in &self.leaves {
            rows.push(|row| {
                row.text(id.as_str()).number(*seq).number(*session);
            });
        }
        rows.close()
    }
}
