//! A batch as rows for SQLite, with all rows of a table in one value.

use wire::{Entry, FullName, Kind};

use super::jsonb::{Row, Rows};
use crate::room::batch::{Batch, Join, SessionEnd};
use crate::room::facts::ConnectionFacts;

pub(crate) fn joins(batch: &Batch) -> Option<Vec<u8>> {
    let mut rows = Rows::new();
    for Join { session, at, facts } in &batch.joins {
        let ConnectionFacts { member, local, .. } = facts;
        let interface = local.interface.as_ref();
        rows.push(|row| {
            row.number(*session)
                .text(member.id.as_str())
                .text(member.role.as_str())
                .shown(facts.ip)
                .number(facts.port.into())
                .shown(local.ip)
                .or_null(interface.map(|i| i.prefix_bits.into()), Row::number)
                .or_null(interface.map(|i| i.name.as_str()), Row::text)
                .or_null(interface.and_then(|i| i.index).map(u64::from), Row::number)
                .shown(&member.serial)
                .shown(member.fingerprint)
                .text(&facts.tls)
                .text(&facts.cipher)
                .or_null(facts.key_exchange.as_deref(), Row::text)
                .or_null(facts.dialect.name(), Row::text)
                .shown(at)
                .or_null(member.name.as_ref().map(FullName::as_str), Row::text);
        });
    }
    rows.close()
}

pub(crate) fn entries(batch: &Batch) -> Option<Vec<u8>> {
    let mut rows = Rows::new();
    for recorded in &batch.entries {
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

pub(crate) fn begun(batch: &Batch) -> Option<Vec<u8>> {
    let mut rows = Rows::new();
    for (first, newest) in &batch.runs {
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

pub(crate) fn continued(batch: &Batch) -> Option<Vec<u8>> {
    let mut rows = Rows::new();
    let continued = batch.runs.iter().filter(|(_, run)| run.begun.is_none());
    for (first, newest) in continued {
        rows.push(|row| {
            row.number(*first).number(newest.seq).number(newest.n);
        });
    }
    rows.close()
}

pub(crate) fn ends(batch: &Batch) -> Option<Vec<u8>> {
    let mut rows = Rows::new();
    for SessionEnd {
        session,
        at,
        reason,
    } in &batch.ends
    {
        rows.push(|row| {
            row.number(*session).shown(at).text(reason.as_str());
        });
    }
    rows.close()
}

pub(crate) fn leaves(batch: &Batch) -> Option<Vec<u8>> {
    let mut rows = Rows::new();
    for leave in &batch.leaves {
        rows.push(|row| {
            row.text(leave.id.as_str())
                .number(leave.seq)
                .number(leave.newest_session);
        });
    }
    rows.close()
}
