//! The way from a bundle and a server's name to the server's greeting, and not a step further.
//!
//! [`connect`] returns a [`Connected`]. Before the greeting nothing is sent and nothing is claimed.
//! Everything after the greeting is the link's work, and so is reconnecting.

mod connected;
mod greeting;
mod incoming;
mod network;
mod opening;
mod tls;

pub use connected::{Connected, Route, connect, connect_explained};
pub use opening::Opening;
pub use tls::TlsFacts;

pub(crate) use incoming::Incoming;
pub(crate) use tls::tls_error;
