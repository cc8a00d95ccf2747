//! What was issued and what was revoked, as a CA's folder records it.

pub(crate) mod index;
pub(crate) mod register;
pub(crate) mod revoked;
