//! What people do with their own key and their own bundle, on a machine that has no CA.

pub(crate) mod export;
pub(crate) mod own_key;
