//! Signs certificates, requests and revocation lists in memory. It reads the request that it answers,
//! and writes no file.
//!
//! `issuer` holds a CA's certificate and key: everything that is signed comes from it, and has passed
//! the check that a server makes. The other files are its material: a `subject`, a `request`, the
//! `reason` of a revocation, the `host` of a server. Nothing here remembers earlier signatures.

pub(crate) mod certificate;
pub(crate) mod host;
pub(crate) mod issuer;
pub(crate) mod reason;
pub(crate) mod request;
pub(crate) mod strict;
pub(crate) mod subject;
