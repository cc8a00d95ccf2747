//! Names that nobody can foresee, for files and folders that do not have their own names yet.

use crate::error::Error;
use crate::keys::random::random;
use crate::words::hex;

/// Marks the name of a draft, which is a folder.
pub(crate) const DRAFT: &str = "ca-";
/// The random bytes in a temporary name.
const RANDOM_BYTES: usize = 12;

/// Returns a new name of this kind: [`DRAFT`], or nothing for a file.
pub(crate) fn temporary_name(kind: &str) -> Result<String, Error> {
    let random = random::<RANDOM_BYTES>()?.map(hex).concat();
    Ok(format!(".{kind}{random}.tmp"))
}

/// Returns whether [`temporary_name`] could have made this name.
pub(crate) fn is_temporary(name: &str, kind: &str) -> bool {
    let random = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(kind))
        .and_then(|rest| rest.strip_suffix(".tmp"));
    random.is_some_and(|random| {
        random.len() == 2 * RANDOM_BYTES
            && random
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Returns whether a folder of this name is a draft.
pub(crate) fn is_draft(name: &str) -> bool {
    is_temporary(name, DRAFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_given_here_are_temporary() {
        let name = temporary_name("").expect("random bytes");
        assert!(is_temporary(&name, ""), "{name}");
        let digits = "0123456789abcdef01234567";
        assert!(is_temporary(&format!(".{digits}.tmp"), ""));
        assert!(is_temporary(&format!(".ca-{digits}.tmp"), DRAFT));
        assert!(!is_temporary(&format!(".{digits}.tmp"), DRAFT));
        for other in [
            format!("{digits}.tmp"),
            format!(".{digits}"),
            format!(".{digits}.pem"),
            format!(".{digits}0.tmp"),
            format!(".{}.tmp", &digits[1..]),
            format!(".{}.tmp", digits.to_uppercase()),
            format!(".{}g.tmp", &digits[1..]),
            format!(".ca-{digits}.tmp"),
            ".tmp".to_owned(),
        ] {
            assert!(!is_temporary(&other, ""), "{other}");
        }
    }
}
