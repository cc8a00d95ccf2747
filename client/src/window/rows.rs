//! Texts as rows of a screen: broken where a person would break them, and never so that a continued
//! row could pass for a stamp.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Returns the columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| grapheme.width()).sum()
}

/// Returns as much of a text as fits, with an ellipsis if something was left out.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + grapheme.width() + 1 > columns {
            break;
        }
        used += grapheme.width();
        fitted.push_str(grapheme);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

/// Breaks a text into rows: the first has `first` columns, the others have `rest`. Breaks after
/// spaces where there are any. Even one column gets one grapheme.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut used = 0;
    let mut columns = first.max(1);
    // Where the row may be broken: bytes and columns after its last space.
    let mut space: Option<(usize, usize)> = None;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        // A space at the end of a row needs no column.
        let hangs = grapheme == " " && used == columns;
        if used + wide > columns && !row.is_empty() && !hangs {
            let (at, before) = space.take().unwrap_or((row.len(), used));
            let tail = row.split_off(at);
            rows.push(std::mem::replace(&mut row, tail));
            used -= before;
            columns = rest.max(1);
            // The text that was carried over may be too long for the next row.
            while used > columns {
                let mut head = String::new();
                let mut taken = 0;
                let carried = std::mem::take(&mut row);
                let mut graphemes = carried.graphemes(true).peekable();
                while let Some(next) = graphemes.peek()
                    && (taken + next.width() <= columns || head.is_empty())
                {
                    taken += next.width();
                    head.push_str(next);
                    graphemes.next();
                }
                row = graphemes.collect();
                rows.push(head);
                used -= taken;
            }
            if used + wide > columns && !row.is_empty() {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
        }
        row.push_str(grapheme);
        used += wide;
        if grapheme == " " && !row.trim_start_matches(' ').is_empty() {
            space = Some((row.len(), used));
        }
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_at_spaces_and_between_graphemes() {
        for (text, rows) in [
            ("", vec![""]),
            ("hello", vec!["hello"]),
            ("hello there", vec!["hello ", "ther", "e"]),
            ("hello to me", vec!["hello to ", "me"]),
            ("0123456789abc", vec!["01234567", "89ab", "c"]),
            ("张三张三张三", vec!["张三张三", "张三"]),
            ("x 👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", vec!["x ", "👨‍👩‍👧👨‍👩‍👧", "👨‍👩‍👧👨‍👩‍👧"]),
            (
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                vec![
                    "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                    "e\u{301}",
                ],
            ),
            ("a bcdefghijk", vec!["a ", "bcde", "fghi", "jk"]),
        ] {
            assert_eq!(wrap(text, 8, 4), rows, "{text}");
        }
    }

    #[test]
    fn nothing_is_lost_and_no_row_is_too_wide() {
        let texts = [
            "a bc 张三 def ghijklmnopqrstuvw xyz  two  spaces ".repeat(3),
            "x".repeat(100),
            " ".repeat(50),
            "👨‍👩‍👧 é ".repeat(20),
        ];
        for text in texts {
            for first in 0..30 {
                for rest in 0..30 {
                    let rows = wrap(&text, first, rest);
                    assert_eq!(rows.concat(), text);
                    for (at, row) in rows.iter().enumerate() {
                        // A wide character needs two columns even where there is one.
                        let columns = if at == 0 { first } else { rest }.max(2);
                        let wide = width(row.strip_suffix(' ').unwrap_or(row));
                        assert!(wide <= columns, "{first} {rest} {row:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_that_does_not_fit_ends_with_an_ellipsis() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello", 4), "hel…");
        assert_eq!(fit("张三张三", 4), "张…");
        assert_eq!(fit("hello", 0), "");
    }
}
