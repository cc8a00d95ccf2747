//! The width of the operator's terminal.

use std::io::{self, IsTerminal as _};

use terminal_size::{Width, terminal_size_of};

/// The width of a terminal that does not tell its own.
pub(crate) const COLUMNS: usize = 80;

/// Returns the current width of the terminal on standard output in columns, or `None` when it is
/// not a terminal.
pub fn stdout_columns() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    match terminal_size_of(&stdout) {
        None | Some((Width(0), _)) => Some(COLUMNS),
        Some((Width(columns), _)) => Some(usize::from(columns)),
    }
}
