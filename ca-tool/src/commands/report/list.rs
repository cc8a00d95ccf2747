//! Lists the certificates: their owners, when they end, and whether they were revoked.

use std::fmt;

use comfy_table::{Table, presets};
use serde::Serialize;
use time::OffsetDateTime;
use wire::Role;

use crate::error::Error;
use crate::ledger::index::{Index, IndexEntry};
use crate::ledger::register::Register;
use crate::sign::reason::Reason;
use crate::words::Moment;

/// The certificates that `list` shows.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Listing(Vec<Listed>);

/// One of them.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<String>,
    kind: &'static str,
    role: Option<&'static str>,
    until: Moment,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Whether it ends early because a newer one replaces it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_being_replaced: bool,
    serial: String,
}

impl Listed {
    fn of(entry: &IndexEntry, now: OffsetDateTime) -> Self {
        let person = entry.person();
        let state = match entry.revoked {
            Some((_, Reason::CertificateHold)) => "on hold",
            Some(_) => "revoked",
            None if entry.is_live(now) => "valid",
            None => "expired",
        };
        Self {
            name: entry.name().to_owned(),
            full_name: entry.full_name().map(str::to_owned),
            kind: match (&person, entry.is_unseen()) {
                (Some(_), _) => "person",
                (None, true) => "unknown",
                (None, false) => "server",
            },
            role: person.map(|(_, role)| role.as_str()),
            until: Moment(entry.ends_at()),
            state,
            revoked_at: entry.revoked.map(|(at, _)| Moment(at)),
            reason: entry.revoked.map(|(_, reason)| reason.as_str()),
            is_being_replaced: entry.revoked.is_none()
                && entry.superseded_at() == Some(entry.ends_at()),
            serial: entry.serial.to_string(),
        }
    }
}

/// A selection of certificates to list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    /// Only those that end within this time.
    pub(crate) expiring: Option<time::Duration>,
    /// Only those that were revoked.
    pub(crate) revoked: bool,
    /// Only those of people with this role.
    pub(crate) role: Option<Role>,
}

impl Filter {
    fn apply(self, index: &Index, now: OffsetDateTime) -> Vec<&IndexEntry> {
        let candidates: Vec<&IndexEntry> = match self.expiring {
            Some(within) => {
                let ending = index.ending(now + within);
                ending.filter(|entry| entry.is_live(now)).collect()
            }
            None => index.entries().iter().collect(),
        };
        let candidates = candidates.into_iter();
        candidates
            .filter(|entry| !self.revoked || entry.revoked.is_some())
            .filter(|entry| {
                self.role
                    .is_none_or(|role| entry.person().is_some_and(|(_, theirs)| theirs == role))
            })
            .collect()
    }
}

impl Listing {
    pub(crate) fn of(register: &Register, filter: Filter) -> Result<Self, Error> {
        let index = register.index()?;
        let now = OffsetDateTime::now_utc();
        let entries = filter.apply(&index, now).into_iter();
        Ok(Self(entries.map(|entry| Listed::of(entry, now)).collect()))
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_full_names = self.0.iter().any(|listed| listed.full_name.is_some());
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut header = vec!["NAME", "ROLE", "UNTIL", "STATE", "SERIAL"];
        if has_full_names {
            header.insert(1, "FULL NAME");
        }
        table.set_header(header);
        for listed in &self.0 {
            let state = match (listed.revoked_at, listed.reason) {
                (Some(at), Some("certificateHold")) => format!("on hold since {}", at.day()),
                (Some(at), Some(reason)) => format!("revoked {} ({reason})", at.day()),
                _ if listed.is_being_replaced => {
                    format!("{}, until the newer one replaces it", listed.state)
                }
                _ => listed.state.to_owned(),
            };
            let role = listed.role.unwrap_or(listed.kind);
            let name = wire::escape(&listed.name);
            let full_name = listed.full_name.as_deref().map(wire::escape);
            let until = listed.until.day().to_string();
            let mut cells = vec![&name, role, &until, &state, &listed.serial];
            if has_full_names {
                cells.insert(1, full_name.as_deref().unwrap_or_default());
            }
            table.add_row(cells);
        }
        let mut lines = table.lines();
        lines.try_for_each(|line| writeln!(f, "{}", line.trim()))
    }
}
