//! The passphrase of a private key, in a form that OpenSSL accepts too.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, Origin};

/// A passphrase. It is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Passphrase {
    bytes: Zeroizing<Vec<u8>>,
    origin: Origin,
}

/// The longest passphrase, in bytes; OpenSSL reads no more from a file.
pub(crate) const PASSPHRASE_BYTES_MAX: usize = 1023;

/// The shortest passphrase of a new key, in characters (NIST SP 800-63B, section 5.1.1.1).
const NEW_PASSPHRASE_CHARS_MIN: usize = 8;

impl Passphrase {
    /// Takes a passphrase of 1 to 1023 bytes without a line break or NUL.
    ///
    /// # Errors
    ///
    /// When it is empty or too long, or OpenSSL would not accept it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.is_empty() {
            return Err(Error::BadPassphrase("it is empty"));
        }
        if bytes.len() > PASSPHRASE_BYTES_MAX {
            return Err(Error::BadPassphrase("it has more than 1023 bytes"));
        }
        if bytes
            .iter()
            .any(|byte| matches!(byte, b'\0' | b'\n' | b'\r'))
        {
            return Err(Error::BadPassphrase("it contains a line break or a NUL"));
        }
        Ok(Self {
            bytes,
            origin: Origin::Program,
        })
    }

    /// Checks that a passphrase may protect a new key. The rule is that of NIST SP 800-63B: its length
    /// counts, not the kinds of its characters. An old key opens with whatever it was encrypted with.
    ///
    /// # Errors
    ///
    /// When it is too short, or one character over and over.
    pub(crate) fn strong_enough(self) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(&self.bytes);
        if text.chars().count() < NEW_PASSPHRASE_CHARS_MIN {
            return Err(Error::WeakPassphrase(
                "it has fewer than 8 characters, the least that NIST SP 800-63B allows",
            ));
        }
        let first = text.chars().next();
        if text.chars().all(|c| Some(c) == first) {
            return Err(Error::WeakPassphrase("it is one character over and over"));
        }
        Ok(self)
    }

    /// Records where the passphrase came from.
    pub(crate) fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_not_shown_where_its_holder_is() {
        let shown = format!(
            "{:?}",
            Passphrase::new("open sesame").expect("a passphrase")
        );
        assert_eq!(shown, "Passphrase(..)");
    }
}
