//! The program `client`: parse, run, exit code.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use client::limits::INTERRUPT_TIMEOUT;
use client::{
    Args, ConformanceArgs, Exit, Explainer, os, report, run_conformance, run_plain, run_window,
    tell,
};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    if typed.get(1).is_some_and(|word| word == "conformance") {
        return examine(&typed[1..]);
    }
    let args = match Args::read(&typed) {
        Ok(args) => args,
        Err(refused) if !refused.use_stderr() => refused.exit(),
        Err(mut refused) => {
            let hint = Args::hint(&mut refused, &typed);
            // It has several lines, and nothing in it that was not typed here.
            let _ = write!(io::stderr(), "client: {refused}");
            if let Some(hint) = hint {
                tell(&format!("hint: {hint}"));
            }
            return ExitCode::from(Exit::Usage.code());
        }
    };
    let explains = args.explain;
    let mut config = match args.load() {
        Ok(config) => config,
        Err(failure) => return ExitCode::from(report(&failure).code()),
    };
    let mut _explanation = None;
    if explains {
        match Explainer::start() {
            Ok((explainer, guard)) => {
                config.explainer = explainer;
                _explanation = Some(guard);
            }
            Err(error) => {
                tell(&format!("error: cannot explain: {error}"));
                return ExitCode::from(Exit::Other.code());
            }
        }
    }
    run(async |leave| {
        let explainer = config.explainer.clone();
        let exit = if config.has_window {
            run_window(config, leave).await
        } else {
            run_plain(config, leave).await
        };
        explainer.ends(exit);
        exit
    })
}

/// Runs `client conformance` with these arguments.
fn examine(typed: &[OsString]) -> ExitCode {
    let args = match ConformanceArgs::try_parse_from(typed) {
        Ok(args) => args,
        Err(refused) if !refused.use_stderr() => refused.exit(),
        Err(refused) => {
            let _ = write!(io::stderr(), "client: {refused}");
            return ExitCode::from(Exit::Usage.code());
        }
    };
    run(async |leave| run_conformance(args, leave).await)
}

/// Starts the runtime, does this until it ends or a signal comes, and ends with its exit code.
fn run(what: impl AsyncFnOnce(CancellationToken) -> Exit) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("error: cannot start: {error}"));
            return ExitCode::from(Exit::Other.code());
        }
    };
    let exit = runtime.block_on(async {
        let leave = CancellationToken::new();
        tokio::spawn(hear_signals(leave.clone()));
        what(leave).await
    });
    // Standard input may be in the middle of a read that never ends.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}

/// The first signal leaves properly; a second one ends the program at once.
async fn hear_signals(leave: CancellationToken) {
    for _ in 0..2 {
        if let Err(error) = os::interrupted().await {
            tell(&format!("warning: cannot listen for signals: {error}"));
            return;
        }
        if leave.is_cancelled() {
            os::give_line_back();
            std::process::exit(INTERRUPTED);
        }
        leave.cancel();
        // A terminal may accept nothing any more, and then a write to it waits forever.
        std::thread::spawn(|| {
            std::thread::sleep(INTERRUPT_TIMEOUT);
            os::give_line_back();
            std::process::exit(INTERRUPTED);
        });
    }
}

/// The exit code that shells use for a program that SIGINT ended.
const INTERRUPTED: i32 = 130;
