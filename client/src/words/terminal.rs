//! The terminals of this program: how wide they are, and the words that people read on standard
//! error.

use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Width, terminal_size_of};
use wire::terminal::{inert, shown};

use super::failure::{Exit, Failure};
use crate::limits::TERMINAL_COLUMNS;

/// Returns the columns that the terminal on standard output has now, or `None` when it is no
/// terminal.
pub(crate) fn stdout_columns() -> Option<usize> {
    let stdout = io::stdout();
    stdout
        .is_terminal()
        .then(|| columns(terminal_size_of(&stdout).map(|(width, _)| width)))
}

/// Returns the same of the terminal on standard error.
pub(crate) fn stderr_columns() -> Option<usize> {
    let stderr = io::stderr();
    stderr
        .is_terminal()
        .then(|| columns(terminal_size_of(&stderr).map(|(width, _)| width)))
}

fn columns(width: Option<Width>) -> usize {
    match width {
        None | Some(Width(0)) => TERMINAL_COLUMNS,
        Some(Width(columns)) => usize::from(columns),
    }
}

/// Writes a line to standard error, beginning with the program's name.
pub fn tell(words: &str) {
    let words = format!("client: {words}");
    let words = inert(&words);
    let shown = shown(&words, stderr_columns());
    // When standard error itself cannot be written to, there is nowhere left to say so.
    let _ = writeln!(io::stderr().lock(), "{shown}");
}

/// Writes a failure and its hint to standard error. Returns the exit code.
pub fn report(failure: &Failure) -> Exit {
    tell(&format!("error: {failure}"));
    if let Some(hint) = &failure.hint {
        tell(&format!("hint: {hint}"));
    }
    failure.exit
}

/// Warns of lines that may or may not be in the record, if there are any.
pub(crate) fn tell_unacknowledged(lines: u64) {
    match lines {
        0 => {}
        1 => tell(
            "warning: the server did not acknowledge 1 line; it may or may not be in the record",
        ),
        lines => tell(&format!(
            "warning: the server did not acknowledge {lines} lines; they may or may not be in the record"
        )),
    }
}
