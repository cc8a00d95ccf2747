//! The lines of the two dialects. Only a dialect knows lines as text; inside the server, requests,
//! replies and refusals are values, and entries are the encoded lines of the tail.

use std::io::Write as _;

use wire::{Refusal, Reply, Request};

use crate::room::facts::Dialect;
use crate::room::mailbox::Told;

impl Dialect {
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

    /// Appends entries that answer `/history`, given as whole lines of the tail or of a page. All
    /// other entries are sent as they are there.
    pub(crate) fn write_replayed(self, lines: &[u8], out: &mut Vec<u8>) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            out.extend_from_slice(b"= ");
            out.extend_from_slice(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_mark_before_each_line() {
        let mut out = Vec::new();
        Dialect::Plain.write_replayed(b"1 a\n2 b\n", &mut out);
        assert_eq!(out, b"= 1 a\n= 2 b\n");
    }
}
