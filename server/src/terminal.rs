//! The width of the operator's terminal.

use std::io::{self, IsTerminal as _};

use terminal_size::{Height, Width, terminal_size_of};

/// The width of a terminal that does not tell its own.
pub(crate) const COLUMNS: usize = 80;

/// Returns the current width of the terminal on standard output in columns, or `None` when it is
/// not a terminal.
pub fn stdout_columns() -> Option<usize> {
    let stdout = io::stdout();
    stdout
        .is_terminal()
        .then(|| columns(terminal_size_of(&stdout)))
}

/// Returns the same of the terminal on standard error.
pub fn stderr_columns() -> Option<usize> {
    let stderr = io::stderr();
    stderr
        .is_terminal()
        .then(|| columns(terminal_size_of(&stderr)))
}

fn columns(size: Option<(Width, Height)>) -> usize {
    match size {
        None | Some((Width(0), _)) => COLUMNS,
        Some((Width(columns), _)) => usize::from(columns),
    }
}
