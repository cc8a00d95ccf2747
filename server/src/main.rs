//! The room's program: parse, run, exit code.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use narration::Narrator;
use server::args::{Args, Command, Hinted, Serve};
use server::log::{self, LogFile, say};
use server::query::{Format, OutFile, QueryError, query};
use server::terminal::{stderr_columns, stdout_columns};
use server::{
    Allowed, Failure, TooFewFiles, connections_allowed, processors, stdout_is_new_file, stop_signal,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::{info, warn};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refused) if !refused.use_stderr() => refused.exit(),
        Err(refused) => {
            say(refused.to_string().trim_end());
            if let Some(hint) = server::args::hint(&refused) {
                say(&format!("hint: {hint}"));
            }
            return ExitCode::from(USAGE);
        }
    };
    let runtime = match runtime(processors()) {
        Ok(runtime) => runtime,
        Err(failure) => return fail(&anyhow::Error::new(failure).context("cannot start")),
    };
    let done = runtime.block_on(async {
        match &args.command {
            Some(Command::Query {
                sql,
                db,
                csv,
                raw,
                json,
                out,
            }) => {
                let format = match (csv, json) {
                    (true, _) if *raw => Format::RawCsv,
                    (true, _) if out.is_some() || stdout_is_new_file() => Format::CsvFile,
                    (true, _) => Format::Csv,
                    (_, true) => Format::Json,
                    _ => Format::Table,
                };
                ask(db, sql, format, out.as_deref())
            }
            None => serve(&args.serve).await,
        }
    });
    // A write to standard output may be stuck because nobody reads it; it must not delay the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Returns the runtime that does everything sessions ask for. It has one thread fewer than there
/// are processors: with as many, the threads keep waking each other for small things, and sending
/// to everybody uses all processors anyway (`flusher.rs: Flushers::start`).
fn runtime(processors: usize) -> io::Result<Runtime> {
    let mut builder = match processors {
        ..=2 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    // A runtime with one thread uses this one.
    let threads = processors.saturating_sub(1).max(1);
    builder.worker_threads(threads).enable_all().build()
}

/// The exit code when the command line is not understood.
const USAGE: u8 = 2;

async fn serve(serve: &Serve) -> Result<()> {
    let mut config = serve.load()?;
    let log_file = match &serve.log_file {
        Some(path) => Some(
            LogFile::open(path)
                .with_context(|| format!("cannot open the log {}", path.display()))?,
        ),
        None => None,
    };
    let _log = log::start(log_file.as_ref()).context("cannot start the log")?;
    if let Some(path) = &serve.log_file {
        log::warn_of_writers(path);
    }
    let _explanation = match serve.explain {
        true => {
            let started =
                Narrator::start(io::stderr(), stderr_columns, "").context("cannot explain")?;
            config.narrator = started.0;
            Some(started.1)
        }
        false => None,
    };
    let allowed = connections_allowed(config.limits.connections_max)?;
    config.limits.connections_max = allowed.connections;
    if let Allowed {
        connections,
        files: Some(files),
    } = allowed
    {
        warn!(
            files,
            connections,
            "the hard limit on open files lowers --connections; only root can raise it"
        );
    }
    let (ask_for_reload, reload) = watch::channel(());
    let stop = stop_signal(ask_for_reload).context("cannot wait for signals")?;
    if let Some(file) = log_file {
        tokio::spawn(file.reopen_when_asked(reload.clone()));
    }
    let listener = serve.listen()?;
    server::run(config, listener, stop, reload).await?;
    info!("stopped");
    Ok(())
}

fn ask(db: &Path, sql: &str, format: Format, out: Option<&Path>) -> Result<()> {
    if let Some(path) = out {
        let mut file = OutFile::create(path, db)?;
        query(db, sql, format, &mut file, || None)?;
        file.finish()?;
        return Ok(());
    }
    let out = io::BufWriter::new(io::stdout().lock());
    match query(db, sql, format, out, stdout_columns) {
        // The reader has seen enough, as `head` has.
        Err(QueryError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(failure) => Err(failure.into()),
        Ok(()) => Ok(()),
    }
}

fn fail(failure: &anyhow::Error) -> ExitCode {
    say(&format!("error: {}", describe(failure)));
    let server_failure = failure.downcast_ref::<Failure>();
    let hint = failure
        .downcast_ref::<Hinted>()
        .map(|hinted| hinted.hint.as_str())
        .or_else(|| server_failure.and_then(Failure::hint))
        .or_else(|| {
            failure
                .downcast_ref::<QueryError>()
                .and_then(QueryError::hint)
        })
        .or_else(|| failure.downcast_ref::<TooFewFiles>().map(TooFewFiles::hint));
    if let Some(hint) = hint {
        say(&format!("hint: {hint}"));
    }
    ExitCode::from(server_failure.map_or(1, Failure::exit_code))
}

/// Describes an error and its causes, each once: some errors already include their causes.
fn describe(failure: &anyhow::Error) -> String {
    let mut described = String::new();
    for cause in failure.chain().map(ToString::to_string) {
        let cause = pki::without_number(&cause);
        if described.contains(cause) {
            continue;
        }
        if !described.is_empty() {
            described.push_str(": ");
        }
        described.push_str(cause);
    }
    described
}
