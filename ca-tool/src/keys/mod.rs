//! Private keys and what protects them.

pub(crate) mod passphrase;
pub(crate) mod private_key;
