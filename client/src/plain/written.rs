//! The line that a person writes at the bottom of a terminal, and the question that waits for an
//! answer there.
//!
//! The terminal could edit the line itself, but then it would not tell a paste from typing, would
//! mix the line with whatever is said meanwhile, and would cut it at 4095 bytes. It is edited as a
//! terminal does it, at its end; the window has an editor.

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;
use wire::Line;
use wire::limits::TEXT_BYTES_MAX;
use wire::terminal::{columns_max, inert};

use super::typed::Typed;
use crate::limits::PASTE_LINES_MAX;
use crate::room::meaning::{self, Doubt, Meaning, Pasted, SAY_IT, Share};

/// The line, and the question.
#[derive(Debug, Default)]
pub(super) struct Written {
    text: String,
    /// How much was pasted, if its first visible character was: then a slash there is no command.
    pasted: Option<Share>,
    /// Whether a key found no room. Then no other one is taken until something is removed, or the
    /// line would lack a piece in its middle.
    is_full: bool,
    question: Option<Question>,
}

/// A question that waits for a key.
#[derive(Debug)]
struct Question {
    words: String,
    lines: Vec<Line>,
    /// Whether it is about the line that is written, which is gone after either answer.
    is_of_line: bool,
}

/// The effect of a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// The row as it stays on the screen; the next one begins below it.
    pub(super) kept: Option<String>,
    /// Messages for the person.
    pub(super) told: Vec<String>,
    /// Whether something was refused, which the exit code tells.
    pub(super) is_refusal: bool,
    /// To be done in this order, each once there is a place for it.
    pub(super) steps: Vec<Typed>,
    /// Whether the row has to be drawn again.
    pub(super) draws: bool,
}

impl Effect {
    fn draw() -> Self {
        Self {
            draws: true,
            ..Self::default()
        }
    }

    fn refuse(words: String) -> Self {
        Self {
            told: vec![format!("error: {words}")],
            is_refusal: true,
            ..Self::draw()
        }
    }
}

const PROMPT: &str = "> ";

impl Written {
    /// Takes an event of the terminal.
    pub(super) fn take(&mut self, event: &TerminalEvent) -> Effect {
        match event {
            TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => self.press(*key),
            TerminalEvent::Paste(text) => self.paste(text),
            TerminalEvent::Resize(..) => Effect::draw(),
            _ => Effect::default(),
        }
    }

    fn press(&mut self, key: KeyEvent) -> Effect {
        if let Some(question) = self.question.take() {
            return self.answer(question, key);
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => self.end_line(),
            KeyCode::Backspace => self.cut(last_grapheme),
            KeyCode::Char('h') if is_control => self.cut(last_grapheme),
            KeyCode::Char('w') if is_control => self.cut(last_word),
            KeyCode::Char('u') if is_control => self.cut(str::len),
            KeyCode::Char('d') if is_control && self.text.is_empty() => Effect {
                steps: vec![Typed::Quit { unsent: 0 }],
                ..Effect::draw()
            },
            KeyCode::Char('l' | 'r') if is_control => Effect::draw(),
            KeyCode::Char(c) if !is_control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.type_in(c.encode_utf8(&mut [0; 4]))
            }
            KeyCode::Tab => self.type_in("\t"),
            _ => Effect::default(),
        }
    }

    /// Takes a character that was typed. Tells once that the line is full, however many follow.
    fn type_in(&mut self, typed: &str) -> Effect {
        if self.is_full {
            return Effect::default();
        }
        if !self.has_room_for(typed) {
            self.is_full = true;
            return Effect {
                told: vec![format!(
                    "note: the line is full: it may have at most {TEXT_BYTES_MAX} bytes; send it, or remove something"
                )],
                ..Effect::draw()
            };
        }
        self.push(typed, false)
    }

    fn has_room_for(&self, more: &str) -> bool {
        self.text.len() + more.len() <= TEXT_BYTES_MAX
    }

    fn push(&mut self, more: &str, is_pasted: bool) -> Effect {
        if !meaning::has_visible(&self.text) {
            self.pasted = is_pasted.then_some(Share::Whole);
        } else if !is_pasted && self.pasted.is_some() {
            self.pasted = Some(Share::Begin);
        }
        self.text.push_str(more);
        Effect::draw()
    }

    /// Removes as many bytes from the end as `count` says.
    fn cut(&mut self, count: impl Fn(&str) -> usize) -> Effect {
        let kept = self.text.len() - count(&self.text);
        self.text.truncate(kept);
        self.is_full = false;
        Effect::draw()
    }

    fn end_line(&mut self) -> Effect {
        let meaning = match self.pasted {
            Some(share) => meaning::of_pasted_line(&self.text, share),
            None => meaning::of_typed(&self.text),
        };
        let kept = format!("{PROMPT}{}", self.text);
        if let Meaning::Ask(Doubt { line, why }) = meaning {
            return self.ask(vec![line], SAY_IT.to_owned(), Some(why), true);
        }
        self.clear();
        let effect = match Typed::of_meaning(meaning) {
            None => return Effect::draw(),
            Some(Typed::Refused { words, .. }) => Effect::refuse(format!("not sent: {words}")),
            Some(typed) => Effect {
                steps: vec![typed],
                ..Effect::draw()
            },
        };
        Effect {
            kept: Some(kept),
            ..effect
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.is_full = false;
    }

    /// A paste of one line goes into the line that is being written. More lines make one question,
    /// together with the text that is written already.
    fn paste(&mut self, text: &str) -> Effect {
        if self.question.is_some() {
            return Effect::refuse(
                "the paste was dropped: answer the question with y or n first".to_owned(),
            );
        }
        let one = text.trim_end_matches(['\r', '\n']);
        if !one.contains(['\r', '\n']) {
            if !self.has_room_for(one) {
                return Effect::refuse(format!(
                    "the paste was dropped: a line may have at most {TEXT_BYTES_MAX} bytes, and with it this one would have more"
                ));
            }
            return self.push(one, true);
        }
        match Pasted::parse(&format!("{}{text}", self.text)) {
            Err(words) => Effect::refuse(words),
            Ok(pasted) if pasted.lines.len() > PASTE_LINES_MAX => Effect::refuse(format!(
                "the paste was dropped: it has {} lines, and {PASTE_LINES_MAX} can be said at once; `client < FILE` says a whole file",
                pasted.lines.len()
            )),
            Ok(pasted) if pasted.lines.is_empty() => Effect::default(),
            Ok(pasted) => {
                let (words, note) = (pasted.question(), pasted.note());
                self.ask(pasted.lines, words, note, false)
            }
        }
    }

    fn ask(
        &mut self,
        lines: Vec<Line>,
        words: String,
        why: Option<String>,
        is_of_line: bool,
    ) -> Effect {
        self.question = Some(Question {
            words,
            lines,
            is_of_line,
        });
        Effect {
            told: why.map(|why| format!("note: {why}")).into_iter().collect(),
            ..Effect::draw()
        }
    }

    fn answer(&mut self, question: Question, key: KeyEvent) -> Effect {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_yes = match key.code {
            KeyCode::Char('y' | 'Y') if !is_control => true,
            KeyCode::Char('n' | 'N') if !is_control => false,
            KeyCode::Char('c' | 'd' | 'g') if is_control => false,
            KeyCode::Enter | KeyCode::Esc => false,
            // Only an answer answers it.
            _ => {
                self.question = Some(question);
                return Effect::default();
            }
        };
        if is_yes || question.is_of_line {
            self.clear();
        }
        let answer = if is_yes { "y" } else { "n" };
        let kept = Some(format!("{} [y/N] {answer}", question.words));
        let effect = Effect {
            kept,
            ..Effect::draw()
        };
        match is_yes {
            true => Effect {
                steps: question.lines.into_iter().map(Typed::Say).collect(),
                ..effect
            },
            false => Effect {
                told: vec!["nothing was sent".to_owned()],
                ..effect
            },
        }
    }

    /// Returns the row: the question, or the end of the line. It fits into so many columns whatever
    /// the terminal gives each character.
    pub(super) fn row(&self, columns: usize) -> String {
        // Some terminals go to the next row when the last column is filled, so it stays free.
        let columns = columns.saturating_sub(1);
        match &self.question {
            Some(question) => end(&format!("{} [y/N] ", question.words), columns).to_owned(),
            None => {
                let text = inert(&self.text).replace('\t', " ");
                let room = columns.saturating_sub(PROMPT.len());
                format!("{PROMPT}{}", end(&text, room))
            }
        }
    }
}

fn last_grapheme(text: &str) -> usize {
    text.graphemes(true).next_back().map_or(0, str::len)
}

/// Returns the bytes of the last word and of the blanks after it.
fn last_word(text: &str) -> usize {
    let trimmed = text.trim_end();
    let begin = trimmed.rfind(char::is_whitespace);
    let kept = begin.map_or(0, |at| {
        at + trimmed[at..].chars().next().map_or(0, char::len_utf8)
    });
    text.len() - kept
}

/// Returns as much of the end of a text as fits.
fn end(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let fits = text.char_indices().rev().take_while(|(_, c)| {
        used += columns_max(*c);
        used <= columns
    });
    fits.last().map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> TerminalEvent {
        TerminalEvent::Key(KeyEvent::new(code, modifiers))
    }

    /// Presses the keys of a text; a line feed is Enter. Returns the steps and the messages.
    fn press(written: &mut Written, keys: &str) -> Vec<String> {
        let mut all = Vec::new();
        for c in keys.chars() {
            let event = match c {
                '\n' => key(KeyCode::Enter, KeyModifiers::NONE),
                '\u{8}' => key(KeyCode::Backspace, KeyModifiers::NONE),
                '\u{1}'..='\u{1a}' => {
                    let letter = char::from(c as u8 + b'a' - 1);
                    key(KeyCode::Char(letter), KeyModifiers::CONTROL)
                }
                c => key(KeyCode::Char(c), KeyModifiers::NONE),
            };
            all.extend(short(written.take(&event)));
        }
        all
    }

    fn paste(written: &mut Written, text: &str) -> Vec<String> {
        short(written.take(&TerminalEvent::Paste(text.to_owned())))
    }

    fn short(effect: Effect) -> Vec<String> {
        let steps = effect.steps.into_iter().map(|step| match step {
            Typed::Say(line) => format!("say {line}"),
            Typed::Command(line) | Typed::Ping(line) => format!("command {line}"),
            Typed::Quit { .. } => "quit".to_owned(),
            other => format!("{other:?}"),
        });
        effect.told.into_iter().chain(steps).collect()
    }

    #[test]
    fn a_line_is_edited_at_its_end_as_a_terminal_does_it() {
        let mut written = Written::default();
        assert_eq!(press(&mut written, "helo\u{8}lo\n"), ["say hello"]);
        assert_eq!(
            press(&mut written, "one two  \u{17}three\n"),
            ["say one three"]
        );
        assert_eq!(press(&mut written, "gone\u{15}kept\n"), ["say kept"]);
        assert_eq!(press(&mut written, "e\u{301}👨‍👩‍👧\u{8}\n"), ["say e\u{301}"]);
        assert_eq!(press(&mut written, "x\u{4}\n"), ["say x"]);
        assert_eq!(
            press(&mut written, "\n \n/who\n\u{4}"),
            ["command /who", "quit"]
        );
    }

    #[test]
    fn a_paste_of_several_lines_is_one_question_and_its_lines_are_said_as_they_are() {
        let mut written = Written::default();
        let text = "see:\r/usr/bin/env\r/who\r\r/quit\r";
        let note = "note: 1 blank line is left out, because the room has none";
        assert_eq!(paste(&mut written, text), [note]);
        assert_eq!(written.row(80), "say these 4 lines to everybody? [y/N] ");
        // Nothing but an answer is one, and a second paste is not mixed with the first.
        assert_eq!(press(&mut written, "x /"), [""; 0]);
        assert!(paste(&mut written, "y\ny")[0].contains("answer the question"));
        let said = ["say see:", "say /usr/bin/env", "say /who", "say /quit"];
        assert_eq!(press(&mut written, "y"), said);
        for no in ["n", "N", "\n", "\u{3}", "\u{4}"] {
            assert_eq!(press(&mut written, "begun "), [""; 0]);
            assert_eq!(paste(&mut written, "a\nb"), [""; 0]);
            assert_eq!(press(&mut written, no), ["nothing was sent"]);
            assert_eq!(press(&mut written, "it\n"), ["say begun it"]);
        }
        assert!(paste(&mut written, "a\nb\u{1b}[2J")[0].contains("nothing of the paste was sent"));
        let many = "x\n".repeat(PASTE_LINES_MAX + 1);
        assert!(paste(&mut written, &many)[0].contains("dropped"));
    }

    #[test]
    fn a_pasted_line_waits_for_enter_and_is_no_command() {
        let mut written = Written::default();
        assert_eq!(paste(&mut written, "/usr/bin/env\n"), [""; 0]);
        assert_eq!(press(&mut written, "\n"), ["say /usr/bin/env"]);
        assert_eq!(paste(&mut written, "/quit"), [""; 0]);
        assert!(press(&mut written, "\n")[0].contains("it is text"));
        assert_eq!(press(&mut written, "y"), ["say /quit"]);
        // What is typed decides, not an identifier that is pasted behind it.
        assert_eq!(press(&mut written, "/whois "), [""; 0]);
        assert_eq!(paste(&mut written, "bob"), [""; 0]);
        assert_eq!(press(&mut written, "\n"), ["command /whois bob"]);
        // Nor blanks that are typed before a command that is pasted.
        assert_eq!(press(&mut written, " "), [""; 0]);
        assert_eq!(paste(&mut written, "/quit"), [""; 0]);
        assert!(press(&mut written, "\n")[0].contains("it is text"));
        assert_eq!(press(&mut written, "n"), ["nothing was sent"]);
        // A pasted slash, and the rest typed: it was perhaps meant as a command.
        assert_eq!(paste(&mut written, "/msg dr.okafor "), [""; 0]);
        assert!(press(&mut written, "secret\n")[0].contains("it is text"));
        assert_eq!(press(&mut written, "n"), ["nothing was sent"]);
        // What is cut away is no part of the line any more.
        assert_eq!(paste(&mut written, "/who"), [""; 0]);
        assert_eq!(press(&mut written, "\u{15}/who\n"), ["command /who"]);
    }

    #[test]
    fn a_word_that_lacks_its_slash_is_said_only_after_a_yes() {
        let mut written = Written::default();
        assert!(press(&mut written, "help\n")[0].contains("the command is /help"));
        assert_eq!(written.row(80), "say it to everybody? [y/N] ");
        assert_eq!(press(&mut written, "n"), ["nothing was sent"]);
        assert_eq!(press(&mut written, "quit\n")[1..], [""; 0]);
        assert_eq!(press(&mut written, "y"), ["say quit"]);
        assert!(
            press(&mut written, " /msg dr.okafor secret\n")[0]
                .starts_with("error: not sent: there is no /msg")
        );
    }

    #[test]
    fn a_full_line_is_told_once_and_a_paste_without_room_is_dropped_as_a_whole() {
        let mut written = Written::default();
        let longest = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(press(&mut written, &longest), [""; 0]);
        for _ in 0..2 {
            let told = press(&mut written, "éyz\té");
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with("note: the line is full"), "{told:?}");
            // After something was removed, there is room, and it may be full again.
            assert_eq!(press(&mut written, "\u{8}x"), [""; 0]);
        }
        let key = written.take(&key(KeyCode::Char('y'), KeyModifiers::NONE));
        assert!(
            !key.is_refusal,
            "nothing was dropped that is not on the screen"
        );
        let paste = written.take(&TerminalEvent::Paste("secret".to_owned()));
        assert!(paste.is_refusal);
        assert!(
            paste.told[0].starts_with("error: the paste was dropped:"),
            "{paste:?}"
        );
        assert_eq!(press(&mut written, "\n"), [format!("say {longest}")]);
        assert_eq!(press(&mut written, "ok\n"), ["say ok"]);
        // A character that does not fit is not followed by one that would.
        assert_eq!(press(&mut written, &longest[1..]), [""; 0]);
        assert_eq!(press(&mut written, "éy").len(), 1);
        assert_eq!(
            press(&mut written, "\n"),
            [format!("say {}", &longest[1..])]
        );
    }

    #[test]
    fn the_row_never_fills_the_terminal() {
        let mut written = Written::default();
        for text in ["x", "张", "é", "\u{11d46}", "\t"] {
            let _drawn = paste(&mut written, &text.repeat(300));
            for columns in 0..100 {
                let row = written.row(columns);
                let used: usize = row.chars().map(columns_max).sum();
                assert!(used < columns.max(PROMPT.len() + 1), "{columns}: {row:?}");
                assert!(!row.contains(['\t', '\u{1b}']));
            }
            let _cut = press(&mut written, "\u{15}");
        }
    }
}
