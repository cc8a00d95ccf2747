//! The log: what happened, to whom, why. What people say is never logged.
//!
//! Anybody on the network can make a server log something. So a line has a length, strangers' lines have
//! a rate, and what waits to be written has a bound in bytes. Lines beyond that are counted, and their
//! number is logged later. A thread of its own writes them: a paused terminal or a slow disk must not hold
//! up a session.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata, error};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// A line, with its line end. The longest that an honest client causes has some 450 bytes.
const LINE_BYTES_MAX: usize = 512;

/// What a longer line ends with.
const CUT: &str = "... (cut)";

/// Lines that wait for one place to take them.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// Warnings and errors of ours, in all. Refusals have a lower rate of their own (`refusals.rs`), so that a flood
/// of them leaves room for the others.
const OURS: Rate = Rate {
    bytes_per_second: 10 * 1024,
    burst_bytes: 64 * 1024,
};

/// Whatever libraries log, in all.
const LIBRARIES: Rate = Rate {
    bytes_per_second: 2 * 1024,
    burst_bytes: 16 * 1024,
};

/// How long the lines that are left may take to be written when the program ends.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the number of lines that were left out is logged.
const LEFT_OUT_INTERVAL: Duration = Duration::from_secs(1);

/// Keeps the log's threads alive, and writes what is left when it is dropped.
#[derive(Debug)]
pub struct LogGuard(Vec<Arc<Queue>>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        let deadline = Instant::now() + END_TIMEOUT;
        for queue in &self.0 {
            queue.end(deadline);
        }
    }
}

/// Logs to standard error, and to `file` if there is one: there with the thread and the line of
/// source. `RUST_LOG` chooses what; `info` if it is not set.
///
/// # Errors
///
/// When the file cannot be opened, or no thread can be started.
pub fn start(file: Option<&Path>) -> io::Result<LogGuard> {
    let stderr = Log::to(io::stderr())?;
    let mut queues = vec![stderr.queue.clone()];
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_ansi(false)
        .with_target(false)
        .with_filter(filter());
    let to_file = match file {
        None => None,
        Some(path) => {
            let file = Log::to(crate::os::open_log(path)?)?;
            queues.push(file.queue.clone());
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
    // The hook that the standard library has writes to standard error itself, and waits where nobody reads.
    std::panic::set_hook(Box::new(|panic| error!("{panic}")));
    Ok(LogGuard(queues))
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

/// One place that lines are written to.
#[derive(Debug)]
struct Log {
    queue: Arc<Queue>,
}

impl Log {
    fn to(place: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(Instant::now()));
        let lines = queue.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || lines.write_to(place))?;
        Ok(Self { queue })
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            queue: &self.queue,
            source: Source::Library,
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line {
            queue: &self.queue,
            source: Source::of(meta),
        }
    }
}

/// Takes one line, which comes whole.
#[derive(Debug)]
struct Line<'a> {
    queue: &'a Queue,
    source: Source,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.queue.push(&fit(&text), self.source, Instant::now());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text as one line of the length that a line may have.
fn fit(text: &str) -> String {
    // Libraries may log what a peer sent. Nothing of that may move a cursor or begin a line.
    let mut line = wire::escape(text.strip_suffix('\n').unwrap_or(text));
    if line.len() >= LINE_BYTES_MAX {
        let room = LINE_BYTES_MAX - CUT.len() - 1;
        line.truncate(line.floor_char_boundary(room));
        line.push_str(CUT);
    }
    line.push('\n');
    line
}

/// Which rate a line counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A warning or an error of ours.
    Ours,
    Library,
    /// Everything else of ours. Only members cause it, at the rate at which they may come and go; or the
    /// operator asked for it with `RUST_LOG`.
    Unlimited,
}

impl Source {
    fn of(meta: &Metadata<'_>) -> Self {
        let of_crate = meta.target().split("::").next().unwrap_or_default();
        match of_crate {
            "server" | "pki" | "wire" if *meta.level() <= Level::WARN => Self::Ours,
            "server" | "pki" | "wire" => Self::Unlimited,
            _ => Self::Library,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    bytes_per_second: usize,
    burst_bytes: usize,
}

/// What may be logged at a rate.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    bytes: usize,
    filled_at: Instant,
}

impl Bucket {
    fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            bytes: rate.burst_bytes,
            filled_at: now,
        }
    }

    fn takes(&mut self, bytes: usize, now: Instant) -> bool {
        let milliseconds = now.saturating_duration_since(self.filled_at).as_millis();
        let milliseconds = usize::try_from(milliseconds).unwrap_or(usize::MAX);
        let more = milliseconds.saturating_mul(self.rate.bytes_per_second) / 1000;
        if more > 0 {
            self.bytes = self.bytes.saturating_add(more).min(self.rate.burst_bytes);
            self.filled_at = now;
        }
        let takes = bytes <= self.bytes;
        if takes {
            self.bytes -= bytes;
        }
        takes
    }
}

/// Lines that wait to be written.
#[derive(Debug)]
struct Queue {
    // A lock, because every thread logs; it is held for as long as it takes to copy a line.
    waiting: Mutex<Waiting>,
    stirred: Condvar,
}

#[derive(Debug)]
struct Waiting {
    lines: Vec<u8>,
    /// Of those, and of the ones that are being written.
    bytes: usize,
    ours: Bucket,
    libraries: Bucket,
    left_out: u64,
    is_ending: bool,
    has_ended: bool,
}

impl Queue {
    fn new(now: Instant) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                lines: Vec::new(),
                bytes: 0,
                ours: Bucket::new(OURS, now),
                libraries: Bucket::new(LIBRARIES, now),
                left_out: 0,
                is_ending: false,
                has_ended: false,
            }),
            stirred: Condvar::new(),
        }
    }

    fn push(&self, line: &str, source: Source, now: Instant) {
        let mut waiting = self.lock();
        let has_room = waiting.bytes + line.len() <= QUEUE_BYTES_MAX;
        let takes = has_room
            && match source {
                Source::Ours => waiting.ours.takes(line.len(), now),
                Source::Library => waiting.libraries.takes(line.len(), now),
                Source::Unlimited => true,
            };
        if takes {
            waiting.lines.extend_from_slice(line.as_bytes());
            waiting.bytes += line.len();
        } else {
            waiting.left_out += 1;
        }
        drop(waiting);
        self.stirred.notify_all();
    }

    /// Writes lines as they come, until the end.
    fn write_to(&self, mut place: impl Write) {
        let mut told_at = Instant::now();
        while let Some(lines) = self.next(&mut told_at) {
            // A place that cannot be written to has nowhere to say so; the next line may get through.
            let _lost = place.write_all(&lines).and_then(|()| place.flush());
            self.lock().bytes -= lines.len();
        }
        self.lock().has_ended = true;
        self.stirred.notify_all();
    }

    /// What is to be written next; `None` at the end.
    fn next(&self, told_at: &mut Instant) -> Option<Vec<u8>> {
        let mut waiting = self.lock();
        loop {
            let is_time = waiting.is_ending || told_at.elapsed() >= LEFT_OUT_INTERVAL;
            if waiting.left_out > 0 && is_time {
                let line = left_out_line(waiting.left_out);
                waiting.left_out = 0;
                waiting.bytes += line.len();
                waiting.lines.extend_from_slice(line.as_bytes());
                *told_at = Instant::now();
            }
            if !waiting.lines.is_empty() {
                return Some(std::mem::take(&mut waiting.lines));
            }
            if waiting.is_ending {
                return None;
            }
            waiting = match waiting.left_out {
                0 => self.stirred.wait(waiting).expect(NO_PANIC),
                _ => {
                    let stirred = self.stirred.wait_timeout(waiting, LEFT_OUT_INTERVAL);
                    stirred.expect(NO_PANIC).0
                }
            };
        }
    }

    /// Has the thread write what is left, and waits for it. A place that nobody reads is given up.
    fn end(&self, deadline: Instant) {
        let mut waiting = self.lock();
        waiting.is_ending = true;
        self.stirred.notify_all();
        while !waiting.has_ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = self.stirred.wait_timeout(waiting, left).expect(NO_PANIC).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "nobody panics with the log's lines";

fn left_out_line(lines: u64) -> String {
    let mut line = String::new();
    // Without the time the line still says what matters.
    let _untimed = SystemTime.format_time(&mut Writer::new(&mut line));
    line.push_str(&format!(
        "  WARN lines were left out of the log: there were too many lines={lines}\n"
    ));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_a_length() {
        assert_eq!(fit("short\n"), "short\n");
        assert_eq!(
            fit("two\nlines\x1b[2J\r\u{202e}\n"),
            "two\\nlines\\u{1b}[2J\\r\\u{202e}\n"
        );
        for character in ["x", "é", "张", "🎉", "\0"] {
            let line = fit(&character.repeat(2000));
            assert!(line.len() <= LINE_BYTES_MAX, "{}", line.len());
            assert!(line.len() > LINE_BYTES_MAX - 8, "{}", line.len());
            assert!(line.ends_with("... (cut)\n"), "{line}");
        }
        let fits = "x".repeat(LINE_BYTES_MAX - 1);
        assert_eq!(fit(&fits), format!("{fits}\n"));
    }

    #[test]
    fn each_source_has_its_rate_and_what_is_beyond_is_counted() {
        let began = Instant::now();
        let queue = Queue::new(began);
        let line = format!("{}\n", "x".repeat(LINE_BYTES_MAX - 1));
        let pushed = |source, now| {
            let before = queue.lock().lines.len();
            for _ in 0..1000 {
                queue.push(&line, source, now);
            }
            let taken = queue.lock().lines.len() - before;
            queue.lock().lines.clear();
            queue.lock().bytes = 0;
            taken
        };
        assert_eq!(pushed(Source::Library, began), LIBRARIES.burst_bytes);
        assert_eq!(pushed(Source::Ours, began), OURS.burst_bytes);
        assert_eq!(pushed(Source::Unlimited, began), 1000 * LINE_BYTES_MAX);
        let left_out = 2000 - (LIBRARIES.burst_bytes + OURS.burst_bytes) / LINE_BYTES_MAX;
        assert_eq!(queue.lock().left_out, left_out as u64);
        let later = began + Duration::from_secs(1);
        assert_eq!(pushed(Source::Library, later), LIBRARIES.bytes_per_second);
        assert_eq!(pushed(Source::Ours, later), OURS.bytes_per_second);
        let much_later = began + Duration::from_secs(3600);
        assert_eq!(pushed(Source::Ours, much_later), OURS.burst_bytes);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let queue = Queue::new(Instant::now());
        let line = "x\n".repeat(128);
        for _ in 0..2 * QUEUE_BYTES_MAX / line.len() {
            queue.push(&line, Source::Unlimited, Instant::now());
        }
        assert_eq!(queue.lock().lines.len(), QUEUE_BYTES_MAX);
        assert_eq!(queue.lock().left_out, (QUEUE_BYTES_MAX / line.len()) as u64);
    }

    #[test]
    fn everything_is_written_in_its_order_and_the_number_that_was_left_out_at_the_end() {
        let queue = Arc::new(Queue::new(Instant::now()));
        queue.push("one\n", Source::Ours, Instant::now());
        queue.lock().left_out = 7;
        queue.push("two\n", Source::Unlimited, Instant::now());
        queue.lock().is_ending = true;
        let mut written = Vec::new();
        queue.write_to(&mut written);
        let written = String::from_utf8(written).expect("text");
        let mut lines = written.lines();
        assert_eq!((lines.next(), lines.next()), (Some("one"), Some("two")));
        let last = lines.next().expect("a third line");
        assert!(last.ends_with("lines were left out of the log: there were too many lines=7"));
        assert_eq!(queue.lock().bytes, 0);
        // It has ended, so the end is not waited for.
        queue.end(Instant::now() + Duration::from_secs(3600));
    }

    #[test]
    fn a_place_that_nobody_reads_does_not_hold_up_the_end() {
        /// Never takes anything.
        struct Stuck(std::sync::mpsc::Receiver<()>);

        impl Write for Stuck {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                let _released = self.0.recv();
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (_release, released) = std::sync::mpsc::channel();
        let log = Log::to(Stuck(released)).expect("a thread");
        log.queue.push("one\n", Source::Ours, Instant::now());
        log.queue.end(Instant::now() + Duration::from_millis(50));
        assert!(!log.queue.lock().has_ended);
    }

    #[test]
    fn a_librarys_lines_are_told_from_ours() {
        use tracing::callsite::{DefaultCallsite, Identifier};
        use tracing::field::FieldSet;
        use tracing::metadata::Kind;
        static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
        static METADATA: Metadata<'static> = metadata("rustls::msgs", Level::WARN);
        const fn metadata(target: &'static str, level: Level) -> Metadata<'static> {
            let fields = FieldSet::new(&[], Identifier(&CALLSITE));
            Metadata::new(
                "event",
                target,
                level,
                None,
                None,
                None,
                fields,
                Kind::EVENT,
            )
        }
        let source = |target, level| Source::of(&metadata(target, level));
        assert_eq!(Source::of(&METADATA), Source::Library);
        assert_eq!(source("log", Level::INFO), Source::Library);
        assert_eq!(source("serverless::x", Level::INFO), Source::Library);
        assert_eq!(source("server::accept", Level::ERROR), Source::Ours);
        assert_eq!(source("server", Level::WARN), Source::Ours);
        assert_eq!(source("server::handshake", Level::INFO), Source::Unlimited);
        assert_eq!(source("server::handshake", Level::DEBUG), Source::Unlimited);
    }
}
