//! Where a line names somebody, or holds the words that are searched for.

use std::ops::Range;

use wire::ClientId;

/// Returns whether a text names somebody, as a word of its own and in any case.
pub(crate) fn mentions(text: &str, id: &ClientId) -> bool {
    !mentioned(text, id).is_empty()
}

/// Returns where a text names somebody, in bytes.
pub(crate) fn mentioned(text: &str, id: &ClientId) -> Vec<Range<usize>> {
    let is_part = |c: char| c.is_alphanumeric();
    let is_word = |found: &Range<usize>| {
        let before = text[..found.start].chars().next_back();
        let after = text[found.end..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let mut found = places(text, id.as_str());
    found.retain(is_word);
    found
}

/// Returns where a text holds some words, in any case, in bytes.
pub(crate) fn places(text: &str, words: &str) -> Vec<Range<usize>> {
    let words = words.to_lowercase();
    if words.is_empty() {
        return Vec::new();
    }
    // A letter in lower case may have other bytes, or be several: each byte knows where it is from.
    let mut lower = String::with_capacity(text.len());
    let mut origin = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let before = lower.len();
        lower.extend(c.to_lowercase());
        origin.resize(origin.len() + lower.len() - before, at..at + c.len_utf8());
    }
    lower
        .match_indices(&words)
        .map(|(at, found)| origin[at].start..origin[at + found.len() - 1].end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_the_whole_name_of_a_person() {
        let me = ClientId::parse("ann").expect("a name");
        for text in ["ann: hi", "hi Ann!", "@ann", "hi ann", "ann"] {
            assert!(mentions(text, &me), "{text}");
        }
        for text in ["anna: hi", "Hann", "an n", ""] {
            assert!(!mentions(text, &me), "{text}");
        }
        let me = ClientId::parse("张三").expect("a name");
        assert!(mentions("你好, 张三!", &me));
    }

    #[test]
    fn words_are_found_in_any_case_and_told_in_bytes_of_the_text() {
        for (text, words, found) in [
            ("one Fish, red FISH", "fish", &[(4, 8), (14, 18)][..]),
            // The dotted capital I is two characters in lower case.
            ("İx", "x", &[(2, 3)][..]),
            ("aİb", "i", &[(1, 3)][..]),
            ("你好, 张三!", "张三", &[(8, 14)][..]),
            ("abc", "", &[][..]),
            ("abc", "d", &[][..]),
        ] {
            let places: Vec<(usize, usize)> = places(text, words)
                .into_iter()
                .map(|at| (at.start, at.end))
                .collect();
            assert_eq!(places, found, "{text}");
        }
    }
}
