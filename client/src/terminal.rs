//! What a terminal is shown: nothing that moves its cursor, and no line that it would wrap itself.
//!
//! A line that the terminal wraps goes on in the first column, where a stamp begins; so a long
//! text could hold something that looks like another person's line. We wrap, and indent the rest.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Width, terminal_size_of};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar as _;

use crate::limits::TERMINAL_COLUMNS;

/// Replaces whatever could move a cursor, reorder text or hide by U+FFFD.
pub(crate) fn sanitise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(wire::is_forbidden) {
        return Cow::Borrowed(text);
    }
    let shown = |c| {
        if wire::is_forbidden(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Leaves out the marks on a character that reach over other lines, as hundreds of them do.
pub(crate) fn with_few_marks(text: &str) -> Cow<'_, str> {
    let is_too_much =
        |grapheme: &str| grapheme.chars().nth(MARKS_MAX + 1).is_some() && !is_family(grapheme);
    if !text.graphemes(true).any(is_too_much) {
        return Cow::Borrowed(text);
    }
    let mut calm = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        if is_too_much(grapheme) {
            calm.extend(grapheme.chars().take(MARKS_MAX + 1));
        } else {
            calm.push_str(grapheme);
        }
    }
    Cow::Owned(calm)
}

/// A family of emoji is long and fits its cells.
fn is_family(grapheme: &str) -> bool {
    grapheme.contains('\u{200d}') && grapheme.chars().count() <= 4 * MARKS_MAX
}

/// Marks on one character that are shown.
pub(crate) const MARKS_MAX: usize = 8;

/// Breaks a text into rows of at most `columns`, at spaces where there are any; each row but the
/// first is indented.
pub(crate) fn wrap(text: &str, columns: usize) -> String {
    // In a terminal narrower than a stamp nothing can be told apart anyway.
    let columns = columns.max(COLUMNS_MIN);
    let mut rows = String::new();
    let mut row = Row::default();
    for c in with_few_marks(text).chars() {
        if c == '\t' {
            let spaces = TAB_COLUMNS - row.width % TAB_COLUMNS;
            (0..spaces).for_each(|_| row.push(' ', columns, &mut rows));
        } else {
            row.push(c, columns, &mut rows);
        }
    }
    rows + &row.text
}

/// The row that is being filled.
#[derive(Default)]
struct Row {
    text: String,
    width: usize,
    /// After the last space: bytes and columns.
    break_at: Option<(usize, usize)>,
}

impl Row {
    fn push(&mut self, c: char, columns: usize, rows: &mut String) {
        let width = columns_of(c);
        while self.width + width > columns {
            self.end(rows);
        }
        self.text.push(c);
        self.width += width;
        if c == ' ' && !self.text.trim_start_matches(' ').is_empty() {
            self.break_at = Some((self.text.len(), self.width));
        }
    }

    /// Ends the row at its last space, or here when it has none.
    fn end(&mut self, rows: &mut String) {
        let (at, width) = self
            .break_at
            .take()
            .unwrap_or((self.text.len(), self.width));
        let rest = self.text.split_off(at);
        rows.push_str(&self.text);
        rows.push('\n');
        self.text = format!("{INDENT}{rest}");
        self.width = INDENT.len() + self.width - width;
    }
}

const INDENT: &str = "    ";
const COLUMNS_MIN: usize = 16;
const TAB_COLUMNS: usize = 8;

fn columns_of(c: char) -> usize {
    match c {
        // Asks for the emoji form of the character before it, which is one column wider.
        '\u{fe0f}' => 1,
        c => c.width().unwrap_or(0),
    }
}

/// The columns of the terminal that standard output is; `None` when it is no terminal.
pub(crate) fn stdout_columns() -> Option<usize> {
    let stdout = io::stdout();
    stdout
        .is_terminal()
        .then(|| columns(terminal_size_of(&stdout).map(|(width, _)| width)))
}

fn columns(width: Option<Width>) -> usize {
    match width {
        None | Some(Width(0)) => TERMINAL_COLUMNS,
        Some(Width(columns)) => usize::from(columns),
    }
}

/// Tells the person something on standard error, beginning with the program's name.
pub fn tell(words: &str) {
    let words = format!("client: {words}");
    let words = sanitise(&words);
    let stderr = io::stderr();
    let shown = if stderr.is_terminal() {
        let columns = columns(terminal_size_of(&stderr).map(|(width, _)| width));
        Cow::Owned(wrap(&words, columns))
    } else {
        words
    };
    // When standard error itself cannot be written to, there is nowhere left to say so.
    let _ = writeln!(stderr.lock(), "{shown}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_a_terminal_is_replaced() {
        assert_eq!(
            sanitise("a\u{1b}[2J\u{7}\u{202e}b\u{9b}c\u{2028}"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}"
        );
        assert_eq!(sanitise("a\tb 张三 👨‍👩‍👧"), "a\tb 张三 👨‍👩‍👧");
    }

    #[test]
    fn long_texts_go_on_indented() {
        for (text, rows) in [
            ("0123456789abcdef", "0123456789abcdef"),
            ("0123456789abcdefg", "0123456789abcdef\n    g"),
            ("0123456789 abcdefg", "0123456789 \n    abcdefg"),
            ("张三张三张三张三", "张三张三张三张三"),
            ("张三张三张三张三张", "张三张三张三张三\n    张"),
            ("x张三张三张三张三", "x张三张三张三张\n    三"),
            ("a\tb", "a       b"),
            ("e\u{301}123456789abcdef", "e\u{301}123456789abcdef"),
        ] {
            assert_eq!(wrap(text, 16), rows, "{text}");
        }
        let zalgo = format!("z{}", "\u{301}".repeat(1000));
        assert_eq!(wrap(&zalgo, 16).chars().count(), 1 + MARKS_MAX);
    }

    #[test]
    fn no_row_is_too_wide_and_no_continuation_begins_in_the_first_column() {
        let texts = [
            "2026-11-21 19:00:00 [eve@192.0.2.7] x 2026-11-21 19:00:00 [bob@192.0.2.9] I did it",
            &" ".repeat(100),
            &"a 张\t".repeat(40),
            &"x".repeat(100),
        ];
        for text in texts {
            for columns in 0..100 {
                let wrapped = wrap(text, columns);
                for (at, row) in wrapped.split('\n').enumerate() {
                    let width: usize = row.chars().map(columns_of).sum();
                    assert!(width <= columns.max(COLUMNS_MIN), "{columns}: {row:?}");
                    assert!(at == 0 || row.starts_with(INDENT), "{columns}: {row:?}");
                }
            }
        }
    }
}
