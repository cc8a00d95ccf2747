//! A line of the index, as OpenSSL reads and writes it.

use pki::Serial;
use time::{Date, Month, OffsetDateTime, Time};

use super::Record;
use super::notes::Notes;
use crate::sign::reason::Reason;

/// Reads a line.
pub(super) fn parse_line(line: &str) -> Option<Record> {
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
            Some((
                parse_moment(at)?,
                parse_reason(notes.find(REASON).unwrap_or(reason)),
            ))
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

/// OpenSSL says more with some reasons, such as since when somebody else has the key. One that it
/// knows and we do not still leaves the certificate revoked.
fn parse_reason(said: &str) -> Reason {
    let (word, _) = said.split_once(',').unwrap_or((said, ""));
    match word {
        "keyTime" | "CAkeyTime" | "CACompromise" => Reason::KeyCompromise,
        "holdInstruction" => Reason::CertificateHold,
        word => Reason::parse(word).unwrap_or_default(),
    }
}

/// Writes it.
pub(super) fn format_line(record: &Record) -> String {
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
pub(super) fn format_moment(moment: OffsetDateTime) -> String {
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

pub(super) fn parse_moment(text: &str) -> Option<OffsetDateTime> {
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

/// A reason that OpenSSL does not know.
const REASON: &str = "reason";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use time::macros::datetime;
    use wire::Role;

    use super::*;
    use crate::error::Error;
    use crate::ledger::index::Index;

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
            let revoked = index.records()[0].revoked.map(|(_, reason)| reason);
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
