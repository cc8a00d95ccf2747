//! The errors of the system, for people.

use std::io;

/// Returns the words of an error without its number: `Connection refused`. The number says nothing
/// more, and differs from system to system.
pub(crate) fn plainly(error: &io::Error) -> String {
    let words = error.to_string();
    let number = error
        .raw_os_error()
        .map(|code| format!(" (os error {code})"));
    match number.and_then(|number| words.strip_suffix(&number)) {
        Some(plain) => plain.to_owned(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_has_words_and_no_number() {
        let refused = io::Error::from_raw_os_error(2);
        assert!(refused.to_string().ends_with(" (os error 2)"), "{refused}");
        let words = plainly(&refused);
        assert!(!words.is_empty() && !words.contains("os error"), "{words}");
        let own = io::Error::other("a disk (os error 2)");
        assert_eq!(plainly(&own), "a disk (os error 2)");
    }
}
