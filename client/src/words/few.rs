//! A list of names that may be long, in one sentence.

/// Names the first `names_max` of some names and counts the others: `alice, bob and 3 more`.
/// Returns `None` when there are none.
pub(crate) fn few(names: &[&str], names_max: usize) -> Option<String> {
    let (named, more) = names.split_at(names.len().min(names_max));
    Some(match (named, more.len()) {
        ([], 0) => return None,
        ([], more) => more.to_string(),
        ([one], 0) => (*one).to_owned(),
        ([named @ .., last], 0) => format!("{} and {last}", named.join(", ")),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named_and_the_others_are_counted() {
        for (names, words) in [
            (&[][..], None),
            (&["a"], Some("a")),
            (&["a", "b"], Some("a and b")),
            (&["a", "b", "c"], Some("a, b and c")),
            (&["a", "b", "c", "d"], Some("a, b, c and 1 more")),
            (&["a", "b", "c", "d", "e"], Some("a, b, c and 2 more")),
        ] {
            assert_eq!(few(names, 3).as_deref(), words);
        }
    }
}
