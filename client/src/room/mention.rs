//! Whether a line names somebody.

use wire::ClientId;

/// Returns whether a text names somebody, as a word of its own and in any case.
pub(crate) fn mentions(text: &str, id: &ClientId) -> bool {
    let (text, id) = (text.to_lowercase(), id.as_str().to_lowercase());
    let is_part = |c: char| c.is_alphanumeric();
    text.match_indices(&id).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
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
}
