//! Texts as rows of a screen: broken where a person would break them, and never so that a continued
//! row could pass for a stamp.

use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;
use wire::terminal::columns_max;

use super::cells;

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

/// Breaks a text into rows: the first has `first` columns, the others have `rest`. The first `kept`
/// bytes are a stamp and the blank after it, which the text beside it never leaves alone.
///
/// Breaks where the Unicode line breaking algorithm (UAX #14) allows it: after blanks and hyphens, and
/// between Chinese characters, though not before their commas. A word that is longer than a row is
/// broken between graphemes. Even one column gets one grapheme.
pub(crate) fn wrap(text: &str, kept: usize, first: usize, rest: usize) -> Vec<String> {
    let graphemes: Vec<(usize, &str)> = text.grapheme_indices(true).collect();
    let breaks: Vec<usize> = linebreaks(text).map(|(at, _)| at).collect();
    let may_break = |at: &usize| *at > kept && breaks.binary_search(at).is_ok();
    let mut rows = Vec::new();
    let mut start = 0;
    while start < graphemes.len() {
        let columns = if start == 0 { first } else { rest }.max(1);
        let (mut used, mut at) = (0, start);
        // Where the row may be broken, after something that can be seen.
        let mut may_end = None;
        let mut is_filled = false;
        while let Some((byte, grapheme)) = graphemes.get(at) {
            if is_filled && may_break(byte) {
                may_end = Some(at);
            }
            // A blank at the end of a row needs no column.
            let hangs = *grapheme == " " && used == columns;
            let fits = used + reach(grapheme) <= columns;
            if at > start && !fits && !hangs {
                break;
            }
            used += grapheme.width();
            is_filled |= *grapheme != " ";
            at += 1;
        }
        if at < graphemes.len()
            && let Some(end) = may_end
        {
            at = end;
        }
        let byte = |at: usize| graphemes.get(at).map_or(text.len(), |(byte, _)| *byte);
        rows.push(text[byte(start)..byte(at)].to_owned());
        start = at;
    }
    if rows.is_empty() {
        rows.push(String::new());
    }
    rows
}

/// Returns the columns that must be free for a grapheme. One that some terminal draws wider than
/// another needs those too: in the last column it could spill into the next row.
fn reach(grapheme: &str) -> usize {
    if cells::is_sure(grapheme) {
        return grapheme.width();
    }
    let most = grapheme.chars().next().map_or(0, columns_max);
    grapheme.width().max(most)
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
            ("x 👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", vec!["x 👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", "👨‍👩‍👧"]),
            (
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                vec![
                    "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                    "e\u{301}",
                ],
            ),
            ("a bcdefghijk", vec!["a ", "bcde", "fghi", "jk"]),
        ] {
            assert_eq!(wrap(text, 0, 8, 4), rows, "{text}");
        }
    }

    #[test]
    fn a_chinese_sentence_is_broken_between_characters_and_not_before_a_comma() {
        for (text, rows) in [
            ("我的证书也可以用，谢谢", vec!["我的证书也可以", "用，谢谢"]),
            ("用我的证书也可，谢谢", vec!["用我的证书也", "可，谢谢"]),
            ("abcd我的证书def也可以", vec!["abcd我的证书", "def也可以"]),
            ("well-known names", vec!["well-known ", "names"]),
            ("a very well-known", vec!["a very well-", "known"]),
        ] {
            assert_eq!(wrap(text, 0, 14, 14), rows, "{text}");
        }
    }

    #[test]
    fn a_stamp_never_stands_alone_above_its_text() {
        for (text, rows) in [
            (
                "[bob] 我的也可以我的也可以",
                vec!["[bob] 我的", "也可以我的", "也可以"],
            ),
            (
                "[bob] https://a.example/x",
                vec!["[bob] http", "s://", "a.example/", "x"],
            ),
            ("[bob] hi there", vec!["[bob] hi ", "there"]),
            // Nothing fits beside it.
            ("[long.name] hi", vec!["[long.name", "] hi"]),
        ] {
            let kept = text.find("] ").expect("a stamp") + 2;
            assert_eq!(wrap(text, kept, 10, 10), rows, "{text}");
        }
    }

    #[test]
    fn a_character_whose_width_is_in_doubt_never_takes_the_last_column() {
        for doubted in [
            "\u{e9}",
            "\u{2014}",
            "ж",
            "\u{1fae9}",
            "\u{e000}",
            "❤\u{fe0f}",
        ] {
            let text = doubted.repeat(40);
            for row in wrap(&text, 0, 9, 9) {
                let last = row.graphemes(true).next_back().expect("a grapheme");
                let before = width(&row) - last.width();
                assert!(before + 2 <= 9, "{doubted}: {row:?}");
            }
        }
    }

    #[test]
    fn nothing_is_lost_and_no_row_is_too_wide() {
        let texts = [
            "a bc 张三 def ghijklmnopqrstuvw xyz  two  spaces ".repeat(3),
            "x".repeat(100),
            " ".repeat(50),
            "👨‍👩‍👧 é ".repeat(20),
            "    let x = \"我的\";  // 也可以".repeat(3),
        ];
        for text in texts {
            for kept in [0, 7] {
                for first in 0..30 {
                    for rest in 0..30 {
                        let rows = wrap(&text, kept, first, rest);
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
    }

    #[test]
    fn a_text_that_does_not_fit_ends_with_an_ellipsis() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello", 4), "hel…");
        assert_eq!(fit("张三张三", 4), "张…");
        assert_eq!(fit("hello", 0), "");
    }
}
