//! The columns that terminals give to characters. Their tables disagree, so there is no one answer:
//! there is the fewest, the most, and whether it matters.
//!
//! Whoever must not run over the end of a row counts with [`widest`]. Whoever must not leave a cell
//! of somebody else's on the screen assumes [`narrowest`]. After a character for which the two differ,
//! the cursor may stand elsewhere than it should: put it where it belongs, or begin a row.

/// Returns the most columns that any terminal gives a character: 1 to 3.
pub(crate) fn widest(c: char) -> usize {
    wire::terminal::columns_max(c)
}

/// Returns the fewest columns that any terminal gives a character: 0 to 2.
pub(crate) fn narrowest(c: char) -> usize {
    wire::terminal::columns_min(c)
}

#[cfg(test)]
mod tests {
    use wire::terminal::is_disputed as disputed;

    use super::*;

    #[test]
    fn each_kind_of_character_has_its_columns() {
        for (c, columns, is_disputed) in [
            ('a', (1, 1), false),
            ('é', (1, 2), false),
            ('я', (1, 2), false),
            ('א', (1, 1), false),
            ('…', (1, 2), false),
            ('张', (2, 2), false),
            ('🎉', (2, 2), false),
            ('\u{301}', (0, 1), false),
            ('\u{1161}', (0, 2), false),
            ('\u{200d}', (0, 2), false),
            ('\u{11d46}', (0, 2), true),
            ('\u{11a86}', (0, 2), true),
            ('\u{110bd}', (0, 2), true),
            ('\u{600}', (0, 1), true),
            ('\u{6dd}', (0, 1), true),
            ('\u{70f}', (0, 1), true),
            ('\u{9be}', (0, 1), true),
            ('\u{378}', (0, 2), true),
            ('☰', (1, 2), true),
            ('㉈', (1, 2), true),
            ('🏽', (0, 2), true),
        ] {
            assert_eq!((narrowest(c), widest(c)), columns, "{c:?}");
            assert_eq!(disputed(c), is_disputed, "{c:?}");
        }
    }
}
