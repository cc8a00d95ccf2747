//! The terminals of this program: how wide they are, and the words that people read on standard
//! error.

use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Width, terminal_size_of};
use wire::terminal::{inert, shown};

use super::failure::{Exit, Failure};
use crate::limits::TERMINAL_COLUMNS;
use crate::os;

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

/// Writes text, of which a terminal that does not speak UTF-8 gets only what is ASCII, and `?` in place of
/// each other character: such a terminal takes some of their bytes for commands that move its cursor
/// (ECMA-48, section 5.3).
#[derive(Debug)]
pub(crate) struct Readable<W> {
    out: W,
    is_ascii_only: bool,
}

impl Readable<io::Stdout> {
    /// Returns standard output.
    pub(crate) fn stdout() -> Self {
        let out = io::stdout();
        let is_ascii_only = out.is_terminal() && !os::speaks_utf_8();
        Self { out, is_ascii_only }
    }
}

impl<W: io::Write> io::Write for Readable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_ascii_only {
            return self.out.write(bytes);
        }
        self.out.write_all(&ascii_only(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns text with `?` for each character that is not ASCII. A character may come in pieces.
fn ascii_only(utf_8: &[u8]) -> Vec<u8> {
    let begins = |byte: &&u8| !(0x80..0xc0).contains(*byte);
    let shown = |byte: &u8| if byte.is_ascii() { *byte } else { b'?' };
    utf_8.iter().filter(begins).map(shown).collect()
}

/// Returns the note for people whose terminal does not speak UTF-8, if theirs does not.
pub(crate) fn note_on_ascii() -> Option<&'static str> {
    (io::stdout().is_terminal() && !os::speaks_utf_8()).then_some(
        "note: this terminal is not set to UTF-8, so `?` stands for every character that is not ASCII; if it \
         can show UTF-8, type: export LC_ALL=C.UTF-8",
    )
}

/// Writes a line to standard error, beginning with the program's name.
pub fn tell(words: &str) {
    let words = format!("client: {words}");
    let words = inert(&words);
    let shown = shown(&words, stderr_columns());
    // When standard error itself cannot be written to, there is nowhere left to say so.
    let mut stderr = io::stderr().lock();
    let is_ascii_only = stderr.is_terminal() && !os::speaks_utf_8();
    let _ = writeln!(
        Readable {
            out: &mut stderr,
            is_ascii_only
        },
        "{shown}"
    );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_is_not_utf_8_gets_no_byte_that_could_be_a_command() {
        // The second byte of U+06DB is CSI there.
        let evil = "hello \u{6db}2J\u{6db}5;1H[dave@127.0.0.1] 张三 é";
        let mut out = Vec::new();
        let mut written = Readable {
            out: &mut out,
            is_ascii_only: true,
        };
        for piece in evil.as_bytes().chunks(3) {
            written.write_all(piece).expect("written");
        }
        assert_eq!(
            String::from_utf8(out).expect("ASCII"),
            "hello ?2J?5;1H[dave@127.0.0.1] ?? ?"
        );
    }
}
