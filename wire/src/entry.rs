//! What the transcript holds: a line, an enter or a leave, stamped with seq, time and `ID@IP`.

use std::fmt;
use std::net::IpAddr;

use crate::nonce::parse_count;
use crate::{ClientId, Line, Reason, Timestamp};

/// One entry of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place: 1, 2, 3, ... without gaps, never reused.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Whose it is, from the certificate.
    pub id: ClientId,
    /// The address that the person came from; IPv4-mapped addresses stand as IPv4.
    pub ip: IpAddr,
    /// What happened.
    pub kind: Kind,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The person said this.
    Message(Line),
    /// The person came in.
    Enter,
    /// The person left, and why.
    Leave(Reason),
}

impl Entry {
    /// Writes the entry and its line end:
    /// `41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        // A Vec grows as needed, so writing to it cannot fail.
        let wrote = writeln!(out, "{self}");
        debug_assert!(wrote.is_ok());
    }

    /// Reads one entry, without its line end. This is the only way in which a text becomes an
    /// author and a time, and no text that a person may say can stand before the `] `.
    ///
    /// # Errors
    ///
    /// When the text is not an entry of the form that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        parse(text).ok_or(EntryError)
    }
}

/// The text is not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of the transcript")]
pub struct EntryError;

fn parse(text: &str) -> Option<Entry> {
    let (seq, rest) = text.split_once(' ')?;
    let seq = parse_count(seq).filter(|seq| *seq > 0)?;
    let (at, rest) = rest.split_once(' ')?;
    let at = Timestamp::parse(at).ok()?;
    let (who, kind) = if let Some(message) = rest.strip_prefix('[') {
        let (who, said) = message.split_once("] ")?;
        (
            who,
            Kind::Message(Line::parse_recorded(said.as_bytes()).ok()?),
        )
    } else {
        let (who, happened) = rest.strip_prefix("* ")?.split_once(' ')?;
        (who, parse_happened(happened)?)
    };
    let (id, ip) = who.split_once('@')?;
    Some(Entry {
        seq,
        at,
        id: ClientId::parse(id).ok()?,
        ip: ip.parse().ok()?,
        kind,
    })
}

fn parse_happened(text: &str) -> Option<Kind> {
    if text == "entered" {
        return Some(Kind::Enter);
    }
    let why = text.strip_prefix("left (")?.strip_suffix(')')?;
    Some(Kind::Leave(Reason::parse(why)?))
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.seq, self.at)?;
        match &self.kind {
            Kind::Message(line) => write!(f, "[{}@{}] {line}", self.id, self.ip),
            Kind::Enter => write!(f, "* {}@{} entered", self.id, self.ip),
            Kind::Leave(why) => write!(f, "* {}@{} left ({why})", self.id, self.ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind) -> Entry {
        Entry {
            seq: 41,
            at: Timestamp::parse("2026-11-21T10:00:00.123Z").expect("a time"),
            id: ClientId::parse("alice").expect("a name"),
            ip: "192.0.2.7".parse().expect("an address"),
            kind,
        }
    }

    #[test]
    fn each_kind_has_its_form() {
        let hello = Line::parse(b"hello").expect("a line");
        for (kind, form) in [
            (
                Kind::Message(hello),
                "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello",
            ),
            (
                Kind::Enter,
                "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 entered",
            ),
            (
                Kind::Leave(Reason::Lost),
                "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left (lost)",
            ),
        ] {
            let entry = entry(kind);
            assert_eq!(entry.to_string(), form);
            assert_eq!(Entry::parse(form), Ok(entry));
        }
    }

    #[test]
    fn the_longest_entry_fits_a_line_of_the_server() {
        let longest = Entry {
            seq: 1 << 53,
            id: ClientId::parse(&"ж".repeat(32)).expect("a name of 64 bytes"),
            ip: "2001:db8:1111:2222:3333:4444:5555:6666"
                .parse()
                .expect("an address"),
            kind: Kind::Message(Line::parse(&[b'x'; 4096]).expect("a line")),
            ..entry(Kind::Enter)
        };
        let replayed = format!("= {longest}");
        assert!(
            replayed.len() <= crate::limits::SERVER_LINE_BYTES_MAX,
            "{}",
            replayed.len()
        );
    }

    #[test]
    fn an_entry_of_an_older_record_is_still_one() {
        for text in [" ", "pay\u{200b}pal", "\u{3164}"] {
            let form = format!("41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] {text}");
            let entry = Entry::parse(&form).expect("an entry");
            assert_eq!(entry.to_string(), form);
        }
    }

    #[test]
    fn nothing_else_is_an_entry() {
        for text in [
            "",
            "41",
            "41 ",
            "x 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello",
            "0 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello",
            "41 2026-11-21T10:00:00.123Z alice@192.0.2.7 hello",
            "41 2026-11-21T10:00:00.123Z [alice] hello",
            "41 2026-11-21T10:00:00.123Z [alice@host] hello",
            "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] ",
            "41 2026-11-21T10:00:00.123Z [аlice@192.0.2.7] hello",
            "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] a\u{1b}[2J",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left (bored)",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 entered ",
        ] {
            assert_eq!(Entry::parse(text), Err(EntryError), "{text:?}");
        }
    }
}
