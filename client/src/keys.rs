//! The keys of the terminal, with pastes told from typing, for the window and for lines.
//!
//! Most terminals mark a paste. Some do not (GNU screen 4, a serial line), and a pasted text can hold
//! the mark of its own end. But nobody types on within a few milliseconds after Enter. So what comes
//! as fast as that after an Enter, or after a marked paste, is part of a paste: text, and no answer.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use crate::limits::{BURST_BYTES_MAX, ENTER_TO_BURST, KEYS_MAX, PASTE_TO_KEY, PASTE_TO_QUESTION};

/// Everything that the terminal sends, in its order; an error is the last of it.
pub(crate) type Keys = mpsc::Receiver<io::Result<Event>>;

/// Reads the terminal on a thread of its own: a read cannot be cancelled, and the end of the program
/// must not wait for it. The sender is for events that the program makes up itself.
pub(crate) fn read_keys() -> (mpsc::Sender<io::Result<Event>>, Keys) {
    let (send, keys) = mpsc::channel(KEYS_MAX);
    let ours = send.clone();
    std::thread::spawn(move || read(Terminal, |event| send.blocking_send(event).is_ok()));
    (ours, keys)
}

/// Something that events come from: the terminal, or a test.
trait Source {
    /// Waits for the next event.
    fn read(&mut self) -> io::Result<Event>;

    /// Returns whether there is another event, or comes within this time.
    fn has_more(&mut self, within: Duration) -> io::Result<bool>;
}

/// The terminal of the program.
struct Terminal;

impl Source for Terminal {
    fn read(&mut self) -> io::Result<Event> {
        crossterm::event::read()
    }

    fn has_more(&mut self, within: Duration) -> io::Result<bool> {
        crossterm::event::poll(within)
    }
}

/// Reads until an error, which is handed on too, or until `give` returns that nobody listens. Whatever
/// was pasted is one [`Event::Paste`].
fn read(mut source: impl Source, mut give: impl FnMut(io::Result<Event>) -> bool) {
    let mut burst = Burst::default();
    loop {
        let event = burst.next(&mut source);
        let is_last = event.is_err();
        let given = match event {
            Ok(Some(event)) => burst.take(event),
            Ok(None) => burst.end(),
            Err(error) => {
                let mut given: Vec<_> = burst.end().into_iter().map(Ok).collect();
                given.push(Err(error));
                given.into_iter().all(&mut give);
                return;
            }
        };
        if !given.into_iter().map(Ok).all(&mut give) || is_last {
            return;
        }
    }
}

/// Everything that came at once.
#[derive(Debug, Default)]
struct Burst {
    /// The keys, for as long as they may have been typed.
    keys: Vec<Event>,
    /// The same as text.
    text: String,
    /// Whether a person cannot have typed it.
    is_paste: bool,
    /// When the last of it came.
    came_at: Option<Instant>,
}

impl Burst {
    /// Returns the next event; `None` when nothing more belongs to the burst.
    fn next(&self, source: &mut impl Source) -> io::Result<Option<Event>> {
        if let Some(at) = self.came_at {
            let by = at + self.patience();
            // At least once, because an event may be there already.
            if !source.has_more(by.saturating_duration_since(Instant::now()))? {
                return Ok(None);
            }
        }
        source.read().map(Some)
    }

    /// Returns how long the next key of a paste may take.
    fn patience(&self) -> Duration {
        let ends_line = self.text.ends_with(LINE_ENDS);
        match self.is_paste {
            true if self.text.trim_end_matches(LINE_ENDS).contains(LINE_ENDS) => PASTE_TO_QUESTION,
            true if !ends_line => PASTE_TO_KEY,
            true | false if ends_line => ENTER_TO_BURST,
            _ => Duration::ZERO,
        }
    }

    /// Takes an event. Returns those that are to be handed on now.
    fn take(&mut self, event: Event) -> Vec<Event> {
        let mut given = Vec::new();
        match &event {
            Event::Key(key) if key.kind == KeyEventKind::Release => return vec![event],
            Event::Key(key) => {
                let is_line_end = key.code == KeyCode::Enter || is_line_feed(key);
                self.is_paste |= !is_line_end && self.text.ends_with(LINE_ENDS);
                push_key(&mut self.text, key);
                if !self.is_paste {
                    self.keys.push(event);
                }
            }
            Event::Paste(text) => {
                if !self.is_paste && !self.text.ends_with(LINE_ENDS) {
                    // It was typed, just before.
                    given = self.end();
                }
                self.is_paste = true;
                self.text.push_str(text);
            }
            // The mouse and the size of the terminal are no text.
            _ => return vec![event],
        }
        if self.is_paste {
            self.keys.clear();
        }
        self.came_at = Some(Instant::now());
        if self.text.len() >= BURST_BYTES_MAX {
            let is_paste = self.is_paste;
            given.extend(self.end());
            // The rest of a paste is a paste too.
            self.is_paste = is_paste;
            self.came_at = is_paste.then(Instant::now);
        }
        given
    }

    /// Ends the burst, and returns it: a paste, or the keys that were typed.
    fn end(&mut self) -> Vec<Event> {
        let burst = std::mem::take(self);
        match burst.is_paste {
            false => burst.keys,
            true if burst.text.is_empty() => Vec::new(),
            true => vec![Event::Paste(without_answers(&burst.text))],
        }
    }
}

const LINE_ENDS: [char; 2] = ['\r', '\n'];

/// Where the terminal is raw, a line feed is read as Ctrl-J.
fn is_line_feed(key: &KeyEvent) -> bool {
    key.code == KeyCode::Char('j') && key.modifiers == KeyModifiers::CONTROL
}

/// Adds the characters that a terminal sends for a key. A key that is no character begins with an
/// Escape, which no text may contain.
fn push_key(text: &mut String, key: &KeyEvent) {
    match key.code {
        KeyCode::Enter => text.push('\r'),
        KeyCode::Tab => text.push('\t'),
        KeyCode::Backspace => text.push('\u{7f}'),
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) && c.is_ascii() => {
            text.push(char::from(c as u8 & 0x1f));
        }
        KeyCode::Char(c) => {
            if key.modifiers.contains(KeyModifiers::ALT) {
                text.push('\u{1b}');
            }
            text.push(c);
        }
        _ => text.push('\u{1b}'),
    }
}

/// Removes what the terminal answers when it is asked for its background: it may come amid a paste.
/// An answer that is broken ends with its line.
fn without_answers(text: &str) -> String {
    let mut pieces = text.split("\u{1b}]11;");
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(['\u{7}', '\u{1b}', '\r', '\n']);
        let rest = end.map_or("", |at| &piece[at..]);
        let rest = rest.strip_prefix('\u{7}').unwrap_or(rest);
        kept.push_str(rest.strip_prefix("\u{1b}\\").unwrap_or(rest));
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Events, and before each the time that passes.
    struct Script(VecDeque<(Duration, Event)>);

    impl Source for Script {
        fn read(&mut self) -> io::Result<Event> {
            let next = self.0.pop_front();
            next.map(|(_, event)| event)
                .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        }

        fn has_more(&mut self, within: Duration) -> io::Result<bool> {
            Ok(self.0.front().is_some_and(|(pause, _)| *pause <= within))
        }
    }

    const AT_ONCE: Duration = Duration::ZERO;
    const LATER: Duration = Duration::from_secs(1);

    fn key(c: char) -> Event {
        Event::Key(match c {
            '\r' => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            '\u{1}'..='\u{1a}' => {
                let letter = char::from(c as u8 + b'a' - 1);
                KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)
            }
            '\u{1b}' => KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
            c => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
        })
    }

    /// Each piece comes after a pause; `<` and `>` around a text say that it is marked as a paste.
    fn read_all(pieces: &[(Duration, &str)]) -> Vec<String> {
        let mut script = VecDeque::new();
        for (pause, piece) in pieces {
            let mut pause = *pause;
            let mut rest = *piece;
            while let Some(c) = rest.chars().next() {
                let (event, after) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                    Some((text, after)) => (Event::Paste(text.to_owned()), after),
                    None => (key(c), &rest[c.len_utf8()..]),
                };
                script.push_back((std::mem::take(&mut pause), event));
                rest = after;
            }
        }
        let mut all: Vec<String> = Vec::new();
        let mut typed = String::new();
        read(Script(script), |event| {
            match event {
                Ok(Event::Key(key)) => push_key(&mut typed, &key),
                other => {
                    if !typed.is_empty() {
                        all.push(format!("typed {:?}", std::mem::take(&mut typed)));
                    }
                    if let Ok(Event::Paste(text)) = other {
                        all.push(format!("pasted {text:?}"));
                    }
                }
            }
            true
        });
        all
    }

    #[test]
    fn lines_that_come_at_once_are_a_paste_without_any_mark_too() {
        let lines = r#"pasted "one\r/quit\rthree\r""#;
        assert_eq!(read_all(&[(AT_ONCE, "one\r/quit\rthree\r")]), [lines]);
        let slow = Duration::from_millis(20);
        assert_eq!(
            read_all(&[(AT_ONCE, "one\r"), (slow, "/quit\r"), (slow * 3, "three\r")]),
            [lines]
        );
        // Where the terminal is raw, ends of lines may be line feeds.
        assert_eq!(
            read_all(&[(AT_ONCE, "one\n/quit\n")]),
            [r#"pasted "one\n/quit\n""#]
        );
    }

    #[test]
    fn what_a_person_types_is_typed() {
        assert_eq!(
            read_all(&[
                (AT_ONCE, "hello"),
                (LATER, "\r"),
                (LATER, "/quit\r"),
                (LATER, "x")
            ]),
            [r#"typed "hello\r/quit\rx""#]
        );
        assert_eq!(read_all(&[(AT_ONCE, "hi\r\r\r")]), [r#"typed "hi\r\r\r""#]);
    }

    #[test]
    fn a_paste_that_holds_the_mark_of_its_end_answers_nothing_and_commands_nothing() {
        for pause in [AT_ONCE, Duration::from_millis(50)] {
            assert_eq!(
                read_all(&[(AT_ONCE, "<one\rtwo>"), (pause, "y\rthree\r/quit\r")]),
                [r#"pasted "one\rtwoy\rthree\r/quit\r""#]
            );
        }
        assert_eq!(
            read_all(&[(AT_ONCE, "<one>\r/quit\r")]),
            [r#"pasted "one\r/quit\r""#]
        );
        assert_eq!(
            read_all(&[(AT_ONCE, "see "), (LATER, "<one\rtwo>"), (LATER, "y")]),
            [r#"typed "see ""#, r#"pasted "one\rtwo""#, r#"typed "y""#]
        );
        assert_eq!(
            read_all(&[(AT_ONCE, "<bob>"), (LATER, "\r")]),
            [r#"pasted "bob""#, r#"typed "\r""#]
        );
    }

    #[test]
    fn what_the_terminal_answers_is_no_part_of_a_paste() {
        for (sent, pasted) in [
            ("a\rb\u{1b}]11;rgb:00/00/00\u{7}c", r#"pasted "a\rbc""#),
            ("a\rb\u{1b}]11;rgb:00/00/00\u{1b}\\c", r#"pasted "a\rbc""#),
            ("\u{1b}]11;rgb:00/00/00\rEVIL\r", r#"pasted "\rEVIL\r""#),
        ] {
            assert_eq!(read_all(&[(AT_ONCE, sent)]), [pasted]);
        }
    }

    #[test]
    fn a_paste_without_an_end_does_not_fill_the_memory_and_stays_a_paste() {
        let all = format!("a\r<{}>y\r/quit\r", "x".repeat(BURST_BYTES_MAX));
        let given = read_all(&[(AT_ONCE, &all)]);
        assert_eq!(given.len(), 2);
        assert_eq!(given[1], r#"pasted "y\r/quit\r""#);
    }
}
