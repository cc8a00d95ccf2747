//! The lines of standard input: each is something to say or a command, or it is refused here, in
//! words, and never sent.

use std::io::{self, BufRead, Read as _};

use wire::limits::LINE_BYTES_MAX;
use wire::{Line, Refusal, Request};

use crate::limits::READ_BYTES_MAX;
use crate::words::sentences;

/// One line of standard input, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// To be said.
    Say(Line),
    /// To be sent as it is.
    Command(Line),
    /// `/ping`, whose answer is shown only to people who asked.
    Ping(Line),
    /// `/quit`
    Quit {
        /// The lines after it that were read already. They are not sent.
        unsent: usize,
    },
    /// Not to be sent. Reading goes on.
    Refused {
        /// The reason.
        words: String,
        /// The advice.
        hint: Option<&'static str>,
    },
    /// Nothing more can be understood, or read. Reading has ended.
    Unreadable {
        /// The reason.
        words: String,
        /// The advice.
        hint: Option<&'static str>,
    },
}

/// Reads `source` to its end. A last line without a line end is a line too. Ends early when `take`
/// returns that nobody listens any more.
pub(crate) fn read(source: impl io::Read, mut take: impl FnMut(Typed) -> bool) {
    let mut input = io::BufReader::with_capacity(READ_BYTES_MAX, source);
    let mut line = Vec::new();
    for number in 1.. {
        let typed = match next_line(&mut input, &mut line, number) {
            // Nothing more is read to count them: on a terminal it may be for the next program.
            Ok(Some(Typed::Quit { .. })) => Typed::Quit {
                unsent: count_lines(input.buffer()),
            },
            Ok(Some(typed)) => typed,
            Ok(None) if line.is_empty() => return,
            // An empty line says nothing, and is not the end.
            Ok(None) => continue,
            Err(error) => unreadable(format!("cannot read standard input: {error}"), None),
        };
        let is_last = matches!(typed, Typed::Unreadable { .. });
        if !take(typed) || is_last {
            return;
        }
    }
}

/// Returns the number of lines that are not empty.
fn count_lines(text: &[u8]) -> usize {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.trim_ascii().is_empty()).count()
}

/// Reads one line into `line`, which stays empty at the end of the input.
fn next_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    number: u64,
) -> io::Result<Option<Typed>> {
    line.clear();
    // Room for a byte order mark, CR and LF, and one more byte to see that it is too long.
    let bytes_max = LINE_BYTES_MAX as u64 + 6;
    input.by_ref().take(bytes_max).read_until(b'\n', line)?;
    let is_cut = line.len() as u64 == bytes_max && !line.ends_with(b"\n");
    let mut text = line.strip_suffix(b"\n").unwrap_or(line);
    if number == 1 {
        if let Some(unreadable) = utf16(line) {
            return Ok(Some(unreadable));
        }
        text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    }
    text = text.strip_suffix(b"\r").unwrap_or(text);
    if is_cut {
        input.skip_until(b'\n')?;
        return Ok(Some(refused(number, &Request::too_long(text))));
    }
    if std::str::from_utf8(text).is_err() {
        return Ok(Some(Typed::Refused {
            words: format!(
                "line {number} of standard input is not UTF-8 (perhaps Latin-1, Windows-1252 or GBK)"
            ),
            hint: Some("convert it, for example with `iconv -f GBK -t UTF-8`"),
        }));
    }
    Ok(understand(text, number))
}

fn understand(text: &[u8], number: u64) -> Option<Typed> {
    let request = match Request::parse(text) {
        Ok(request) => request?,
        Err(refusal) => return Some(refused(number, &refusal)),
    };
    let as_typed = || Line::parse(text).expect("a command was read as a line already");
    Some(match request {
        Request::Say(line) => Typed::Say(line),
        Request::Quit => Typed::Quit { unsent: 0 },
        Request::Ping => Typed::Ping(as_typed()),
        Request::History { .. }
        | Request::Who
        | Request::Whois(_)
        | Request::Nick
        | Request::Help => Typed::Command(as_typed()),
        Request::SayOnce(..) | Request::Follow(_) => Typed::Refused {
            words: format!("line {number} not sent: {}", sentences::OUR_COMMANDS),
            hint: Some("to say a line that begins with a slash, type two"),
        },
    })
}

fn refused(number: u64, refusal: &Refusal) -> Typed {
    Typed::Refused {
        words: format!("line {number} not sent: {}", refusal.words),
        hint: None,
    }
}

fn unreadable(words: String, hint: Option<&'static str>) -> Typed {
    Typed::Unreadable { words, hint }
}

/// Recognises UTF-16 by its byte order mark, or by the NULs that every ASCII character has in it.
fn utf16(first_line: &[u8]) -> Option<Typed> {
    let (words, hint) = match first_line {
        [0xff, 0xfe, ..] => (
            "standard input is UTF-16 (Windows PowerShell pipes that), not UTF-8",
            "in PowerShell, run `$OutputEncoding = [Text.UTF8Encoding]::new()` first; elsewhere, convert it with `iconv -f UTF-16 -t UTF-8`",
        ),
        [0xfe, 0xff, ..] => (
            "standard input is UTF-16 (big-endian), not UTF-8",
            "convert it with `iconv -f UTF-16 -t UTF-8`",
        ),
        [0, _, 0, _, ..] => (
            "standard input looks like UTF-16 (big-endian), not UTF-8",
            "convert it with `iconv -f UTF-16BE -t UTF-8`",
        ),
        [_, 0, _, 0, ..] => (
            "standard input looks like UTF-16 (little-endian), not UTF-8",
            "convert it with `iconv -f UTF-16LE -t UTF-8`",
        ),
        _ => return None,
    };
    Some(unreadable(words.to_owned(), Some(hint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the meaning of an input, in short.
    fn typed(input: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        read(input, |typed| {
            all.push(match typed {
                Typed::Say(line) => format!("say {line}"),
                Typed::Command(line) => format!("command {line}"),
                Typed::Ping(line) => format!("ping {line}"),
                Typed::Quit { unsent } => format!("quit, {unsent} unsent"),
                Typed::Refused { words, .. } => format!("refused {words}"),
                Typed::Unreadable { words, .. } => format!("unreadable {words}"),
            });
            true
        });
        all
    }

    #[test]
    fn lines_are_said_and_commands_are_sent() {
        assert_eq!(
            typed(b"hi\r\n\n//who\n/who\nhistory\n/history 5\n/ping\n/quit\nlast"),
            [
                "say hi",
                "say /who",
                "command /who",
                "command history",
                "command /history 5",
                "ping /ping",
                "quit, 1 unsent",
                "say last"
            ]
        );
        assert_eq!(typed("\u{feff}你好\n".as_bytes()), ["say 你好"]);
        assert_eq!(typed(b""), [""; 0]);
        let longest = "x".repeat(4096);
        assert_eq!(
            typed(format!("{longest}\r\n").as_bytes()),
            [format!("say {longest}")]
        );
        let slash = format!("/{longest}");
        assert_eq!(typed(slash.as_bytes()).len(), 1);
    }

    #[test]
    fn a_line_that_may_not_be_said_is_refused_and_the_next_is_fine() {
        let long = format!("{}\nok\n", "x".repeat(4097));
        let endless = format!("{}\nok\n", "x".repeat(1_000_000));
        for input in [long, endless] {
            assert_eq!(
                typed(input.as_bytes()),
                [
                    "refused line 1 not sent: a line may have at most 4096 bytes",
                    "say ok"
                ]
            );
        }
        assert_eq!(
            typed(b"a\x1bb\n/hsitory\n/say k3v9q2a7-1 hi\n/follow 0\nok"),
            [
                "refused line 1 not sent: a line may not contain U+001B",
                "refused line 2 not sent: there is no /hsitory; did you mean /history?",
                "refused line 3 not sent: this program sends /say and /follow itself",
                "refused line 4 not sent: this program sends /say and /follow itself",
                "say ok"
            ]
        );
        assert_eq!(
            typed(b"ok\n\xc4\xe3\xba\xc3\nok\n"),
            [
                "say ok",
                "refused line 2 of standard input is not UTF-8 (perhaps Latin-1, Windows-1252 or GBK)",
                "say ok"
            ]
        );
    }

    #[test]
    fn utf_16_is_named_and_nothing_of_it_is_sent() {
        let little: Vec<u8> = "hi\nho\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let big: Vec<u8> = "hi\nho\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for (input, words) in [
            (
                [b"\xff\xfe".as_slice(), &little].concat(),
                "unreadable standard input is UTF-16 (Windows PowerShell pipes that), not UTF-8",
            ),
            (
                [b"\xfe\xff".as_slice(), &big].concat(),
                "unreadable standard input is UTF-16 (big-endian), not UTF-8",
            ),
            (
                little,
                "unreadable standard input looks like UTF-16 (little-endian), not UTF-8",
            ),
            (
                big,
                "unreadable standard input looks like UTF-16 (big-endian), not UTF-8",
            ),
        ] {
            assert_eq!(typed(&input), [words]);
        }
    }
}
