//! The log: what happened, to whom, why. What people say is never logged.
//!
//! Writes go through a bounded queue to a thread of their own: a paused terminal or a slow disk
//! must not hold up a session. When the queue is full, log lines are dropped, not sessions.

use std::io;
use std::path::Path;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Keeps the log's threads alive, and writes what is left when it is dropped.
#[derive(Debug)]
pub struct LogGuard(#[expect(dead_code, reason = "kept for its drop")] Vec<WorkerGuard>);

/// Logs to standard error, and to `file` if there is one: there with the thread and the line of
/// source. `RUST_LOG` chooses what; `info` if it is not set.
///
/// # Errors
///
/// When the file cannot be opened.
pub fn start(file: Option<&Path>) -> io::Result<LogGuard> {
    let mut guards = Vec::new();
    let (stderr, guard) = NonBlocking::new(io::stderr());
    guards.push(guard);
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_ansi(false)
        .with_target(false)
        .with_filter(filter());
    let to_file = match file {
        None => None,
        Some(path) => {
            let (file, guard) = NonBlocking::new(crate::os::open_log(path)?);
            guards.push(guard);
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(file)
                .with_ansi(false)
                .with_target(false)
                .with_thread_names(true)
                .with_file(true)
                .with_line_number(true)
                .with_filter(filter());
            Some(layer)
        }
    };
    tracing_subscriber::registry()
        .with(to_stderr)
        .with(to_file)
        .init();
    Ok(LogGuard(guards))
}

/// Tells of others who can change the log, once it is open.
pub fn warn_of_writers(file: &Path) {
    for warning in crate::os::warnings_of_writers(file, "the log") {
        tracing::warn!("{warning}");
    }
}

fn filter() -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"))
}
