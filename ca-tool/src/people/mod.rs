//! The people who should get a certificate: whether they may have one, and which file they get.
//!
//! `roster` and `candidate` read what somebody wrote, `naming` and `shape` make the IDs that a roster lacks,
//! `plan` decides about everybody with the help of `known_names`, and `parcel` packs the file. Nothing here
//! signs or writes: a plan is only a decision.

pub(crate) mod candidate;
pub(crate) mod handout;
pub(crate) mod known_names;
pub(crate) mod naming;
pub(crate) mod parcel;
pub(crate) mod plan;
pub(crate) mod roster;
pub(crate) mod shape;
pub(crate) mod suggestion;
