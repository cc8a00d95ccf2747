//! Who has a certificate, until when, and who was revoked.

use std::path::Path;

use comfy_table::{Table, presets};
use serde::Serialize;
use time::OffsetDateTime;

use super::look;
use crate::error::Error;
use crate::index::Record;
use crate::run::{Output, day, moment, write_json};

/// One line of `list`.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
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
            name: record.name().escape_debug().to_string(),
            kind: if person.is_some() { "person" } else { "server" },
            role: person.map(|(_, role)| role.as_str()),
            until: moment(record.not_after),
            state,
            revoked_at: record.revoked.map(|(at, _)| moment(at)),
            reason: record.revoked.map(|(_, reason)| reason.as_str()),
            serial: record.serial.to_string(),
        }
    }
}

pub(crate) fn list(dir: &Path, json: bool, output: &mut Output<'_>) -> Result<(), Error> {
    let ca = look(dir, output)?;
    let now = OffsetDateTime::now_utc();
    let rows: Vec<Row> = ca.list()?.iter().map(|r| Row::of(r, now)).collect();
    if json {
        return write_json(&rows, output);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["NAME", "ROLE", "UNTIL", "STATE", "SERIAL"]);
    for row in &rows {
        let state = match (&row.revoked_at, row.reason) {
            (Some(at), Some(reason)) => format!("revoked {} ({reason})", day(at)),
            _ => row.state.to_owned(),
        };
        let role = row.role.unwrap_or(row.kind);
        table.add_row([&row.name, role, day(&row.until), &state, &row.serial]);
    }
    for line in table.lines() {
        writeln!(output.results, "{}", line.trim())?;
    }
    Ok(())
}
