//! Prints: results to standard output, everything else to standard error.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Mutex;

use super::progress::Bar;
use crate::commands::{Printable, Reply};
use crate::error::Error;
use crate::notice::{Listener, Notice, Progress};
use crate::os;

/// Standard output, and the form of results on it.
pub(super) struct Output<'a> {
    results: &'a mut dyn Write,
    json: bool,
}

impl<'a> Output<'a> {
    pub(super) fn new(results: &'a mut dyn Write, json: bool) -> Self {
        Self { results, json }
    }

    /// Prints a reply, and returns the exit code. When nobody reads the result any more, the notes are
    /// left out; the exit code is still the answer.
    pub(super) fn reply(&mut self, reply: &Reply) -> Result<u8, Error> {
        match self.result(&*reply.result) {
            Err(error) if is_broken_pipe(&error) => return Ok(reply.code),
            done => done?,
        }
        notes(&reply.notes);
        if let Some(failure) = &reply.error {
            error(failure);
        }
        if let Some(hint) = &reply.hint {
            say(format_args!("ca-tool: hint: {hint}"));
        }
        Ok(reply.code)
    }

    /// Prints a result, and fails with [`Error::Output`] if that is not possible.
    pub(super) fn result(&mut self, result: &dyn Printable) -> Result<(), Error> {
        let printed = match self.json {
            true => result.write_json(self.results),
            false => write!(self.results, "{result}"),
        };
        let printed = printed.and_then(|()| self.results.flush());
        printed.map_err(Error::Output)
    }

    /// Prints a result that must reach somebody, and fails if standard output leads nowhere.
    pub(super) fn needed_result(&mut self, result: &dyn Printable) -> Result<(), Error> {
        if os::is_discarded() {
            return Err(Error::Output(io::Error::other(
                "standard output is closed, or nobody reads it",
            )));
        }
        self.result(result)
    }
}

/// Prints notes.
pub(super) fn notes(notes: &[String]) {
    for note in notes {
        say(format_args!("ca-tool: note: {note}"));
    }
}

/// How many problems of a roster fit on a screen.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Prints an error with its first problems and its hint.
pub(super) fn error(error: &Error) {
    for line in error.shown() {
        say(format_args!("{line}"));
    }
    let problems = error.problems();
    for problem in problems.iter().take(PROBLEMS_SHOWN_MAX) {
        say(format_args!("{problem}"));
    }
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    if more > 0 {
        say(format_args!("and {more} more"));
    }
    say(format_args!("ca-tool: error: {error}"));
    if let Some(hint) = error.hint() {
        say(format_args!("ca-tool: hint: {hint}"));
    }
}

/// Prints an error in the command line.
pub(super) fn usage(error: &clap::Error) {
    let _ = write!(io::stderr(), "ca-tool: {error}");
}

/// Returns whether the reader of the results went away.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints a line to standard error. If that fails there is nobody to tell, and no reason to stop:
/// `eprintln!` would panic, for example on a full disk.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints notices and progress as they happen.
#[derive(Debug)]
pub(super) struct Screen {
    bar: Mutex<Bar>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let is_watched = io::stderr().is_terminal();
        Self {
            bar: Mutex::new(Bar::new(is_watched)),
        }
    }

    /// Takes the progress bar away, before anything else is printed.
    pub(super) fn clear(&self) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.clear(&mut io::stderr());
        }
    }
}

impl Listener for Screen {
    fn notice(&self, notice: &Notice) {
        self.clear();
        say(format_args!("ca-tool: note: {notice}"));
    }

    fn progress(&self, progress: Progress) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.show(progress, &mut io::stderr());
        }
    }
}
