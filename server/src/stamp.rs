//! Which time an entry gets, when the clock is not to be trusted blindly.

use std::time::Duration;

use wire::Timestamp;

/// How far a clock may fall behind before it is believed.
pub(crate) const CLOCK_BACK_MAX: Duration = Duration::from_secs(60 * 60);

/// What the clock did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It went on, or back by so little that times stand still until it has caught up.
    Steady,
    /// It is further back than an hour: it was wrong before or is wrong now.
    Back(Duration),
}

/// The time of the next entry: never below its predecessor's, unless the clock is more than an
/// hour behind. One wrong step into the future must not stamp everything with it for years.
pub(crate) fn stamp(now: Timestamp, last: Timestamp) -> (Timestamp, Step) {
    let behind = last.unix_millis() - now.unix_millis();
    let behind = Duration::from_millis(u64::try_from(behind).unwrap_or(0));
    if behind > CLOCK_BACK_MAX {
        (now, Step::Back(behind))
    } else {
        (now.max(last), Step::Steady)
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
}
