//! Tracks when a session was last heard from.
//!
//! The half that reads notes it, and `EndWatch` checks it when it is time to: no timer is set again
//! for each line.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Marks the time while nobody listens to the session.
const EXCUSED: u64 = u64::MAX;

/// When a session was last heard from, counting only while the server listened.
#[derive(Debug)]
pub(crate) struct LastHeard {
    began: Instant,
    /// Nanoseconds since `began`.
    nanoseconds: AtomicU64,
}

impl LastHeard {
    /// Returns a session that was heard from just now.
    pub(crate) fn now() -> Self {
        Self {
            began: Instant::now(),
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// Notes that something was heard, or that the server listens again.
    pub(crate) fn note(&self) {
        let nanoseconds = u64::try_from(self.began.elapsed().as_nanos());
        let nanoseconds = nanoseconds.expect("no server runs for 500 years");
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }

    /// Notes that from now on the server does not read.
    pub(crate) fn excuse(&self) {
        self.nanoseconds.store(EXCUSED, Ordering::Relaxed);
    }

    /// Returns when the session will have been silent for this long if nothing is heard until then.
    pub(crate) fn silent_at(&self, timeout: Duration) -> Instant {
        match self.nanoseconds.load(Ordering::Relaxed) {
            EXCUSED => Instant::now() + timeout,
            nanoseconds => self.began + Duration::from_nanos(nanoseconds) + timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(90);

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_what_was_heard_last_and_not_while_nobody_listens() {
        let heard = LastHeard::now();
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(heard.silent_at(TIMEOUT), began + TIMEOUT);

        heard.note();
        let noted = Instant::now();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(heard.silent_at(TIMEOUT), noted + TIMEOUT);

        heard.excuse();
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(heard.silent_at(TIMEOUT), Instant::now() + TIMEOUT);
    }
}
