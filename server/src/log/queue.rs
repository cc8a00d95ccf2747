//! The lines that wait to be written to one place: at most [`QUEUE_BYTES_MAX`] bytes. Further lines
//! are counted, and their number is written later.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// The limit on bytes that wait for one place, including those being written.
pub(super) const QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// The time from the first dropped line to the note that counts such lines, and between two notes.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait before retrying a terminal or pipe that accepts nothing now.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Lines that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// The number of bytes being written.
    in_flight: usize,
    /// Lines that were dropped and are not yet reported.
    missed: u64,
    /// When the first of them was dropped.
    missed_since: Option<Instant>,
    is_ending: bool,
    is_written: bool,
}

/// The next bytes to write: lines, then possibly a note that counts dropped lines.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    note_at: usize,
    missed: u64,
}

impl Queue {
    /// Adds a line, or counts it. Never waits for the writer.
    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.is_ending {
            return;
        }
        if state.waiting.len() + state.in_flight + line.len() > QUEUE_BYTES_MAX {
            state.miss(1);
        } else {
            state.waiting.extend_from_slice(line);
        }
        self.changed.notify_all();
    }

    /// Counts a line that was not even formatted.
    pub(super) fn miss(&self) {
        self.lock().miss(1);
        self.changed.notify_all();
    }

    /// Writes lines as they come, until the queue ends.
    pub(super) fn write_to(&self, mut place: impl Write) {
        let mut is_line_begun = false;
        while let Some(mut chunk) = self.next() {
            if is_line_begun {
                chunk.bytes.insert(0, b'\n');
                chunk.note_at += 1;
            }
            let written = self.write(&mut place, &chunk.bytes);
            is_line_begun = match written {
                0 => is_line_begun,
                written => chunk.bytes[written - 1] != b'\n',
            };
            self.lock().account(&chunk, written);
        }
        self.lock().is_written = true;
        self.changed.notify_all();
    }

    /// Stops accepting lines. Waiting lines are still written.
    pub(super) fn end(&self) {
        self.lock().is_ending = true;
        self.changed.notify_all();
    }

    /// Waits until everything is written, or until `deadline` if nobody reads it.
    pub(super) fn wait_until_written(&self, deadline: Instant) {
        let mut state = self.lock();
        while !state.is_written {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// Returns the next lines once there are any; `None` at the end.
    fn next(&self) -> Option<Chunk> {
        let mut state = self.lock();
        loop {
            let note_in = state.missed_since.map(|since| {
                let due = if state.is_ending {
                    since
                } else {
                    since + NOTE_INTERVAL
                };
                due.saturating_duration_since(Instant::now())
            });
            let is_note_due = note_in.is_some_and(|left| left.is_zero());
            if is_note_due || !state.waiting.is_empty() {
                return Some(state.take(is_note_due));
            }
            if state.is_ending {
                return None;
            }
            state = match note_in {
                Some(left) => self.wait(state, left),
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Writes as much as can be written. Returns the number of bytes.
    fn write(&self, place: &mut impl Write, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match place.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(more) => written += more,
                Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
                // Another program made this terminal non-blocking.
                Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(RETRY_INTERVAL);
                }
                Err(_) => break,
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics halfway through a change of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, left: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, left);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn miss(&mut self, lines: u64) {
        self.missed = self.missed.saturating_add(lines);
        self.missed_since.get_or_insert_with(Instant::now);
    }

    fn take(&mut self, with_note: bool) -> Chunk {
        let mut bytes = std::mem::take(&mut self.waiting);
        let note_at = bytes.len();
        let mut missed = 0;
        if with_note {
            missed = std::mem::take(&mut self.missed);
            self.missed_since = None;
            bytes.extend_from_slice(note(missed).as_bytes());
        }
        self.in_flight = bytes.len();
        Chunk {
            bytes,
            note_at,
            missed,
        }
    }

    /// Counts the lines that could not be written, for example because the disk is full.
    fn account(&mut self, chunk: &Chunk, written: usize) {
        self.in_flight = 0;
        if written == chunk.bytes.len() || self.is_ending {
            return;
        }
        let lines = &chunk.bytes[written.min(chunk.note_at)..chunk.note_at];
        let lost = lines.iter().filter(|byte| **byte == b'\n').count();
        self.miss(chunk.missed.saturating_add(lost as u64));
    }
}

/// Returns the note that counts the missing lines.
fn note(missed: u64) -> String {
    let mut line = String::new();
    // A clock that cannot be read is no reason to say nothing.
    let _untold = SystemTime.format_time(&mut Writer::new(&mut line));
    line.push_str(&format!("  WARN {missed} log lines were not written\n"));
    line
}

impl Write for &Queue {
    /// Takes one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A place that takes one chunk whenever the test allows it.
    struct Slow {
        turns: mpsc::Receiver<io::Result<()>>,
        written: mpsc::Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // When the test is over, everything may be written.
            self.turns.recv().unwrap_or(Ok(()))?;
            let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
            // When the test is over, nobody reads this.
            let _over = self.written.send(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Test = (
        Arc<Queue>,
        mpsc::Sender<io::Result<()>>,
        mpsc::Receiver<String>,
    );

    fn slow() -> Test {
        let queue = Arc::new(Queue::default());
        let ((turn, turns), (written, read)) = (mpsc::channel(), mpsc::channel());
        let emptied = queue.clone();
        thread::spawn(move || emptied.write_to(Slow { turns, written }));
        (queue, turn, read)
    }

    fn held(queue: &Queue) -> usize {
        let state = queue.lock();
        state.waiting.len() + state.in_flight
    }

    #[test]
    fn lines_that_nobody_reads_take_no_more_than_a_mebibyte_and_are_counted_later() {
        let (queue, turn, read) = slow();
        let line = format!("{}\n", "x".repeat(511));
        for _ in 0..10_000 {
            queue.push(line.as_bytes());
            assert!(held(&queue) <= QUEUE_BYTES_MAX);
        }
        let kept = QUEUE_BYTES_MAX / line.len();
        assert_eq!(held(&queue), kept * line.len(), "and all of that is used");
        let mut text = String::new();
        while !text.ends_with(" log lines were not written\n") {
            turn.send(Ok(())).expect("a writer");
            text.push_str(&read.recv_timeout(PATIENCE).expect("it is written"));
        }
        assert_eq!(text.matches(&line).count(), kept);
        let note = format!("  WARN {} log lines were not written\n", 10_000 - kept);
        assert!(text.ends_with(&note), "{:?}", text.lines().last());
        // There is room again, and nothing is counted twice.
        queue.push(b"the next\n");
        turn.send(Ok(())).expect("a writer");
        assert_eq!(read.recv_timeout(PATIENCE).as_deref(), Ok("the next\n"));
    }

    #[test]
    fn lines_that_the_disk_has_no_room_for_are_counted_later() {
        let (queue, turn, read) = slow();
        queue.push(b"one\n");
        turn.send(Err(io::ErrorKind::StorageFull.into()))
            .expect("a writer");
        // The note does not fit either.
        turn.send(Err(io::ErrorKind::StorageFull.into()))
            .expect("a writer");
        turn.send(Ok(())).expect("a writer");
        let note = read.recv_timeout(PATIENCE).expect("a note");
        assert!(
            note.ends_with("  WARN 1 log lines were not written\n"),
            "{note}"
        );
        queue.push(b"two\n");
        turn.send(Ok(())).expect("a writer");
        assert_eq!(read.recv_timeout(PATIENCE).as_deref(), Ok("two\n"));
    }

    #[test]
    fn the_end_writes_what_is_left_and_waits_for_nobody_who_does_not_read() {
        let (queue, turn, read) = slow();
        queue.push(b"one\n");
        queue.miss();
        queue.end();
        let begun = Instant::now();
        queue.wait_until_written(begun + Duration::from_millis(50));
        assert!(begun.elapsed() < PATIENCE && !queue.lock().is_written);

        drop(turn);
        queue.wait_until_written(begun + PATIENCE);
        assert!(queue.lock().is_written);
        let text: String = read.try_iter().collect();
        assert!(text.starts_with("one\n"), "{text}");
        assert!(
            text.ends_with("  WARN 1 log lines were not written\n"),
            "{text}"
        );
    }
}
