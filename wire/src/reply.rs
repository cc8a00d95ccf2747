//! The lines that a server sends: entries, replies and refusals, told apart by their first
//! character.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::entry::{self, AnyEntry};
use crate::line::is_forbidden;
use crate::nonce::parse_count;
use crate::reason::is_reason;
use crate::{
    ByeReason, COMMANDS, ClientId, Command, Entry, FullName, NewerEntry, Nonce, Reason, Refusal,
    Role, Timestamp,
};

/// One line from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerLine {
    /// A digit: an entry of the transcript.
    Entry(Entry),
    /// A digit: an entry of a form that only a newer server writes.
    NewerEntry(NewerEntry),
    /// `=`: a reply, to this session only.
    Reply(Reply),
    /// `!`: a refusal.
    Refusal(Refusal),
    /// A first character that this version does not know, to be ignored.
    Unknown,
}

impl ServerLine {
    /// Reads a line from a server, without its line end.
    ///
    /// # Errors
    ///
    /// When a line of a known kind breaks the grammar of its kind, or holds a character that no
    /// text may have. Something unknown is not an error.
    pub fn parse(text: &str) -> Result<Self, ReplyError> {
        match text.as_bytes().first() {
            // No part of an entry accepts such a character, so entries are not searched for one
            // twice.
            Some(b'0'..=b'9') => match entry::parse(text) {
                Ok(AnyEntry::Known(entry)) => Ok(ServerLine::Entry(entry)),
                Ok(AnyEntry::Newer(entry)) => Ok(ServerLine::NewerEntry(entry)),
                Err(_) => Err(forbidden_in(text).unwrap_or(ReplyError::Grammar("entry"))),
            },
            Some(b'=' | b'!') => match forbidden_in(text) {
                Some(error) => Err(error),
                None => Self::parse_answer(text),
            },
            _ => Ok(ServerLine::Unknown),
        }
    }

    fn parse_answer(text: &str) -> Result<Self, ReplyError> {
        if text.starts_with('!') {
            return text
                .strip_prefix("! ")
                .and_then(Refusal::parse)
                .map(ServerLine::Refusal)
                .ok_or(ReplyError::Grammar("refusal"));
        }
        let reply = text
            .strip_prefix("= ")
            .ok_or(ReplyError::Grammar("reply"))?;
        Reply::parse(reply).map(ServerLine::Reply)
    }
}

/// A reply, without its `= `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The greeting.
    Welcome(Welcome),
    /// `= ok RUN-N SEQ`: the line is in the transcript at SEQ.
    Ok {
        /// The line.
        nonce: Nonce,
        /// Its place.
        seq: u64,
    },
    /// `= at SEQ`: everything up to SEQ has been sent.
    At(u64),
    /// `= bye REASON words`: the session ends now.
    Bye {
        /// The reason.
        reason: ByeReason,
        /// The explanation, for people.
        words: String,
    },
    /// `= begin TOPIC`: the answer to a command begins.
    Begin(String),
    /// `= end TOPIC`: the answer is complete.
    End(String),
    /// `= 12 2026-... [alice@192.0.2.7] hi`: an entry replayed as an answer.
    Replayed(Entry),
    /// A replayed entry of a form that only a newer server writes.
    ReplayedNewer(NewerEntry),
    /// `= who SEQ count=N`: the people who were here when SEQ was the newest entry; a line for each
    /// follows.
    Who {
        /// The newest entry at that moment.
        seq: u64,
        /// The number of people.
        count: u64,
    },
    /// One of the people here.
    Here(Here),
    /// `= note ABOUT words`: something that the people who run the room should know.
    Note {
        /// The subject, for programs.
        about: String,
        /// The explanation, for people.
        words: String,
    },
    /// The answer to `/whois`.
    Whois(Whois),
    /// Any other word and the rest of its line, to be shown or ignored.
    Other(String),
}

/// `= welcome id=alice role=student ip=192.0.2.7 room="Networks 101" head=41 epoch=... clock=... version=0.1.0`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The name that the server read from the certificate.
    pub id: ClientId,
    /// The role that it read there.
    pub role: Role,
    /// The address that the server sees.
    pub ip: IpAddr,
    /// The room's name.
    pub room: String,
    /// The newest entry.
    pub head: u64,
    /// Names the database: another epoch is another transcript.
    pub epoch: String,
    /// The server's clock.
    pub clock: Timestamp,
    /// The server's version.
    pub version: String,
    /// The last moment of the client's certificate, when that is near.
    pub expires: Option<Timestamp>,
    /// The person's full name, if the certificate has one.
    pub name: Option<FullName>,
}

/// `= here alice role=student ip=192.0.2.7 since=... sessions=1 name="Alice Ng"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// The person.
    pub id: ClientId,
    /// The person's role.
    pub role: Role,
    /// The address of the newest session.
    pub ip: IpAddr,
    /// When the oldest session that is still here began.
    pub since: Timestamp,
    /// The number of sessions; 0 for someone whose connection broke a moment ago.
    pub sessions: u64,
    /// The person's full name, if the certificate has one.
    pub name: Option<FullName>,
}

/// `= whois alice role=student ip=192.0.2.7 since=... sessions=1 name="Alice Ng"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whois {
    /// The person.
    pub id: ClientId,
    /// The person's role.
    pub role: Role,
    /// The address of the newest session.
    pub ip: IpAddr,
    /// Whether the person is here.
    pub seen: Seen,
    /// The person's full name, if the certificate has one.
    pub name: Option<FullName>,
}

/// Whether a person is here, or when and why they left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// `since=... sessions=1`: the person is here.
    Here {
        /// When the oldest session that is still here began.
        since: Timestamp,
        /// How many sessions; 0 for someone whose connection broke a moment ago.
        sessions: u64,
    },
    /// `left=... reason=goodbye sessions=0`: the end of the last session; both are empty when the
    /// record does not have it yet.
    Left {
        /// When it ended.
        at: Option<Timestamp>,
        /// Why it ended.
        reason: Option<Reason>,
    },
}

/// Why a line of a server is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line of a known kind breaks the grammar of its kind.
    #[error("the server sent a malformed {0}")]
    Grammar(&'static str),
    /// Some part of the line holds a character that no text may have.
    #[error("the server sent a line with U+{:04X}, which no text may have", u32::from(*.0))]
    Character(char),
}

fn forbidden_in(text: &str) -> Option<ReplyError> {
    text.chars()
        .find(|c| is_forbidden(*c))
        .map(ReplyError::Character)
}

impl Reply {
    /// Returns the command that this reply answers in words alone, such as `/whois`, and the words.
    /// Returns `None` for any other reply, and for the answer to a command that this version does
    /// not know.
    pub fn answer(&self) -> Option<(&'static str, Cow<'_, str>)> {
        let text = match self {
            Reply::Whois(whois) => return Some(("/whois", whois.to_string().into())),
            Reply::Other(text) => text,
            _ => return None,
        };
        let (word, words) = text.split_once(' ').unwrap_or((text, ""));
        let is_it = |command: &&Command| command.name.strip_prefix('/') == Some(word);
        let command = COMMANDS.iter().find(is_it)?;
        Some((command.name, words.into()))
    }

    fn parse(text: &str) -> Result<Self, ReplyError> {
        if text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return match entry::parse(text) {
                Ok(AnyEntry::Known(entry)) => Ok(Reply::Replayed(entry)),
                Ok(AnyEntry::Newer(entry)) => Ok(Reply::ReplayedNewer(entry)),
                Err(_) => Err(ReplyError::Grammar("entry")),
            };
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let reply = match word {
            "welcome" => parse_welcome(rest).map(Reply::Welcome),
            "ok" => parse_ok(rest),
            "at" => first_word(rest).and_then(parse_count).map(Reply::At),
            "bye" => parse_bye(rest),
            "begin" => first_word(rest).map(|topic| Reply::Begin(topic.to_owned())),
            "end" => first_word(rest).map(|topic| Reply::End(topic.to_owned())),
            "who" => parse_who(rest),
            "here" => parse_here(rest).map(Reply::Here),
            "note" => parse_note(rest),
            // A form of it that is new to us is shown as it is.
            "whois" => Some(parse_whois(rest).map_or(Reply::Other(text.to_owned()), Reply::Whois)),
            _ => Some(Reply::Other(text.to_owned())),
        };
        reply.ok_or(ReplyError::Grammar("reply"))
    }
}

fn first_word(text: &str) -> Option<&str> {
    text.split(' ').next().filter(|word| !word.is_empty())
}

fn parse_ok(rest: &str) -> Option<Reply> {
    let mut words = rest.split(' ');
    let nonce = Nonce::parse(words.next()?).ok()?;
    Some(Reply::Ok {
        nonce,
        seq: parse_count(words.next()?)?,
    })
}

fn parse_bye(rest: &str) -> Option<Reply> {
    let (reason, words) = rest.split_once(' ').unwrap_or((rest, ""));
    is_reason(reason).then(|| Reply::Bye {
        reason: ByeReason::parse(reason),
        words: words.to_owned(),
    })
}

/// A newer server may know more roles.
fn role(pairs: &Pairs) -> Option<Role> {
    let word = pairs.value("role")?;
    Some(Role::parse(word).unwrap_or(Role::Unknown))
}

fn parse_welcome(rest: &str) -> Option<Welcome> {
    let pairs = Pairs::parse(rest)?;
    Some(Welcome {
        id: ClientId::parse(pairs.value("id")?).ok()?,
        role: role(&pairs)?,
        ip: pairs.value("ip")?.parse().ok()?,
        room: pairs.value("room")?.to_owned(),
        head: parse_count(pairs.value("head")?)?,
        epoch: pairs.value("epoch")?.to_owned(),
        clock: Timestamp::parse(pairs.value("clock")?).ok()?,
        version: pairs.value("version")?.to_owned(),
        expires: match pairs.value("expires") {
            Some(time) => Some(Timestamp::parse(time).ok()?),
            None => None,
        },
        name: shown_name(&pairs),
    })
}

/// A full name that breaks the rules is not shown; the rest of the line is as good as before.
fn shown_name(pairs: &Pairs) -> Option<FullName> {
    FullName::parse(pairs.value("name")?).ok()
}

fn parse_note(rest: &str) -> Option<Reply> {
    let (about, words) = rest.split_once(' ')?;
    Some(Reply::Note {
        about: about.to_owned(),
        words: words.to_owned(),
    })
}

fn parse_who(rest: &str) -> Option<Reply> {
    let (seq, rest) = rest.split_once(' ')?;
    let pairs = Pairs::parse(rest)?;
    Some(Reply::Who {
        seq: parse_count(seq)?,
        count: parse_count(pairs.value("count")?)?,
    })
}

fn parse_here(rest: &str) -> Option<Here> {
    let (id, rest) = rest.split_once(' ')?;
    let pairs = Pairs::parse(rest)?;
    Some(Here {
        id: ClientId::parse(id).ok()?,
        role: role(&pairs)?,
        ip: pairs.value("ip")?.parse().ok()?,
        since: Timestamp::parse(pairs.value("since")?).ok()?,
        sessions: parse_count(pairs.value("sessions")?)?,
        name: shown_name(&pairs),
    })
}

fn parse_whois(rest: &str) -> Option<Whois> {
    let (id, rest) = rest.split_once(' ')?;
    let pairs = Pairs::parse(rest)?;
    // A line with other keys is shown as it came: a `Whois` could not hold all of it.
    const KEYS: [&str; 7] = ["role", "ip", "since", "left", "reason", "sessions", "name"];
    if pairs.0.iter().any(|(key, _)| !KEYS.contains(&key.as_str())) {
        return None;
    }
    let seen = match pairs.value("since") {
        Some(since) => Seen::Here {
            since: Timestamp::parse(since).ok()?,
            sessions: parse_count(pairs.value("sessions")?)?,
        },
        None => Seen::Left {
            at: match pairs.value("left")? {
                "" => None,
                at => Some(Timestamp::parse(at).ok()?),
            },
            reason: match pairs.value("reason")? {
                "" => None,
                reason => Some(Reason::parse(reason)?),
            },
        },
    };
    Some(Whois {
        id: ClientId::parse(id).ok()?,
        role: role(&pairs)?,
        ip: pairs.value("ip")?.parse().ok()?,
        seen,
        name: match pairs.value("name") {
            Some(name) => Some(FullName::parse(name).ok()?),
            None => None,
        },
    })
}

/// `key=value` pairs; keys that nobody asks for are ignored.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn parse(text: &str) -> Option<Self> {
        let mut pairs = Vec::new();
        let mut rest = text.trim_start_matches(' ');
        while !rest.is_empty() {
            let (key, after) = rest.split_once('=')?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let (value, after) = after.split_once(' ').unwrap_or((after, ""));
                    (value.to_owned(), after)
                }
            };
            pairs.push((key.to_owned(), value));
            rest = after.trim_start_matches(' ');
        }
        Some(Self(pairs))
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }
}

/// Writes a value in quotes, `"` and `\` behind a `\`.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                // A room's name comes from a certificate, which may hold anything.
                c if is_forbidden(c) || c == '\t' => f.write_str("\u{fffd}")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Reads up to the closing quote. Returns the value and the text after it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Welcome(w) => {
                write!(
                    f,
                    "= welcome id={} role={} ip={} room={} head={} epoch={} clock={} version={}",
                    w.id,
                    w.role,
                    w.ip,
                    Quoted(&w.room),
                    w.head,
                    w.epoch,
                    w.clock,
                    w.version
                )?;
                if let Some(expires) = w.expires {
                    write!(f, " expires={expires}")?;
                }
                write_name(f, w.name.as_ref())
            }
            Reply::Ok { nonce, seq } => write!(f, "= ok {nonce} {seq}"),
            Reply::At(seq) => write!(f, "= at {seq}"),
            Reply::Bye { reason, words } => write_bye(f, reason.as_str(), words),
            Reply::Begin(topic) => write!(f, "= begin {topic}"),
            Reply::End(topic) => write!(f, "= end {topic}"),
            Reply::Replayed(entry) => write!(f, "= {entry}"),
            Reply::ReplayedNewer(entry) => write!(f, "= {entry}"),
            Reply::Who { seq, count } => write!(f, "= who {seq} count={count}"),
            Reply::Note { about, words } => write!(f, "= note {about} {words}"),
            Reply::Here(here) => {
                write!(
                    f,
                    "= here {} role={} ip={} since={} sessions={}",
                    here.id, here.role, here.ip, here.since, here.sessions
                )?;
                write_name(f, here.name.as_ref())
            }
            Reply::Whois(whois) => write!(f, "= whois {whois}"),
            Reply::Other(text) => write!(f, "= {text}"),
        }
    }
}

/// The name is the last pair: where a terminal writes from right to left for a while, nothing follows
/// that could be drawn in another place.
fn write_name(f: &mut fmt::Formatter<'_>, name: Option<&FullName>) -> fmt::Result {
    match name {
        // It has no character that `Quoted` would escape.
        Some(name) => write!(f, " name={}", name.quoted()),
        None => Ok(()),
    }
}

fn write_bye(f: &mut fmt::Formatter<'_>, reason: &str, words: &str) -> fmt::Result {
    match words {
        "" => write!(f, "= bye {reason}"),
        words => write!(f, "= bye {reason} {words}"),
    }
}

impl fmt::Display for Whois {
    /// Writes the part after `= whois `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} role={} ip={}", self.id, self.role, self.ip)?;
        match &self.seen {
            Seen::Here { since, sessions } => write!(f, " since={since} sessions={sessions}")?,
            Seen::Left { at, reason } => {
                let at = at.map_or(String::new(), |at| at.to_string());
                let reason = reason.as_ref().map_or(String::new(), Reason::to_string);
                write!(f, " left={at} reason={reason} sessions=0")?;
            }
        }
        write_name(f, self.name.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn check(text: &str) -> ServerLine {
        let line = ServerLine::parse(text).expect(text);
        let again = match &line {
            ServerLine::Entry(entry) => entry.to_string(),
            ServerLine::NewerEntry(entry) => entry.to_string(),
            ServerLine::Reply(reply) => reply.to_string(),
            ServerLine::Refusal(refusal) => refusal.to_string(),
            ServerLine::Unknown => return line,
        };
        assert_eq!(again, text);
        line
    }

    #[test]
    fn every_line_of_a_server_reads_back_as_it_was_written() {
        for text in [
            "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello",
            "= welcome id=alice role=student ip=192.0.2.7 room=\"Networks \\\"101\\\"\" head=41 \
             epoch=9f86d081884c7d65 clock=2026-11-21T10:00:00.123Z version=0.1.0",
            "= welcome id=alice role=student ip=::1 room=\"\" head=0 epoch=9f86d081884c7d65 \
             clock=2026-11-21T10:00:00.123Z version=0.1.0 expires=2026-12-01T00:00:00.000Z",
            "= ok k3v9q2a7-12 44",
            "= at 44",
            "= bye shutting-down the server is being stopped",
            "= bye goodbye",
            "= bye kicked",
            "= bye kicked you were asked to leave",
            "= begin history",
            "= 12 2026-11-21T10:00:00.123Z * bob@2001:db8::1 left (kicked)",
            "= 12 2026-11-21T10:00:00.123Z * bob@2001:db8::1 waved",
            "= 12 2026-11-21T10:00:00.123Z * bob@2001:db8::1 entered",
            "= end history",
            "= who 44 count=1",
            "= here alice role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=2",
            "= here alice role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=2 name=\"Alice Ng\"",
            "= welcome id=alice role=student ip=::1 room=\"\" head=0 epoch=9f86d081884c7d65 \
             clock=2026-11-21T10:00:00.123Z version=0.1.0 name=\"Alice\"",
            "= welcome id=alice role=student ip=::1 room=\"\" head=0 epoch=9f86d081884c7d65 \
             clock=2026-11-21T10:00:00.123Z version=0.1.0 expires=2026-12-01T00:00:00.000Z name=\"吴 爱丽\"",
            "= whois alice role=student ip=::1 since=2026-11-21T10:00:00.123Z sessions=2 name=\"Ng, Alice\"",
            "= whois alice role=bot ip=192.0.2.7 left=2026-11-21T10:00:02.000Z reason=lost sessions=0 name=\"محمد\"",
            "= note stale-list the revocation list is old",
            "= help /who  who is here",
            "= whois alice role=student ip=::1 since=2026-11-21T10:00:00.123Z sessions=2",
            "= whois alice role=bot ip=192.0.2.7 left=2026-11-21T10:00:00.123Z reason=lost sessions=0",
            "= whois alice role=student ip=192.0.2.7 left= reason= sessions=0",
            "! too-long k3v9q2a7-12 a line may have at most 4096 bytes",
            "! unknown-command - there is no /hsitory; did you mean /history?",
        ] {
            check(text);
        }
    }

    #[test]
    fn a_role_that_is_not_known_is_unknown_and_its_line_is_still_read() {
        let here = "= here carol role=guest ip=::1 since=2026-11-21T10:00:00.123Z sessions=1";
        let Ok(ServerLine::Reply(Reply::Here(here))) = ServerLine::parse(here) else {
            panic!("not read: {here}");
        };
        assert_eq!((here.id.as_str(), here.role), ("carol", Role::Unknown));
        let welcome = "= welcome id=carol role=guest ip=::1 room=\"\" head=0 \
            epoch=9f86d081884c7d65 clock=2026-11-21T10:00:00.123Z version=0.1.0";
        let read = ServerLine::parse(welcome);
        assert!(
            matches!(&read, Ok(ServerLine::Reply(Reply::Welcome(w))) if w.role == Role::Unknown),
            "{read:?}"
        );
    }

    #[test]
    fn unknown_lines_and_words_are_ignored() {
        assert_eq!(check("~ something new"), ServerLine::Unknown);
        assert_eq!(
            check("= rooms 4"),
            ServerLine::Reply(Reply::Other("rooms 4".into()))
        );
        let line = ServerLine::parse("! moon-phase - wrong moon");
        let Ok(ServerLine::Refusal(refusal)) = line else {
            panic!("{line:?}")
        };
        assert_eq!(
            (refusal.code, refusal.words.as_str()),
            (Code::Unknown, "wrong moon")
        );
        // The answer to a person's own question is shown with all that it says.
        for whois in [
            "whois alice role=student ip=::1 since=2026-11-21T10:00:00.123Z sessions=2 colour=\"dark red\"",
            "whois alice role=student ip=::1 left= reason= sessions=0 muted=yes",
        ] {
            assert_eq!(
                check(&format!("= {whois}")),
                ServerLine::Reply(Reply::Other(whois.into()))
            );
        }
        assert_eq!(
            check("= whois alice moon=full"),
            ServerLine::Reply(Reply::Other("whois alice moon=full".into()))
        );
        let line = ServerLine::parse("= who 4 count=1 colour=\"dark red\"");
        assert_eq!(line, Ok(ServerLine::Reply(Reply::Who { seq: 4, count: 1 })));
    }

    #[test]
    fn a_full_name_that_breaks_the_rules_is_not_shown() {
        let here = "here alice role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=2";
        for name in ["", "bob@10.0.0.1] hi", "a\\\"b", "100003", " Alice"] {
            let text = format!("= {here} name=\"{name}\"");
            let Ok(ServerLine::Reply(Reply::Here(read))) = ServerLine::parse(&text) else {
                panic!("not read: {text}");
            };
            assert_eq!((read.id.as_str(), read.name), ("alice", None));
            // The answer to a person's own question is shown with all that it says, as it came.
            let whois = text.replace("= here ", "whois ");
            let read = ServerLine::parse(&format!("= {whois}"));
            assert_eq!(read, Ok(ServerLine::Reply(Reply::Other(whois))));
        }
    }

    #[test]
    fn the_reason_of_a_bye_is_one_word() {
        check("= bye kicked-2 see you");
        for text in [
            "= bye",
            "= bye ",
            "= bye (x) hi",
            "= bye [carol@192.0.2.8] hi",
        ] {
            assert_eq!(
                ServerLine::parse(text),
                Err(ReplyError::Grammar("reply")),
                "{text}"
            );
        }
    }

    #[test]
    fn an_answer_in_words_names_its_command() {
        let other = |text: &str| Reply::Other(text.to_owned());
        for (text, answer) in [
            ("whois bob role=bot", Some(("/whois", "bob role=bot"))),
            ("help", Some(("/help", ""))),
            ("moon full", None),
            ("/whois bob", None),
            ("", None),
        ] {
            let answer = answer.map(|(command, words)| (command, words.into()));
            assert_eq!(other(text).answer(), answer, "{text}");
        }
        let whois = "whois bob role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1";
        let Ok(ServerLine::Reply(reply)) = ServerLine::parse(&format!("= {whois}")) else {
            panic!("{whois}");
        };
        let words = whois.strip_prefix("whois ").expect("words");
        assert_eq!(reply.answer(), Some(("/whois", words.into())));
        assert_eq!(Reply::At(1).answer(), None);
    }

    #[test]
    fn the_additions_of_a_newer_server_to_a_known_reply_are_ignored() {
        for (newer, known) in [
            ("= at 44 of 50", "= at 44"),
            ("= ok k3v9q2a7-12 44 stored=2", "= ok k3v9q2a7-12 44"),
            ("= begin history 2", "= begin history"),
            ("= end history 2", "= end history"),
            (
                "= who 44 away=1 count=1 moon=\"half full\"",
                "= who 44 count=1",
            ),
            (
                "= here alice mood=\"not \\\"so\\\" good\" role=bot ip=::1 hand= since=2026-11-21T10:00:00.123Z sessions=2 x=y=z",
                "= here alice role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=2",
            ),
            (
                "= welcome motd=\"be kind\" id=alice role=student ip=::1 room=\"\" head=0 epoch=9f86 \
                 clock=2026-11-21T10:00:00.123Z version=0.2.0 features=kick,topic",
                "= welcome id=alice role=student ip=::1 room=\"\" head=0 epoch=9f86 \
                 clock=2026-11-21T10:00:00.123Z version=0.2.0",
            ),
        ] {
            assert_eq!(
                ServerLine::parse(newer),
                ServerLine::parse(known),
                "{newer}"
            );
            assert!(ServerLine::parse(known).is_ok(), "{known}");
        }
    }

    #[test]
    fn reply_words_and_first_characters_that_are_not_known_are_no_error() {
        for text in [
            "frobnicated x",
            "frobnicated",
            "welcome-back alice",
            "bye-bye kicked",
            "1st",
        ] {
            let line = ServerLine::parse(&format!("= {text}"));
            match text.as_bytes()[0] {
                b'0'..=b'9' => assert_eq!(line, Err(ReplyError::Grammar("entry"))),
                _ => assert_eq!(line, Ok(ServerLine::Reply(Reply::Other(text.into())))),
            }
        }
        for text in [
            "",
            " ",
            "?",
            "@ x",
            "* alice@::1 entered",
            "[alice@::1] hi",
            "+1",
            "é",
            "张三",
            "\t",
        ] {
            assert_eq!(ServerLine::parse(text), Ok(ServerLine::Unknown), "{text:?}");
        }
    }

    #[test]
    fn a_known_kind_must_keep_its_grammar() {
        for text in [
            "4 hello",
            "=ok",
            "= ok x 4",
            "= welcome id=alice",
            "= welcome id=alice role=student ip=::1 room=\"\" head=0 epoch=9f86d081884c7d65 \
             clock=2026-11-21T10:00:00.123Z version=0.1.0 expires=soon",
            "= bye",
            "= bye  kicked",
            "= note stale-list",
            "!",
            "! x",
            "= at",
        ] {
            assert!(ServerLine::parse(text).is_err(), "{text}");
        }
    }

    /// A line of each kind, with every part that a kind can have.
    const LINES: [&str; 13] = [
        "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello",
        "41 2026-11-21T10:00:00.123Z * alice@192.0.2.7 left (lost)",
        "= welcome id=alice role=student ip=192.0.2.7 room=\"Networks \\\"101\\\"\" head=41 \
         epoch=9f86 clock=2026-11-21T10:00:00.123Z version=0.1.0 moon=\"half full\"",
        "= ok k3v9q2a7-12 44 and more",
        "= at 44 and more",
        "= bye shutting-down the server is being stopped",
        "= begin history and more",
        "= 12 2026-11-21T10:00:00.123Z [bob@2001:db8::1] hi",
        "= who 44 count=1 moon=full",
        "= here alice role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=2 moon=full",
        "= note stale-list the revocation list is old",
        "= moon is full",
        "! too-long k3v9q2a7-12 a line may have at most 4096 bytes",
    ];

    #[test]
    fn no_part_of_any_line_takes_a_character_that_no_text_may_have() {
        let all = (char::MIN..=char::MAX).filter(|c| is_forbidden(*c));
        let few = [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{9d}',
            '\u{85}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
            '\u{10ffff}',
        ];
        assert!(few.iter().all(|c| is_forbidden(*c)));
        for line in LINES {
            assert!(ServerLine::parse(line).is_ok(), "{line}");
            // From the second character on: the first one tells the kind.
            for at in 1..=line.len() {
                for c in few {
                    let evil = format!("{}{c}{}", &line[..at], &line[at..]);
                    assert_eq!(
                        ServerLine::parse(&evil),
                        Err(ReplyError::Character(c)),
                        "{evil:?}"
                    );
                }
            }
        }
        for c in all {
            for line in [format!("= moon {c}"), format!("! moon - {c}")] {
                assert_eq!(ServerLine::parse(&line), Err(ReplyError::Character(c)));
            }
        }
        // Texts may hold TAB.
        assert!(ServerLine::parse("= moon a\tb").is_ok());
        // A line of an unknown kind is ignored, whatever it holds.
        assert_eq!(ServerLine::parse("~\u{1b}[2J"), Ok(ServerLine::Unknown));
    }

    #[test]
    fn a_rooms_name_cannot_break_the_greeting() {
        assert_eq!(
            Quoted("a\nb\u{202e}\"").to_string(),
            "\"a\u{fffd}b\u{fffd}\\\"\""
        );
    }
}
