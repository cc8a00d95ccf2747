//! The lines of standard input: each is something to say or a command, or it is refused here, in
//! words, and never sent.

use std::io::{self, BufRead, Read as _};

use wire::limits::LINE_BYTES_MAX;
use wire::{Line, Request, is_blank};

use crate::limits::READ_BYTES_MAX;
use crate::room::meaning::{self, Doubt, Meaning, SAY_IT};
use crate::words::{plainly, sentences};

/// The meaning of a line that begins with a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Text out of a pipe or a file, which is said as it is. Nothing in it is obeyed.
    Text,
    /// Lines of a program that was asked to give commands (`--commands`). They are understood as a
    /// server understands them.
    Commands,
    /// A person at a terminal that edits the lines itself.
    Person,
}

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
    /// A line without anything that can be seen. It says nothing, and is not the end.
    Blank,
    /// A line after `/quit`, which is not sent.
    Late,
    /// A message for the person.
    Told(String),
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

impl Typed {
    /// Returns what is to be done; `None` for nothing, and for a line that is to be asked about.
    pub(super) fn of_meaning(meaning: Meaning) -> Option<Self> {
        Some(match meaning {
            Meaning::Nothing | Meaning::Ask(_) => return None,
            Meaning::Say(line) => Self::Say(line),
            Meaning::Command(Request::Quit, _) => Self::Quit { unsent: 0 },
            Meaning::Command(Request::Ping, line) => Self::Ping(line),
            Meaning::Command(_, line) => Self::Command(line),
            Meaning::Refused(words) => Self::Refused { words, hint: None },
        })
    }
}

/// Reads `input` to its end. A last line without a line end is a line too. Ends early when `take`
/// returns that nobody listens any more.
pub(crate) fn read(input: impl io::Read, source: Source, mut take: impl FnMut(Typed) -> bool) {
    let mut input = io::BufReader::with_capacity(READ_BYTES_MAX, input);
    let mut reader = Reader {
        source,
        doubtful: None,
        counted: None,
    };
    let mut line = Vec::new();
    for number in 1.. {
        let typed = match reader.next_line(&mut input, &mut line, number) {
            Ok(Some(Typed::Quit { .. })) => Typed::Quit {
                unsent: count_lines(input.buffer()),
            },
            Ok(Some(typed)) => typed,
            Ok(None) if line.is_empty() => return,
            Ok(None) if reader.counted.is_some() => continue,
            Ok(None) => Typed::Blank,
            Err(error) => unreadable(
                format!("cannot read standard input: {}", plainly(&error)),
                None,
            ),
        };
        let is_last = match typed {
            Typed::Unreadable { .. } => true,
            Typed::Quit { unsent } => {
                reader.counted = Some(unsent);
                // What follows on a terminal may be for the next program.
                source == Source::Person
            }
            _ => false,
        };
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

/// The reader of one input.
struct Reader {
    source: Source,
    /// The line that was asked about; the next line is the answer.
    doubtful: Option<Line>,
    /// After `/quit`, how many of the next lines were counted already.
    counted: Option<usize>,
}

impl Reader {
    /// Reads one line into `line`, which stays empty at the end of the input.
    fn next_line(
        &mut self,
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
        }
        if let Some(counted) = &mut self.counted {
            let is_counted = text.trim_ascii().is_empty() || *counted > 0;
            if !text.trim_ascii().is_empty() {
                *counted = counted.saturating_sub(1);
            }
            return Ok((!is_counted).then_some(Typed::Late));
        }
        if is_cut {
            return Ok(Some(refused(number, &Request::too_long(text).words)));
        }
        let Ok(text) = std::str::from_utf8(text) else {
            return Ok(Some(Typed::Refused {
                words: format!(
                    "line {number} of standard input is not UTF-8 (perhaps Latin-1, Windows-1252 or GBK)"
                ),
                hint: Some("convert it, for example with `iconv -f GBK -t UTF-8`"),
            }));
        };
        Ok(match self.source {
            Source::Text => understand_text(text, number),
            Source::Commands => understand(text, number),
            Source::Person => self.hear(text),
        })
    }

    /// Understands a line of a person, or the answer to a question about the line before.
    fn hear(&mut self, text: &str) -> Option<Typed> {
        if let Some(line) = self.doubtful.take() {
            return Some(match text.trim() {
                "y" | "Y" | "yes" => Typed::Say(line),
                _ => Typed::Told("nothing was sent".to_owned()),
            });
        }
        match meaning::of_typed(text) {
            Meaning::Ask(Doubt { line, why }) => {
                self.doubtful = Some(line);
                Some(Typed::Told(format!("{why}; {SAY_IT} [y/N]")))
            }
            Meaning::Refused(words) => Some(Typed::Refused {
                words: format!("not sent: {words}"),
                hint: None,
            }),
            meaning => Typed::of_meaning(meaning),
        }
    }
}

/// Understands a line of a text. It is said as it is; but a line that is a command was perhaps
/// meant as one, so it is neither obeyed nor said.
fn understand_text(text: &str, number: u64) -> Option<Typed> {
    if is_blank(text) {
        return None;
    }
    if meaning::is_command(text) {
        let name = text.split_ascii_whitespace().next().unwrap_or(text);
        return Some(Typed::Refused {
            words: format!(
                "line {number} not sent: {name} is a command, and a pipe is read as text"
            ),
            hint: Some(
                "pass --commands to give commands in a pipe; there, a line that begins with two slashes says one",
            ),
        });
    }
    Some(match Line::parse(text.as_bytes()) {
        Ok(line) => Typed::Say(line),
        Err(error) => refused(number, &error.to_string()),
    })
}

/// Understands a line as a server does.
fn understand(text: &str, number: u64) -> Option<Typed> {
    if is_blank(text) {
        return None;
    }
    let request = match Request::parse(text.as_bytes()) {
        Ok(request) => request?,
        Err(refusal) => return Some(refused(number, &refusal.words)),
    };
    let as_typed = || Line::parse(text.as_bytes()).expect("a command was read as a line already");
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

fn refused(number: u64, words: &str) -> Typed {
    Typed::Refused {
        words: format!("line {number} not sent: {words}"),
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
    fn typed(input: &[u8], source: Source) -> Vec<String> {
        let mut all = Vec::new();
        read(input, source, |typed| {
            all.push(match typed {
                Typed::Blank => return true,
                Typed::Late => "late".to_owned(),
                Typed::Told(words) => format!("told {words}"),
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
    fn a_pipe_is_text_and_nothing_in_it_is_obeyed() {
        assert_eq!(
            typed(
                b"a\n/usr/bin/env\n/* c */\n//x\n /msg bob hi\nhelp\n/quit\n\n/who\n/hsitory\nc",
                Source::Text
            ),
            [
                "say a",
                "say /usr/bin/env",
                "say /* c */",
                "say //x",
                "say  /msg bob hi",
                "say help",
                "refused line 7 not sent: /quit is a command, and a pipe is read as text",
                "refused line 9 not sent: /who is a command, and a pipe is read as text",
                "say /hsitory",
                "say c",
            ]
        );
    }

    #[test]
    fn every_line_after_a_quit_is_counted_once_however_it_comes() {
        // As pipes do: a piece at each read.
        struct Pieces<'a>(std::slice::Iter<'a, &'a [u8]>);
        impl io::Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let piece = self.0.next().copied().unwrap_or_default();
                into[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let pieces: [&[u8]; 4] = [b"a\n/quit\nb\n\nc", b"c\n", b"\nd\n", b"e"];
        let mut lost = 0;
        read(Pieces(pieces.iter()), Source::Commands, |typed| {
            lost += match typed {
                Typed::Quit { unsent } => unsent,
                Typed::Late => 1,
                _ => 0,
            };
            true
        });
        assert_eq!(lost, 4);
    }

    #[test]
    fn a_person_is_asked_on_a_terminal_that_edits_lines_too() {
        let typed = typed(
            b"help\nn\nquit\ny\n /msg bob hi\n /who\nhi\n/quit\nls\n",
            Source::Person,
        );
        assert_eq!(
            typed,
            [
                "told the command is /help; without its slash it is said to everybody; say it to everybody? [y/N]",
                "told nothing was sent",
                "told the command is /quit; without its slash it is said to everybody; say it to everybody? [y/N]",
                "say quit",
                "refused not sent: there is no /msg; /help lists the commands; begin with // to say a line that starts with a slash",
                "command /who",
                "say hi",
                "quit, 1 unsent",
            ]
        );
    }

    #[test]
    fn lines_are_said_and_commands_are_sent() {
        assert_eq!(
            typed(
                b"hi\r\n\n//who\n/who\nhistory\n/history 5\n/ping\n/quit\nlast",
                Source::Commands
            ),
            [
                "say hi",
                "say /who",
                "command /who",
                "command history",
                "command /history 5",
                "ping /ping",
                "quit, 1 unsent"
            ]
        );
        assert_eq!(
            typed("\u{feff}你好\n".as_bytes(), Source::Commands),
            ["say 你好"]
        );
        assert_eq!(typed(b"", Source::Commands), [""; 0]);
        let longest = "x".repeat(4096);
        assert_eq!(
            typed(format!("{longest}\r\n").as_bytes(), Source::Commands),
            [format!("say {longest}")]
        );
        let slash = format!("/{longest}");
        assert_eq!(typed(slash.as_bytes(), Source::Commands).len(), 1);
    }

    #[test]
    fn a_line_that_may_not_be_said_is_refused_and_the_next_is_fine() {
        let long = format!("{}\nok\n", "x".repeat(4097));
        let endless = format!("{}\nok\n", "x".repeat(1_000_000));
        for input in [long, endless] {
            assert_eq!(
                typed(input.as_bytes(), Source::Commands),
                [
                    "refused line 1 not sent: a line may have at most 4096 bytes",
                    "say ok"
                ]
            );
        }
        assert_eq!(
            typed(
                b"a\x1bb\n/hsitory\n/say k3v9q2a7-1 hi\n/follow 0\nok",
                Source::Commands
            ),
            [
                "refused line 1 not sent: a line may not contain U+001B",
                "refused line 2 not sent: there is no /hsitory; did you mean /history?",
                "refused line 3 not sent: this program sends /say and /follow itself",
                "refused line 4 not sent: this program sends /say and /follow itself",
                "say ok"
            ]
        );
        assert_eq!(
            typed(b"ok\n\xc4\xe3\xba\xc3\nok\n", Source::Commands),
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
            assert_eq!(typed(&input, Source::Commands), [words]);
        }
    }
}
