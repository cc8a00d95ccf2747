//! From a socket to a session: accepting, waiting for a turn, TLS, and the gate.
//!
//! `run` starts the `Acceptor`; the other folders use nothing else here. Not here: any part of the
//! protocol, except the refusals for clients that have no session yet.

pub(crate) mod accept;
pub(crate) mod descriptors;
pub(crate) mod handshake;
pub(crate) mod interfaces;
pub(crate) mod lobby;
pub(crate) mod permits;
pub(crate) mod prefix;
pub(crate) mod refusal_log;
pub(crate) mod socket;
pub(crate) mod tls;
