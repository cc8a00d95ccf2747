//! Parses the command line, runs it, and gives the exit code: 0 done, 1 failed, 2 usage.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use ca_tool::{Args, Output, run};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            eprint!("ca-tool: {error}");
            return ExitCode::from(2);
        }
    };
    let (mut results, mut notes) = (io::stdout().lock(), io::stderr().lock());
    let mut output = Output {
        results: &mut results,
        notes: &mut notes,
        is_watched: io::stderr().is_terminal(),
    };
    let done = run(args, &mut output).and_then(|code| {
        results.flush()?;
        Ok(code)
    });
    let error = match done {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    drop(notes);
    for problem in error.problems() {
        eprintln!("{problem}");
    }
    eprintln!("ca-tool: error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("ca-tool: hint: {hint}");
    }
    ExitCode::from(error.exit_code())
}
