//! The exit code that each error means. `ca-tool --help` lists them.

use super::Error;

impl Error {
    /// Returns the program's exit code: 2 when the command line was incomplete, 77 when there was no
    /// passphrase or a wrong one, 3 when `status` failed, and 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::StaysEncrypted(_)
            | Error::NotConfirmed(_)
            | Error::Nobody
            | Error::NameOfSeveral(_) => 2,
            Error::Broken(_) => 3,
            Error::NoPassphrase
            | Error::BadPassphrase(_)
            | Error::WeakPassphrase(_)
            | Error::NotTheSameTwice
            | Error::NothingTyped
            | Error::PassphraseUnread(_)
            | Error::EncryptedKey(_)
            | Error::WrongPassphrase { .. } => 77,
            _ => 1,
        }
    }
}
