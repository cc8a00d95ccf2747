//! The line that is being written, in rows that are never wider than the window.

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// The line that is being written, in rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// One at least.
    pub(crate) rows: Vec<String>,
    /// The row and the column of the cursor.
    pub(crate) cursor: (usize, usize),
}

impl Drawn {
    pub(super) fn of(text: &str, cursor: usize, columns: usize) -> Self {
        let mut rows = Vec::new();
        let mut row = String::new();
        let mut width = 0;
        let mut place = None;
        // Without columns there is nothing to draw.
        let text = if columns == 0 { "" } else { text };
        for (at, grapheme) in text.grapheme_indices(true) {
            let (shown, wide) = shown(grapheme, columns);
            if width + wide > columns {
                rows.push(std::mem::take(&mut row));
                width = 0;
            }
            if at == cursor {
                place = Some((rows.len(), width));
            }
            row.push_str(shown);
            width += wide;
        }
        // After a full row, the cursor has no column but in the next row.
        if place.is_none() && width == columns && !row.is_empty() {
            rows.push(std::mem::take(&mut row));
            width = 0;
        }
        let cursor = place.unwrap_or((rows.len(), width));
        rows.push(row);
        Self { rows, cursor }
    }
}

/// Returns a grapheme as it is drawn, and its columns, as ratatui counts them.
fn shown(grapheme: &str, columns: usize) -> (&str, usize) {
    if grapheme == "\t" {
        return (" ", 1);
    }
    match usize::from(grapheme.cell_width()) {
        // A grapheme without columns would be sent without having been seen.
        0 => (REPLACEMENT, 1),
        wide if wide > columns => (REPLACEMENT, 1),
        wide => (grapheme, wide),
    }
}

const REPLACEMENT: &str = "\u{fffd}";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the rows, with the cursor as `|`.
    fn drawn(text: &str, columns: usize) -> Vec<String> {
        let cursor = text.find('|').expect("a cursor");
        let text = text.replacen('|', "", 1);
        let Drawn {
            mut rows,
            cursor: (row, column),
        } = Drawn::of(&text, cursor, columns);
        let before = rows[row].graphemes(true).scan(0, |width, grapheme| {
            let starts_at = *width;
            *width += usize::from(grapheme.cell_width());
            (starts_at < column).then_some(grapheme.len())
        });
        let at = before.sum();
        rows[row].insert(at, '|');
        rows
    }

    #[test]
    fn a_line_goes_on_in_the_next_row_and_the_cursor_with_it() {
        for (text, rows) in [
            ("|", vec!["|"]),
            ("hi|", vec!["hi|"]),
            ("abcdef|", vec!["abcdef", "|"]),
            ("abcdefg|", vec!["abcdef", "g|"]),
            ("abcdef|g", vec!["abcdef", "|g"]),
            ("|abcdef", vec!["|abcdef"]),
            ("张三张三|", vec!["张三张", "三|"]),
            ("a张三|张三", vec!["a张三", "|张三"]),
            ("👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧|👨‍👩‍👧", vec!["👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", "|👨‍👩‍👧"]),
            ("12345❤\u{fe0f}|", vec!["12345", "❤\u{fe0f}|"]),
            ("12345e\u{301}|6", vec!["12345e\u{301}", "|6"]),
            ("a\tb|", vec!["a b|"]),
        ] {
            assert_eq!(drawn(text, 6), rows, "{text}");
        }
    }

    #[test]
    fn characters_without_columns_are_visible_too() {
        assert_eq!(drawn("a\u{200b}b|", 6), ["a\u{fffd}b|"]);
        assert_eq!(drawn("\u{301}|", 6), ["\u{fffd}|"]);
    }

    #[test]
    fn a_window_of_one_column_and_of_none_is_drawn_too() {
        assert_eq!(drawn("a张|", 1), ["a", "\u{fffd}", "|"]);
        let rows = Drawn::of("a张", 4, 0);
        assert_eq!((rows.rows, rows.cursor), (vec![String::new()], (0, 0)));
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_the_window(
            text in "([a-z \t]|张|👨‍👩‍👧|🇩🇪|\u{301}|\u{fe0f}|\u{200d}|\u{200b}|\u{600}|\u{605}|ﾞ|क्ष|\u{17d8}|[^\\p{C}]){0,40}",
            columns in 0..9_usize,
        ) {
            let starts = text.grapheme_indices(true).map(|(at, _)| at);
            for cursor in starts.chain([text.len()]) {
                let Drawn { rows, cursor: (row, column) } = Drawn::of(&text, cursor, columns);
                for row in &rows {
                    let width = row.graphemes(true).map(|g| usize::from(g.cell_width())).sum::<usize>();
                    prop_assert!(width <= columns, "{row:?}");
                }
                prop_assert!(row < rows.len());
                prop_assert!(column < columns.max(1));
            }
        }
    }
}
