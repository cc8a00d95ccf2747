//! The log: what happened, to whom and why. It never contains what people say.
//!
//! No peer can fill the disk, the memory or a terminal through the log: the length of a line
//! (`log/line.rs`), the lines that wait to be written (`log/queue.rs`) and the rate (`log/rate.rs`)
//! are limited. Separate threads write the lines, because a paused terminal or a slow disk must not
//! hold up a session.

mod filter;
mod line;
mod queue;
mod rate;

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Subscriber, error, warn};
use tracing_subscriber::fmt::format::{DefaultFields, Format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use line::OneLine;
use queue::Queue;
use rate::Rates;

pub(crate) use line::cut;
pub(crate) use rate::BOUNDED;

/// The part of a cause that is logged. Some of it may come from a peer.
pub(crate) const CAUSE_BYTES_MAX: usize = 256;

/// How long the end of the program waits for log lines and final messages to be written.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes the waiting lines when it is dropped, for at most one second.
#[derive(Debug)]
pub struct LogGuard(Vec<Arc<Queue>>);

/// Logs to standard error, and to `file` if there is one. The file also names the thread and the
/// source line. `RUST_LOG` selects what is logged; the default is `info`.
///
/// # Errors
///
/// When the file cannot be opened or a thread cannot be started.
pub fn start(file: Option<&Path>) -> io::Result<LogGuard> {
    let file = match file {
        None => None,
        Some(path) => Some(written_to(crate::os::open_log(path)?)?),
    };
    let stderr = written_to(io::stderr())?;
    let queues: Vec<_> = [Some(stderr.clone()), file.clone()]
        .into_iter()
        .flatten()
        .collect();
    let format = fmt::format().with_ansi(false).with_target(false);
    let to_file = file.map(|file| {
        let format = format.clone().with_thread_names(true);
        layer(file, format.with_file(true).with_line_number(true))
    });
    let (filter, warning) = filter::from_environment();
    tracing_subscriber::registry()
        .with(filter)
        .with(Rates::new(queues.clone()))
        .with(layer(stderr, format))
        .with(to_file)
        .init();
    log_panics();
    if let Some(warning) = warning {
        warn!("{warning}");
    }
    Ok(LogGuard(queues))
}

/// Warns about other users who can change the log. Call it once the log is open.
pub fn warn_of_writers(file: &Path) {
    for warning in crate::os::warnings_of_writers(file, "the log") {
        warn!("{warning}");
    }
}

/// Returns a queue whose lines a new thread writes to `place`.
fn written_to(place: impl io::Write + Send + 'static) -> io::Result<Arc<Queue>> {
    let queue = Arc::new(Queue::default());
    let emptied = queue.clone();
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || emptied.write_to(place))?;
    Ok(queue)
}

fn layer<S>(queue: Arc<Queue>, format: Format) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::Layer::default()
        .with_writer(queue)
        .event_format(OneLine(format))
        .fmt_fields(DefaultFields::new())
        // These would go to standard error directly, and wait for its reader.
        .log_internal_errors(false)
}

/// Logs panics. The default hook writes to standard error itself, which may block the thread for
/// ever. It stays in use when `RUST_BACKTRACE` is set.
fn log_panics() {
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = panic.payload_as_str().unwrap_or("it says nothing");
        error!(place, "panicked: {words}");
    }));
}

/// Writes a line to standard error that is not part of the log. Waits at most one second for the
/// reader.
pub fn say(words: &str) {
    let line = format!("server: {words}\n");
    let (written, is_written) = mpsc::sync_channel::<()>(1);
    let writing = thread::Builder::new().spawn(move || {
        // If standard error cannot be written to, nothing else can say so but the exit code.
        let _nowhere = io::stderr().write_all(line.as_bytes());
        drop(written);
    });
    if writing.is_ok() {
        // The thread drops its end when it is done.
        let _done_or_late = is_written.recv_timeout(END_TIMEOUT);
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let deadline = Instant::now() + END_TIMEOUT;
        for queue in &self.0 {
            queue.end();
        }
        for queue in &self.0 {
            queue.wait_until_written(deadline);
        }
    }
}
