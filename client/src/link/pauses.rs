//! The pauses between tries to connect.

use std::time::Duration;

use crate::limits::{PAUSE_FIRST, PAUSE_MAX};

/// Full jitter: a random time below a bound that doubles, so that a whole class does not come back
/// at the same moment.
pub struct Pauses {
    first: Duration,
    max: Duration,
    bound: Duration,
    /// Returns a random number; without one the pause is the bound itself.
    random: Box<dyn FnMut() -> Option<u64> + Send + Sync>,
}

impl Default for Pauses {
    fn default() -> Self {
        let random = || getrandom::u64().ok();
        Self::new(PAUSE_FIRST, PAUSE_MAX, random)
    }
}

impl std::fmt::Debug for Pauses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pauses")
            .field("first", &self.first)
            .field("max", &self.max)
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

impl Pauses {
    /// Creates pauses whose bounds begin at `first` and double up to `max`, with a source of random
    /// numbers.
    pub fn new(
        first: Duration,
        max: Duration,
        random: impl FnMut() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            first,
            max,
            bound: first,
            random: Box::new(random),
        }
    }

    /// Returns the next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(self.max);
        let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX - 1);
        let random = (self.random)();
        random.map_or(bound, |random| Duration::from_millis(random % (millis + 1)))
    }

    pub(super) fn reset(&mut self) {
        self.bound = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_longest_and_a_pause_is_anything_below_its_bound() {
        let bounds = [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000];
        let by = |random: Option<u64>| Pauses::new(PAUSE_FIRST, PAUSE_MAX, move || random);
        let (mut full, mut none) = (by(None), by(Some(0)));
        let mut some = by(Some(u64::MAX - 12345));
        for bound in bounds.map(Duration::from_millis) {
            assert_eq!(full.next(), bound);
            assert_eq!(none.next(), Duration::ZERO);
            assert!(some.next() <= bound);
        }
        let all: std::collections::BTreeSet<Duration> =
            (0..=500).map(|random| by(Some(random)).next()).collect();
        assert_eq!(all.len(), 501);
        assert_eq!(all.last(), Some(&PAUSE_FIRST));
    }
}
