//! Completion with Tab, of the beginning of a name or a command.

use unicode_width::UnicodeWidthChar as _;

use wire::COMMANDS;

use super::written::{Full, Written};

/// The words that one beginning may become, one after the other.
#[derive(Debug)]
pub(super) struct Completion {
    /// The place of the word, in bytes from the beginning of the line.
    start: usize,
    end: usize,
    /// One at least.
    candidates: Vec<String>,
    next: usize,
}

impl Completion {
    /// Returns the completions of the word at the end of `before`: commands at the beginning of a
    /// line that begins with a slash, `ids` elsewhere.
    pub(super) fn of<'a>(before: &str, ids: impl Iterator<Item = &'a str>) -> Option<Self> {
        let is_command = before.starts_with('/') && !before.contains(char::is_whitespace);
        let start = if is_command { 0 } else { start_of_name(before) };
        let begun = before[start..].to_lowercase();
        let candidates: Vec<String> = if is_command {
            commands(&begun).collect()
        } else {
            // At the beginning of a line it names the person addressed.
            let end = if start == 0 { ": " } else { " " };
            ids.filter(|id| id.to_lowercase().starts_with(&begun))
                .map(|id| format!("{id}{end}"))
                .collect()
        };
        (!candidates.is_empty()).then_some(Self {
            start,
            end: before.len(),
            candidates,
            next: 0,
        })
    }

    /// Replaces the last candidate by the next; after the newest the first comes again.
    pub(super) fn put(&mut self, written: &mut Written) -> Result<(), Full> {
        let candidate = &self.candidates[self.next];
        self.next = (self.next + 1) % self.candidates.len();
        written.replace(self.start..self.end, candidate)?;
        self.end = self.start + candidate.len();
        Ok(())
    }
}

/// A blank follows if the command takes arguments.
fn commands(begun: &str) -> impl Iterator<Item = String> {
    let commands = COMMANDS.iter().filter(move |c| c.name.starts_with(begun));
    let commands = commands.filter(|command| !NOT_TYPED.contains(&command.name));
    commands.map(|command| match command.arguments {
        "" => command.name.to_owned(),
        _ => format!("{} ", command.name),
    })
}

/// Returns whether a character can be part of a name: letters, digits, marks and three kinds of
/// punctuation. An `@` or a bracket may stand before it.
fn start_of_name(before: &str) -> usize {
    let name = before.trim_end_matches(|c: char| {
        c.is_alphanumeric() || matches!(c, '.' | '_' | '-') || c.width() == Some(0)
    });
    name.len()
}

/// The program sends these itself, and refuses them from a person.
const NOT_TYPED: [&str; 2] = ["/say", "/follow"];
