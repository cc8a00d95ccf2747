//! Parses the command line, runs it, and gives the exit code: 0 done, 1 failed, 2 usage.

#![deny(clippy::print_stderr)]

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use clap::Parser as _;

use ca_tool::{Args, Error, Output, is_discarded, run};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let _ = write!(io::stderr(), "ca-tool: {error}");
            return ExitCode::from(2);
        }
    };
    let (mut results, mut notes) = (io::stdout().lock(), io::stderr().lock());
    let mut output = Output {
        results: &mut results,
        notes: &mut notes,
        is_watched: io::stderr().is_terminal(),
        is_discarded: is_discarded(),
    };
    let done = run(args, &mut output).and_then(|code| match results.flush() {
        // Who reads no further still learns the exit code.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(code),
    });
    let error = match done {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    // Where nobody can be told, the exit code still says it; `eprintln!` would panic.
    let _ = tell(&error, &mut notes);
    ExitCode::from(error.exit_code())
}

fn tell(error: &Error, notes: &mut impl Write) -> io::Result<()> {
    for problem in error.problems() {
        writeln!(notes, "{problem}")?;
    }
    writeln!(notes, "ca-tool: error: {error}")?;
    match error.hint() {
        Some(hint) => writeln!(notes, "ca-tool: hint: {hint}"),
        None => Ok(()),
    }
}
