//! From a bundle and a server's name to the server's greeting, and not a step further.
//!
//! [`connect`] is the way in; what it gives is a [`Connected`]. Before the greeting nothing is sent and nothing is
//! claimed. What is said after it is the link's affair, and so is coming back.

mod connected;
mod greeting;
mod incoming;
mod network;
mod opening;
mod tls;

pub use connected::{Connected, connect};
pub use opening::Opening;
pub use tls::TlsFacts;

pub(crate) use incoming::Incoming;
pub(crate) use tls::tls_error;
