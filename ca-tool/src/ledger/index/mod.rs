//! Which certificates were issued and which were revoked: OpenSSL's database, `index.txt`.
//!
//! One line each, six fields with tabs between them: status, expiry, revocation, serial number,
//! file (`unknown`), subject. `openssl ca` reads it and can take over from this program.

mod line;
mod missed;
mod notes;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use pki::Serial;
use time::OffsetDateTime;
use wire::{ClientId, Role};

use crate::error::Error;
use crate::sign::issuer::Revoked;
use crate::sign::reason::Reason;
use line::{format_line, format_moment, parse_line, parse_moment};
use notes::Notes;

/// Everything that was issued, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index(Vec<Record>);

/// One certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub serial: Serial,
    /// The last moment at which it is valid, unless it was revoked.
    pub not_after: OffsetDateTime,
    /// When it was revoked and why, if it was.
    pub revoked: Option<(OffsetDateTime, Reason)>,
    /// Whose it is: CN, OU and O, as they stand in the certificate.
    pub(crate) subject: Vec<(String, String)>,
    /// What this program keeps beside what OpenSSL does.
    notes: Notes,
    /// The line as it was read. It is written again as it was, because `openssl ca` says things
    /// in it that have no meaning here.
    line: Option<String>,
}

impl Record {
    /// Of a certificate that was just signed.
    pub(crate) fn new(
        serial: Serial,
        not_after: OffsetDateTime,
        subject: Vec<(&'static str, String)>,
    ) -> Self {
        let subject = subject.into_iter();
        Self {
            serial,
            not_after,
            revoked: None,
            subject: subject
                .map(|(kind, text)| (kind.to_owned(), text))
                .collect(),
            notes: Notes::default(),
            line: None,
        }
    }

    /// What is kept under a key such as `name`, if anything is.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.find(key)
    }

    /// Keeps a text under a key. The key is a plain word.
    pub(crate) fn set_note(&mut self, key: &str, text: &str) {
        self.notes.set(key, text);
        self.line = None;
    }

    /// The person whose certificate it is; `None` when it is a server's.
    pub fn person(&self) -> Option<(ClientId, Role)> {
        let id = ClientId::parse(self.part("CN")?).ok()?;
        let role = Role::parse(self.part("OU")?)?;
        Some((id, role))
    }

    /// The name in it: a person's, or a server's first host.
    pub fn name(&self) -> &str {
        self.part("CN").unwrap_or("(no name)")
    }

    /// Whether it can be used at `now`.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.revoked.is_none() && now <= self.not_after
    }

    /// Whether it was revoked for the time being.
    pub fn is_on_hold(&self) -> bool {
        matches!(self.revoked, Some((_, Reason::CertificateHold)))
    }

    /// When it will be revoked because another took its place, if that is decided.
    pub fn superseded_at(&self) -> Option<OffsetDateTime> {
        self.notes.find(SUPERSEDED).and_then(parse_moment)
    }

    /// Whether a hold that began at this moment was ended since.
    fn outlived_hold(&self, began: OffsetDateTime) -> bool {
        let unheld = self.notes.find(UNHELD).and_then(parse_moment);
        unheld.is_some_and(|at| began <= at)
    }

    /// The last moment at which it can be used: its own, or earlier when another takes its place.
    pub(crate) fn ends_at(&self) -> OffsetDateTime {
        let superseded = self.superseded_at();
        superseded.map_or(self.not_after, |at| at.min(self.not_after))
    }

    /// What is on hold is overdue too: nobody is to take it off hold again.
    fn is_overdue(&self, now: OffsetDateTime) -> bool {
        (self.revoked.is_none() || self.is_on_hold())
            && self.superseded_at().is_some_and(|at| at <= now)
    }

    /// Whose it is, whatever their role is now: the CN, and whether that is a person. A person may
    /// be named like a server.
    fn owner(&self) -> (&str, bool) {
        let name = self.part("CN").unwrap_or_default();
        (name, self.person().is_some())
    }

    fn part(&self, kind: &str) -> Option<&str> {
        let part = self.subject.iter().find(|(k, _)| k == kind);
        part.map(|(_, text)| text.as_str())
    }
}

impl Index {
    /// Reads the database. `path` is what errors call it.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let mut serials = HashSet::new();
        let mut records = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() {
                continue;
            }
            let fault = |what: &str| Error::Damaged {
                path: path.to_owned(),
                fault: format!("line {} {what}", number + 1),
            };
            let record =
                parse_line(line).ok_or_else(|| fault("is not one of OpenSSL's database"))?;
            if !serials.insert(record.serial.clone()) {
                return Err(fault("has a serial number that stands there already"));
            }
            records.push(record);
        }
        Ok(Self(records))
    }

    /// The text of the database.
    pub(crate) fn format(&self) -> String {
        self.0.iter().map(format_line).collect()
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.0
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.0.push(record);
    }

    pub(crate) fn serials(&self) -> HashSet<Serial> {
        self.0.iter().map(|record| record.serial.clone()).collect()
    }

    /// The certificate of this number, if it was issued here.
    pub(crate) fn find(&self, serial: &Serial) -> Option<&Record> {
        self.0.iter().find(|record| record.serial == *serial)
    }

    /// What the revocation list has to say. Nothing is ever taken off it: a clock that is wrong
    /// for a day must not bring anybody back.
    pub(crate) fn revoked(&self) -> impl Iterator<Item = Revoked> {
        self.0.iter().filter_map(|record| {
            let (at, reason) = record.revoked?;
            Some(Revoked {
                serial: record.serial.clone(),
                at,
                reason,
            })
        })
    }

    /// The certificates that are not revoked and can be used until `horizon` at most, where their
    /// owner has none that can be used longer: what somebody has to see to.
    pub(crate) fn ending(&self, horizon: OffsetDateTime) -> impl Iterator<Item = &Record> {
        let mut last: HashMap<(&str, bool), OffsetDateTime> = HashMap::new();
        for record in self.0.iter().filter(|record| record.revoked.is_none()) {
            let until = last.entry(record.owner()).or_insert(record.ends_at());
            *until = record.ends_at().max(*until);
        }
        self.0.iter().filter(move |record| {
            record.revoked.is_none()
                && record.ends_at() <= horizon
                && last.get(&record.owner()) == Some(&record.ends_at())
        })
    }

    /// Revokes the certificates that `which` says; says how many of them were not revoked before.
    /// One that was on hold is so no more: from now on it is revoked for good. One whose key turns
    /// out to be compromised is so from now on, whatever it was revoked for; it counts too.
    pub(crate) fn revoke(
        &mut self,
        which: impl Fn(&Record) -> bool,
        at: OffsetDateTime,
        reason: Reason,
        note: Option<&str>,
    ) -> usize {
        let mut revoked = 0;
        for record in self.0.iter_mut().filter(|record| which(record)) {
            let Some(now_revoked) = raised(record.revoked, at, reason) else {
                continue;
            };
            record.revoked = Some(now_revoked);
            record.line = None;
            if let Some(note) = note {
                record.set_note(NOTE, note);
            }
            revoked += 1;
        }
        revoked
    }

    /// Takes those of the certificates that `which` says off hold at `now`; says which they were.
    pub(crate) fn unhold(
        &mut self,
        which: impl Fn(&Record) -> bool,
        now: OffsetDateTime,
    ) -> Vec<Record> {
        let mut freed = Vec::new();
        for record in self.0.iter_mut().filter(|record| which(record)) {
            if !record.is_on_hold() {
                continue;
            }
            freed.push(record.clone());
            let since = record.revoked.take().map_or(now, |(since, _)| since);
            record.notes.remove(NOTE);
            // A list from before says that they are on hold, and may come back from a server.
            record.set_note(UNHELD, &format_moment(now.max(since)));
        }
        freed
    }

    /// Has the certificates that `which` says revoked as superseded at a later moment.
    pub(crate) fn supersede_later(&mut self, which: impl Fn(&Record) -> bool, at: OffsetDateTime) {
        for record in self.0.iter_mut().filter(|record| which(record)) {
            // What was to end earlier still does.
            let at = record.superseded_at().map_or(at, |earlier| earlier.min(at));
            record.set_note(SUPERSEDED, &format_moment(at));
        }
    }

    /// Whether a certificate should have been revoked as superseded by `now`, and was not or only
    /// for the time being.
    pub(crate) fn is_overdue(&self, now: OffsetDateTime) -> bool {
        self.0.iter().any(|record| record.is_overdue(now))
    }

    /// Revokes them; says how many they were.
    pub(crate) fn revoke_overdue(&mut self, now: OffsetDateTime) -> usize {
        let is_overdue = |record: &Record| record.is_overdue(now);
        self.revoke(is_overdue, now, Reason::Superseded, None)
    }
}

/// Since when and why a certificate is revoked that was revoked before as `now` says, or not at all,
/// and is to be so for a `reason` from `at` on; `None` when that changes nothing.
fn raised(
    now: Option<(OffsetDateTime, Reason)>,
    at: OffsetDateTime,
    reason: Reason,
) -> Option<(OffsetDateTime, Reason)> {
    match now {
        None => Some((at, reason)),
        // They were kept out from that moment on.
        Some((since, Reason::CertificateHold)) if reason != Reason::CertificateHold => {
            Some((since, reason))
        }
        // The key is worth more to whoever has it than the certificate was.
        Some((since, lesser))
            if reason == Reason::KeyCompromise && lesser != Reason::KeyCompromise =>
        {
            Some((since, reason))
        }
        Some(_) => None,
    }
}

/// Why somebody was revoked, in the words of who did it.
pub(crate) const NOTE: &str = "note";
/// Who made the key, if it was not this program.
pub(crate) const KEY: &str = "key";
/// The SHA-256 of the public key in it, so that a key is known when the certificate is lost.
pub(crate) const KEY_HASH: &str = "keyhash";
/// When a certificate is to be revoked because another took its place.
const SUPERSEDED: &str = "superseded";
/// When it was taken off hold for the last time.
const UNHELD: &str = "unheld";
/// The full name of a person, as the roster has it.
pub(crate) const NAME: &str = "name";

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn parse(text: &str) -> Result<Index, Error> {
        Index::parse(text, Path::new("index.txt"))
    }

    #[test]
    fn a_note_holds_any_text_and_survives_a_revocation() {
        let mut index = parse("V\t270520235959Z\t\t4A01\tunknown\t/CN=alice/OU=student/O=N\n")
            .expect("a database");
        let full = "Alice \"50 %\"; Liddell=\\\t\n张";
        index.0[0].set_note(NAME, full);
        let written = index.format();
        assert_eq!(written.lines().count(), 1);
        assert_eq!(written.matches('\t').count(), 5);
        let mut index = parse(&written).expect("a database");
        assert_eq!(index.records()[0].note(NAME), Some(full));

        let of_alice = |record: &Record| {
            let person = record.person();
            person.is_some_and(|(id, _)| id.as_str() == "alice")
        };
        let now = datetime!(2026-11-21 10:00:00 UTC);
        index.revoke(of_alice, now, Reason::PrivilegeWithdrawn, None);
        let index = parse(&index.format()).expect("a database");
        assert_eq!(index.records()[0].note(NAME), Some(full));
        let reason = index.records()[0].revoked.map(|(_, reason)| reason);
        assert_eq!(reason, Some(Reason::PrivilegeWithdrawn));
    }

    #[test]
    fn what_ends_soon_is_what_nobody_has_renewed() {
        let index = parse(
            "V\t261130000000Z\t\t01\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t270530000000Z\t\t02\tunknown\t/CN=alice/OU=assistant/O=N\n\
             V\t261130000000Z\t\t03\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t270530000000Z\t261121100000Z\t04\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t261130000000Z\t261121100000Z\t05\tunknown\t/CN=carol/OU=student/O=N\n\
             V\t261201000001Z\t\t06\tunknown\t/CN=localhost/O=N\n",
        )
        .expect("a database");
        let ending = |horizon| index.ending(horizon).map(Record::name).collect::<Vec<_>>();
        assert_eq!(ending(datetime!(2026-12-01 00:00:00 UTC)), ["bob"]);
        assert_eq!(
            ending(datetime!(2026-12-01 00:00:01 UTC)),
            ["bob", "localhost"]
        );
    }

    #[test]
    fn what_is_superseded_ends_when_it_is_and_a_server_is_nobody_s_namesake() {
        let index = parse(
            "V\t270530000000Z\t\t01\tsuperseded=261125000000Z\t/CN=alice/OU=student/O=N\n\
             V\t261130000000Z\t\t02\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t261130000000Z\t\t03\tunknown\t/CN=chat/OU=student/O=N\n\
             V\t281130000000Z\t\t04\tunknown\t/CN=chat/O=N\n",
        )
        .expect("a database");
        let ending = |horizon| index.ending(horizon).collect::<Vec<_>>();
        let found = ending(datetime!(2026-12-01 00:00:00 UTC));
        let serials: Vec<_> = found.iter().map(|r| r.serial.to_string()).collect();
        assert_eq!(serials, ["02", "03"]);
        assert!(ending(datetime!(2026-11-29 00:00:00 UTC)).is_empty());
    }

    #[test]
    fn what_was_superseded_while_it_was_on_hold_stays_revoked() {
        let mut index = parse(
            "R\t270530000000Z\t261121000000Z,certificateHold\t01\tsuperseded=261125000000Z\t/CN=alice/OU=student/O=N\n\
             R\t270530000000Z\t261121000000Z,certificateHold\t02\tunknown\t/CN=alice/OU=student/O=N\n",
        )
        .expect("a database");
        assert_eq!(index.revoke_overdue(datetime!(2026-11-24 23:59:59 UTC)), 0);
        let after = datetime!(2026-11-25 00:00:00 UTC);
        assert!(index.is_overdue(after));
        assert_eq!(index.revoke_overdue(after), 1);
        assert!(!index.is_overdue(after));
        let freed = index.unhold(|_| true, after);
        let serials: Vec<_> = freed.iter().map(|r| r.serial.to_string()).collect();
        assert_eq!(serials, ["02"]);
        let left: Vec<_> = index.revoked().map(|r| r.serial.to_string()).collect();
        assert_eq!(left, ["01"]);
    }

    #[test]
    fn revoking_twice_changes_nothing_but_that_a_key_is_compromised() {
        let mut index = parse(
            "V\t270520235959Z\t\t4A01\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t270520235959Z\t\t4A02\tunknown\t/CN=alice/OU=bot/O=N\n\
             V\t270520235959Z\t\t4A03\tunknown\t/CN=alice/O=N\n",
        )
        .expect("a database");
        let of_alice = |record: &Record| {
            let person = record.person();
            person.is_some_and(|(id, _)| id.as_str() == "alice")
        };
        let now = datetime!(2026-11-21 10:00:00 UTC);
        assert_eq!(index.revoke(of_alice, now, Reason::Superseded, None), 2);
        let once = index.format();
        let later = now + time::Duration::DAY;
        let mut again = |reason| (index.revoke(of_alice, later, reason, None), index.format());
        assert_eq!(again(Reason::Unspecified), (0, once.clone()));
        // The moment stays: they were kept out from then on.
        let raised = once.replace("superseded", "keyCompromise");
        assert_eq!(again(Reason::KeyCompromise), (2, raised.clone()));
        assert_eq!(again(Reason::KeyCompromise), (0, raised.clone()));
        assert_eq!(again(Reason::Superseded), (0, raised));
    }
}
