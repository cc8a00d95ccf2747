//! Private keys, the passphrases that protect them, and random numbers.
//!
//! Use `PrivateKey` and `Passphrase` from outside. Asking for a passphrase is not here (that is
//! `cli/`), and neither is the CA's key file: this folder opens no file.

pub(crate) mod passphrase;
pub(crate) mod private_key;
pub(crate) mod random;
