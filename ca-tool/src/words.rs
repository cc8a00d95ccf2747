//! Small pieces of text that every layer needs: counts, short lists, days. Nothing here knows about
//! certificates.

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use time::{Date, Month, OffsetDateTime, UtcOffset};

/// Returns a count with its noun: `1 file`, `2 files`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Returns the first `max` names, and how many more there are: `a, b and 3 more`.
pub(crate) fn first_few(names: &[String], max: usize, separator: &str) -> String {
    let shown = names[..names.len().min(max)].join(separator);
    match names.len().saturating_sub(max) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// How many names fit into one line for people; `ca-tool list` shows all of them.
pub(crate) const NAMES_SHOWN_MAX: usize = 8;

/// Returns a moment as the server's record writes it, without fractions: `2027-05-20T23:59:59Z`.
pub(crate) fn moment(moment: OffsetDateTime) -> String {
    let text = wire::Timestamp::from(std::time::SystemTime::from(moment)).to_string();
    format!("{}Z", &text[.."2027-05-20T23:59:59".len()])
}

/// A moment in a report. Programs read it as [`moment`] writes it, people mostly want its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) OffsetDateTime);

impl Moment {
    /// Returns its day where this machine is.
    pub(crate) fn day(self) -> Date {
        day(self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&moment(self.0))
    }
}

/// Returns the day of a moment where this machine is: people read days as their own.
pub(crate) fn day(moment: OffsetDateTime) -> Date {
    day_in(moment, &TimeZone::system())
}

/// Returns the last second of a day where this machine is: whoever types a day means their own.
pub(crate) fn end_of(day: Date) -> OffsetDateTime {
    end_in(day, &TimeZone::system())
}

/// Returns a moment with its time of day where this machine is, for when the day alone is not enough:
/// `2027-01-31 23:59:59 -08:00 (America/Los_Angeles)`.
pub(crate) fn local(moment: OffsetDateTime) -> String {
    let zone = TimeZone::system();
    let local = zoned(moment, &zone);
    let shown = local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
    match zone.iana_name() {
        Some(name) => format!("{shown} ({name})"),
        None => shown,
    }
}

/// Returns a moment to the minute where this machine is, for people elsewhere too:
/// `2027-01-31 23:59 (UTC-8)`.
pub(crate) fn minute(moment: OffsetDateTime) -> String {
    minute_in(moment, &TimeZone::system())
}

fn minute_in(moment: OffsetDateTime, zone: &TimeZone) -> String {
    let local = zoned(moment, zone);
    let shown = local.strftime("%Y-%m-%d %H:%M");
    let minutes = local.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => format!("{shown} UTC"),
        (hours, 0) => format!("{shown} (UTC{sign}{hours})"),
        (hours, minutes) => format!("{shown} (UTC{sign}{hours}:{minutes:02})"),
    }
}

fn day_in(moment: OffsetDateTime, zone: &TimeZone) -> Date {
    let local = zoned(moment, zone);
    let month = u8::try_from(local.month()).ok();
    let month = month.and_then(|month| Month::try_from(month).ok());
    let day = u8::try_from(local.day()).ok();
    month
        .zip(day)
        .and_then(|(month, day)| Date::from_calendar_date(local.year().into(), month, day).ok())
        .unwrap_or_else(|| moment.to_offset(UtcOffset::UTC).date())
}

/// The end of a day is where the next one begins. That need not be midnight: in Cairo, Beirut or Havana
/// the clocks are changed at midnight, so that it does not exist on one day and exists twice on another.
fn end_in(day: Date, zone: &TimeZone) -> OffsetDateTime {
    let in_utc = || day.with_time(time::macros::time!(23:59:59)).assume_utc();
    let next = || {
        let day = jiff::civil::Date::new(
            i16::try_from(day.year()).ok()?,
            i8::try_from(u8::from(day.month())).ok()?,
            i8::try_from(day.day()).ok()?,
        );
        let next = day.ok()?.tomorrow().ok()?;
        let begin = next.to_zoned(zone.clone()).ok()?.timestamp();
        OffsetDateTime::from_unix_timestamp(begin.as_second() - 1).ok()
    };
    // Only the last days that a calendar can hold have no next one.
    next().unwrap_or_else(in_utc)
}

fn zoned(moment: OffsetDateTime, zone: &TimeZone) -> jiff::Zoned {
    let seconds = moment.unix_timestamp();
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    moment.to_zoned(zone.clone())
}

/// Returns a byte as two hexadecimal digits.
pub(crate) fn hex(byte: u8) -> String {
    format!("{byte:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_everything_else_is_many() {
        let files = |count| counted(count, "file", "files");
        assert_eq!(
            [files(0), files(1), files(2)],
            ["0 files", "1 file", "2 files"]
        );
    }

    #[test]
    fn a_moment_is_written_in_utc_for_programs_and_in_the_zone_of_this_machine_for_people() {
        let late = Moment(time::macros::datetime!(2027-05-20 23:59:59.7 -1:00));
        let written = serde_json::to_string(&late).expect("JSON");
        assert_eq!(written, "\"2027-05-21T00:59:59Z\"");
        for (zone, day, minute) in [
            ("UTC", "2027-05-21", "2027-05-21 00:59 UTC"),
            (
                "America/Los_Angeles",
                "2027-05-20",
                "2027-05-20 17:59 (UTC-7)",
            ),
            ("Asia/Kolkata", "2027-05-21", "2027-05-21 06:29 (UTC+5:30)"),
            (
                "Pacific/Marquesas",
                "2027-05-20",
                "2027-05-20 15:29 (UTC-9:30)",
            ),
        ] {
            let there = TimeZone::get(zone).expect(zone);
            assert_eq!(day_in(late.0, &there).to_string(), day, "{zone}");
            assert_eq!(minute_in(late.0, &there), minute);
        }
        assert_eq!(late.day(), day_in(late.0, &TimeZone::system()));
    }

    #[test]
    fn a_short_list_is_shown_whole_and_a_long_one_with_how_many_more_there_are() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_few(&names, 3, ", "), "a, b, c");
        assert_eq!(first_few(&names, 2, " "), "a b and 1 more");
        assert_eq!(first_few(&[], 2, " "), "");
    }

    #[test]
    fn a_day_ends_where_it_is_typed_also_where_midnight_is_missing_or_comes_twice() {
        use time::macros::{date, datetime};

        for (zone, day, end) in [
            (
                "UTC",
                date!(2027 - 01 - 31),
                datetime!(2027-01-31 23:59:59 UTC),
            ),
            (
                "America/Los_Angeles",
                date!(2027 - 01 - 31),
                datetime!(2027-02-01 07:59:59 UTC),
            ),
            (
                "Pacific/Kiritimati",
                date!(2027 - 01 - 31),
                datetime!(2027-01-31 09:59:59 UTC),
            ),
            (
                "Asia/Kolkata",
                date!(2027 - 01 - 31),
                datetime!(2027-01-31 18:29:59 UTC),
            ),
            // In Cairo 2026-04-24 begins at 01:00, so the 23rd ends at 23:59:59 at UTC+2.
            (
                "Africa/Cairo",
                date!(2026 - 04 - 23),
                datetime!(2026-04-23 21:59:59 UTC),
            ),
            (
                "Africa/Cairo",
                date!(2026 - 04 - 24),
                datetime!(2026-04-24 20:59:59 UTC),
            ),
            // There 2026-10-29 has its last hour twice; the second one ends the day.
            (
                "Africa/Cairo",
                date!(2026 - 10 - 29),
                datetime!(2026-10-29 21:59:59 UTC),
            ),
            // In Havana 2026-11-01 has its first hour twice; the first one begins the day.
            (
                "America/Havana",
                date!(2026 - 10 - 31),
                datetime!(2026-11-01 03:59:59 UTC),
            ),
        ] {
            let there = TimeZone::get(zone).expect(zone);
            assert_eq!(end_in(day, &there), end, "{zone} {day}");
            // The day is shown as it was typed, to its last second and no longer.
            assert_eq!(day_in(end, &there), day, "{zone} {day}");
            let after = end + time::Duration::SECOND;
            assert_eq!(
                day_in(after, &there),
                day.next_day().expect("a day"),
                "{zone}"
            );
        }
    }
}
