//! A line of the index, as OpenSSL reads and writes it.

use pki::Serial;

use super::entry::IndexEntry;
use super::moment::{format_moment, parse_moment};
use super::notes::Notes;
use crate::sign::reason::Reason;

/// Reads a line.
pub(super) fn parse_line(line: &str) -> Option<IndexEntry> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [status, expiry, revocation, serial, file, subject] = fields[..] else {
        return None;
    };
    let notes = Notes::parse(file);
    let revoked = match (status, revocation) {
        // OpenSSL marks expired certificates with E. Here the clock decides.
        ("V" | "E", "") => None,
        ("R", revocation) => {
            let (at, reason) = revocation.split_once(',').unwrap_or((revocation, ""));
            Some((
                parse_moment(at)?,
                parse_reason(notes.find(REASON).unwrap_or(reason)),
            ))
        }
        _ => return None,
    };
    Some(IndexEntry {
        serial: Serial::parse(serial)?,
        not_after: parse_moment(expiry)?,
        revoked,
        subject: parse_subject(subject)?,
        notes,
        line: Some(line.to_owned()),
    })
}

/// Reads a reason. OpenSSL adds to some of them, such as when the key was stolen. A reason that only
/// OpenSSL knows still leaves the certificate revoked.
fn parse_reason(said: &str) -> Reason {
    let (word, _) = said.split_once(',').unwrap_or((said, ""));
    match word {
        "keyTime" | "CAkeyTime" | "CACompromise" => Reason::KeyCompromise,
        "holdInstruction" => Reason::CertificateHold,
        word => Reason::parse(word).unwrap_or_default(),
    }
}

/// Writes a line.
pub(super) fn format_line(entry: &IndexEntry) -> String {
    if let Some(line) = &entry.line {
        return format!("{line}\n");
    }
    let (mut revocation, mut notes) = (String::new(), entry.notes.clone());
    notes.remove(REASON);
    if let Some((at, reason)) = entry.revoked {
        revocation = format_moment(at);
        match reason {
            Reason::Unspecified => {}
            // OpenSSL does not know this one, and refuses a database with an unknown reason.
            Reason::PrivilegeWithdrawn => notes.set(REASON, reason.as_str()),
            reason => revocation.push_str(&format!(",{reason}")),
        }
    }
    let status = if entry.revoked.is_some() { "R" } else { "V" };
    let serial = entry.serial.to_string().to_uppercase();
    let (expiry, file) = (format_moment(entry.not_after), notes.format());
    let subject: String = entry
        .subject
        .iter()
        .map(|(kind, text)| format!("/{kind}={}", escape(text)))
        .collect();
    format!("{status}\t{expiry}\t{revocation}\t{serial}\t{file}\t{subject}\n")
}

/// Reads `/CN=alice/OU=student`. A slash or backslash within a text has a backslash before it, and
/// OpenSSL writes a byte that is not ASCII as `\xE5`.
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

/// The note for a reason that OpenSSL does not know.
const REASON: &str = "reason";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use time::macros::datetime;
    use wire::Role;

    use super::super::Index;
    use super::*;
    use crate::error::Error;

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
            .entries()
            .iter()
            .map(|entry| {
                format_line(&IndexEntry {
                    line: None,
                    ..entry.clone()
                })
            })
            .collect();
        assert_eq!(anew, text);
        let [alice, zhang, bob, server] = index.entries() else {
            panic!("four entries")
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
        assert_eq!(index.entries()[0].name(), "张");
        assert!(index.entries().iter().all(|r| r.person().is_none()));
        assert_eq!(index.format(), text);
    }

    #[test]
    fn a_reason_with_which_openssl_says_more_is_read() {
        for (said, reason) in [
            ("keyTime,20261120100000Z", Reason::KeyCompromise),
            ("CAkeyTime,20261120100000Z", Reason::KeyCompromise),
            ("CACompromise", Reason::KeyCompromise),
            (
                "holdInstruction,holdInstructionReject",
                Reason::CertificateHold,
            ),
            ("keyCompromise", Reason::KeyCompromise),
            ("removeFromCRL", Reason::Unspecified),
        ] {
            let text = format!("R\t270520235959Z\t261121100000Z,{said}\t02\tunknown\t/CN=x\n");
            let index = parse(&text).expect("a database");
            let revoked = index.entries()[0].revoked.map(|(_, reason)| reason);
            assert_eq!(revoked, Some(reason), "{said}");
            assert_eq!(index.format(), text);
        }
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
}
