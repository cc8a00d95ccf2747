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
