//! Small pieces of text that every layer needs: counts, short lists, days. Nothing here knows about
//! certificates.

use serde::{Serialize, Serializer};
use time::{Date, OffsetDateTime, UtcOffset};

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

/// Returns a word of a command, quoted if a shell would read it otherwise.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '+' | ',');
    let is_quotable = |c: char| !matches!(c, '"' | '$' | '`' | '\\' | '!') && !c.is_control();
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.chars().all(is_quotable) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", wire::escape(word).replace('\'', "'\\''"))
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
    /// Returns its day, in UTC.
    pub(crate) fn day(self) -> Date {
        self.0.to_offset(UtcOffset::UTC).date()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&moment(self.0))
    }
}

/// Returns the last moment of a day, in UTC.
pub(crate) fn end_of(day: Date) -> OffsetDateTime {
    day.with_time(time::macros::time!(23:59:59)).assume_utc()
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
    fn a_word_of_a_command_is_one_word_for_a_shell() {
        for (word, quoted) in [
            ("class.csv", "class.csv"),
            ("Email address", "\"Email address\""),
            ("学号", "学号"),
            ("N° étudiant", "\"N° étudiant\""),
            ("O'Brien's", "\"O'Brien's\""),
            ("$(rm) `x` \"y\"", "'$(rm) `x` \"y\"'"),
            ("it's $1", "'it'\\''s $1'"),
            ("", "\"\""),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }

    #[test]
    fn a_moment_is_written_as_in_the_record_and_has_a_day_in_utc() {
        let late = Moment(time::macros::datetime!(2027-05-20 23:59:59.7 -1:00));
        let written = serde_json::to_string(&late).expect("JSON");
        assert_eq!(written, "\"2027-05-21T00:59:59Z\"");
        assert_eq!(late.day().to_string(), "2027-05-21");
    }

    #[test]
    fn a_short_list_is_shown_whole_and_a_long_one_with_how_many_more_there_are() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_few(&names, 3, ", "), "a, b, c");
        assert_eq!(first_few(&names, 2, " "), "a b and 1 more");
        assert_eq!(first_few(&[], 2, " "), "");
    }
}
