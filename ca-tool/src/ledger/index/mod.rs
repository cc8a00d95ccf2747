//! The index of all certificates, issued and revoked: OpenSSL's database, `index.txt`.
//!
//! Each certificate has one line with six fields, separated by tabs: status, expiry, revocation, serial
//! number, file, subject. `openssl ca` can read it and continue from here. ca-tool keeps its own notes
//! in the field for the file, which OpenSSL ignores.

mod entry;
mod line;
mod missed;
mod moment;
mod notes;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::SystemTime;

use pki::Serial;
use time::OffsetDateTime;
use wire::ClientId;

use crate::error::Error;
use crate::sign::reason::{Reason, Revoked};
use crate::sign::subject::FULL_NAME;
use entry::{SUPERSEDED, UNHELD};
use line::{format_line, parse_line};
use moment::format_moment;

pub use entry::IndexEntry;
pub(crate) use entry::{EMAIL, FOLDER, KEY, KEY_HASH, NAME, NOTE, SOURCE};

/// Everything that was issued, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index(Vec<IndexEntry>);

impl Index {
    /// Reads the database. Errors name `path`.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let mut serials = HashSet::new();
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() {
                continue;
            }
            let fault = |what: &str| Error::Damaged {
                path: path.to_owned(),
                fault: format!("line {} {what}", number + 1),
            };
            let entry =
                parse_line(line).ok_or_else(|| fault("is not a line of OpenSSL's database"))?;
            if !serials.insert(entry.serial.clone()) {
                return Err(fault("repeats a serial number"));
            }
            entries.push(entry);
        }
        Ok(Self(entries))
    }

    /// Returns the text of the database.
    pub(crate) fn format(&self) -> String {
        self.0.iter().map(format_line).collect()
    }

    /// Returns every entry, oldest first.
    pub(crate) fn entries(&self) -> &[IndexEntry] {
        &self.0
    }

    /// Adds the newest entry.
    pub(crate) fn push(&mut self, entry: IndexEntry) {
        self.0.push(entry);
    }

    /// Returns every serial number.
    pub(crate) fn serials(&self) -> HashSet<Serial> {
        self.0.iter().map(|entry| entry.serial.clone()).collect()
    }

    /// Returns the certificate with this number, if it was issued here.
    pub(crate) fn find(&self, serial: &Serial) -> Option<&IndexEntry> {
        self.0.iter().find(|entry| entry.serial == *serial)
    }

    /// Returns the full name in the newest certificate of a person that was not revoked.
    pub(crate) fn certified_name(&self, id: &ClientId) -> Option<&str> {
        let is_theirs = |entry: &&IndexEntry| {
            entry.revoked.is_none()
                && entry.part("CN") == Some(id.as_str())
                && entry.person().is_some()
        };
        let newest = self.0.iter().rev().find(is_theirs)?;
        newest.part(FULL_NAME)
    }

    /// Returns the entries of the revocation list. Expired certificates stay on it: a clock that is
    /// wrong for a day must not let anybody back in.
    pub(crate) fn revoked(&self) -> impl Iterator<Item = Revoked> {
        self.0.iter().filter_map(|entry| {
            let (at, reason) = entry.revoked?;
            Some(Revoked {
                serial: entry.serial.clone(),
                at,
                reason,
            })
        })
    }

    /// Returns when certificates that are still good will be revoked because others replace them.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&Serial, SystemTime)> {
        self.0.iter().filter_map(|entry| {
            let at = entry.superseded_at().filter(|_| entry.revoked.is_none())?;
            Some((&entry.serial, SystemTime::from(at)))
        })
    }

    /// Returns the certificates that need attention: not revoked, usable until `horizon` at most, and
    /// their owner has none that lasts longer, or has to use the newer one before this one ends.
    pub(crate) fn ending(&self, horizon: OffsetDateTime) -> impl Iterator<Item = &IndexEntry> {
        let mut last: HashMap<(&str, bool), OffsetDateTime> = HashMap::new();
        for entry in self.0.iter().filter(|entry| entry.revoked.is_none()) {
            let until = last.entry(entry.owner()).or_insert(entry.ends_at());
            *until = entry.ends_at().max(*until);
        }
        self.0.iter().filter(move |entry| {
            entry.revoked.is_none()
                && entry.ends_at() <= horizon
                && (entry.superseded_at().is_some()
                    || last.get(&entry.owner()) == Some(&entry.ends_at()))
        })
    }

    /// Revokes the certificates that `which` selects, and returns how many that changed. A certificate on
    /// hold is then revoked for good, and a compromised key overrides any other reason.
    pub(crate) fn revoke(
        &mut self,
        which: impl Fn(&IndexEntry) -> bool,
        at: OffsetDateTime,
        reason: Reason,
        note: Option<&str>,
    ) -> usize {
        let mut revoked = 0;
        for entry in self.0.iter_mut().filter(|entry| which(entry)) {
            if !entry.revoke(at, reason) {
                continue;
            }
            if let Some(note) = note {
                entry.set_note(NOTE, note);
            }
            revoked += 1;
        }
        revoked
    }

    /// Takes the certificates that `which` selects off hold at `now`, and returns those that were on
    /// hold.
    pub(crate) fn unhold(
        &mut self,
        which: impl Fn(&IndexEntry) -> bool,
        now: OffsetDateTime,
    ) -> Vec<IndexEntry> {
        let mut freed = Vec::new();
        for entry in self.0.iter_mut().filter(|entry| which(entry)) {
            if !entry.is_on_hold() {
                continue;
            }
            freed.push(entry.clone());
            let since = entry.revoked.take().map_or(now, |(since, _)| since);
            entry.notes.remove(NOTE);
            // An older list says that it is on hold, and may come back from a server.
            entry.set_note(UNHELD, &format_moment(now.max(since)));
        }
        freed
    }

    /// Arranges that the certificates that `which` selects are revoked as superseded at a later moment.
    pub(crate) fn supersede_later(
        &mut self,
        which: impl Fn(&IndexEntry) -> bool,
        at: OffsetDateTime,
    ) {
        for entry in self.0.iter_mut().filter(|entry| which(entry)) {
            // An earlier end that was arranged before stays.
            let at = entry.superseded_at().map_or(at, |earlier| earlier.min(at));
            entry.set_note(SUPERSEDED, &format_moment(at));
        }
    }

    /// Returns whether a certificate should have been revoked as superseded by `now`, and is not revoked
    /// or only on hold.
    pub(crate) fn is_overdue(&self, now: OffsetDateTime) -> bool {
        self.0.iter().any(|entry| entry.is_overdue(now))
    }

    /// Revokes those certificates, and returns how many they were.
    pub(crate) fn revoke_overdue(&mut self, now: OffsetDateTime) -> usize {
        let is_overdue = |entry: &IndexEntry| entry.is_overdue(now);
        self.revoke(is_overdue, now, Reason::Superseded, None)
    }
}

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
        assert_eq!(index.entries()[0].note(NAME), Some(full));

        let of_alice = |entry: &IndexEntry| {
            let person = entry.person();
            person.is_some_and(|(id, _)| id.as_str() == "alice")
        };
        let now = datetime!(2026-11-21 10:00:00 UTC);
        index.revoke(of_alice, now, Reason::PrivilegeWithdrawn, None);
        let index = parse(&index.format()).expect("a database");
        assert_eq!(index.entries()[0].note(NAME), Some(full));
        let reason = index.entries()[0].revoked.map(|(_, reason)| reason);
        assert_eq!(reason, Some(Reason::PrivilegeWithdrawn));
    }

    #[test]
    fn certificates_that_end_soon_are_reported_unless_they_were_renewed() {
        let index = parse(
            "V\t261130000000Z\t\t01\tunknown\t/CN=alice/OU=student/O=N\n\
             V\t270530000000Z\t\t02\tunknown\t/CN=alice/OU=assistant/O=N\n\
             V\t261130000000Z\t\t03\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t270530000000Z\t261121100000Z\t04\tunknown\t/CN=bob/OU=student/O=N\n\
             R\t261130000000Z\t261121100000Z\t05\tunknown\t/CN=carol/OU=student/O=N\n\
             V\t261201000001Z\t\t06\tunknown\t/CN=localhost/O=N\n",
        )
        .expect("a database");
        let ending = |horizon| {
            index
                .ending(horizon)
                .map(IndexEntry::name)
                .collect::<Vec<_>>()
        };
        assert_eq!(ending(datetime!(2026-12-01 00:00:00 UTC)), ["bob"]);
        assert_eq!(
            ending(datetime!(2026-12-01 00:00:01 UTC)),
            ["bob", "localhost"]
        );
    }

    #[test]
    fn a_superseded_certificate_ends_on_its_date_and_servers_never_count_as_people() {
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
        // Alice has to use the newer one before the older one ends.
        assert_eq!(serials, ["01", "02", "03"]);
        let found = ending(datetime!(2026-11-29 00:00:00 UTC));
        let serials: Vec<_> = found.iter().map(|r| r.serial.to_string()).collect();
        assert_eq!(serials, ["01"]);
    }

    #[test]
    fn a_certificate_that_was_superseded_while_on_hold_stays_revoked() {
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
        let of_alice = |entry: &IndexEntry| {
            let person = entry.person();
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
