//! The record of everything that a CA has issued and revoked.
//!
//! `index` is OpenSSL's database: it decides, and everything else in the folder follows.
//! `register` is the whole folder for reading, and `revoked` reads the entries of a revocation list.
//! There is no key here, so nothing can sign: reports need only this.

pub(crate) mod index;
pub(crate) mod register;
pub(crate) mod revoked;
pub(crate) mod settings;
