//! Tells people what happens on the wire, for `--explain`: the messages of TLS and what each of them
//! proves, the fields of certificates, and the lines of the protocol.
//!
//! Both programs narrate with it, each about its own end. It says only what was observed, or what
//! follows from that by the order of messages in RFC 8446. It never sees a private key or a secret
//! of TLS, and it says how long a text is, not the text.

mod handshake;
mod hello;
mod line;
mod names;
mod narrator;
mod part;
mod words;

pub use handshake::{Client, Server, client_hello_heard};
pub use line::{from_client, from_server, request};
pub use narrator::{Narrator, NarratorGuard};
pub use part::{Part, Step};
pub use words::{alert, ca_in_short, certificate, milliseconds};
