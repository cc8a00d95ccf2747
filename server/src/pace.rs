//! How fast one person may say lines: by backpressure, never by dropping.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

type Limiter = RateLimiter<NotKeyed, InMemoryState, Runtime, NoOpMiddleware<Instant>>;

/// The runtime's own clock, which stands still where time is paused.
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
    /// So many lines a second, with a burst of so many at once; 0 a second means no limit.
    pub(crate) fn new(lines_per_second: u32, burst: u32) -> Self {
        let Some(rate) = NonZeroU32::new(lines_per_second) else {
            return Self(None);
        };
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(burst);
        Self(Some(RateLimiter::direct_with_clock(quota, Runtime)))
    }

    /// Takes one line's turn, or says how long to wait before asking again.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        limiter
            .check()
            .map_err(|not_until| not_until.wait_time_from(Runtime.now()))
    }

    /// Waits for one line's turn.
    pub(crate) async fn turn(&self) {
        while let Err(wait) = self.take() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
