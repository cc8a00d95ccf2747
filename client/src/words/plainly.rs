//! The errors of the system, for people.

use std::io;

/// Returns the words of an error without its number, which says nothing more: `Connection refused`.
pub(crate) fn plainly(error: &io::Error) -> String {
    pki::without_number(&error.to_string()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_has_words_and_no_number() {
        let missing = io::Error::from_raw_os_error(2);
        assert!(missing.to_string().ends_with(" (os error 2)"), "{missing}");
        let words = plainly(&missing);
        assert!(!words.is_empty() && !words.contains("os error"), "{words}");
    }
}
