//! How wide the operator's terminal is.

use std::io::{self, IsTerminal as _};

use terminal_size::{Width, terminal_size_of};

/// For a terminal that does not say how wide it is.
pub(crate) const COLUMNS: usize = 80;

/// Returns the columns that the terminal on standard output has now, or `None` when it is no
/// terminal.
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
