//! Private keys, what encrypts them, and the random numbers that they are made of.
//!
//! Use `PrivateKey` and `Passphrase` from outside. Where a passphrase comes from is not here (that is
//! `cli/`), and neither is the CA's key file: this folder opens no file.

pub(crate) mod passphrase;
pub(crate) mod private_key;
pub(crate) mod random;
