//! Lists for a log line: the first few things by name, and the number of the rest.

use std::fmt::Display;

/// How many things are named.
const NAMED_MAX: usize = 5;

/// Returns the smallest few in order and the number of the rest, or an empty text when there are
/// none.
pub(crate) fn few<T: Display + Ord>(things: impl IntoIterator<Item = T>) -> String {
    let mut things: Vec<T> = things.into_iter().collect();
    things.sort_unstable();
    let named: Vec<String> = things.iter().take(NAMED_MAX).map(T::to_string).collect();
    match things.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_named_and_the_others_are_counted() {
        assert_eq!(few::<u32>([]), "");
        assert_eq!(few([3, 1, 2]), "1, 2, 3");
        assert_eq!(few(1..=5), "1, 2, 3, 4, 5");
        assert_eq!(few((1..=300_000).rev()), "1, 2, 3, 4, 5 and 299995 more");
    }
}
