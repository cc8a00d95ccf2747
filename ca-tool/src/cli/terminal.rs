//! Asks the person at the terminal.

use std::io::{self, IsTerminal as _, Write as _};

use crate::error::Error;

/// Returns whether there is somebody to ask. Standard input that is redirected means a script, even if
/// there is a terminal.
pub(super) fn is_here() -> bool {
    io::stdin().is_terminal()
}

/// Asks whether to go on after this warning, and fails if the answer is not yes.
pub(super) fn confirm(warning: &str) -> Result<(), Error> {
    if !is_here() {
        return Err(Error::NotConfirmed(warning.to_owned()));
    }
    // If the question cannot be shown there will be no answer, which counts as no.
    let _ = write!(io::stderr(), "{warning}: go on? [y/N] ");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(Error::Unanswered)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::Declined),
    }
}
