//! The lines that a client sends: something to say, or a command.

use crate::line::LineError;
use crate::nonce::parse_count;
use crate::{ClientId, Code, Line, Nonce, Refusal, Timestamp};

/// One line from a client, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Say this.
    Say(Line),
    /// `/say RUN-N text`: say this once, however often it is sent, and answer with its place.
    SayOnce(Nonce, Line),
    /// `/follow ...`: send entries from there on.
    Follow(Start),
    /// `/history`, `/history N`, `/history N before SEQ`; a bare `history` too.
    History {
        /// Only this many of the newest.
        last: Option<u64>,
        /// Only those before this one.
        before: Option<u64>,
    },
    /// `/who`
    Who,
    /// `/whois ID`
    Whois(ClientId),
    /// `/ping`
    Ping,
    /// `/nick ...`
    Nick,
    /// `/help`
    Help,
    /// `/quit`
    Quit,
}

/// Where a session begins to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first entry.
    Beginning,
    /// After the newest entry.
    Head,
    /// After the entry `seq`, which was recorded at `at`.
    After {
        /// The last entry that the client has.
        seq: u64,
        /// That entry's time, which tells a replaced or restored database from the one that the
        /// client knows.
        at: Timestamp,
    },
}

/// A command, as `/help` and the documentation describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// With its slash.
    pub name: &'static str,
    /// The arguments that it takes.
    pub arguments: &'static str,
    /// Its effect.
    pub what: &'static str,
    /// Whether only programs use it, so that a list of commands for people leaves it out.
    pub is_for_programs: bool,
}

/// Every command.
pub const COMMANDS: [Command; 9] = [
    Command {
        name: "/help",
        arguments: "",
        what: "list the commands",
        is_for_programs: false,
    },
    Command {
        name: "/who",
        arguments: "",
        what: "list the people here",
        is_for_programs: false,
    },
    Command {
        name: "/whois",
        arguments: "ID",
        what: "show a person's role, address and sessions",
        is_for_programs: false,
    },
    Command {
        name: "/history",
        arguments: "[N [before SEQ]]",
        what: "show entries: all, the last N, or the N before entry SEQ",
        is_for_programs: false,
    },
    Command {
        name: "/nick",
        arguments: "",
        what: "explain why your name cannot be changed",
        is_for_programs: false,
    },
    Command {
        name: "/ping",
        arguments: "",
        what: "show the number of the newest entry",
        is_for_programs: false,
    },
    Command {
        name: "/quit",
        arguments: "",
        what: "leave",
        is_for_programs: false,
    },
    Command {
        name: "/say",
        arguments: "RUN-N TEXT",
        what: "for programs: say a text once, however often it is sent",
        is_for_programs: true,
    },
    Command {
        name: "/follow",
        arguments: "SEQ TIME | 0 | head",
        what: "for programs: send the entries after SEQ, all, or only new ones",
        is_for_programs: true,
    },
];

impl Request {
    /// Reads a line from a client, without its line end. Returns `None` for an empty line.
    ///
    /// # Errors
    ///
    /// Returns the refusal to send back; the connection goes on.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, Refusal> {
        match line {
            [] => Ok(None),
            b"history" => Ok(Some(Request::History {
                last: None,
                before: None,
            })),
            [b'/', b'/', ..] => said(&line[1..]).map(Request::Say).map(Some),
            [b'/', ..] => parse_command(line).map(Some),
            _ => said(line).map(Request::Say).map(Some),
        }
    }

    /// Returns the refusal of a line that is too long to be held and begins with `prefix`.
    pub fn too_long(prefix: &[u8]) -> Refusal {
        refuse(&LineError::TooLong).of(nonce_of(prefix))
    }
}

fn said(text: &[u8]) -> Result<Line, Refusal> {
    Line::parse(text).map_err(|error| refuse(&error))
}

fn refuse(error: &LineError) -> Refusal {
    let code = match error {
        LineError::Empty | LineError::Blank => Code::Empty,
        LineError::TooLong => Code::TooLong,
        LineError::NotUtf8 => Code::NotUtf8,
        LineError::Character(_) => Code::ForbiddenCharacter,
    };
    Refusal::new(code, error.to_string())
}

fn parse_command(line: &[u8]) -> Result<Request, Refusal> {
    if let Some(rest) = line.strip_prefix(b"/say ") {
        return parse_say(rest);
    }
    let line = said(line)?;
    let mut words = line.as_str().split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    match (name, arguments.as_slice()) {
        ("/help", _) => Ok(Request::Help),
        ("/who", []) => Ok(Request::Who),
        ("/whois", [id]) => ClientId::parse_typed(id)
            .map(Request::Whois)
            .map_err(|error| Refusal::new(Code::BadArgument, error.to_string())),
        ("/history", arguments) => parse_history(arguments),
        ("/follow", arguments) => parse_follow(arguments),
        ("/nick", _) => Ok(Request::Nick),
        ("/ping", _) => Ok(Request::Ping),
        ("/quit", _) => Ok(Request::Quit),
        (name, _) => Err(refuse_command(name)),
    }
}

fn parse_say(rest: &[u8]) -> Result<Request, Refusal> {
    let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let nonce = nonce_of_word(&rest[..end]).ok_or_else(|| usage("/say"))?;
    // The text is literal: a slash at its beginning is a slash.
    let text = rest.get(end + 1..).unwrap_or_default();
    match Line::parse(text) {
        Ok(line) => Ok(Request::SayOnce(nonce, line)),
        Err(error) => Err(refuse(&error).of(Some(nonce))),
    }
}

fn parse_history(arguments: &[&str]) -> Result<Request, Refusal> {
    let number = |word: &str| parse_count(word).ok_or_else(|| usage("/history"));
    match arguments {
        [] => Ok(Request::History {
            last: None,
            before: None,
        }),
        [last] => Ok(Request::History {
            last: Some(number(last)?),
            before: None,
        }),
        [last, "before", seq] => Ok(Request::History {
            last: Some(number(last)?),
            before: Some(number(seq)?),
        }),
        _ => Err(usage("/history")),
    }
}

fn parse_follow(arguments: &[&str]) -> Result<Request, Refusal> {
    let start = match arguments {
        ["head"] => Start::Head,
        ["0"] => Start::Beginning,
        [seq, at] => Start::After {
            seq: parse_count(seq).ok_or_else(|| usage("/follow"))?,
            at: Timestamp::parse(at).map_err(|_| usage("/follow"))?,
        },
        _ => return Err(usage("/follow")),
    };
    Ok(Request::Follow(start))
}

fn nonce_of(prefix: &[u8]) -> Option<Nonce> {
    let rest = prefix.strip_prefix(b"/say ")?;
    nonce_of_word(&rest[..memchr::memchr(b' ', rest)?])
}

fn nonce_of_word(word: &[u8]) -> Option<Nonce> {
    std::str::from_utf8(word)
        .ok()
        .and_then(|word| Nonce::parse(word).ok())
}

fn usage(name: &'static str) -> Refusal {
    let arguments = COMMANDS
        .iter()
        .find(|c| c.name == name)
        .map_or("", |c| c.arguments);
    Refusal::new(Code::BadArgument, format!("usage: {name} {arguments}"))
}

fn refuse_command(name: &str) -> Refusal {
    if let Some(known) = COMMANDS.iter().find(|c| c.name == name) {
        return usage(known.name);
    }
    let shown: String = name.chars().take(20).collect();
    let nearest = COMMANDS
        .iter()
        .map(|c| c.name)
        .min_by_key(|c| strsim::levenshtein(c, &shown));
    let words = match nearest.filter(|c| strsim::levenshtein(c, &shown) <= 2) {
        Some(nearest) => format!("there is no {shown}; did you mean {nearest}?"),
        None => format!(
            "there is no {shown}; /help lists the commands; begin with // to say a line that starts with a slash"
        ),
    };
    Refusal::new(Code::UnknownCommand, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> Request {
        Request::Say(Line::parse(text.as_bytes()).expect("a line"))
    }

    fn nonce(text: &str) -> Nonce {
        Nonce::parse(text).expect("a nonce")
    }

    #[test]
    fn each_form_is_understood() {
        let at = Timestamp::parse("2026-11-21T10:00:00.123Z").expect("a time");
        let bob = ClientId::parse("bob").expect("a name");
        let line = Line::parse(b"/x  y").expect("a line");
        for (text, request) in [
            ("hello", say("hello")),
            (" /who", say(" /who")),
            ("//who", say("/who")),
            ("history ", say("history ")),
            (
                "history",
                Request::History {
                    last: None,
                    before: None,
                },
            ),
            (
                "/history",
                Request::History {
                    last: None,
                    before: None,
                },
            ),
            (
                "/history 5",
                Request::History {
                    last: Some(5),
                    before: None,
                },
            ),
            (
                "/history 5 before 9",
                Request::History {
                    last: Some(5),
                    before: Some(9),
                },
            ),
            (
                "/say k3v9q2a7-12 /x  y",
                Request::SayOnce(nonce("k3v9q2a7-12"), line),
            ),
            ("/follow head", Request::Follow(Start::Head)),
            ("/follow 0", Request::Follow(Start::Beginning)),
            (
                "/follow 7 2026-11-21T10:00:00.123Z",
                Request::Follow(Start::After { seq: 7, at }),
            ),
            ("/who", Request::Who),
            ("/whois bob", Request::Whois(bob)),
            ("/help", Request::Help),
            ("/help who", Request::Help),
            ("/nick root", Request::Nick),
            ("/ping", Request::Ping),
            ("/quit", Request::Quit),
        ] {
            assert_eq!(Request::parse(text.as_bytes()), Ok(Some(request)), "{text}");
        }
        assert_eq!(Request::parse(b""), Ok(None));
    }

    #[test]
    fn each_refusal_names_its_line_and_the_next_step() {
        for (line, refusal) in [
            (
                &b"a\x1bb"[..],
                "! forbidden-character - a line may not contain U+001B",
            ),
            (b"\xff", "! not-utf8 - a line must be UTF-8"),
            (b" ", "! empty - a line needs a character that can be seen"),
            (
                b"/say k3v9q2a7-12  \t",
                "! empty k3v9q2a7-12 a line needs a character that can be seen",
            ),
            (
                b"a\xe2\x80\x8bb",
                "! forbidden-character - a line may not contain U+200B",
            ),
            (
                b"/say k3v9q2a7-12 ",
                "! empty k3v9q2a7-12 the line is empty",
            ),
            (b"/say k3v9q2a7-12", "! empty k3v9q2a7-12 the line is empty"),
            (
                b"/say k3v9q2a7-12 \xff",
                "! not-utf8 k3v9q2a7-12 a line must be UTF-8",
            ),
            (b"/say hello", "! bad-argument - usage: /say RUN-N TEXT"),
            (b"/say", "! bad-argument - usage: /say RUN-N TEXT"),
            (
                b"/hsitory",
                "! unknown-command - there is no /hsitory; did you mean /history?",
            ),
            (
                b"/frobnicate now",
                "! unknown-command - there is no /frobnicate; /help lists the commands; begin with // to say a line that starts with a slash",
            ),
            (
                b"/",
                "! unknown-command - there is no /; /help lists the commands; begin with // to say a line that starts with a slash",
            ),
            (b"/whois", "! bad-argument - usage: /whois ID"),
            (
                b"/history five",
                "! bad-argument - usage: /history [N [before SEQ]]",
            ),
            (
                b"/follow 7",
                "! bad-argument - usage: /follow SEQ TIME | 0 | head",
            ),
            (
                b"/follow -1 x",
                "! bad-argument - usage: /follow SEQ TIME | 0 | head",
            ),
        ] {
            let refused = Request::parse(line).expect_err("a refusal").to_string();
            assert_eq!(refused, refusal, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_line_too_long_to_hold_is_named_by_its_beginning() {
        let of = |prefix: &[u8]| Request::too_long(prefix).to_string();
        assert_eq!(
            of(b"/say k3v9q2a7-12 xxx"),
            "! too-long k3v9q2a7-12 a line may have at most 4096 bytes"
        );
        assert_eq!(
            of(b"xxx"),
            "! too-long - a line may have at most 4096 bytes"
        );
    }
}
