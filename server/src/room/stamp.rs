//! Decides the time of an entry when the clock cannot be trusted blindly.

use std::time::Duration;

use wire::Timestamp;

/// How far the clock may fall behind before it is believed.
pub(crate) const CLOCK_BACK_MAX: Duration = Duration::from_secs(60 * 60);

/// The change of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It went forward, or back by so little that times stand still until it has caught up.
    Steady,
    /// It went back by more than an hour: it was wrong before or is wrong now.
    Back(Duration),
}

/// Returns the time of the next entry: never before its predecessor's, unless the clock is more
/// than an hour behind. One wrong step into the future must not mark all entries with it for years.
pub(crate) fn stamp(now: Timestamp, last: Timestamp) -> (Timestamp, Step) {
    let behind = last.unix_millis() - now.unix_millis();
    let behind = Duration::from_millis(u64::try_from(behind).unwrap_or(0));
    if behind > CLOCK_BACK_MAX {
        (now, Step::Back(behind))
    } else {
        (now.max(last), Step::Steady)
    }
}

/// Returns the end of a session that began at `since` and `lasted` this long. If the clock was set
/// meanwhile, it would turn a minute of presence into years, or a day into nothing.
pub(crate) fn end(at: Timestamp, since: Timestamp, lasted: Duration) -> Timestamp {
    let lasted = i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX);
    let by_clock = at.unix_millis() - since.unix_millis();
    let was_set = u128::from(by_clock.abs_diff(lasted)) > CLOCK_BACK_MAX.as_millis();
    if was_set {
        Timestamp::from_unix_millis(since.unix_millis().saturating_add(lasted))
    } else {
        at.max(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_never_below_its_predecessors_unless_the_clock_was_far_ahead() {
        let at = Timestamp::from_unix_millis;
        let hour = 3_600_000;
        for (now, last, stamped, step) in [
            (5, 3, 5, Step::Steady),
            (3, 5, 5, Step::Steady),
            (1000, 1000 + hour, 1000 + hour, Step::Steady),
            (
                1000,
                1001 + hour,
                1000,
                Step::Back(Duration::from_millis(3_600_001)),
            ),
        ] {
            assert_eq!(stamp(at(now), at(last)), (at(stamped), step));
        }
    }

    #[test]
    fn a_session_has_lasted_as_long_as_it_did_whatever_was_done_to_the_clock() {
        let at = Timestamp::from_unix_millis;
        let (minute, hour, year) = (60_000, 3_600_000, 365 * 24 * 3_600_000);
        let (since, lasted) = (at(40 * year), Duration::from_secs(60));
        for (by_clock, ended) in [
            (minute, minute),
            // A machine that slept for a while, and a clock that was corrected by a little.
            (hour, hour),
            (-minute, 0),
            // A clock that was set, in either direction.
            (hour + minute + 1, minute),
            (10 * year, minute),
            (-year, minute),
        ] {
            let by_clock = at(40 * year + by_clock);
            assert_eq!(end(by_clock, since, lasted), at(40 * year + ended));
        }
    }
}
