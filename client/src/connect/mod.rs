//! From a bundle and a server's name to the server's greeting.

pub(crate) mod connected;
pub(crate) mod opening;
