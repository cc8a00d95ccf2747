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

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{Subscriber, error, info, warn};
use tracing_subscriber::fmt::format::{DefaultFields, Format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::file_kind::FileKind;
use crate::lock::lock;
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

/// The file that the log is written to, by the name that it was given.
#[derive(Debug, Clone)]
pub struct LogFile {
    path: PathBuf,
    /// The file that the log's thread is to write to from its next line on.
    next: Arc<Mutex<Option<File>>>,
}

impl LogFile {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or could not be a log.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            next: Arc::new(Mutex::new(Some(file))),
        })
    }

    /// Opens the file again whenever somebody asks for it: a tool that rotates logs has renamed the old one, and
    /// waits for a new one under its name. Where that fails, the old one is written to as before.
    pub async fn reopen_when_asked(self, mut asked: watch::Receiver<()>) {
        while asked.changed().await.is_ok() {
            let path = self.path.clone();
            // A disk that does not answer must not hold up the runtime's thread.
            let opened = tokio::task::spawn_blocking(move || open(&path)).await;
            let opened = opened.unwrap_or_else(|failed| Err(io::Error::other(failed)));
            let path = self.path.display();
            match opened {
                Ok(file) => {
                    *lock(&self.next) = Some(file);
                    info!(%path, "log opened again");
                    warn_of_writers(&self.path);
                }
                Err(error) => error!(
                    %error,
                    "the log {path} cannot be opened again; it goes on in the file that was open"
                ),
            }
        }
    }

    /// Returns the place that the log's thread writes to.
    fn place(&self) -> Reopened {
        Reopened {
            file: None,
            next: self.next.clone(),
        }
    }
}

/// The newest file that was opened under the log's name.
struct Reopened {
    file: Option<File>,
    next: Arc<Mutex<Option<File>>>,
}

impl Reopened {
    fn newest(&mut self) -> io::Result<&mut File> {
        let next = lock(&self.next).take();
        let file = next.or(self.file.take());
        match file {
            Some(file) => Ok(self.file.insert(file)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl io::Write for Reopened {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.newest()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.newest()?.flush()
    }
}

/// Logs to standard error, and to `file` if there is one. The file also names the thread and the
/// source line. `RUST_LOG` selects what is logged; the default is `info`.
///
/// # Errors
///
/// When a thread cannot be started.
pub fn start(file: Option<&LogFile>) -> io::Result<LogGuard> {
    let file = match file {
        None => None,
        Some(file) => Some(written_to(file.place())?),
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

/// Warns about other users who can change the log. Call it once the log has started.
pub fn warn_of_writers(file: &Path) {
    for warning in crate::os::warnings_of_writers(file, "the log") {
        warn!("{warning}");
    }
}

/// Opens the log for appending, or creates it. Refuses a file that is something else.
fn open(path: &Path) -> io::Result<File> {
    // A file that may be written and not read can be a log all the same. Other things than files are refused below.
    let kind = match path.is_file() {
        true => FileKind::of(path).ok(),
        false => None,
    };
    match kind.and_then(FileKind::no_log) {
        Some(kind) => Err(io::Error::other(format!(
            "it is {kind}; name another file with --log-file"
        ))),
        None => crate::os::open_log(path),
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
