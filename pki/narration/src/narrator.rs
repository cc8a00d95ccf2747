//! The narrator writes parts on a thread of its own, so that a paused terminal or a slow disk holds
//! up nothing else. A flood is not narrated: further lines are counted, and their number is told.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::part::Part;

/// The limit on lines that wait to be written.
const WAITING_LINES_MAX: usize = 4096;

/// Lines that may come at once: a class that connects together is narrated whole.
const BURST_LINES: u32 = 3000;

/// Lines per second after that: more than anybody reads, and too few to fill a disk soon.
const LINES_PER_SECOND: u32 = 300;

/// How long the program waits for lines to be written, at its end and before it reports a failure.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// Narrates, or does nothing: that is the default.
#[derive(Debug, Clone, Default)]
pub struct Narrator(Option<Arc<Queue>>);

/// Writes the waiting lines when it is dropped, for at most one second.
#[derive(Debug)]
pub struct NarratorGuard(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<(usize, String)>,
    waiting_lines: usize,
    /// Lines that may still come before the rate applies.
    allowed: u32,
    allowed_at: Instant,
    left_out: usize,
    is_ending: bool,
    is_written: bool,
}

impl Narrator {
    /// Starts to narrate to `place`, which may be a terminal with so many columns. `before` is written
    /// before each part: it may erase the row that somebody is typing in.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub fn start(
        place: impl io::Write + Send + 'static,
        columns: fn() -> Option<usize>,
        before: &'static str,
    ) -> io::Result<(Self, NarratorGuard)> {
        let queue = Arc::new(Queue::new());
        let emptied = queue.clone();
        thread::Builder::new()
            .name("explain".to_owned())
            .spawn(move || emptied.write_to(place, columns, before))?;
        Ok((Self(Some(queue.clone())), NarratorGuard(queue)))
    }

    /// Returns whether anybody listens. Ask this before doing work that only the narration needs.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Narrates a part about somebody or something, such as `alice`. Never waits: a part that there
    /// is no room for is counted.
    pub fn tell(&self, about: &str, part: &Part) {
        if let Some(queue) = &self.0 {
            queue.push(about, part);
        }
    }

    /// Waits until everything that was told is written, for at most one second: what is written
    /// elsewhere afterwards comes after it.
    pub fn flush(&self) {
        if let Some(queue) = &self.0 {
            queue.wait_until(|state| state.waiting_lines == 0 && state.left_out == 0);
        }
    }
}

impl Queue {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                waiting_lines: 0,
                allowed: BURST_LINES,
                allowed_at: Instant::now(),
                left_out: 0,
                is_ending: false,
                is_written: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn push(&self, about: &str, part: &Part) {
        let count = part.count();
        if self.lock().take_place(count, Instant::now()) {
            let text = part.render(about);
            self.lock().waiting.push_back((count, text));
        }
        self.changed.notify_all();
    }

    fn write_to(&self, mut place: impl io::Write, columns: fn() -> Option<usize>, before: &str) {
        while let Some((count, text)) = self.next() {
            let mut shown = before.to_owned();
            for line in text.lines() {
                shown.push_str(&wire::terminal::shown(line, columns()));
                shown.push('\n');
            }
            let is_written = place.write_all(shown.as_bytes()).is_ok();
            let mut state = self.lock();
            state.waiting_lines -= count;
            if !is_written {
                state.left_out += count;
            }
            drop(state);
            self.changed.notify_all();
        }
        self.lock().is_written = true;
        self.changed.notify_all();
    }

    /// Returns the next lines once there are any, with their number; `None` at the end.
    fn next(&self) -> Option<(usize, String)> {
        let mut state = self.lock();
        loop {
            let left_out = std::mem::take(&mut state.left_out);
            let next = state.waiting.pop_front();
            if left_out > 0 {
                let (count, text) = next.unwrap_or_default();
                return Some((count, note(left_out) + &text));
            }
            if next.is_some() {
                return next;
            }
            if state.is_ending {
                return None;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until this is so, for at most one second.
    fn wait_until(&self, is_so: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + WRITE_TIMEOUT;
        let mut state = self.lock();
        while !is_so(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics halfway through a change of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes places for so many lines. Returns false, and counts them, if there are none.
    fn take_place(&mut self, count: usize, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.allowed_at);
        let more = (since.as_secs_f64() * f64::from(LINES_PER_SECOND)) as u32;
        if more > 0 {
            self.allowed = self.allowed.saturating_add(more).min(BURST_LINES);
            self.allowed_at = now;
        }
        let wanted = u32::try_from(count).unwrap_or(u32::MAX);
        let has_room = self.waiting_lines + count <= WAITING_LINES_MAX;
        if self.is_ending || !has_room || wanted > self.allowed {
            self.left_out += count;
            return false;
        }
        self.allowed -= wanted;
        self.waiting_lines += count;
        true
    }
}

fn note(left_out: usize) -> String {
    let lines = if left_out == 1 {
        "line was"
    } else {
        "lines were"
    };
    format!("explain: {left_out} {lines} left out: more happened than can be told\n")
}

impl Drop for NarratorGuard {
    fn drop(&mut self) {
        self.0.lock().is_ending = true;
        self.0.changed.notify_all();
        self.0.wait_until(|state| state.is_written);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::part::Step;

    const STEP: Step = Step {
        number: 3,
        words: "accepts a connection",
    };

    /// A place that takes nothing before the test says so.
    struct Slow(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The test has ended its wait when its end of the channel is gone.
            let _go = self.0.recv();
            self.1.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flood_waits_for_nobody_and_is_counted_line_by_line() {
        let (go, wait) = mpsc::channel();
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let started = Narrator::start(Slow(wait, text.clone()), || None, "");
        let (narrator, guard) = started.expect("a thread");
        const FLOOD: usize = 100_000;
        for _ in 0..FLOOD {
            narrator.tell("", &Part::of(STEP));
        }
        // It never waited, although nothing was written so far.
        assert_eq!(text.lock().expect("no panic").len(), 0);
        drop(go);
        drop(guard);
        let text = String::from_utf8(text.lock().expect("no panic").clone()).expect("UTF-8");
        let told = text.matches("accepts a connection\n").count();
        let notes = text
            .lines()
            .filter_map(|line| line.strip_prefix("explain: "));
        let counts = notes.filter_map(|note| note.split(' ').next()?.parse::<usize>().ok());
        let left_out: usize = counts.sum();
        assert_eq!(told + left_out, FLOOD, "{told} and {left_out}");
        assert!(
            (BURST_LINES as usize..2 * BURST_LINES as usize).contains(&told),
            "{told}"
        );
    }

    #[test]
    fn after_a_flush_everything_is_written() {
        let (go, wait) = mpsc::channel();
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let started = Narrator::start(Slow(wait, text.clone()), || None, "");
        let (narrator, _guard) = started.expect("a thread");
        for _ in 0..100 {
            narrator.tell("", &Part::of(STEP));
        }
        drop(go);
        narrator.flush();
        let text = String::from_utf8(text.lock().expect("no panic").clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 100, "{text}");
    }

    #[test]
    fn without_a_listener_nothing_is_told() {
        let narrator = Narrator::default();
        assert!(!narrator.is_on());
        narrator.tell("", &Part::of(STEP));
    }
}
