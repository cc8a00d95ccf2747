//! The line that a person writes, and the effect of each key and each paste on it.
//!
//! The keys are readline's, because fingers know them. Every line that leaves here may be said:
//! characters that [`wire::is_forbidden`] forbids cannot be typed, and a paste and the finished
//! line lose all that no new text may have.
// No terminal and no clock here: keys come in, and the view asks for the state.

mod completion;
mod drawn;
mod recall;
mod written;

use std::mem;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use wire::limits::TEXT_BYTES_MAX;

use self::completion::Completion;
pub(crate) use self::drawn::Drawn;
use self::recall::Recall;
use self::written::{Place, Written};

/// One line, the earlier lines, and the text that was cut.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    written: Written,
    recall: Recall,
    /// The text that C-y puts back.
    killed: String,
    /// Whether the last key cut something, so that the next adds to it.
    is_killing: bool,
    search: Option<Search>,
    completion: Option<Completion>,
    /// Whether the slash at the beginning of the line was pasted, and so is no command.
    has_pasted_slash: bool,
}

/// The effect of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pressed {
    /// The key was for the line, which may have changed.
    Changed,
    /// The line is finished. The editor is empty again.
    Send(String),
    /// The same, and a slash at its begin is a slash: the text was pasted.
    SendAsItIs(String),
    /// The caller is to call [`Editor::complete`] with the names that exist.
    Complete,
    /// The key would have made the line too long, and did nothing.
    Full,
    /// The key means nothing here.
    Ignored,
}

/// The effect of a paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pasted {
    /// The paste is part of the line now.
    Inserted,
    /// The paste would be these lines, together with the text around it. The editor stays as it was
    /// until [`Editor::sent`] says that they were sent.
    Lines(Vec<String>),
    /// The paste would have made a line too long, and did nothing.
    Full,
    /// The paste held nothing that may be said.
    Nothing,
}

/// A search in the lines that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Searching<'a> {
    /// The text that was typed.
    pub(crate) query: &'a str,
    /// A line that holds it.
    pub(crate) found: Option<&'a str>,
}

impl Editor {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn text(&self) -> &str {
        self.written.text()
    }

    /// Returns the cursor in bytes from the beginning, between two graphemes.
    pub(crate) fn cursor(&self) -> usize {
        self.written.cursor()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Returns how many more bytes may be written.
    pub(crate) fn bytes_left(&self) -> usize {
        self.written.bytes_left()
    }

    /// Returns the line as it is drawn in `columns` columns.
    pub(crate) fn drawn(&self, columns: usize) -> Drawn {
        Drawn::of(self.text(), self.cursor(), columns)
    }

    /// Returns the search that is going on, to be shown instead of the line.
    pub(crate) fn searching(&self) -> Option<Searching<'_>> {
        let search = self.search.as_ref()?;
        Some(Searching {
            query: search.query.text(),
            found: search.at.map(|at| self.recall.line(at)),
        })
    }

    /// Obeys a key.
    pub(crate) fn press(&mut self, key: KeyEvent) -> Pressed {
        let Some(act) = Act::of(key) else {
            return Pressed::Ignored;
        };
        let pressed = match self.act_in_search(act) {
            Some(pressed) => pressed,
            None => self.act(act),
        };
        let is_recalled = matches!(act, Act::Older | Act::Newer | Act::Search | Act::Take);
        self.has_pasted_slash &= self.text().starts_with('/') && !is_recalled;
        pressed
    }

    /// Returns whether the line begins with a slash that was pasted, so that it is no command.
    pub(crate) fn is_literal(&self) -> bool {
        self.has_pasted_slash
    }

    fn act(&mut self, act: Act) -> Pressed {
        if act != Act::Complete {
            self.completion = None;
        }
        let was_killing = mem::take(&mut self.is_killing);
        match act {
            Act::Insert(c) => return self.insert(c.encode_utf8(&mut [0; 4])),
            Act::Go(place) => self.written.go(place),
            Act::RemoveOrLeave if self.is_empty() => return Pressed::Ignored,
            Act::RemoveOrLeave => drop(self.written.remove(Place::After)),
            Act::Remove(place) => drop(self.written.remove(place)),
            Act::Kill(place) => self.kill(place, was_killing),
            Act::Yank => {
                let killed = self.killed.clone();
                return self.insert(&killed);
            }
            Act::Older => {
                if let Some(line) = self.recall.older(self.written.text()) {
                    self.written.set(line);
                }
            }
            Act::Newer => {
                if let Some(line) = self.recall.newer(self.written.text()) {
                    self.written.set(line);
                }
            }
            Act::Search => self.search = Some(Search::default()),
            Act::Enter => {
                let line = wire::without_refused(self.text());
                if wire::is_blank(&line) {
                    return Pressed::Ignored;
                }
                let is_literal = self.has_pasted_slash && line.starts_with('/');
                self.take();
                return if is_literal {
                    Pressed::SendAsItIs(line)
                } else {
                    Pressed::Send(line)
                };
            }
            Act::Complete => return Pressed::Complete,
            // Only a search can be left.
            Act::GoBack | Act::Take => return Pressed::Ignored,
        }
        Pressed::Changed
    }

    /// Handles keys that mean something else during a search. Returns `None` for any other key,
    /// which ends the search.
    fn act_in_search(&mut self, act: Act) -> Option<Pressed> {
        let search = self.search.as_mut()?;
        match act {
            Act::Insert(c) => return Some(search.insert(c, &self.recall)),
            Act::Remove(Place::Before) => search.remove(&self.recall),
            Act::Search => search.go_on(&self.recall),
            Act::GoBack => self.search = None,
            Act::Enter if search.at.is_none() => self.search = None,
            Act::Take => self.end_search(),
            _ => {
                self.end_search();
                return None;
            }
        }
        Some(Pressed::Changed)
    }

    /// Takes the line that was found.
    fn end_search(&mut self) {
        if let Some(at) = self.search.take().and_then(|search| search.at) {
            let line = self.recall.go(at, self.written.text());
            self.written.set(line);
        }
    }

    fn insert(&mut self, text: &str) -> Pressed {
        match self.written.insert(text) {
            Ok(()) => Pressed::Changed,
            Err(_) => Pressed::Full,
        }
    }

    /// Cuts text; the text that several keys in a row cut comes back as one.
    fn kill(&mut self, place: Place, was_killing: bool) {
        let is_on = self.written.reach(place) > self.cursor();
        let cut = self.written.remove(place);
        self.is_killing = was_killing || !cut.is_empty();
        match (was_killing, is_on) {
            (true, true) => self.killed.push_str(&cut),
            (true, false) => self.killed.insert_str(0, &cut),
            (false, _) if cut.is_empty() => {}
            (false, _) => self.killed = cut,
        }
    }

    /// Completes the name or the command before the cursor. Called again, by the next Tab, it takes
    /// the next completion; any other key ends this.
    pub(crate) fn complete<'a>(&mut self, ids: impl Iterator<Item = &'a str>) -> Pressed {
        let completion = self.completion.take();
        let begin = || Completion::of(self.written.before_cursor(), ids);
        let Some(mut completion) = completion.or_else(begin) else {
            return Pressed::Ignored;
        };
        let put = completion.put(&mut self.written);
        self.completion = Some(completion);
        match put {
            Ok(()) => Pressed::Changed,
            Err(_) => Pressed::Full,
        }
    }

    /// Inserts a paste of one line at the cursor. Returns the lines that a longer paste would make.
    pub(crate) fn paste(&mut self, pasted: &str) -> Pasted {
        self.settle();
        let mut lines: Vec<String> = lines(pasted).collect();
        // What was copied often begins or ends with the end of a line.
        while lines.len() > 1 && lines.last().is_some_and(|line| wire::is_blank(line)) {
            lines.pop();
        }
        let blank = lines.iter().take_while(|line| wire::is_blank(line)).count();
        lines.drain(..blank.min(lines.len() - 1));
        match lines.as_mut_slice() {
            [] => return Pasted::Nothing,
            [line] if line.is_empty() => return Pasted::Nothing,
            [line] => {
                let is_slash = self.cursor() == 0 && line.starts_with('/');
                return match self.written.insert(line) {
                    Ok(()) => {
                        self.has_pasted_slash |= is_slash;
                        Pasted::Inserted
                    }
                    Err(_) => Pasted::Full,
                };
            }
            [first, .., last] => {
                first.insert_str(0, self.written.before_cursor());
                last.push_str(self.written.after_cursor());
                for line in [first, last] {
                    *line = wire::without_refused(line);
                }
            }
        }
        if lines.iter().any(|line| line.len() > TEXT_BYTES_MAX) {
            return Pasted::Full;
        }
        Pasted::Lines(lines)
    }

    /// Notes that the lines of a paste were sent, and the written text with them.
    pub(crate) fn sent(&mut self, lines: &[String]) {
        self.settle();
        self.written.take();
        self.has_pasted_slash = false;
        for line in lines.iter().filter(|line| !wire::is_blank(line)) {
            self.recall.remember(&literal(line));
        }
    }

    /// Replaces the line by another text, without characters that may not be said, and cut if it is
    /// too long.
    #[cfg(test)]
    pub(crate) fn set(&mut self, text: &str) {
        self.settle();
        let text = lines(text).collect::<Vec<_>>().join(" ");
        self.written.set(&text);
    }

    /// Empties the line, which can be recalled.
    pub(crate) fn take(&mut self) -> String {
        self.settle();
        let line = self.written.take();
        match std::mem::take(&mut self.has_pasted_slash) {
            true => self.recall.remember(&literal(&line)),
            false => self.recall.remember(&line),
        }
        line
    }

    /// Ends everything that lasts longer than one key.
    fn settle(&mut self) {
        self.end_search();
        self.completion = None;
        self.is_killing = false;
    }
}

/// The wish behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Insert(char),
    Go(Place),
    Remove(Place),
    /// Removes the grapheme after the cursor; in an empty line the person wants to leave, which the
    /// editor does not do.
    RemoveOrLeave,
    /// Removes text that can be put back.
    Kill(Place),
    Yank,
    Older,
    Newer,
    Search,
    /// Go back to the line from before the search.
    GoBack,
    /// Leave the search with the line that was found.
    Take,
    Complete,
    Enter,
}

impl Act {
    fn of(key: KeyEvent) -> Option<Self> {
        // Windows reports these too.
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
        if modifiers.is_empty() {
            Self::of_bare(key.code)
        } else if modifiers == KeyModifiers::CONTROL {
            Self::of_control(key.code)
        } else if modifiers == KeyModifiers::ALT {
            Self::of_alt(key.code)
        } else if modifiers == KeyModifiers::CONTROL | KeyModifiers::ALT {
            Self::of_alt_gr(key.code)
        } else {
            None
        }
    }

    fn of_bare(code: KeyCode) -> Option<Self> {
        Some(match code {
            KeyCode::Char(c) if !wire::is_forbidden(c) => Act::Insert(c),
            KeyCode::Left => Act::Go(Place::Before),
            KeyCode::Right => Act::Go(Place::After),
            KeyCode::Home => Act::Go(Place::Start),
            KeyCode::End => Act::Go(Place::End),
            KeyCode::Backspace => Act::Remove(Place::Before),
            KeyCode::Delete => Act::Remove(Place::After),
            KeyCode::Up => Act::Older,
            KeyCode::Down => Act::Newer,
            KeyCode::Tab => Act::Complete,
            KeyCode::Enter => Act::Enter,
            KeyCode::Esc => Act::Take,
            _ => return None,
        })
    }

    /// No C-f here: it searches the timeline.
    fn of_control(code: KeyCode) -> Option<Self> {
        let KeyCode::Char(letter) = code else {
            return Self::of_word(code);
        };
        Some(match letter.to_ascii_lowercase() {
            'a' => Act::Go(Place::Start),
            'e' => Act::Go(Place::End),
            'b' => Act::Go(Place::Before),
            'h' => Act::Remove(Place::Before),
            'd' => Act::RemoveOrLeave,
            'k' => Act::Kill(Place::End),
            'u' => Act::Kill(Place::Start),
            'w' => Act::Kill(Place::BlankBefore),
            'y' => Act::Yank,
            'p' => Act::Older,
            'n' => Act::Newer,
            'r' => Act::Search,
            'g' => Act::GoBack,
            // Terminals have always sent Tab and Enter as these.
            'i' => Act::Complete,
            'j' | 'm' => Act::Enter,
            _ => return None,
        })
    }

    fn of_alt(code: KeyCode) -> Option<Self> {
        let KeyCode::Char(letter) = code else {
            return Self::of_word(code);
        };
        Some(match letter.to_ascii_lowercase() {
            'b' => Act::Go(Place::WordBefore),
            'f' => Act::Go(Place::WordAfter),
            'd' => Act::Kill(Place::WordAfter),
            _ => return None,
        })
    }

    /// Returns the wish behind keys that mean a whole word, with either modifier.
    fn of_word(code: KeyCode) -> Option<Self> {
        Some(match code {
            KeyCode::Left => Act::Go(Place::WordBefore),
            KeyCode::Right => Act::Go(Place::WordAfter),
            KeyCode::Backspace => Act::Kill(Place::WordBefore),
            KeyCode::Delete => Act::Kill(Place::WordAfter),
            _ => return None,
        })
    }

    /// Returns the wish behind AltGr, which Windows reports as both modifiers with the character
    /// that it makes, such as `@` and `ą`. AltGr makes no letter or digit of ASCII, so one of those
    /// was meant as a command.
    fn of_alt_gr(code: KeyCode) -> Option<Self> {
        match code {
            KeyCode::Char(c) if !c.is_ascii_alphanumeric() => Self::of_bare(code),
            _ => None,
        }
    }
}

/// A search for a line that was sent, from the newest back.
#[derive(Debug, Default)]
struct Search {
    query: Written,
    /// The line that holds it.
    at: Option<usize>,
}

impl Search {
    fn insert(&mut self, c: char, recall: &Recall) -> Pressed {
        if self.query.insert(c.encode_utf8(&mut [0; 4])).is_err() {
            return Pressed::Full;
        }
        // The line that was found may match this too.
        self.at = recall.find(self.query.text(), self.at.map(|at| at + 1));
        Pressed::Changed
    }

    fn remove(&mut self, recall: &Recall) {
        self.query.remove(Place::Before);
        self.at = match self.query.text() {
            "" => None,
            query => recall.find(query, None),
        };
    }

    /// Goes on to an older line with another text, and no further than to the oldest.
    fn go_on(&mut self, recall: &Recall) {
        let mut at = self.at;
        while let Some(older) = at.and_then(|at| recall.find(self.query.text(), Some(at))) {
            at = Some(older);
            if self.at.map(|at| recall.line(at)) != Some(recall.line(older)) {
                self.at = at;
                return;
            }
        }
    }
}

/// Returns how a line is typed so that a slash at its begin is a slash.
fn literal(line: &str) -> String {
    match line.starts_with('/') {
        true => format!("/{line}"),
        false => line.to_owned(),
    }
}

/// Returns the lines of a text that anybody may have made, without characters that may not be said.
fn lines(text: &str) -> impl Iterator<Item = String> {
    // Two characters, and one end of a line.
    let text = text.replace("\r\n", "\n");
    let lines: Vec<String> = text.split(LINE_ENDS).map(wire::without_refused).collect();
    lines.into_iter()
}

/// The characters at which a line must end (UAX #14). Terminals paste CR for LF.
const LINE_ENDS: [char; 7] = [
    '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
];

#[cfg(test)]
mod tests;
