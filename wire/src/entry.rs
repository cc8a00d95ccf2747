//! An entry of the transcript: a message, an enter or a leave, stamped with seq, time and `ID@IP`.
//!
//! A newer server may record kinds of entries, and reasons to leave, that this version does not
//! know. Such an entry is a [`NewerEntry`]: it is read and shown, never written.

use std::fmt;
use std::net::IpAddr;

use crate::line::is_forbidden;
use crate::nonce::parse_count;
use crate::reason::is_reason;
use crate::{ClientId, Line, Reason, Timestamp};

/// One entry of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place: 1, 2, 3, ... without gaps, never reused.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The author, from the certificate.
    pub id: ClientId,
    /// The address that the person came from; IPv4-mapped addresses are written as IPv4.
    pub ip: IpAddr,
    /// The event.
    pub kind: Kind,
}

/// The event that an entry records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The person said this.
    Message(Line),
    /// The person came in.
    Enter,
    /// The person left, for this reason.
    Leave(Reason),
}

/// An entry that only a newer server writes. Its seq and time keep the order of the transcript, and
/// a client shows the rest as it came.
// Apart from `Entry`: a server makes entries of that type alone, so it cannot write an unknown one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewerEntry {
    /// Its place, as [`Entry::seq`].
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The part of it that we understand.
    pub kind: NewerKind,
}

/// The part that we understand of an entry from a newer server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewerKind {
    /// The person left, for a reason that [`Reason::ALL`] does not have.
    Leave {
        /// The person, from the certificate.
        id: ClientId,
        /// The address that the person came from.
        ip: IpAddr,
        /// The reason, as it stands between the parentheses.
        reason: String,
    },
    /// Something else happened. Holds everything after the time.
    Other(String),
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

    /// Reads one entry, without its line end. Only this and
    /// [`ServerLine::parse`](crate::ServerLine::parse) turn a text into an author and a time, and
    /// no text that a person may say can stand before the `] `.
    ///
    /// # Errors
    ///
    /// When the text is not an entry of the form that [`fmt::Display`] writes. An entry of a newer
    /// server is not one.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        match parse(text)? {
            AnyEntry::Known(entry) => Ok(entry),
            AnyEntry::Newer(_) => Err(EntryError),
        }
    }

    /// Returns the entry without seq and time: `[alice@192.0.2.7] hello`. People see the time
    /// before it in another form.
    pub fn body(&self) -> impl fmt::Display + '_ {
        Body(self)
    }
}

impl NewerEntry {
    /// Returns the entry without seq and time, as it came.
    pub fn body(&self) -> impl fmt::Display + '_ {
        NewerBody(self)
    }
}

/// The text is not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of the transcript")]
pub struct EntryError;

/// An entry of this version or of a newer one.
pub(crate) enum AnyEntry {
    Known(Entry),
    Newer(NewerEntry),
}

/// Reads an entry of any version.
pub(crate) fn parse(text: &str) -> Result<AnyEntry, EntryError> {
    parse_stamped(text).ok_or(EntryError)
}

fn parse_stamped(text: &str) -> Option<AnyEntry> {
    let (seq, rest) = text.split_once(' ')?;
    let seq = parse_count(seq).filter(|seq| *seq > 0)?;
    let (at, rest) = rest.split_once(' ')?;
    let at = Timestamp::parse(at).ok()?;
    let known = |(id, ip), kind| {
        AnyEntry::Known(Entry {
            seq,
            at,
            id,
            ip,
            kind,
        })
    };
    let newer = |kind| AnyEntry::Newer(NewerEntry { seq, at, kind });
    if let Some(message) = rest.strip_prefix('[') {
        let (author, said) = message.split_once("] ")?;
        let said = Line::parse_recorded(said.as_bytes()).ok()?;
        return Some(known(parse_author(author)?, Kind::Message(said)));
    }
    let move_of = rest
        .strip_prefix("* ")
        .and_then(|rest| rest.split_once(' '));
    // The first word tells the form, and a line of a form that we know must have all of it.
    match move_of
        .map(|(author, happened)| (author, happened.split_once(' ').unwrap_or((happened, ""))))
    {
        Some((author, ("entered", ""))) if !rest.ends_with(' ') => {
            Some(known(parse_author(author)?, Kind::Enter))
        }
        Some((_, ("entered", _))) => None,
        Some((author, ("left", why))) => {
            let (id, ip) = parse_author(author)?;
            let why = why.strip_prefix('(')?.strip_suffix(')')?;
            Some(match Reason::parse(why) {
                Some(reason) => known((id, ip), Kind::Leave(reason)),
                None if is_reason(why) => newer(NewerKind::Leave {
                    id,
                    ip,
                    reason: why.to_owned(),
                }),
                None if why.is_empty() => return None,
                None => newer(NewerKind::Other(parse_words(rest)?)),
            })
        }
        _ => Some(newer(NewerKind::Other(parse_words(rest)?))),
    }
}

fn parse_author(text: &str) -> Option<(ClientId, IpAddr)> {
    let (id, ip) = text.split_once('@')?;
    Some((ClientId::parse(id).ok()?, ip.parse().ok()?))
}

/// Returns words that may be shown, or `None` when there are none.
fn parse_words(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(is_forbidden)).then(|| text.to_owned())
}

struct Body<'a>(&'a Entry);

struct NewerBody<'a>(&'a NewerEntry);

// In Rust, the native form of an entry is written here: on the wire, in the record and in lines for
// people. Only the client's window has a form of its own, in rows and styles.
impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { id, ip, kind, .. } = self.0;
        match kind {
            Kind::Message(line) => write!(f, "[{id}@{ip}] {line}"),
            Kind::Enter => write!(f, "* {id}@{ip} entered"),
            Kind::Leave(reason) => write_leave(f, id, *ip, reason.as_str()),
        }
    }
}

impl fmt::Display for NewerBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            NewerKind::Leave { id, ip, reason } => write_leave(f, id, *ip, reason),
            NewerKind::Other(words) => f.write_str(words),
        }
    }
}

fn write_leave(f: &mut fmt::Formatter<'_>, id: &ClientId, ip: IpAddr, reason: &str) -> fmt::Result {
    write!(f, "* {id}@{ip} left ({reason})")
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.seq, self.at)?;
        Body(self).fmt(f)
    }
}

impl fmt::Display for NewerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.seq, self.at)?;
        NewerBody(self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reply, ReplyError, ServerLine};

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

    /// Checks that the text is this entry of a newer server, and that it is written in the same
    /// form.
    #[track_caller]
    fn check_newer(form: &str, kind: NewerKind) {
        let at = entry(Kind::Enter).at;
        let newer = NewerEntry { seq: 41, at, kind };
        assert_eq!(newer.to_string(), form);
        assert_eq!(
            ServerLine::parse(form),
            Ok(ServerLine::NewerEntry(newer.clone()))
        );
        let replayed = ServerLine::parse(&format!("= {form}"));
        assert_eq!(replayed, Ok(ServerLine::Reply(Reply::ReplayedNewer(newer))));
        // A server makes entries of its own version alone.
        assert_eq!(Entry::parse(form), Err(EntryError));
    }

    #[test]
    fn a_reason_that_is_not_known_is_a_leave_all_the_same() {
        for reason in ["kicked", "kicked-by-bob", "x", "-", "7", "Lost"] {
            let form = format!("41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left ({reason})");
            let leave = NewerKind::Leave {
                id: ClientId::parse("alice").expect("a name"),
                ip: "192.0.2.7".parse().expect("an address"),
                reason: reason.to_owned(),
            };
            check_newer(&form, leave);
        }
    }

    #[test]
    fn an_entry_of_a_kind_that_is_not_known_keeps_its_place_and_its_words() {
        for words in [
            "* alice@192.0.2.7 waved",
            // A reason is one word, so that no text of somebody else stands in a leave.
            "* alice@192.0.2.7 left (x) [carol@192.0.2.8] hi (y)",
            "* alice@192.0.2.7 left (kicked by bob)",
            "* alice@192.0.2.7 left (()",
            "* alice@192.0.2.7 left (gef\u{e4}hrlich)",
            "* alice@192.0.2.7 entered-again now",
            "* the room is called Networks 102 now",
            "* alice@nowhere waved",
            "*",
            "alice@192.0.2.7 hello",
            "! topic - what we do today",
            "{\"kind\":\"poll\"}",
            "*\talice",
            "张三",
            " ",
        ] {
            let form = format!("41 2026-11-21T10:00:00.123Z {words}");
            check_newer(&form, NewerKind::Other(words.to_owned()));
        }
    }

    #[test]
    fn a_line_that_breaks_a_form_that_is_known_is_damage() {
        for text in [
            "41 2026-11-21T10:00:00.123Z ",
            "41 2026-11-21T10:00:00.123Z",
            "41 2026-11-21T10:00:00Z * alice@192.0.2.7 waved",
            "41 2026-13-21T10:00:00.123Z * alice@192.0.2.7 waved",
            "041 2026-11-21T10:00:00.123Z * alice@192.0.2.7 waved",
            "9007199254740993 2026-11-21T10:00:00.123Z * alice@192.0.2.7 waved",
            "41 2026-11-21T10:00:00.123Z [",
            "41 2026-11-21T10:00:00.123Z [alice] waved",
            "41 2026-11-21T10:00:00.123Z * \u{430}lice@192.0.2.7 left (kicked)",
            "41 2026-11-21T10:00:00.123Z * alice@nowhere left (kicked)",
            "41 2026-11-21T10:00:00.123Z * alice left (kicked)",
            "41 2026-11-21T10:00:00.123Z * alice entered",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left ()",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left (kicked",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left kicked",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 entered ",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 entered again",
        ] {
            let refused = ServerLine::parse(text);
            assert_eq!(refused, Err(ReplyError::Grammar("entry")), "{text:?}");
            let replayed = ServerLine::parse(&format!("= {text}"));
            assert_eq!(replayed, Err(ReplyError::Grammar("entry")), "{text:?}");
        }
        for text in [
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 wa\u{1b}[2Jved",
            "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left (ki\u{1b}[2Jcked)",
        ] {
            let refused = ServerLine::parse(text);
            assert_eq!(refused, Err(ReplyError::Character('\u{1b}')), "{text:?}");
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
