//! What a link tells the rest of the program: a closed list of everything that can happen on a connection.

use std::time::Duration;

use wire::{Entry, NewerEntry, Refusal, Reply, Welcome};

/// What a link tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line just as it came, before what it means; only when [`open`] was asked for it.
    Wire(String),
    /// An entry, in seq order.
    Entry(Entry),
    /// An entry of a newer server, in the same order.
    NewerEntry(NewerEntry),
    /// A reply, but for the greeting, which [`connect`](crate::connect) took.
    Reply(Reply),
    /// Everything up to this entry has come. Told once, after the start.
    CaughtUp(u64),
    /// A refusal of one of our lines, which was not stored, has a RUN-N. Without one, it answers a
    /// command or says that the server waits.
    Refused(Refusal),
    /// Entries did not come in the order 1, 2, 3, ...: after `after` came `came`. A server that
    /// goes back is left.
    Disorder {
        /// The last entry before.
        after: u64,
        /// The one that came.
        came: u64,
    },
    /// The transcript is not the one that was followed before; the link has started afresh.
    OtherHistory {
        /// The unacknowledged lines that were not sent again, because it is another database.
        set_aside: usize,
    },
    /// There is no connection now.
    Lost {
        /// Why.
        why: String,
        /// When the next try comes.
        pause: Duration,
    },
    /// There is a connection again.
    Back {
        /// Who the server says we are, and what room this is.
        welcome: Box<Welcome>,
        /// The greeting as it came.
        greeting: String,
        /// How, in words: [`Connected::describe`](crate::Connected::describe).
        words: String,
    },
    /// What is wrong with a line of the server and what became of it, in words. A server that goes
    /// on like this is told of a few times a minute.
    Garbled(String),
}
