//! The state of the CA on one screen, and as an exit code for a nightly job.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use time::{Duration, OffsetDateTime};
use wire::ClientId;

use super::agreement;
use super::connected::connected;
use crate::error::Error;
use crate::ledger::index::{Index, IndexEntry};
use crate::ledger::register::Register;
use crate::sign::reason::Reason;
use crate::words::{Moment, NAMES_SHOWN_MAX, day, first_few};

/// A certificate that ends within this time ends soon.
pub(super) const SOON: Duration = Duration::days(30);

/// How bad something is. The worst is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Good = 0,
    Soon = 1,
    Expired = 2,
    Broken = 3,
}

/// The state of a CA.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    code: u8,
    state: String,
    ca: CaStatus,
    list: Option<ListStatus>,
    valid: usize,
    expiring: Vec<DatedCertificate>,
    expired: Vec<DatedCertificate>,
    revoked: Vec<DatedCertificate>,
    on_hold: Vec<DatedCertificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    never_connected: Option<Vec<String>>,
    /// Faults of the CA or its list.
    faults: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CaStatus {
    name: String,
    until: Moment,
    days_left: i64,
}

#[derive(Debug, Serialize)]
struct ListStatus {
    number: String,
    signed: Moment,
    age_days: i64,
    next_update: Moment,
    days_left: i64,
    revoked: usize,
}

#[derive(Debug, Serialize)]
struct DatedCertificate {
    name: String,
    serial: String,
    on: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Whether it was superseded, and the person has a valid one.
    #[serde(skip)]
    is_replaced: bool,
    /// Whether it ends early because a newer one replaces it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_being_replaced: bool,
}

impl Status {
    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Reads the state. `db` is the server's database, to learn who never connected.
    pub(crate) fn of(register: &Register, db: Option<&Path>) -> Result<Self, Error> {
        let index = &register.index()?;
        let now = OffsetDateTime::now_utc();
        let seen = db.map(connected).transpose()?;
        let mut worst = Severity::Good;
        let mut faults = Vec::new();
        let mut fault = |severity: Severity, what: String| {
            worst = worst.max(severity);
            faults.push(what);
        };
        let says = register.says();
        let until = OffsetDateTime::from(says.not_after);
        if !says.is_valid_at(now.into()) {
            let (from, until) = (day(OffsetDateTime::from(says.not_before)), day(until));
            let today = day(now);
            let what = format!(
                "the CA is valid from {from} until {until}, and the clock says {today}: is the clock right?"
            );
            fault(Severity::Broken, what);
        } else if until - now < SOON {
            fault(Severity::Soon, "the CA itself expires soon".to_owned());
        }
        if !register.key().exists() {
            let key = register.key();
            let what = format!("{} is missing, so nothing can be signed", key.display());
            fault(Severity::Broken, what);
        }
        let list = register.read_list(now)?;
        match &list {
            None => fault(
                Severity::Broken,
                "there is no revocation list that a server would accept".to_owned(),
            ),
            Some(list) => {
                let next = OffsetDateTime::from(list.next_update());
                if next < now {
                    let what = "the revocation list has expired".to_owned();
                    fault(Severity::Broken, what);
                } else if next - now < Duration::days(pki::CRL_RENEW_DAYS.into()) {
                    let what = "the revocation list has to be signed again soon".to_owned();
                    fault(Severity::Soon, what);
                }
            }
        }
        for difference in agreement::differences(register, index, now)? {
            fault(
                Severity::Broken,
                format!("{difference} (`ca-tool crl` repairs it)"),
            );
        }
        let (expired, expiring): (Vec<_>, Vec<_>) = index
            .ending(now + SOON)
            .partition(|entry| !entry.is_live(now));
        if !expiring.is_empty() {
            worst = worst.max(Severity::Soon);
        }
        if !expired.is_empty() {
            worst = worst.max(Severity::Expired);
        }
        let holders = live(index, now).map(IndexEntry::name).collect();
        let revoked = |is_on_hold: bool| -> Vec<DatedCertificate> {
            let entries = index.entries().iter();
            entries
                .filter(|entry| entry.is_on_hold() == is_on_hold)
                .filter_map(|entry| DatedCertificate::revoked(entry, &holders))
                .collect()
        };
        Ok(Self {
            code: worst as u8,
            state: words(worst).to_owned(),
            ca: CaStatus {
                name: says.subject.to_string(),
                until: Moment(until),
                days_left: (until - now).whole_days(),
            },
            list: list.as_ref().map(|list| ListStatus::of(list, now)),
            valid: live(index, now).count(),
            expiring: expiring.into_iter().map(DatedCertificate::ending).collect(),
            expired: expired.into_iter().map(DatedCertificate::ending).collect(),
            revoked: revoked(false),
            on_hold: revoked(true),
            never_connected: seen.map(|seen| never_connected(index, &seen, now)),
            faults,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |what: &str, said: String| writeln!(f, "{what:<16} {said}");
        line(
            "CA",
            format!("\"{}\", until {}", self.ca.name, self.ca.until.day()),
        )?;
        if let Some(list) = &self.list {
            let (number, next) = (&list.number, list.next_update.day());
            let (signed, age) = (list.signed.day(), ago(list.age_days));
            line(
                "revocation list",
                format!("number {number}, signed {signed} ({age}), good until {next}"),
            )?;
        }
        line(
            "certificates",
            format!(
                "{} valid, {} ending within {} days; {} expired, {} revoked{}",
                self.valid,
                self.expiring.len(),
                SOON.whole_days(),
                self.expired.len(),
                self.revoked.len(),
                match self.on_hold.len() {
                    0 => String::new(),
                    held => format!(", {held} on hold"),
                }
            ),
        )?;
        for (what, people) in [
            ("expires soon", &self.expiring),
            ("expired", &self.expired),
            ("revoked", &self.revoked),
            ("on hold", &self.on_hold),
        ] {
            if people.iter().any(|one| !one.is_replaced) {
                let names = people
                    .iter()
                    .filter(|one| !one.is_replaced)
                    .map(DatedCertificate::to_string)
                    .collect::<Vec<_>>();
                line(what, first_few(&names, NAMES_SHOWN_MAX, ", "))?;
            }
        }
        if let Some(names) = &self.never_connected {
            let names = match names.is_empty() {
                true => "nobody".to_owned(),
                false => format!(
                    "{}: {}",
                    names.len(),
                    first_few(names, NAMES_SHOWN_MAX, ", ")
                ),
            };
            line("never connected", names)?;
        }
        for fault in &self.faults {
            line("fault", fault.clone())?;
        }
        line("state", self.state.clone())
    }
}

impl ListStatus {
    fn of(list: &pki::RevocationList, now: OffsetDateTime) -> Self {
        let signed = OffsetDateTime::from(list.this_update());
        let next = OffsetDateTime::from(list.next_update());
        Self {
            number: list.number().to_string(),
            signed: Moment(signed),
            age_days: (now - signed).whole_days(),
            next_update: Moment(next),
            days_left: (next - now).whole_days(),
            revoked: list.count(),
        }
    }
}

impl DatedCertificate {
    fn ending(entry: &IndexEntry) -> Self {
        Self {
            name: entry.name().to_owned(),
            serial: entry.serial.to_string(),
            on: Moment(entry.ends_at()),
            reason: None,
            is_replaced: false,
            is_being_replaced: entry.superseded_at() == Some(entry.ends_at()),
        }
    }

    fn revoked(entry: &IndexEntry, holders: &HashSet<&str>) -> Option<Self> {
        let (at, reason) = entry.revoked?;
        Some(Self {
            name: entry.name().to_owned(),
            serial: entry.serial.to_string(),
            on: Moment(at),
            reason: Some(reason.as_str()),
            is_replaced: reason == Reason::Superseded && holders.contains(entry.name()),
            is_being_replaced: false,
        })
    }
}

impl fmt::Display for DatedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", wire::escape(&self.name), self.on.day())?;
        // Those on hold have a line of their own.
        let reason = self.reason;
        if let Some(reason) = reason.filter(|reason| *reason != Reason::CertificateHold.as_str()) {
            write!(f, ", {reason}")?;
        }
        if self.is_being_replaced {
            f.write_str(", the newer one replaces it")?;
        }
        f.write_str(")")
    }
}

fn words(worst: Severity) -> &'static str {
    match worst {
        Severity::Good => "good",
        Severity::Soon => "something expires soon",
        Severity::Expired => "something has expired",
        Severity::Broken => "the CA or its revocation list needs attention",
    }
}

fn live(index: &Index, now: OffsetDateTime) -> impl Iterator<Item = &IndexEntry> {
    index.entries().iter().filter(move |r| r.is_live(now))
}

fn ago(days: i64) -> String {
    match days {
        0 => "less than a day ago".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

/// Returns the people who have a certificate and never connected, in the order of issue.
fn never_connected(index: &Index, seen: &HashSet<String>, now: OffsetDateTime) -> Vec<String> {
    let mut told = HashSet::new();
    let people = live(index, now).filter_map(|entry| Some(entry.person()?.0));
    people
        .map(|id: ClientId| id.to_string())
        .filter(|id| !seen.contains(id) && told.insert(id.clone()))
        .collect()
}
