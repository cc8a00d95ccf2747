//! A moment as OpenSSL's database writes it.

use time::{Date, Month, OffsetDateTime, Time};

/// Writes `YYMMDDHHMMSSZ`, and from 2050 on `YYYYMMDDHHMMSSZ`, as certificates do.
pub(super) fn format_moment(moment: OffsetDateTime) -> String {
    let year = moment.year();
    let year = match year {
        1950..2050 => format!("{:02}", year % 100),
        _ => format!("{year:04}"),
    };
    format!(
        "{year}{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// Reads what [`format_moment`] wrote.
pub(super) fn parse_moment(text: &str) -> Option<OffsetDateTime> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match digits.len() {
        12 => {
            let year: i32 = digits[..2].parse().ok()?;
            (year + if year < 50 { 2000 } else { 1900 }, &digits[2..])
        }
        14 => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let pair = |at: usize| rest[at..at + 2].parse::<u8>().ok();
    let month = Month::try_from(pair(0)?).ok()?;
    let date = Date::from_calendar_date(year, month, pair(2)?).ok()?;
    let clock = Time::from_hms(pair(4)?, pair(6)?, pair(8)?).ok()?;
    Some(date.with_time(clock).assume_utc())
}
