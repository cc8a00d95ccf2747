//! The examinations: their names, what each asks of a client, which part of PROTOCOL.md says so, and
//! the mistake that is usually behind a failure.

use clap::ValueEnum;

/// One examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Examination {
    Talk,
    Waits,
    Refused,
    NoRoom,
    AnotherCa,
    AnotherHost,
    ExpiredServer,
    PersonAsServer,
    AnotherName,
    SplitCharacters,
    SplitLines,
    SlowBytes,
    LongLines,
    HalfLine,
    HalfLineClosed,
    Author,
    UnknownKeys,
    UnknownWords,
    NewerEntries,
    RepliesBetween,
    FewEntries,
    Refusals,
    OtherHistory,
    SaidOnce,
    StoredOnce,
    Bye,
    Leaves,
    Ping,
}

/// The words for an examination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// What a good client does.
    pub(super) right: &'static str,
    /// The heading in PROTOCOL.md.
    pub(super) section: &'static str,
    /// What is usually wrong.
    pub(super) usual: &'static str,
}

impl Examination {
    /// Returns its name, as `--only` takes it.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(super) fn words(self) -> Words {
        let (right, section, usual) = match self {
            Examination::Talk => (
                "sends what is typed as it is, line by line, and shows what others say",
                LINES,
                "encode as UTF-8, end each line with LF, and flush after each line",
            ),
            Examination::Waits => (
                "sends nothing before the greeting",
                CONNECTION,
                "read lines until `= welcome` has come, and only then read standard input",
            ),
            Examination::Refused => (
                "sends nothing after a refusal in place of the greeting, and waits as long as it says before it tries again",
                CONNECTION,
                "a first line that begins with `!` is the end of this connection; print it, and end, or wait as long as it says",
            ),
            Examination::NoRoom => (
                "survives a server without room, which says so in plain text before TLS",
                CONNECTION,
                "catch the error of the handshake; print it, and end or try again after a pause",
            ),
            Examination::AnotherCa => (
                "refuses a server of another CA with the same name, before it sends a line",
                SERVER,
                "trust the CA certificate in the bundle, and no other; never switch verification off",
            ),
            Examination::AnotherHost => (
                "refuses a server whose certificate is for another host, before it sends a line",
                SERVER,
                "compare the name that you connect to with the certificate",
            ),
            Examination::ExpiredServer => (
                "refuses a server whose certificate has expired, before it sends a line",
                SERVER,
                "do not switch off the check of dates",
            ),
            Examination::PersonAsServer => (
                "refuses a person's certificate as a server's, before it sends a line",
                SERVER,
                "ask for the extended key usage serverAuth, as TLS libraries do unless told otherwise",
            ),
            Examination::AnotherName => (
                "leaves a server that greets it by another name",
                GREETING,
                "compare `id` in the greeting with the name in your certificate",
            ),
            Examination::SplitCharacters => (
                "shows a character whose bytes arrive apart",
                LINES,
                "collect bytes up to LF first, and decode the whole line then",
            ),
            Examination::SplitLines => (
                "finds lines that arrive in pieces, and several that arrive at once",
                LINES,
                "a read may end anywhere: collect bytes, and take each line at its LF",
            ),
            Examination::SlowBytes => (
                "reads lines that arrive byte by byte",
                LINES,
                "a read may return one byte; keep what came until LF",
            ),
            Examination::LongLines => (
                "reads the longest lines that a server may send",
                LINES,
                "make room for a line of 4352 bytes, without its end",
            ),
            Examination::HalfLine => (
                "takes no half line for a line when the connection is lost",
                LINES,
                "at the end of the stream, drop the bytes after the last LF",
            ),
            Examination::HalfLineClosed => (
                "takes no half line for a line when the stream ends properly",
                LINES,
                "a reader of lines may return the last one without its LF: look for it",
            ),
            Examination::Author => (
                "leaves a text in the line of its author, whatever it looks like",
                SERVER_GRAMMAR,
                "split a line at its first `] `, and never look for stamps in a text",
            ),
            Examination::UnknownKeys => (
                "takes a greeting with keys that it does not know, in any order",
                RULES,
                "look keys up by their names, and pass over the others",
            ),
            Examination::UnknownWords => (
                "passes over reply words and first characters that it does not know",
                RULES,
                "have a last case that does nothing",
            ),
            Examination::NewerEntries => (
                "goes on after entries of kinds and reasons that it does not know",
                RULES,
                "accept any reason, and let an unknown entry keep its place",
            ),
            Examination::RepliesBetween => (
                "finds entries between replies",
                RULES,
                "look at the first character of each line; an answer is not one block",
            ),
            Examination::FewEntries => (
                "relies on `= at` and does not count entries",
                RULES,
                "do not wait for 20 entries, or for all up to `head`",
            ),
            Examination::Refusals => (
                "goes on after refusals, known and unknown, of its lines",
                REFUSALS,
                "a refusal is about one line, and the connection continues",
            ),
            Examination::OtherHistory => (
                "starts afresh, or ends, where its last entry is not known",
                DIALECTS,
                "answer `! other-history` with `/follow head` or `/follow 0`, or say so and end",
            ),
            Examination::SaidOnce => (
                "sends an unacknowledged line again under the same RUN-N",
                ONCE,
                "keep each line until its `= ok`, with the RUN-N that it had",
            ),
            Examination::StoredOnce => (
                "shows a line once that was stored before the connection was lost",
                ONCE,
                "follow after your last entry, with its seq and its time",
            ),
            Examination::Bye => (
                "ends at `= bye`, and does not come back when it was replaced",
                REASONS,
                "end the program at `= bye`, even while standard input is open",
            ),
            Examination::Leaves => (
                "sends every line that was typed, then leaves properly",
                COMMANDS,
                "at the end of input send `/quit` and read on until the server closes",
            ),
            Examination::Ping => (
                "pings after 30 seconds in which it sent nothing, however much it hears",
                DIALECTS,
                "measure the time since you last sent something, not since you last heard",
            ),
        };
        Words {
            right,
            section,
            usual,
        }
    }

    /// Returns whether it takes more than half a minute.
    pub(super) fn is_slow(self) -> bool {
        self == Examination::Ping
    }
}

const SERVER: &str = "Is this the right server?";
const CONNECTION: &str = "1. The connection";
const LINES: &str = "2. Lines";
const SERVER_GRAMMAR: &str = "3.3 From the server";
const RULES: &str = "4. Rules for clients";
const DIALECTS: &str = "5. The two dialects";
const ONCE: &str = "Sending a line once";
const COMMANDS: &str = "6. Commands";
const GREETING: &str = "7. The greeting";
const REFUSALS: &str = "8. Refusals";
const REASONS: &str = "9. Reasons";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_examination_cites_a_heading_of_the_protocol() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../PROTOCOL.md");
        let page = std::fs::read_to_string(page).expect("the protocol");
        let headings: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim().trim_end_matches('`'))
            .collect();
        for examination in Examination::value_variants() {
            let section = examination.words().section;
            assert!(headings.contains(&section), "{examination:?}: no {section}");
        }
    }
}
