//! Certificates: whom the gate admits, the effect of a revocation, files that are replaced while a room is
//! served, and the words of each side when TLS ends before the greeting.

mod alerts;
mod gate;
pub(crate) mod mint;
mod refusals;
mod renewal;
mod revocation;
