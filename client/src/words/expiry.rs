//! How long a certificate is still good.

use wire::Timestamp;

use super::clock::Clock;
use crate::limits::EXPIRY_NOTICE_DAYS;

/// The end of a certificate, seen from a moment before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    end: Timestamp,
    /// Whole days, rounded down.
    days_left: u64,
}

impl Expiry {
    /// The end of a certificate as it is at `now`, by whichever clock counts.
    pub(crate) fn new(now: Timestamp, end: Timestamp) -> Self {
        const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
        let left = (end.unix_millis() - now.unix_millis()) / DAY_MILLIS;
        Self {
            end,
            days_left: u64::try_from(left).unwrap_or(0),
        }
    }

    /// Returns whether the person should ask for another certificate by now.
    pub(crate) fn is_near(&self) -> bool {
        self.days_left < EXPIRY_NOTICE_DAYS
    }

    /// Returns `9 days`, `one day` or `less than a day`.
    pub(crate) fn left(&self) -> String {
        match self.days_left {
            0 => "less than a day".to_owned(),
            1 => "one day".to_owned(),
            days => format!("{days} days"),
        }
    }

    /// Returns the notice for the person.
    pub(crate) fn notice(&self, clock: &Clock) -> String {
        let end = match self.days_left {
            0 => clock.show(self.end),
            _ => clock.show_day(self.end),
        };
        let left = self.left();
        format!("your certificate expires in {left} ({end}): ask for another")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_how_long_their_certificate_is_still_good() {
        let time = |text| Timestamp::parse(text).expect("a time");
        let end = time("2026-12-01T00:00:00.000Z");
        for (now, left) in [
            ("2026-11-21T00:00:00.000Z", "10 days (2026-12-01)"),
            ("2026-11-21T00:00:00.001Z", "9 days (2026-12-01)"),
            ("2026-11-30T00:00:00.000Z", "one day (2026-12-01)"),
            (
                "2026-11-30T00:00:00.001Z",
                "less than a day (2026-12-01 00:00:00)",
            ),
            (
                "2026-12-01T00:00:00.500Z",
                "less than a day (2026-12-01 00:00:00)",
            ),
        ] {
            assert_eq!(
                Expiry::new(time(now), end).notice(&Clock::utc()),
                format!("your certificate expires in {left}: ask for another")
            );
        }
    }

    #[test]
    fn the_end_is_near_for_two_weeks() {
        let end = Timestamp::from_unix_millis(1_795_287_600_000);
        let before = |days: i64| {
            let now = end.unix_millis() - days * 24 * 60 * 60 * 1000;
            Expiry::new(Timestamp::from_unix_millis(now), end)
        };
        assert!(before(13).is_near() && before(0).is_near() && before(-1).is_near());
        assert!(!before(14).is_near() && !before(100).is_near());
    }
}
