//! Who has a certificate, until when, and who was revoked.

use comfy_table::{Table, presets};
use serde::Serialize;
use time::OffsetDateTime;
use wire::Role;

use super::look;
use crate::cli::args::Place;
use crate::commands::{Output, day, moment, write_json};
use crate::error::Error;
use crate::ledger::index::{Index, NAME, Record};

/// One line of `list`.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<String>,
    kind: &'static str,
    role: Option<&'static str>,
    until: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    serial: String,
}

impl Row {
    fn of(record: &Record, now: OffsetDateTime) -> Self {
        let person = record.person();
        let state = match record.revoked {
            Some(_) => "revoked",
            None if record.is_live(now) => "valid",
            None => "expired",
        };
        Self {
            name: record.name().to_owned(),
            full_name: record.note(NAME).map(str::to_owned),
            kind: match (&person, record.is_unseen()) {
                (Some(_), _) => "person",
                (None, true) => "unknown",
                (None, false) => "server",
            },
            role: person.map(|(_, role)| role.as_str()),
            until: moment(record.ends_at()),
            state,
            revoked_at: record.revoked.map(|(at, _)| moment(at)),
            reason: record.revoked.map(|(_, reason)| reason.as_str()),
            serial: record.serial.to_string(),
        }
    }
}

/// Which certificates are listed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    /// Those that end within this time.
    pub(crate) expiring: Option<time::Duration>,
    /// Those that were revoked.
    pub(crate) revoked: bool,
    /// Those of people with this role.
    pub(crate) role: Option<Role>,
}

impl Filter {
    fn apply(self, index: &Index, now: OffsetDateTime) -> Vec<&Record> {
        let candidates: Vec<&Record> = match self.expiring {
            Some(within) => {
                let ending = index.ending(now + within);
                ending.filter(|record| record.is_live(now)).collect()
            }
            None => index.records().iter().collect(),
        };
        let candidates = candidates.into_iter();
        candidates
            .filter(|record| !self.revoked || record.revoked.is_some())
            .filter(|record| {
                self.role
                    .is_none_or(|role| record.person().is_some_and(|(_, theirs)| theirs == role))
            })
            .collect()
    }
}

pub(crate) fn list(
    place: &Place,
    filter: Filter,
    json: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let index = look(place, output)?.index()?;
    let now = OffsetDateTime::now_utc();
    let records = filter.apply(&index, now).into_iter();
    let rows: Vec<Row> = records.map(|r| Row::of(r, now)).collect();
    if json {
        return write_json(&rows, output);
    }
    let has_full_names = rows.iter().any(|row| row.full_name.is_some());
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut header = vec!["NAME", "ROLE", "UNTIL", "STATE", "SERIAL"];
    if has_full_names {
        header.insert(1, "FULL NAME");
    }
    table.set_header(header);
    for row in &rows {
        let state = match (&row.revoked_at, row.reason) {
            (Some(at), Some("certificateHold")) => format!("on hold since {}", day(at)),
            (Some(at), Some(reason)) => format!("revoked {} ({reason})", day(at)),
            _ => row.state.to_owned(),
        };
        let role = row.role.unwrap_or(row.kind);
        let name = wire::escape(&row.name);
        let full_name = row.full_name.as_deref().map(wire::escape);
        let mut cells = vec![&name, role, day(&row.until), &state, &row.serial];
        if has_full_names {
            cells.insert(1, full_name.as_deref().unwrap_or_default());
        }
        table.add_row(cells);
    }
    output.tell(|results| {
        let mut lines = table.lines();
        lines.try_for_each(|line| writeln!(results, "{}", line.trim()))
    })
}
