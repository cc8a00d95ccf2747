//! Which certificates were issued and which were revoked: OpenSSL's database, `index.txt`.
//!
//! One line each, six fields with tabs between them: status, expiry, revocation, serial number,
//! file (`unknown`), subject. `openssl ca` reads it and can take over from this program.

mod missed;
mod notes;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use pki::Serial;
use time::{Date, Month, OffsetDateTime, Time};
use wire::{ClientId, Role};

use crate::error::Error;
use crate::issuer::Revoked;
use crate::reason::Reason;
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

    /// Takes those of the certificates that `which` says off hold; says which they were.
    pub(crate) fn unhold(&mut self, which: impl Fn(&Record) -> bool) -> Vec<Record> {
        let mut freed = Vec::new();
        for record in self.0.iter_mut().filter(|record| which(record)) {
            if record.is_on_hold() {
                freed.push(record.clone());
                record.revoked = None;
                record.line = None;
                record.notes.remove(NOTE);
            }
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
/// The full name of a person, as the roster has it.
pub(crate) const NAME: &str = "name";
/// A reason that OpenSSL does not know.
const REASON: &str = "reason";
fn parse_line(line: &str) -> Option<Record> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [status, expiry, revocation, serial, file, subject] = fields[..] else {
        return None;
    };
    let notes = Notes::parse(file);
    let revoked = match (status, revocation) {
        // OpenSSL marks what has expired with E; here the clock tells.
        ("V" | "E", "") => None,
        ("R", revocation) => {
            let (at, reason) = revocation.split_once(',').unwrap_or((revocation, ""));
            // A reason that OpenSSL knows and we do not still leaves the certificate revoked.
            let reason = Reason::parse(notes.find(REASON).unwrap_or(reason)).unwrap_or_default();
            Some((parse_moment(at)?, reason))
        }
        _ => return None,
    };
    Some(Record {
        serial: Serial::parse(serial)?,
        not_after: parse_moment(expiry)?,
        revoked,
        subject: parse_subject(subject)?,
        notes,
        line: Some(line.to_owned()),
    })
}

fn format_line(record: &Record) -> String {
    if let Some(line) = &record.line {
        return format!("{line}\n");
    }
    let (mut revocation, mut notes) = (String::new(), record.notes.clone());
    notes.remove(REASON);
    if let Some((at, reason)) = record.revoked {
        revocation = format_moment(at);
        match reason {
            Reason::Unspecified => {}
            // OpenSSL refuses the whole database if it finds a reason that it does not know, and
            // it does not know this one.
            Reason::PrivilegeWithdrawn => notes.set(REASON, reason.as_str()),
            reason => revocation.push_str(&format!(",{reason}")),
        }
    }
    let status = if record.revoked.is_some() { "R" } else { "V" };
    let serial = record.serial.to_string().to_uppercase();
    let (expiry, file) = (format_moment(record.not_after), notes.format());
    let subject: String = record
        .subject
        .iter()
        .map(|(kind, text)| format!("/{kind}={}", escape(text)))
        .collect();
    format!("{status}\t{expiry}\t{revocation}\t{serial}\t{file}\t{subject}\n")
}

/// Reads `/CN=alice/OU=student`, where a slash or backslash in a text has a backslash before it.
/// OpenSSL writes the bytes of what is not ASCII as `\xE5`, which is read too.
fn parse_subject(text: &str) -> Option<Vec<(String, String)>> {
    let mut parts = vec![Vec::new()];
    let mut rest = text.strip_prefix('/')?.as_bytes();
    while let [first, after @ ..] = rest {
        let part = parts.last_mut().expect("there is always a part");
        rest = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                part.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                after
            }
            (b'\\', [escaped, after @ ..]) => {
                part.push(*escaped);
                after
            }
            (b'/', after) => {
                parts.push(Vec::new());
                after
            }
            (byte, after) => {
                part.push(*byte);
                after
            }
        };
    }
    let split = |part: Vec<u8>| {
        let part = String::from_utf8(part).ok()?;
        let (kind, text) = part.split_once('=')?;
        Some((kind.to_owned(), text.to_owned()))
    };
    parts.into_iter().map(split).collect()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('/', "\\/")
}

/// `YYMMDDHHMMSSZ`, and from 2050 on `YYYYMMDDHHMMSSZ`, as in certificates.
fn format_moment(moment: OffsetDateTime) -> String {
    let year = moment.year();
    let year = match year {
        1950..2050 => format!("{:02}", year % 100),
        _ => format!("{year:04}"),
    };
    format!(
        "{year}{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

fn parse_moment(text: &str) -> Option<OffsetDateTime> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match digits.len() {
        12 => {
            let year: i32 = digits[..2].parse().ok()?;
            (year + if year < 50 { 2000 } else { 1900 }, &digits[2..])
        }
        14 => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let pair = |at: usize| rest[at..at + 2].parse::<u8>().ok();
    let month = Month::try_from(pair(0)?).ok()?;
    let date = Date::from_calendar_date(year, month, pair(2)?).ok()?;
    let clock = Time::from_hms(pair(4)?, pair(6)?, pair(8)?).ok()?;
    Some(date.with_time(clock).assume_utc())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn parse(text: &str) -> Result<Index, Error> {
        Index::parse(text, Path::new("index.txt"))
    }

    #[test]
    fn a_database_reads_back_as_it_was_written() {
        let text = "V\t270520235959Z\t\t4A01\tunknown\t/CN=alice/OU=student/O=Networks 101\n\
                    R\t270520235959Z\t261121100000Z,keyCompromise\t4A02\tunknown\t/CN=张三/OU=bot/O=a\\/b\\\\c\n\
                    R\t270520235959Z\t261121100000Z\t4A03\treason=privilegeWithdrawn\t/CN=bob/O=N\n\
                    R\t20510520235959Z\t261121100000Z\tFF\tunknown\t/CN=chat.example/O=x=y\n";
        let index = parse(text).expect("a database");
        let anew: String = index
            .records()
            .iter()
            .map(|record| {
                format_line(&Record {
                    line: None,
                    ..record.clone()
                })
            })
            .collect();
        assert_eq!(anew, text);
        let [alice, zhang, bob, server] = index.records() else {
            panic!("four records")
        };
        assert_eq!(alice.not_after, datetime!(2027-05-20 23:59:59 UTC));
        assert_eq!(
            alice.person().map(|(id, role)| (id.to_string(), role)),
            Some(("alice".to_owned(), Role::Student))
        );
        assert_eq!(zhang.part("O"), Some("a/b\\c"));
        assert_eq!(
            zhang.revoked,
            Some((datetime!(2026-11-21 10:00:00 UTC), Reason::KeyCompromise))
        );
        let reason = bob.revoked.map(|(_, reason)| reason);
        assert_eq!(reason, Some(Reason::PrivilegeWithdrawn));
        assert_eq!(server.person(), None);
        assert_eq!(server.not_after.year(), 2051);
    }

    #[test]
    fn what_openssl_wrote_is_read_and_left_as_it_was() {
        let text = "E\t200520235959Z\t\t01\tx.pem\t/CN=\\xE5\\xBC\\xA0\n\
                    R\t270520235959Z\t261121100000Z,CACompromise\t02\tunknown\t/C=XY/CN=x\n";
        let index = parse(text).expect("a database");
        assert_eq!(index.revoked().count(), 1);
        assert_eq!(index.records()[0].name(), "张");
        assert!(index.records().iter().all(|r| r.person().is_none()));
        assert_eq!(index.format(), text);
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
    fn a_damaged_line_is_named_and_not_skipped() {
        let good = "V\t270520235959Z\t\t4A01\tunknown\t/CN=alice\n";
        for bad in [
            "V\t270520235959Z\t\t4A02\tunknown",
            "V\t270520235959Z\t261121100000Z\t4A02\tunknown\t/CN=a",
            "R\t270520235959Z\t\t4A02\tunknown\t/CN=a",
            "X\t270520235959Z\t\t4A02\tunknown\t/CN=a",
            "V\t270230235959Z\t\t4A02\tunknown\t/CN=a",
            "V\t270520235959\t\t4A02\tunknown\t/CN=a",
            "V\t270520235959Z\t\tzz\tunknown\t/CN=a",
            "V\t270520235959Z\t\t4A02\tunknown\tCN=a",
            "V\t270520235959Z\t\t04a01\tunknown\t/CN=twice",
        ] {
            let error = parse(&format!("{good}{bad}\n")).expect_err(bad);
            assert!(
                error
                    .to_string()
                    .starts_with("cannot read index.txt: line 2 "),
                "{error}"
            );
        }
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
        let freed = index.unhold(|_| true);
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
