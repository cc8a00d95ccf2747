//! Writes entries and replies to standard output, in one of four forms.

use std::io::{self, Write};

use wire::terminal::shown;
use wire::{Entry, Kind, NewerEntry, Refusal, Reply, Welcome};

use super::json::Json;
use crate::room;
use crate::settings::Form;
use crate::words::{Clock, sentences, stamped, stamped_newer};

/// Writes entries and replies.
#[derive(Debug)]
pub(crate) struct Printer<W> {
    pub(crate) out: W,
    pub(crate) form: Form,
    pub(crate) clock: Clock,
    /// Returns the columns of the terminal that `out` is now; `None` for a pipe or a file, where
    /// every byte stays as it is.
    pub(crate) columns: fn() -> Option<usize>,
    /// Whether `out` is a terminal that understands escape sequences.
    pub(crate) has_escapes: bool,
    /// Whether the row of the person who types is drawn, below everything else.
    pub(crate) has_row: bool,
}

/// The terminal wraps nothing while we write: if it gives a character more columns than any table
/// does, or became narrower just now, then the end of a row is lost, and the text does not go on in the
/// first column, where a stamp begins.
const WRAPS_NOTHING: &str = "\x1b[?7l";
const WRAPS_AGAIN: &str = "\x1b[?7h";

/// Our own words are bold, and the texts of people are not. A terminal that becomes narrower breaks
/// rows that it has shown already, where we cannot indent them.
const BOLD: &str = "\x1b[1m";
const NOT_BOLD: &str = "\x1b[22m";

const ERASE_ROW: &str = "\r\x1b[K";

impl<W: Write> Printer<W> {
    /// Prints the greeting, for programs.
    pub(crate) fn greeting(&mut self, welcome: &Welcome, text: &str) -> io::Result<()> {
        match self.form {
            Form::Raw => self.line(text),
            Form::Json => self.json(&Json::of_welcome(welcome)),
            Form::Stamped | Form::Bare => Ok(()),
        }
    }

    /// Prints a line as it came.
    pub(crate) fn wire(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Raw => self.line(text),
            Form::Json | Form::Stamped | Form::Bare => Ok(()),
        }
    }

    /// Prints an entry.
    pub(crate) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        match self.form {
            Form::Raw => Ok(()),
            Form::Json => self.json(&Json::of_entry(entry, false)),
            Form::Bare => match &entry.kind {
                Kind::Message(_) => self.stamped(entry, &entry.body().to_string()),
                Kind::Enter | Kind::Leave(_) => Ok(()),
            },
            Form::Stamped => self.stamped(entry, &stamped(entry, &self.clock)),
        }
    }

    /// Prints an entry of a newer server, which is no message as far as we know.
    pub(crate) fn newer_entry(&mut self, entry: &NewerEntry) -> io::Result<()> {
        match self.form {
            Form::Raw | Form::Bare => Ok(()),
            Form::Json => self.json(&Json::of_newer_entry(entry, false)),
            Form::Stamped => self.line(&stamped_newer(entry, &self.clock)),
        }
    }

    /// Prints a reply: in words for people, whole for programs.
    pub(crate) fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        match (self.form, reply) {
            (Form::Raw, _) => Ok(()),
            (Form::Json, reply) => self.json(&Json::of_reply(reply)),
            (_, Reply::Replayed(entry)) => self.entry(entry),
            (_, Reply::ReplayedNewer(entry)) => self.newer_entry(entry),
            (_, Reply::Who { count, .. }) => self.line(&sentences::who(*count)),
            (_, Reply::Here(here)) => {
                let words = sentences::here(here, &self.clock);
                self.line(&format!("  {words}"))
            }
            (_, Reply::Note { words, .. }) => self.line(&sentences::note(words)),
            (_, Reply::At(seq)) => self.line(&sentences::newest(*seq)),
            (_, Reply::Whois(whois)) => self.line(&room::whois(whois, &self.clock)),
            (_, Reply::Other(_)) => match reply.answer() {
                Some((_, words)) => self.line(&words),
                // Anything else that a newer server may say is for programs.
                None => Ok(()),
            },
            // The greeting, acknowledgements and the goodbye do not answer questions.
            (
                _,
                Reply::Welcome(_)
                | Reply::Ok { .. }
                | Reply::Bye { .. }
                | Reply::Begin(_)
                | Reply::End(_),
            ) => Ok(()),
        }
    }

    /// Prints a refusal for programs; people read it on standard error.
    pub(crate) fn refusal(&mut self, refusal: &Refusal) -> io::Result<()> {
        match self.form {
            Form::Json => self.json(&Json::of_refusal(refusal)),
            Form::Raw | Form::Stamped | Form::Bare => Ok(()),
        }
    }

    /// Draws the row of the person who types, if there is one, and flushes the output.
    pub(crate) fn flush(&mut self, row: Option<&str>) -> io::Result<()> {
        self.make_way()?;
        if let Some(row) = row {
            write!(self.out, "{WRAPS_NOTHING}{row}{WRAPS_AGAIN}")?;
            self.has_row = true;
        }
        self.out.flush()
    }

    /// Erases the row of the person who types.
    pub(crate) fn make_way(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.has_row) {
            self.out.write_all(ERASE_ROW.as_bytes())?;
        }
        Ok(())
    }

    /// Prints what a person typed.
    pub(crate) fn typed(&mut self, text: &str) -> io::Result<()> {
        self.line(text)
    }

    fn json(&mut self, json: &Json<'_>) -> io::Result<()> {
        let text = serde_json::to_string(json)?;
        self.line(&wire::terminal::escape_json(&text))
    }

    /// Prints an entry, of which everything but the text of a person is ours.
    fn stamped(&mut self, entry: &Entry, text: &str) -> io::Result<()> {
        let said = match &entry.kind {
            Kind::Message(line) => line.as_str().len(),
            Kind::Enter | Kind::Leave(_) => 0,
        };
        self.line_with(&text[..text.len() - said], text)
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.line_with("", text)
    }

    /// Prints a text that begins with words of our own.
    fn line_with(&mut self, ours: &str, text: &str) -> io::Result<()> {
        self.make_way()?;
        let shown = shown(text, (self.columns)());
        if !self.has_escapes {
            return writeln!(self.out, "{shown}");
        }
        // Where a terminal is so narrow that the stamp is broken, nothing is bold.
        let ours = if shown.starts_with(ours) { ours } else { "" };
        let rest = &shown[ours.len()..];
        write!(self.out, "{WRAPS_NOTHING}")?;
        if !ours.is_empty() {
            write!(self.out, "{BOLD}{ours}{NOT_BOLD}")?;
        }
        writeln!(self.out, "{rest}{WRAPS_AGAIN}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ServerLine;

    /// Returns lines of the wire as a printer of this form prints them.
    fn printed(form: Form, columns: fn() -> Option<usize>, lines: &[&str]) -> String {
        let mut printer = Printer {
            out: Vec::new(),
            form,
            clock: Clock::utc(),
            columns,
            has_escapes: false,
            has_row: false,
        };
        for text in lines {
            printer.wire(text).expect("memory takes all");
            match ServerLine::parse(text).expect("a line of the wire") {
                ServerLine::Entry(entry) => printer.entry(&entry),
                ServerLine::NewerEntry(entry) => printer.newer_entry(&entry),
                ServerLine::Reply(reply) => printer.reply(&reply),
                ServerLine::Refusal(refusal) => printer.refusal(&refusal),
                ServerLine::Unknown => Ok(()),
            }
            .expect("memory takes all");
        }
        String::from_utf8(printer.out).expect("only text is printed")
    }

    const LINES: [&str; 12] = [
        "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello \"you\"",
        "42 2026-11-21T10:00:01.456Z * bob@192.0.2.9 entered",
        "43 2026-11-21T10:00:02.000Z * bob@192.0.2.9 left (lost)",
        "= note stale-list the list is old",
        "= who 43 count=1",
        "= here alice role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=2",
        "= here bob role=student ip=::1 since=2026-11-21T10:00:00.123Z sessions=1 name=\"吴 爱丽\"",
        "= help /who  who is here",
        "= whois bob role=student ip=::1 left=2026-11-21T10:00:02.000Z reason=lost sessions=0",
        "= whois carol role=student ip=::1 left= reason= sessions=0 name=\"Carol O'Neil\"",
        "= moon full",
        "! moon-phase - wrong moon",
    ];

    #[test]
    fn people_read_stamps_and_words() {
        assert_eq!(
            printed(Form::Stamped, || None, &LINES),
            "2026-11-21 10:00:00 [alice@192.0.2.7] hello \"you\"\n\
             2026-11-21 10:00:01 * bob@192.0.2.9 entered\n\
             2026-11-21 10:00:02 * bob@192.0.2.9 left (lost)\n\
             note: the list is old\n\
             one person is here:\n  \
               alice@::1 (bot) since 2026-11-21 10:00:00, 2 sessions\n  \
               bob@::1 \"吴 爱丽\" (student) since 2026-11-21 10:00:00\n\
             /who  who is here\n\
             bob is a student, not here: left at 2026-11-21 10:00:02 (lost), last seen from ::1\n\
             carol \"Carol O'Neil\" is a student, not here: left, last seen from ::1\n"
        );
        assert_eq!(
            printed(Form::Bare, || None, &LINES[..3]),
            "[alice@192.0.2.7] hello \"you\"\n"
        );
    }

    #[test]
    fn programs_read_lines_or_objects() {
        assert_eq!(printed(Form::Raw, || None, &LINES), LINES.join("\n") + "\n");
        assert_eq!(
            printed(Form::Json, || None, &LINES),
            concat!(
                r#"{"kind":"message","seq":41,"at":"2026-11-21T10:00:00.123Z","id":"alice","ip":"192.0.2.7","text":"hello \"you\""}"#,
                "\n",
                r#"{"kind":"enter","seq":42,"at":"2026-11-21T10:00:01.456Z","id":"bob","ip":"192.0.2.9"}"#,
                "\n",
                r#"{"kind":"leave","seq":43,"at":"2026-11-21T10:00:02.000Z","id":"bob","ip":"192.0.2.9","reason":"lost"}"#,
                "\n",
                r#"{"kind":"note","topic":"stale-list","words":"the list is old"}"#,
                "\n",
                r#"{"kind":"who","seq":43,"count":1}"#,
                "\n",
                r#"{"kind":"here","id":"alice","role":"bot","ip":"::1","since":"2026-11-21T10:00:00.123Z","sessions":2}"#,
                "\n",
                r#"{"kind":"here","id":"bob","role":"student","name":"吴 爱丽","ip":"::1","since":"2026-11-21T10:00:00.123Z","sessions":1}"#,
                "\n",
                r#"{"kind":"reply","text":"help /who  who is here"}"#,
                "\n",
                r#"{"kind":"reply","id":"bob","role":"student","ip":"::1","text":"whois bob role=student ip=::1 left=2026-11-21T10:00:02.000Z reason=lost sessions=0","topic":"whois","reason":"lost","sessions":0,"left":"2026-11-21T10:00:02.000Z"}"#,
                "\n",
                r#"{"kind":"reply","id":"carol","role":"student","name":"Carol O'Neil","ip":"::1","text":"whois carol role=student ip=::1 left= reason= sessions=0 name=\"Carol O'Neil\"","topic":"whois","sessions":0}"#,
                "\n",
                r#"{"kind":"reply","text":"moon full"}"#,
                "\n",
                r#"{"kind":"refusal","code":"unknown","words":"wrong moon"}"#,
                "\n",
            )
        );
    }

    /// Returns a greeting with everything that the parser accepts from nobody, in case it comes by
    /// another way.
    fn evil() -> Welcome {
        let greeting = "= welcome id=alice role=student ip=::1 room=x head=0 epoch=9f86 \
                        clock=2026-11-21T10:00:00.123Z version=0.1.0";
        let Ok(ServerLine::Reply(Reply::Welcome(welcome))) = ServerLine::parse(greeting) else {
            panic!("a greeting");
        };
        // A selection of interesting ones; all of them would take seconds.
        let some = [
            0..0x3000,
            0x5f20..0x5f21,
            0xf900..0x1_0000,
            0x1_f000..0x1_f800,
            0xe_0000..0xe_0200,
        ];
        let some = some.into_iter().flatten().chain([0x5f20, 0x10_ffff]);
        let room = some
            .filter_map(char::from_u32)
            .filter(|c| *c != '\n')
            .collect();
        Welcome { room, ..welcome }
    }

    #[test]
    fn json_escapes_characters_that_do_not_print_and_reads_back_as_it_was() {
        let welcome = evil();
        let mut printer = Printer {
            out: Vec::new(),
            form: Form::Json,
            clock: Clock::utc(),
            columns: || None,
            has_escapes: false,
            has_row: false,
        };
        printer.greeting(&welcome, "").expect("memory takes all");
        let text = String::from_utf8(printer.out).expect("only text is printed");
        let text = text.strip_suffix('\n').expect("a line");
        assert!(!text.contains(wire::is_forbidden));
        for c in [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\t',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{feff}',
            '\u{e0041}',
            '\u{10ffff}',
        ] {
            assert!(!text.contains(c), "{c:?}");
        }
        for c in ['张', 'ä', '\u{301}', '🎉', 'א'] {
            assert!(text.contains(c), "{c:?}");
        }
        let read: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(read["room"].as_str(), Some(welcome.room.as_str()));
        // Twelve digits for a character that needs two surrogates.
        assert!(text.contains("\\udb40\\udc41"));
    }

    #[test]
    fn a_terminal_gets_no_escape_and_only_raw_is_raw() {
        let evil = "= help \u{1b}[2J\u{202e}x";
        let raw = |columns: fn() -> Option<usize>| {
            let mut printer = Printer {
                out: Vec::new(),
                form: Form::Raw,
                clock: Clock::utc(),
                columns,
                has_escapes: false,
                has_row: false,
            };
            printer.wire(evil).expect("memory takes all");
            String::from_utf8(printer.out).expect("only text is printed")
        };
        assert_eq!(raw(|| None), format!("{evil}\n"));
        assert_eq!(raw(|| Some(80)), "= help \u{fffd}[2J\u{fffd}x\n");
        // In no other form it is a line of the wire.
        assert!(ServerLine::parse(evil).is_err());
        let long = ["41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] and so it goes on"];
        assert_eq!(
            printed(Form::Bare, || Some(30), &long),
            "[alice@192.0.2.7] and so it \n    goes on\n"
        );
    }

    #[test]
    fn a_terminal_is_asked_for_its_width_whenever_something_is_written() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        static WIDTH: AtomicUsize = AtomicUsize::new(0);
        let wider = || Some(20 + 20 * WIDTH.fetch_add(1, Ordering::Relaxed));
        let line = "41 2026-11-21T10:00:00.123Z [alice@192.0.2.7] and so it goes on";
        assert_eq!(
            printed(Form::Bare, wider, &[line, line]),
            "[alice@192.0.2.7] \n    and so it goes \n    on\n[alice@192.0.2.7] and so it goes on\n"
        );
    }

    /// Returns what a terminal of this width is sent, without the sequences for its wrapping.
    fn on_a_terminal(columns: fn() -> Option<usize>, text: &str) -> String {
        let mut printer = Printer {
            out: Vec::new(),
            form: Form::Bare,
            clock: Clock::utc(),
            columns,
            has_escapes: true,
            has_row: false,
        };
        let Ok(ServerLine::Entry(entry)) = ServerLine::parse(text) else {
            panic!("an entry");
        };
        printer.entry(&entry).expect("memory takes all");
        let all = String::from_utf8(printer.out).expect("only text is printed");
        let row = all
            .strip_prefix(WRAPS_NOTHING)
            .and_then(|all| all.strip_suffix(&format!("{WRAPS_AGAIN}\n")));
        row.expect("the terminal wraps nothing of it").to_owned()
    }

    #[test]
    fn on_a_terminal_only_our_own_words_are_bold() {
        let line = "41 2026-11-21T10:00:00.123Z [eve@192.0.2.7] hi [bob@192.0.2.9] no";
        assert_eq!(
            on_a_terminal(|| Some(80), line),
            "\x1b[1m[eve@192.0.2.7] \x1b[22mhi [bob@192.0.2.9] no"
        );
        assert_eq!(
            on_a_terminal(|| Some(10), line),
            "[eve@192.\n    0.2.7\n    ] hi \n    [bob@\n    192.0\n    .2.9]\n     no"
        );
    }

    #[test]
    fn the_row_of_the_person_who_types_makes_way_and_comes_back() {
        let mut printer = Printer {
            out: Vec::new(),
            form: Form::Bare,
            clock: Clock::utc(),
            columns: || Some(80),
            has_escapes: true,
            has_row: false,
        };
        printer.flush(Some("> he")).expect("memory takes all");
        printer.typed("x").expect("memory takes all");
        printer.flush(Some("> hel")).expect("memory takes all");
        printer.flush(None).expect("memory takes all");
        let all = String::from_utf8(printer.out).expect("only text is printed");
        let all = all.replace(WRAPS_NOTHING, "").replace(WRAPS_AGAIN, "");
        assert_eq!(all, "> he\r\x1b[Kx\n> hel\r\x1b[K");
    }
}
