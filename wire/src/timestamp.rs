//! A moment, as entries and the record write it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A moment in UTC, to the millisecond, from 1970 to 9999: `2026-11-21T10:00:00.123Z`
/// (RFC 3339 with three digits of seconds and `Z`, always 24 characters).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59.999Z, after which the year would need a fifth digit.
const MILLIS_MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// Returns the moment this many milliseconds after the beginning of 1970, brought into range.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, MILLIS_MAX))
    }

    /// Returns the milliseconds since the beginning of 1970.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Returns this moment as the standard library counts it.
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.unsigned_abs())
    }

    /// Reads the form that [`fmt::Display`] writes, and no other.
    ///
    /// # Errors
    ///
    /// When the text has any other form, or names a day or time that does not exist.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let moment = parse(text).ok_or(TimestampError)?;
        Ok(Self(moment))
    }

    /// Returns the 24 characters, as bytes.
    pub fn encode(self) -> [u8; 24] {
        let t = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .expect("a timestamp is between 1970 and 9999");
        let mut out = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut out[0..4], t.year().unsigned_abs());
        write_digits(&mut out[5..7], u32::from(u8::from(t.month())));
        write_digits(&mut out[8..10], u32::from(t.day()));
        write_digits(&mut out[11..13], u32::from(t.hour()));
        write_digits(&mut out[14..16], u32::from(t.minute()));
        write_digits(&mut out[17..19], u32::from(t.second()));
        write_digits(&mut out[20..23], u32::from(t.millisecond()));
        out
    }
}

/// The text is not a moment in the form `2026-11-21T10:00:00.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time has the form 2026-11-21T10:00:00.123Z")]
pub struct TimestampError;

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        Self::from_unix_millis(i64::try_from(millis).unwrap_or(MILLIS_MAX))
    }
}

fn write_digits(out: &mut [u8], mut value: u32) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn parse(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() != 24 || b[4] != b'-' || b[7] != b'-' || b[10] != b'T' || b[13] != b':' {
        return None;
    }
    if b[16] != b':' || b[19] != b'.' || b[23] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        b[from..to].iter().try_fold(0i32, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + i32::from(digit - b'0'))
        })
    };
    let small = |from, to| number(from, to).and_then(|n| u8::try_from(n).ok());
    let month = time::Month::try_from(small(5, 7)?).ok()?;
    let date = time::Date::from_calendar_date(number(0, 4)?, month, small(8, 10)?).ok()?;
    let millisecond = u16::try_from(number(20, 23)?).ok()?;
    let clock =
        time::Time::from_hms_milli(small(11, 13)?, small(14, 16)?, small(17, 19)?, millisecond)
            .ok()?;
    let millis = date.with_time(clock).assume_utc().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(millis).ok().filter(|millis| *millis >= 0)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.encode()).expect("digits and signs are ASCII"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_was_written() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_255_200_123, "2026-11-21T10:00:00.123Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (MILLIS_MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            let moment = Timestamp::from_unix_millis(millis);
            assert_eq!(moment.to_string(), text);
            assert_eq!(Timestamp::parse(text), Ok(moment));
        }
    }

    #[test]
    fn no_other_form_is_a_moment() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T10:00:00Z",
            "2026-11-21 10:00:00.123Z",
            "2026-02-30T10:00:00.123Z",
            "2026-11-21T24:00:00.123Z",
            "2026-11-21T10:00:00.123+",
            "+026-11-21T10:00:00.123Z",
            "1969-12-31T23:59:59.999Z",
            "２026-11-21T10:00:00.1Z",
        ] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn a_clock_out_of_range_is_brought_into_it() {
        assert_eq!(Timestamp::from_unix_millis(-5), Timestamp::EPOCH);
        assert_eq!(
            Timestamp::from_unix_millis(i64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }
}
