//! Requests to the room as plain data: nothing here is tied to this process.
//!
//! The waiter for the answer is kept beside the ask, in `desk`. So asks could be written down and
//! read elsewhere, and the room would decide the same.

use pki::CrlNumber;
use wire::{ClientId, Line, Nonce, Reason};

use crate::room::facts::ConnectionFacts;

/// One request to the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A session wants to begin.
    Enter(Box<ConnectionFacts>),
    /// A session says something.
    Say(Said),
    /// A line of a session was refused; its N is spent.
    Spend {
        id: ClientId,
        session: u64,
        nonce: Nonce,
    },
    /// A session has ended.
    Leave {
        id: ClientId,
        session: u64,
        reason: Reason,
    },
    /// A revocation list with this number is in use.
    ListSeen(CrlNumber),
}

/// A line, and the session that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) id: ClientId,
    pub(crate) session: u64,
    pub(crate) nonce: Option<Nonce>,
    pub(crate) line: Line,
}
