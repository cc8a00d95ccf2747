//! Makes an ID from what a class list has instead: a mail address, a login, a number. The rules are told
//! to people in these words, so keep them few.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;
use wire::limits::{ID_BYTES_MAX, ID_CHARS_MAX};
use wire::{ClientId, IdError};

/// The text of an ID, and the rules that changed it. It may still break a rule of IDs that has no repair,
/// such as letters of two scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shaped {
    pub(crate) id: String,
    pub(crate) changes: Vec<&'static str>,
}

/// Makes an ID from a value.
pub(crate) fn shape(value: &str) -> Shaped {
    // An ID is far shorter, whatever stands behind this.
    let mut id: String = value.trim().chars().take(VALUE_CHARS_MAX).collect();
    let mut changes = Vec::new();
    let mut apply = |rule: &'static str, change: fn(&str) -> String| {
        let changed = change(&id);
        if changed != id {
            changes.push(rule);
            id = changed;
        }
    };
    apply("before the @", before_the_at);
    apply("after the \\", |text| {
        text.rsplit('\\').next().unwrap_or_default().to_owned()
    });
    apply("plain letters", |text| text.nfkc().collect());
    apply("lower case", lower_case);
    apply("spaces out", |text| {
        text.split_whitespace().collect::<String>()
    });
    apply("apostrophes out", |text| text.replace(APOSTROPHES, ""));
    apply("other signs out", |text| {
        text.chars().filter(|c| is_allowed(*c)).collect()
    });
    apply("only single . _ - inside", single_signs);
    apply("cut", cut);
    Shaped { id, changes }
}

/// Returns an ID with a number behind it, so that it differs from the others of the same base.
pub(crate) fn numbered(base: &str, number: usize) -> String {
    // Behind a digit, the number would look like part of a student's number.
    let ends_in_digit = base.chars().next_back().is_some_and(char::is_numeric);
    let ending = match ends_in_digit {
        true => format!("-{number}"),
        false => number.to_string(),
    };
    cut_to(
        base,
        ID_CHARS_MAX - ending.len(),
        ID_BYTES_MAX - ending.len(),
    ) + &ending
}

/// The rules, for people who read what `ca-tool` did.
pub(crate) const RULES: &str = "the part before the @, in lower case, without spaces, apostrophes and other signs; accents stay, at most 32 characters, and equal ones are numbered";

/// How much of a value counts: four times the longest mail address.
const VALUE_CHARS_MAX: usize = 1024;
/// The apostrophes of keyboards and word processors.
const APOSTROPHES: [char; 8] = ['\'', '’', '‘', 'ʼ', 'ʻ', '`', '´', '′'];

fn before_the_at(text: &str) -> String {
    text.rsplit_once('@')
        .map_or(text, |(local, _)| local)
        .to_owned()
}

fn lower_case(text: &str) -> String {
    // The dot that a Turkish capital İ keeps in lower case is on the i already.
    text.to_lowercase().replace("i\u{307}", "i").nfc().collect()
}

fn is_allowed(c: char) -> bool {
    // Punctuation and marks are judged where they stand; alone they would break another rule.
    c.is_ascii_alphanumeric()
        || !matches!(
            ClientId::parse(c.encode_utf8(&mut [0; 4])),
            Err(IdError::Character(_))
        )
}

fn single_signs(text: &str) -> String {
    let is_sign = |c: char| matches!(c, '.' | '_' | '-');
    let mut single = String::with_capacity(text.len());
    for c in text.trim_matches(is_sign).chars() {
        if !(is_sign(c) && single.ends_with(is_sign)) {
            single.push(c);
        }
    }
    single
}

fn cut(text: &str) -> String {
    cut_to(text, ID_CHARS_MAX, ID_BYTES_MAX)
}

/// Cuts between two characters as people see them, and leaves no sign at the end.
fn cut_to(text: &str, chars_max: usize, bytes_max: usize) -> String {
    let mut cut = String::new();
    let mut chars = 0;
    for grapheme in text.graphemes(true) {
        chars += grapheme.chars().count();
        if chars > chars_max || cut.len() + grapheme.len() > bytes_max {
            return single_signs(&cut);
        }
        cut.push_str(grapheme);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, id: &str, changes: &[&str]) {
        let shaped = shape(value);
        assert_eq!(
            (shaped.id.as_str(), &shaped.changes[..]),
            (id, changes),
            "{value}"
        );
        assert!(ClientId::parse(id).is_ok(), "{value}: {id}");
    }

    #[test]
    fn an_id_is_made_by_rules_that_are_told() {
        check("erin", "erin", &[]);
        check("erin@example.org", "erin", &["before the @"]);
        check(
            "Erin.Brown@example.org",
            "erin.brown",
            &["before the @", "lower case"],
        );
        check(
            "Pat O'Brien",
            "patobrien",
            &["lower case", "spaces out", "apostrophes out"],
        );
        check(
            "o’brien@example.org",
            "obrien",
            &["before the @", "apostrophes out"],
        );
        check("Zoë", "zoë", &["lower case"]);
        check("ana garcía", "anagarcía", &["spaces out"]);
        check("CAMPUS\\Erin", "erin", &["after the \\", "lower case"]);
        check(
            "erin+net@example.org",
            "erinnet",
            &["before the @", "other signs out"],
        );
        check("#900101", "900101", &["other signs out"]);
        check("_erin..b-", "erin.b", &["only single . _ - inside"]);
        check("ｅｒｉｎ", "erin", &["plain letters"]);
        check("İbrahim", "ibrahim", &["lower case"]);
        check("张三", "张三", &[]);
        check("=1+1", "11", &["other signs out"]);
        let long = "x".repeat(40);
        check(&long, &"x".repeat(32), &["cut"]);
        check(&format!("{}.y", "x".repeat(31)), &"x".repeat(31), &["cut"]);
        check(&"张".repeat(40), &"张".repeat(21), &["cut"]);
    }

    #[test]
    fn a_number_fits_behind_an_id_of_any_length() {
        assert_eq!(numbered("erin", 2), "erin2");
        assert_eq!(numbered("s10000", 2), "s10000-2");
        for base in [
            "x".repeat(32),
            "张".repeat(21),
            format!("{}.y", "x".repeat(30)),
        ] {
            for number in [2, 99, 100_000] {
                let id = numbered(&base, number);
                assert!(ClientId::parse(&id).is_ok(), "{id}");
                assert!(id.ends_with(&number.to_string()), "{id}");
            }
        }
    }
}
