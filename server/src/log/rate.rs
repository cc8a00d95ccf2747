//! Limits how often a line may be logged. This covers everything that has no limit where it is
//! logged, in particular all log lines of libraries: a peer may cause any of them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::queue::Queue;

/// The target of events that are limited where they are logged, or by the cost of their cause. Each
/// call site says how.
pub(crate) const BOUNDED: &str = "server::bounded";

/// Lines per second for each call site of ours, and for all libraries together.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;

/// Lines in a burst for each call site of ours.
const OWN_BURST: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// Lines in a burst for all libraries together.
const LIBRARY_BURST: NonZeroU32 = NonZeroU32::new(3).expect("not zero");

/// Lines with the target [`BOUNDED`], for all call sites together: enough for a class that enters
/// at once, and then for 240 members who come and go as fast as they may.
const BOUNDED_PER_SECOND: NonZeroU32 = NonZeroU32::new(40).expect("not zero");
const BOUNDED_BURST: NonZeroU32 = NonZeroU32::new(2000).expect("not zero");

/// Passes events that are not too frequent, and counts the rest in each queue.
pub(super) struct Rates {
    queues: Vec<Arc<Queue>>,
    /// A limiter for each call site of ours, so that log lines caused by strangers hide nothing
    /// else.
    own: Mutex<HashMap<Identifier, DefaultDirectRateLimiter>>,
    libraries: DefaultDirectRateLimiter,
    bounded: DefaultDirectRateLimiter,
}

impl Rates {
    pub(super) fn new(queues: Vec<Arc<Queue>>) -> Self {
        Self {
            queues,
            own: Mutex::default(),
            libraries: limiter(LIBRARY_BURST),
            bounded: RateLimiter::direct(
                Quota::per_second(BOUNDED_PER_SECOND).allow_burst(BOUNDED_BURST),
            ),
        }
    }

    fn admits(&self, metadata: &Metadata<'_>) -> bool {
        // Events below `info` are off unless RUST_LOG asks for them.
        if *metadata.level() > Level::INFO {
            return true;
        }
        if metadata.target() == BOUNDED {
            return self.bounded.check().is_ok();
        }
        let from = metadata.target().split("::").next();
        if from != Some(env!("CARGO_CRATE_NAME")) {
            return self.libraries.check().is_ok();
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = own
            .entry(metadata.callsite())
            .or_insert_with(|| limiter(OWN_BURST));
        limiter.check().is_ok()
    }
}

fn limiter(burst: NonZeroU32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_second(LINES_PER_SECOND).allow_burst(burst))
}

impl<S: Subscriber> Layer<S> for Rates {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        let is_admitted = self.admits(event.metadata());
        if !is_admitted {
            for queue in &self.queues {
                queue.miss();
            }
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use tracing::{debug, info, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::super::layer;
    use super::*;

    /// Returns everything that is logged meanwhile.
    fn logged(log: impl Fn()) -> String {
        let queue = Arc::new(Queue::default());
        let format = tracing_subscriber::fmt::format().with_ansi(false);
        let subscriber = tracing_subscriber::registry()
            .with(Rates::new(vec![queue.clone()]))
            .with(layer(queue.clone(), format));
        tracing::subscriber::with_default(subscriber, log);
        queue.end();
        let place = Arc::new(Mutex::new(Vec::new()));
        queue.write_to(Shared(place.clone()));
        queue.wait_until_written(Instant::now() + Duration::from_secs(30));
        let bytes = place.lock().expect("nobody else has it").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody else has it").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Returns how often a text was logged, and how many lines the note counts.
    fn counts(log: &str, text: &str) -> (usize, usize) {
        let note = log.lines().find_map(|line| {
            let (before, _) = line.split_once(" log lines were not written")?;
            before.rsplit(' ').next()?.parse().ok()
        });
        (log.matches(text).count(), note.unwrap_or_default())
    }

    #[test]
    fn log_lines_of_libraries_are_limited_together_and_the_rest_are_counted() {
        let log = logged(|| {
            for _ in 0..500 {
                warn!(target: "rustls::msgs::handshake", "library");
                warn!(target: "log", "library");
                warn!(target: "serverless", "library");
            }
        });
        let (lines, missed) = counts(&log, "library");
        assert!((3..20).contains(&lines), "{lines}");
        assert_eq!(lines + missed, 1500);
    }

    #[test]
    fn each_place_in_our_source_is_limited_by_itself() {
        let log = logged(|| {
            for _ in 0..1000 {
                warn!("often");
            }
            info!("seldom");
        });
        let (lines, missed) = counts(&log, "often");
        assert!((10..30).contains(&lines), "{lines}");
        assert_eq!(lines + missed, 1000);
        assert_eq!(counts(&log, "seldom").0, 1);
    }

    #[test]
    fn events_with_their_own_limit_or_below_info_are_all_logged() {
        let log = logged(|| {
            for _ in 0..1000 {
                info!(target: BOUNDED, "entered");
                debug!("asked for");
            }
        });
        assert_eq!(counts(&log, "entered"), (1000, 0));
        assert_eq!(counts(&log, "asked for"), (1000, 0));
    }
}
