//! Texts that somebody else wrote, made fit to be drawn into the cells of a screen.

use wire::terminal::{inert, is_contested, with_few_marks};

/// Returns a text that may be shown: nothing in it moves a cursor, hides, or reaches out of its
/// cell. A character without a column here and with one in many terminals would shift the rest of
/// its row.
pub(crate) fn drawable(text: &str) -> String {
    let shown = with_few_marks(&inert(text)).replace('\t', "    ");
    if !shown.contains(is_contested) {
        return shown;
    }
    shown.replace(is_contested, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::terminal::MARKS_MAX;

    #[test]
    fn deceptive_characters_are_replaced_and_marks_are_counted() {
        assert_eq!(
            drawable("a\u{1b}[2J\tb\u{202e}"),
            "a\u{fffd}[2J    b\u{fffd}"
        );
        let zalgo = format!("z{}", "\u{301}".repeat(1000));
        assert_eq!(drawable(&zalgo).chars().count(), 1 + MARKS_MAX);
        assert_eq!(drawable("👨‍👩‍👧‍👦 张三"), "👨‍👩‍👧‍👦 张三");
        // Terminals give each of these a column, and the table that draws our cells gives it none.
        for contested in "\u{11d46}\u{11a86}\u{110bd}\u{600}\u{6dd}\u{70f}\u{200b}\u{3164}".chars()
        {
            assert_eq!(drawable(&format!("a{contested}b")), "a\u{fffd}b");
        }
        for text in [
            "e\u{301}",
            "\u{1112}\u{1161}\u{11ab}",
            "می\u{200c}خواهم",
            "❤\u{fe0f}",
            "क\u{94d}ष",
        ] {
            assert_eq!(drawable(text), text);
        }
    }
}
