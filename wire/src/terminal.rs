//! How a terminal shows a text that somebody else wrote: with nothing in it that moves the cursor,
//! and in rows that the terminal does not have to wrap.
//!
//! A row that the terminal wraps continues in the first column, where a stamp begins. A long text
//! could show something there that looks like another person's line. So we wrap, and indent.
//!
//! Terminals and their width tables disagree about many characters. So no table is trusted: each
//! character counts as many columns as any terminal gives it ([`columns_max`]). A row may end
//! early; it cannot run over.
// No terminal here: the programs ask theirs for its width.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_properties::{
    EmojiStatus, GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _,
};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar as _;

use crate::{is_forbidden, is_invisible};

/// Returns a text as `columns` columns show it: see [`inert`] and [`wrap`]. A pipe or a file has no
/// columns and gets the text as it is.
pub fn shown(text: &str, columns: Option<usize>) -> Cow<'_, str> {
    match columns {
        None => Cow::Borrowed(text),
        Some(columns) => Cow::Owned(wrap(&inert(text), columns)),
    }
}

/// Replaces every character that could move a cursor, reorder text or hide by U+FFFD.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_forbidden) {
        return Cow::Borrowed(text);
    }
    let shown = |c| {
        if is_forbidden(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Removes marks that would reach over other lines, as hundreds of them on one character do.
pub fn with_few_marks(text: &str) -> Cow<'_, str> {
    let is_too_much =
        |grapheme: &str| grapheme.chars().nth(MARKS_MAX + 1).is_some() && !is_family(grapheme);
    if text.is_ascii() || !text.graphemes(true).any(is_too_much) {
        return Cow::Borrowed(text);
    }
    let mut calm = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        if is_too_much(grapheme) {
            calm.extend(grapheme.chars().take(MARKS_MAX + 1));
        } else {
            calm.push_str(grapheme);
        }
    }
    Cow::Owned(calm)
}

/// Returns whether a grapheme is a family of emoji, which is long and still fits its cells.
fn is_family(grapheme: &str) -> bool {
    grapheme.contains('\u{200d}') && grapheme.chars().count() <= 4 * MARKS_MAX
}

/// The marks on one character that are shown.
pub const MARKS_MAX: usize = 8;

/// Breaks a text into rows that fit into `columns` columns, at spaces where there are any. Each row
/// but the first begins with an indent, which no stamp does.
pub fn wrap(text: &str, columns: usize) -> String {
    // Some terminals go to the next row as soon as the last column is filled, so it stays free.
    let columns = columns.max(COLUMNS_MIN) - 1;
    let mut rows = String::with_capacity(text.len());
    let mut row = Row::default();
    // What belongs together is not broken: a joiner at the beginning of a row would join the indent.
    for grapheme in with_few_marks(text).graphemes(true) {
        let width: usize = grapheme.chars().map(columns_max).sum();
        if grapheme == "\t" {
            let spaces = TAB_COLUMNS - row.width % TAB_COLUMNS;
            (0..spaces).for_each(|_| row.push(" ", 1, columns, &mut rows));
        } else if INDENT.len() + width <= columns {
            row.push(grapheme, width, columns, &mut rows);
        } else {
            // No row has room for all of it, so its parts stand apart.
            for c in grapheme.chars().filter(|c| *c != '\u{200d}') {
                row.push(
                    c.encode_utf8(&mut [0; 4]),
                    columns_max(c),
                    columns,
                    &mut rows,
                );
            }
        }
    }
    rows + &row.text
}

/// The row that is being filled.
#[derive(Default)]
struct Row {
    text: String,
    width: usize,
    /// After the last space: bytes and columns.
    break_at: Option<(usize, usize)>,
    /// Whether there is anything but spaces in it.
    is_filled: bool,
}

impl Row {
    fn push(&mut self, grapheme: &str, width: usize, columns: usize, rows: &mut String) {
        while self.width + width > columns {
            self.end(rows, columns);
        }
        self.text.push_str(grapheme);
        self.width += width;
        if grapheme != " " {
            self.is_filled = true;
        } else if self.is_filled {
            self.break_at = Some((self.text.len(), self.width));
        }
    }

    /// Ends the row at its last space. Ends it here when it has none, or when half of it would stay
    /// empty, as before a long word, and before a sentence in Chinese.
    fn end(&mut self, rows: &mut String, columns: usize) {
        let (at, width) = self
            .break_at
            .take()
            .filter(|(_, width)| width * 2 > columns)
            .unwrap_or((self.text.len(), self.width));
        let rest = self.text.split_off(at);
        rows.push_str(&self.text);
        rows.push('\n');
        self.is_filled = rest.contains(|c| c != ' ');
        self.text = format!("{INDENT}{rest}");
        self.width = INDENT.len() + self.width - width;
    }
}

/// Begins each row but the first.
pub const INDENT: &str = "    ";

/// In a terminal with fewer columns no row has room for an indent and a character.
pub const COLUMNS_MIN: usize = 8;

const TAB_COLUMNS: usize = 8;

/// Returns whether terminals disagree on whether a character takes a column at all: a sign that
/// encloses the digits after it (Prepended_Concatenation_Mark), or one to which unicode-width gives
/// no column although it is neither a mark, nor a joiner, nor the end of a Hangul syllable.
pub fn is_contested(c: char) -> bool {
    match c {
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' => true,
        '\u{110bd}' | '\u{110cd}' => true,
        '\0'..='~' | '\u{200c}' | '\u{200d}' => false,
        '\u{1161}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' => false,
        c => c.width() == Some(0) && !is_combining_mark(c),
    }
}

/// Returns the most columns that any terminal gives a character, and at least one.
///
/// Whatever must not run over the end of a row counts with it. Marks and joiners count too: the Linux console shows them in cells of their own, and each
/// version of Unicode has marks that older terminals do not know. Characters that are "ambiguous"
/// in Unicode's East Asian Width (UAX #11) count two, letters too, as in `xterm -cjk_width`; below
/// U+2000 they are all Latin, Greek or Cyrillic. So does everything from U+2000 on, which includes
/// symbols, emoji and the scripts of East Asia.
pub fn columns_max(c: char) -> usize {
    match c {
        // The marks among them are ambiguous too, but where they have a cell it is a narrow one.
        '\0'..='~' | '\u{300}'..='\u{36f}' => 1,
        // Latin with its signs, Greek and Cyrillic; the parts of Hangul; and the rest.
        '\u{a0}'..='\u{52f}' | '\u{1100}'..='\u{11ff}' | '\u{2000}'.. => 2,
        c => {
            let [narrow, wide] = [c.width(), c.width_cjk()].map(Option::unwrap_or_default);
            narrow.max(wide).max(1)
        }
    }
}

/// Returns the fewest columns that any terminal gives a character.
///
/// Whatever must not leave anything of other rows on the screen counts with it. Where it differs from
/// [`columns_max`], the cursor may stand elsewhere than it should: put it where it belongs, or begin
/// a row. It is none for marks, format characters, colours of skin, and the vowels and ends of Hangul
/// syllables; and for characters that are not assigned, which some terminals do not show at all.
/// For others it is the column or two of unicode-width's table, and of glibc's where that gives less.
pub fn columns_min(c: char) -> usize {
    match c {
        '\0'..='~' => 1,
        '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' => 0,
        c if is_left_out(c) => 0,
        c if has_become_wide(c) => 1,
        c => c.width().unwrap_or_default(),
    }
}

/// Returns whether some table gives all characters of this kind no column.
fn is_left_out(c: char) -> bool {
    use GeneralCategory::{
        Control, EnclosingMark, Format, LineSeparator, NonspacingMark, ParagraphSeparator,
        SpacingMark, Unassigned,
    };
    let is_of_such_kind = matches!(
        c.general_category(),
        Control
            | EnclosingMark
            | Format
            | LineSeparator
            | NonspacingMark
            | ParagraphSeparator
            | SpacingMark
            | Unassigned
    );
    is_of_such_kind || is_invisible(c) || c.emoji_status() == COLOUR_OF_SKIN
}

const COLOUR_OF_SKIN: EmojiStatus = EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent;

/// Returns whether a character outside the scripts of East Asia has two columns in unicode-width's
/// table, and is no emoji: glibc's gives it one, as Unicode 15 did.
fn has_become_wide(c: char) -> bool {
    matches!(c, '\u{80}'..'\u{2e80}' | '\u{1d300}'..='\u{1d37f}')
        && c.width().unwrap_or_default() > 1
        && !('\u{1100}'..='\u{115f}').contains(&c)
        && !c.is_emoji_char()
}

/// Returns JSON in which every character that does not print is escaped. JSON itself lets such
/// characters stand (RFC 8259, section 7); a program reads the same text from both.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if json.chars().all(prints) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if prints(c) {
            escaped.push(c);
            continue;
        }
        // Such characters stand only within strings, where two surrogates stand for one (RFC 8259).
        for unit in c.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Cow::Owned(escaped)
}

/// Returns whether a character shows. Marks do, on the character before them.
fn prints(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut after_another = [b'x'; 5];
    let length = 1 + c.encode_utf8(&mut after_another[1..]).len();
    // Rust escapes the same characters in its own texts: controls, format characters, unassigned
    // ones.
    let shown = std::str::from_utf8(&after_another[..length]);
    !is_forbidden(c)
        && !is_invisible(c)
        && shown.is_ok_and(|shown| shown.escape_debug().nth(1) == Some(c))
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn deceptive_text_is_replaced_for_a_terminal() {
        assert_eq!(
            inert("a\u{1b}[2J\u{7}\u{202e}b\u{9b}c\u{2028}"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}"
        );
        assert_eq!(inert("a\tb 张三 👨‍👩‍👧"), "a\tb 张三 👨‍👩‍👧");
        assert_eq!(shown("a\u{1b}b\tc", None), "a\u{1b}b\tc");
        assert_eq!(shown("a\u{1b}b", Some(80)), "a\u{fffd}b");
    }

    #[test]
    fn long_texts_go_on_indented() {
        for (text, rows) in [
            ("0123456789abcde", "0123456789abcde"),
            ("0123456789abcdef", "0123456789abcde\n    f"),
            ("0123456789 abcdef", "0123456789 \n    abcdef"),
            // A stamp does not stand alone before a long word.
            ("01 23456789abcdef", "01 23456789abcd\n    ef"),
            ("张三张三张三张", "张三张三张三张"),
            ("张三张三张三张三", "张三张三张三张\n    三"),
            ("x张三张三张三张", "x张三张三张三张"),
            ("a\tb", "a       b"),
            // What is joined stays together, where a row has room for it.
            ("0123456789👩\u{200d}💻", "0123456789\n    👩\u{200d}💻"),
            (
                "0123456789ab👩🏽\u{200d}💻👩",
                "0123456789ab\n    👩🏽\u{200d}💻👩",
            ),
            // A mark counts as a column, because some terminal gives it one.
            ("e\u{301}123456789abcd", "e\u{301}123456789abcd"),
            ("e\u{301}123456789abcde", "e\u{301}123456789abcd\n    e"),
        ] {
            assert_eq!(wrap(text, 16), rows, "{text}");
        }
        let zalgo = format!("z{}", "\u{301}".repeat(1000));
        assert_eq!(wrap(&zalgo, 16).chars().count(), 1 + MARKS_MAX);
    }

    #[test]
    fn no_row_is_too_wide_and_no_continuation_begins_in_the_first_column() {
        let texts = [
            "2026-11-21 19:00:00 [eve@192.0.2.7] x 2026-11-21 19:00:00 [bob@192.0.2.9] I did it",
            &" ".repeat(100),
            &"a 张\t".repeat(40),
            &"x".repeat(100),
            &"\u{17d8}".repeat(40),
            &"\u{11d46}x \u{600}".repeat(40),
        ];
        for text in texts {
            for columns in 0..100 {
                let wrapped = wrap(text, columns);
                for (at, row) in wrapped.split('\n').enumerate() {
                    let width: usize = row.chars().map(columns_max).sum();
                    assert!(width < columns.max(COLUMNS_MIN), "{columns}: {row:?}");
                    assert!(at == 0 || row.starts_with(INDENT), "{columns}: {row:?}");
                }
            }
        }
    }

    #[test]
    fn no_table_gives_a_character_more_columns_than_it_counts() {
        for c in '\0'..=char::MAX {
            let counted = columns_max(c);
            assert!((1..=3).contains(&counted), "U+{:04X}", u32::from(c));
            for table in [c.width(), c.width_cjk()] {
                assert!(
                    table.unwrap_or_default() <= counted,
                    "U+{:04X}",
                    u32::from(c)
                );
            }
            // As an emoji, where it can be one.
            let emoji = format!("{c}\u{fe0f}");
            assert!(emoji.width() <= counted + 1, "U+{:04X}", u32::from(c));
        }
        // unicode-width says 0 for these; terminals say 1, or differ among themselves.
        for c in [
            '\u{11d46}',
            '\u{11a86}',
            '\u{110bd}',
            '\u{600}',
            '\u{6dd}',
            '\u{70f}',
        ] {
            assert!(columns_max(c) >= 1, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn each_kind_of_character_has_its_fewest_and_its_most_columns() {
        for (c, columns) in [
            ('a', (1, 1)),
            ('é', (1, 2)),
            ('я', (1, 2)),
            ('א', (1, 1)),
            ('…', (1, 2)),
            ('张', (2, 2)),
            ('🎉', (2, 2)),
            ('\u{301}', (0, 1)),
            ('\u{1161}', (0, 2)),
            ('\u{200d}', (0, 2)),
            ('\u{11d46}', (0, 2)),
            ('\u{11a86}', (0, 2)),
            ('\u{110bd}', (0, 2)),
            ('\u{600}', (0, 1)),
            ('\u{6dd}', (0, 1)),
            ('\u{70f}', (0, 1)),
            ('\u{9be}', (0, 1)),
            ('\u{378}', (0, 2)),
            ('☰', (1, 2)),
            ('㉈', (1, 2)),
            ('🏽', (0, 2)),
        ] {
            assert_eq!((columns_min(c), columns_max(c)), columns, "{c:?}");
        }
    }
}
