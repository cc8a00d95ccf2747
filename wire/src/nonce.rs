//! RUN-N, the name of a line, which makes it safe to send the line again.

use std::fmt;
use std::sync::Arc;

use crate::limits::{RUN_CHARS_MAX, RUN_CHARS_MIN};

/// One run of a client program: 8 to 32 of `A-Z a-z 0-9`, chosen at random.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run(Arc<str>);

impl Run {
    /// Reads a run.
    ///
    /// # Errors
    ///
    /// When it has another length or other characters.
    pub fn parse(text: &str) -> Result<Self, NonceError> {
        let length_is_good = (RUN_CHARS_MIN..=RUN_CHARS_MAX).contains(&text.len());
        if !length_is_good || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(NonceError);
        }
        Ok(Self(text.into()))
    }

    /// Returns the run as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name that a client gives to one line: its run, and 1, 2, 3, ... within the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce {
    /// The run that the line belongs to.
    pub run: Run,
    /// The place of the line within the run, from 1.
    pub n: u64,
}

impl Nonce {
    /// Reads `RUN-N`, N without leading zeros and at most 2^53, which every language can represent.
    ///
    /// # Errors
    ///
    /// When the text has any other form.
    pub fn parse(text: &str) -> Result<Self, NonceError> {
        let (run, n) = text.split_once('-').ok_or(NonceError)?;
        Ok(Self {
            run: Run::parse(run)?,
            n: parse_count(n).filter(|n| *n > 0).ok_or(NonceError)?,
        })
    }
}

/// The text is not a RUN-N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("RUN-N is 8 to 32 letters and digits, '-', and a number from 1")]
pub struct NonceError;

/// Reads a number as the wire writes it: digits only, no leading zero, at most 2^53.
pub(crate) fn parse_count(text: &str) -> Option<u64> {
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if leading_zero || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n| *n <= 1 << 53)
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run.as_str(), self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_reads_back_as_it_was_written() {
        for text in [
            "k3v9q2a7-12",
            "ABCDEFGH-1",
            "00000000000000000000000000000000-9007199254740992",
        ] {
            assert_eq!(
                Nonce::parse(text).map(|nonce| nonce.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn no_other_form_is_a_nonce() {
        for text in [
            "",
            "-",
            "k3v9q2a7",
            "k3v9q2a7-",
            "k3v9q2a7-0",
            "k3v9q2a7-01",
            "k3v9q2a-1",
            "k3v9q2a7-1-2",
            "k3v9q2a7-+1",
            "k3v9q2a7--1",
            "k3v9_2a7-1",
            "k3v9q2a7-9007199254740993",
            "k3v9q2a7-99999999999999999999",
            "000000000000000000000000000000000-1",
        ] {
            assert_eq!(Nonce::parse(text), Err(NonceError), "{text}");
        }
    }
}
