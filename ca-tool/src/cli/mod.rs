//! The program: reads the command line, runs a command, and prints.
//!
//! Only this folder writes to standard output and standard error, and only this folder asks a person.
//! `args` is the command line, `run` turns it into the call of a command, `output` prints the reply. What
//! the commands do is not here.

mod args;
mod output;
mod passphrase;
mod progress;
mod report_args;
mod run;
mod terminal;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use args::Args;
use output::Output;

/// Runs the program with this process's arguments. Exit codes: 0 done, 1 failed, 2 usage; `ca-tool --help`
/// lists them all.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            output::usage(&error);
            return ExitCode::from(2);
        }
    };
    let mut results = io::stdout().lock();
    let mut output = Output::new(&mut results, args.globals.json);
    match run::run(args, &mut output) {
        Ok(code) => ExitCode::from(code),
        // Nobody reads the results any more, as with `head`. That is no failure.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
