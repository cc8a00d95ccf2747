//! Makes a text harmless for spreadsheets, which take some texts in a CSV file for formulas.
//!
//! People say what they like, and their lines end in the table of whoever runs the room: `=HYPERLINK(...)` in it would
//! send the whole record away when it is clicked. The rule is OWASP's ("CSV Injection"), with what it leaves to the
//! reader: blanks and invisible characters before the sign, the signs' wide forms, and separators within the text, which
//! divide it where a semicolon separates cells.

use std::borrow::Cow;

/// Begins a text so that a spreadsheet takes it for one, and not for a formula. The spreadsheet shows it.
const MARK: char = '\'';

/// Returns the text with a mark before everything that a spreadsheet could take for a formula. A number stays one.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if is_number(text) {
        return Cow::Borrowed(text);
    }
    let mut marks = Vec::new();
    // Where the cell begins that a spreadsheet may see.
    let mut begin = Some(0);
    for (place, c) in text.char_indices() {
        if let Some(begun) = begin
            && is_sign(c)
        {
            // The first cell is a text as a whole. One that only some see begins in the middle of a text.
            marks.push(if begun == 0 { 0 } else { place });
            begin = None;
        } else if is_separator(c) {
            // A tab or a line end in front is dropped, with whatever it hides.
            if begin == Some(0) && c != ';' && c != '|' {
                marks.push(0);
            }
            begin = Some(place + c.len_utf8());
        } else if !is_passed_over(c) {
            begin = None;
        }
    }
    marks.dedup();
    if marks.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut marked = String::with_capacity(text.len() + marks.len());
    let mut from = 0;
    for place in marks {
        marked.push_str(&text[from..place]);
        marked.push(MARK);
        from = place;
    }
    marked.push_str(&text[from..]);
    Cow::Owned(marked)
}

/// Returns whether a spreadsheet would read a negative number, and nothing that it computes.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

/// Returns whether a formula begins with this character, in its usual form or in the one of East Asian keyboards.
fn is_sign(c: char) -> bool {
    matches!(
        c,
        '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}' | '\u{2212}'
    )
}

/// Returns whether some spreadsheet begins a new cell after this character, quotes or not. A comma is not among them:
/// where commas separate, quotes hold a text together.
fn is_separator(c: char) -> bool {
    matches!(c, ';' | '|' | '\t' | '\n' | '\r')
}

/// Returns whether a formula may stand behind this character at the beginning of a cell.
fn is_passed_over(c: char) -> bool {
    c == '"'
        || c.is_whitespace()
        || c.is_control()
        || wire::is_invisible(c)
        || wire::is_forbidden(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_spreadsheet_would_compute_is_marked_as_a_text() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1+1", "'-1+1"),
            ("-x", "'-x"),
            ("--1", "'--1"),
            ("-", "'-"),
            ("-1.", "'-1."),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("\nx", "'\nx"),
            ("\t=1", "'\t'=1"),
            (" =1", "' =1"),
            ("\u{feff}=1", "'\u{feff}=1"),
            ("\u{a0}\u{200b}=1", "'\u{a0}\u{200b}=1"),
            ("\"=1\"", "'\"=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{2212}1", "'\u{2212}1"),
            ("x;=1+1;y", "x;'=1+1;y"),
            ("x; \"=1\"", "x; \"'=1\""),
            ("a\t@b\n-c|+d", "a\t'@b\n'-c|'+d"),
            (";=1", ";'=1"),
        ] {
            assert_eq!(guarded(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_nothing_computes_stays_as_it_is() {
        for text in [
            "",
            "hello",
            "a=b",
            "1+1=2",
            "a, -b",
            "well-known",
            "alice@example.org",
            "2026-11-21",
            "fe80::1",
            "-5",
            "-5.25",
            "42",
            "'quoted'",
            "\u{4f60}\u{597d}",
            "; and then",
            "  indented",
        ] {
            assert_eq!(guarded(text), text);
        }
    }
}
