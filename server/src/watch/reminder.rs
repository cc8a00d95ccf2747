//! Decides when the log repeats a warning about something that has not changed: at once, and then
//! not too often.

use std::time::{Duration, Instant};

/// Decides when it is time to warn about one thing that may be bad.
#[derive(Debug)]
pub(crate) struct Reminder {
    interval: Duration,
    told_at: Option<Instant>,
}

impl Reminder {
    /// Returns a reminder that warns at once and then after each `interval`.
    pub(crate) fn every(interval: Duration) -> Self {
        Self {
            interval,
            told_at: None,
        }
    }

    /// Returns whether it is time to warn. A thing that was good again and becomes bad is reported
    /// at once.
    pub(crate) fn is_due(&mut self, is_bad: bool, now: Instant) -> bool {
        if !is_bad {
            self.told_at = None;
            return false;
        }
        let is_due = self
            .told_at
            .is_none_or(|at| now.duration_since(at) >= self.interval);
        if is_due {
            self.told_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_problem_is_reported_at_once_and_then_every_hour() {
        let mut reminder = Reminder::every(Duration::from_secs(60 * 60));
        let begun = Instant::now();
        let mut told = |is_bad, minutes: u64| {
            reminder.is_due(is_bad, begun + Duration::from_secs(60 * minutes))
        };
        assert!(!told(false, 0));
        assert!(told(true, 1));
        assert!(!told(true, 2));
        assert!(!told(true, 60));
        assert!(told(true, 61));
        assert!(!told(true, 62));
        // It was mended, and is bad again by now.
        assert!(!told(false, 63));
        assert!(told(true, 64));
    }
}
