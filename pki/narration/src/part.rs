//! A part of the narration: a step of the flowchart, and the lines about it.

use std::fmt::Write as _;

use wire::terminal::inert;

/// A step of a program's flowchart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its number in the chart.
    pub number: u8,
    /// Its words in the chart.
    pub words: &'static str,
}

/// Lines about one step. They are written together.
#[derive(Debug)]
pub struct Part {
    step: Step,
    lines: Vec<(Mark, String)>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// The step itself.
    Step,
    /// Something that this program sent.
    Sent,
    /// Something that came.
    Came,
    /// Something that was decided or done here.
    Done,
    /// More about the line above.
    More,
}

/// The part of a line that is shown; honest ones are shorter.
const LINE_CHARS_MAX: usize = 400;

impl Part {
    /// Begins a step.
    pub fn of(step: Step) -> Self {
        let lines = vec![(Mark::Step, step.words.to_owned())];
        Self { step, lines }
    }

    /// Goes on with a step that was begun before.
    pub fn more_of(step: Step) -> Self {
        let lines = Vec::new();
        Self { step, lines }
    }

    /// Adds something that this program sent.
    #[must_use]
    pub fn sent(self, words: impl Into<String>) -> Self {
        self.add(Mark::Sent, words)
    }

    /// Adds something that came.
    #[must_use]
    pub fn came(self, words: impl Into<String>) -> Self {
        self.add(Mark::Came, words)
    }

    /// Adds something that was decided or done here.
    #[must_use]
    pub fn done(self, words: impl Into<String>) -> Self {
        self.add(Mark::Done, words)
    }

    /// Adds more about the line above.
    #[must_use]
    pub fn more(self, words: impl Into<String>) -> Self {
        self.add(Mark::More, words)
    }

    /// Adds several lines of more about the line above.
    #[must_use]
    pub fn more_lines(self, lines: impl IntoIterator<Item = String>) -> Self {
        lines.into_iter().fold(self, Self::more)
    }

    fn add(mut self, mark: Mark, words: impl Into<String>) -> Self {
        self.lines.push((mark, words.into()));
        self
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.len()
    }

    /// Returns the lines as they are written, each with the number of its step. Nothing in them moves
    /// a cursor.
    pub(crate) fn render(&self, about: &str) -> String {
        let mut text = String::new();
        for (mark, words) in &self.lines {
            let mark = match mark {
                Mark::Step => "==",
                Mark::Sent => "->",
                Mark::Came => "<-",
                Mark::Done => "--",
                Mark::More => "    ",
            };
            let words = match words.char_indices().nth(LINE_CHARS_MAX) {
                Some((end, _)) => &words[..end],
                None => words,
            };
            let number = self.step.number;
            let gap = if about.is_empty() { "" } else { " " };
            let line = format!("explain{gap}{about} {number:2} {mark} {words}");
            // A String takes whatever is written.
            let _written = writeln!(text, "{}", inert(&line));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_number_of_its_step_and_moves_no_cursor() {
        const STEP: Step = Step {
            number: 7,
            words: "may this certificate enter?",
        };
        let part = Part::of(STEP)
            .came("Certificate")
            .more("CN=a\u{1b}[2J\u{202e}\n[bob@10.0.0.9] hi")
            .done("x".repeat(100_000));
        let text = part.render("127.0.0.1:4711");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("explain 127.0.0.1:4711  7 "))
        );
        assert!(lines[0].ends_with(" == may this certificate enter?"));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        assert!(lines[3].chars().count() < LINE_CHARS_MAX + 40);
        assert!(
            Part::more_of(STEP)
                .sent("x")
                .render("")
                .starts_with("explain  7 -> x")
        );
    }
}
