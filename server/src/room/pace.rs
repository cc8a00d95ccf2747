//! Limits how fast one person may say lines: by backpressure, never by dropping lines.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;
use wire::limits::TEXT_BYTES_MAX;

use crate::config::Limits;

type Limiter = RateLimiter<NotKeyed, InMemoryState, Runtime, NoOpMiddleware<Instant>>;

/// The runtime's clock, which stands still while time is paused.
#[derive(Debug, Clone)]
struct Runtime;

impl Clock for Runtime {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// One person's pace, over all of their sessions.
#[derive(Debug)]
pub(crate) struct Pace(Option<Limiter>);

impl Pace {
    /// Allows this many lines per second, and a burst; 0 lines per second means no limit.
    pub(crate) fn new(lines_per_second: u32, burst: u32) -> Self {
        let Some(rate) = NonZeroU32::new(lines_per_second) else {
            return Self(None);
        };
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(burst);
        Self(Some(RateLimiter::direct_with_clock(quota, Runtime)))
    }

    /// Takes a turn for one line, or returns how long to wait before trying again.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        limiter
            .check()
            .map_err(|not_until| not_until.wait_time_from(Runtime.now()))
    }

    /// Waits for a turn for one line.
    pub(crate) async fn turn(&self) {
        while let Err(wait) = self.take() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// The limits for one person over all of their sessions: lines, and bytes of text.
#[derive(Debug)]
pub(crate) struct Paces {
    lines: Pace,
    bytes: BytePace,
}

/// How fast one person may speak; a rate of 0 means no limit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PaceRules {
    /// Lines per second.
    pub(crate) line_rate: u32,
    /// Lines in a burst.
    pub(crate) line_burst: u32,
    /// Bytes of text per second.
    pub(crate) byte_rate: u32,
    /// Bytes of text in a burst.
    pub(crate) byte_burst: u32,
}

impl PaceRules {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            line_rate: limits.line_rate,
            line_burst: limits.line_burst,
            byte_rate: limits.byte_rate,
            byte_burst: limits.byte_burst,
        }
    }

    /// Returns the paces of a new person.
    pub(crate) fn paces(&self) -> Paces {
        Paces {
            lines: Pace::new(self.line_rate, self.line_burst),
            bytes: BytePace::new(self.byte_rate, self.byte_burst),
        }
    }

    /// Returns how long an exhausted pace takes to recover completely.
    pub(crate) fn rest(&self) -> Duration {
        let fill = |burst: u32, rate: u32| match rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs(burst.div_ceil(rate).into()),
        };
        fill(self.line_burst, self.line_rate).max(fill(self.byte_burst, self.byte_rate))
    }
}

impl Paces {
    /// Waits for a turn for one line with this many bytes of text.
    pub(crate) async fn turn(&self, bytes: usize) {
        self.lines.turn().await;
        self.bytes.turn(bytes).await;
    }

    /// Returns the bytes of a line that adds nothing to the record.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.bytes.give_back(bytes);
    }
}

/// One person's pace in bytes: a bucket that is refilled at a steady rate.
///
/// Not governor's limiter: nothing can be given back to it.
#[derive(Debug)]
pub(crate) struct BytePace {
    /// The time in which one byte is refilled. Zero means that there is no limit.
    nanos_per_byte: u64,
    /// The time in which an empty bucket becomes full.
    nanos_to_fill: u64,
    made_at: Instant,
    /// When the bucket is full again, in nanoseconds after it was made.
    full_at_nanos: AtomicU64,
    given_back: Notify,
}

impl BytePace {
    /// Allows this many bytes per second, and a burst; 0 bytes per second means no limit. The
    /// longest text fits into the smallest bucket.
    pub(crate) fn new(bytes_per_second: u32, burst: u32) -> Self {
        let nanos_per_byte = match bytes_per_second {
            0 => 0,
            rate => NANOS_PER_SECOND.div_ceil(u64::from(rate)),
        };
        let burst = u64::from(burst).max(TEXT_BYTES_MAX as u64);
        Self {
            nanos_per_byte,
            nanos_to_fill: burst.saturating_mul(nanos_per_byte),
            made_at: Runtime.now(),
            full_at_nanos: AtomicU64::new(0),
            given_back: Notify::new(),
        }
    }

    /// Takes this many bytes, or returns how long to wait before trying again.
    fn take(&self, bytes: usize, now: Instant) -> Result<(), Duration> {
        if self.nanos_per_byte == 0 || bytes == 0 {
            return Ok(());
        }
        let now = self.nanos_at(now);
        let cost = self.nanos_per_byte.saturating_mul(bytes as u64);
        let mut wait = 0;
        let take = |full_at: u64| {
            let full_at = full_at.max(now).saturating_add(cost);
            wait = full_at.saturating_sub(now.saturating_add(self.nanos_to_fill));
            (wait == 0).then_some(full_at)
        };
        // No other data depends on this number.
        self.full_at_nanos
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(|_| ())
            .map_err(|_| Duration::from_nanos(wait))
    }

    fn give_back(&self, bytes: usize) {
        let cost = self.nanos_per_byte.saturating_mul(bytes as u64);
        if cost == 0 {
            return;
        }
        // A bucket that was full before now is full, not fuller: `take` counts from now.
        let give = |full_at: u64| Some(full_at.saturating_sub(cost));
        let _always_given =
            self.full_at_nanos
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
        self.given_back.notify_waiters();
    }

    async fn turn(&self, bytes: usize) {
        loop {
            let given_back = self.given_back.notified();
            let Err(wait) = self.take(bytes, Runtime.now()) else {
                return;
            };
            // The timer comes first: both branches can be ready at once.
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => {}
                () = given_back => {}
            }
        }
    }

    fn nanos_at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.made_at).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_bytes_passes_and_the_next_line_waits_for_as_long_as_its_bytes_take() {
        let pace = BytePace::new(4096, 65536);
        let start = pace.made_at;
        let after = |millis| start + Duration::from_millis(millis);
        for _ in 0..16 {
            assert_eq!(pace.take(4096, start), Ok(()));
        }
        let nearly = |wait: Result<(), Duration>, millis: u64| {
            let wait = wait.expect_err("the burst is spent");
            let off = wait.abs_diff(Duration::from_millis(millis));
            assert!(off < Duration::from_millis(1), "{wait:?}");
        };
        nearly(pace.take(4096, start), 1000);
        nearly(pace.take(2048, start), 500);
        nearly(pace.take(4096, after(600)), 400);
        assert_eq!(pace.take(4096, after(1001)), Ok(()));
        nearly(pace.take(4096, after(1001)), 1000);
        // Commands and refused lines add nothing to the record.
        assert_eq!(pace.take(0, after(1001)), Ok(()));
        // It is full after 16 seconds, and never more than that.
        for _ in 0..16 {
            assert_eq!(pace.take(4096, after(100_000)), Ok(()));
        }
        nearly(pace.take(4096, after(100_000)), 1000);
        assert_eq!(BytePace::new(0, 0).take(1 << 40, start), Ok(()));
    }

    #[test]
    fn returned_bytes_can_be_taken_again_and_a_full_bucket_stays_full() {
        let pace = BytePace::new(4096, 4096);
        let start = pace.made_at;
        assert_eq!(pace.take(4096, start), Ok(()));
        assert!(pace.take(1000, start).is_err());
        pace.give_back(4096);
        assert_eq!(pace.take(4096, start), Ok(()));
        let later = start + Duration::from_secs(60);
        pace.give_back(4096);
        assert_eq!(pace.take(4096, later), Ok(()));
        assert!(pace.take(1000, later).is_err());
    }

    #[test]
    fn the_longest_text_fits_into_the_smallest_bucket() {
        let pace = BytePace::new(128, 1);
        assert_eq!(pace.take(TEXT_BYTES_MAX, pace.made_at), Ok(()));
        assert!(pace.take(1, pace.made_at).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_line_continues_when_bytes_are_given_back() {
        let rules = PaceRules {
            byte_rate: 128,
            byte_burst: 4096,
            ..PaceRules::default()
        };
        let pace = rules.paces();
        pace.turn(4096).await;
        let began = Runtime.now();
        let give_back = async { pace.give_back(4096) };
        tokio::join!(biased; pace.turn(4096), give_back);
        assert_eq!(Runtime.now() - began, Duration::ZERO);
        let began = Runtime.now();
        pace.turn(128).await;
        let waited = Runtime.now() - began;
        assert!(waited >= Duration::from_secs(1), "{waited:?}");
    }

    #[test]
    fn a_burst_passes_and_the_next_line_waits() {
        let pace = Pace::new(10, 20);
        let passed = (0..100).take_while(|_| pace.take().is_ok()).count();
        assert!((20..=22).contains(&passed), "{passed}");
        let wait = pace.take().expect_err("the burst is spent");
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
    }

    #[test]
    fn no_limit_is_no_limit() {
        let pace = Pace::new(0, 0);
        assert!((0..10_000).all(|_| pace.take().is_ok()));
    }
}
