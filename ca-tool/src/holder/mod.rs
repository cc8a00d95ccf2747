//! Work with your own key or bundle, on a machine that has no CA.
//!
//! `own_key` makes a key with its request and combines the answer with it; `export` turns a bundle into a
//! file for browsers. Nothing here opens a CA's folder or its index.

pub(crate) mod export;
pub(crate) mod own_key;
