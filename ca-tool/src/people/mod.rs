//! Who is to have a certificate, whether they may, and what they are handed.

pub(crate) mod parcel;
pub(crate) mod plan;
pub(crate) mod roster;
