//! The two ways to speak with a server. Only a dialect knows lines as text; inside the server,
//! requests, replies and refusals are values, and entries are the encoded lines of the tail.

use std::io::Write as _;

use wire::{Refusal, Reply, Request};

use crate::room::mailbox::Told;

/// The dialect of a client.
// Both write the same lines. They differ in whether the client says where to start, and in whether
// a silent client is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Any TLS tool: entries are sent without being asked for.
    Plain,
    /// `countersign/1`: the client says where to start, and sends pings.
    Ours,
}

impl Dialect {
    /// Returns the dialect of a client that named `name` in its handshake (ALPN, RFC 7301).
    pub(crate) fn named(name: Option<&str>) -> Self {
        match name {
            Some(_) => Dialect::Ours,
            None => Dialect::Plain,
        }
    }

    /// Returns whether entries are sent without being asked for.
    pub(crate) fn follows_by_itself(self) -> bool {
        self == Dialect::Plain
    }

    /// Returns whether a client that is silent for long is lost.
    pub(crate) fn has_to_be_heard(self) -> bool {
        self == Dialect::Ours
    }

    /// Returns the request in a line; `None` when the line is empty.
    ///
    /// # Errors
    ///
    /// The refusal of a line that breaks the grammar.
    pub(crate) fn read(self, line: &[u8]) -> Result<Option<Request>, Refusal> {
        Request::parse(line)
    }

    /// Returns the refusal of a line that is too long and begins with `prefix`.
    pub(crate) fn too_long(self, prefix: &[u8]) -> Refusal {
        Request::too_long(prefix)
    }

    /// Appends one line for one session.
    pub(crate) fn write(self, told: &Told, out: &mut Vec<u8>) {
        match told {
            Told::Reply(reply) => self.write_reply(reply, out),
            Told::Refusal(refusal) => {
                let wrote = writeln!(out, "{refusal}");
                debug_assert!(wrote.is_ok(), "a Vec takes what is written");
            }
        }
    }

    /// Appends a reply.
    pub(crate) fn write_reply(self, reply: &Reply, out: &mut Vec<u8>) {
        let wrote = writeln!(out, "{reply}");
        debug_assert!(wrote.is_ok(), "a Vec takes what is written");
    }

    /// Returns the prefix of an entry that answers `/history`. All other entries are sent as they
    /// are in the tail.
    pub(crate) fn replayed_prefix(self) -> &'static str {
        "= "
    }
}
