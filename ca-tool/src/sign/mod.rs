//! Signs, and reads what is to be signed. Writes no files.

pub(crate) mod host;
pub(crate) mod issuer;
pub(crate) mod reason;
pub(crate) mod request;
