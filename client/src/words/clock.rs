//! Times for people: in their own zone, or in UTC when they ask for it.
// The `time` crate refuses local offsets in a program with threads, so this is jiff's work.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;

/// The time zone in which times are shown.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Returns the clock of this machine and its user (`TZ`, or the system's setting).
    pub fn local() -> Self {
        Self {
            zone: TimeZone::system(),
        }
    }

    /// Returns the clock of UTC.
    pub fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
        }
    }

    /// Returns `2026-11-21 19:00:00`.
    pub fn show(&self, at: wire::Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// Returns `2026-11-21`.
    pub fn show_day(&self, at: wire::Timestamp) -> String {
        self.format(at, "%Y-%m-%d")
    }

    fn format(&self, at: wire::Timestamp, form: &str) -> String {
        // jiff leaves out the last day of 9999, so that every zone can show all of its times.
        let at =
            jiff::Timestamp::from_millisecond(at.unix_millis()).unwrap_or(jiff::Timestamp::MAX);
        at.to_zoned(self.zone.clone()).strftime(form).to_string()
    }

    /// Returns the same for a moment of the system's clock, such as a certificate's dates.
    pub fn show_system(&self, at: SystemTime) -> String {
        self.show(wire::Timestamp::from(at))
    }
}

/// Returns `0.3 s` or `4 s`.
pub(crate) fn seconds(pause: Duration) -> String {
    if pause < Duration::from_secs(1) {
        format!("{:.1} s", pause.as_secs_f32())
    } else {
        format!("{:.0} s", pause.as_secs_f32())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_zone_that_was_asked_for() {
        let at = wire::Timestamp::parse("2026-11-21T23:30:00.999Z").expect("a time");
        assert_eq!(Clock::utc().show(at), "2026-11-21 23:30:00");
        let zone = TimeZone::posix("CST-8").expect("a zone");
        let clock = Clock { zone };
        assert_eq!(clock.show(at), "2026-11-22 07:30:00");
        assert_eq!(clock.show_day(at), "2026-11-22");
    }

    #[test]
    fn the_ends_of_time_can_be_shown_in_every_zone() {
        for zone in ["CST-8", "BIT+12"] {
            let clock = Clock {
                zone: TimeZone::posix(zone).expect("a zone"),
            };
            clock.show(wire::Timestamp::EPOCH);
            clock.show(wire::Timestamp::from_unix_millis(i64::MAX));
        }
    }
}
