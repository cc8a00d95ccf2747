//! The events of a link: a closed list of everything that can happen on a connection.

use std::time::Duration;

use tokio::time::Instant;
use wire::{Entry, NewerEntry, Refusal, Reply, Welcome};

use crate::connect::Route;
use crate::words::{Failure, Fault};

/// Something that happened on a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A line exactly as it came, before the event that it means; only if [`open`](super::open) was
    /// asked for it.
    Wire(String),
    /// An entry, in seq order.
    Entry(Entry),
    /// An entry of a newer server, in the same order.
    NewerEntry(NewerEntry),
    /// A reply other than the greeting, which [`connect`](crate::connect()) took.
    Reply(Reply),
    /// Everything up to this entry has come. Sent once, after the start.
    CaughtUp(u64),
    /// A refusal. One with a RUN-N refuses one of our lines, which was not stored. One without
    /// answers a command, or says that the server waits.
    Refused(Refusal),
    /// Entries did not come in the order 1, 2, 3, ...: entry `came` followed `after`. If a server
    /// goes back, the link ends.
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
    /// The server owes an answer, to a line or a command, and has been silent since then: for a few
    /// seconds, or this would not be told. Whoever shows it counts on.
    Unanswered(Instant),
    /// The server is heard again, after such a silence.
    Answered,
    /// There is no connection now.
    Lost {
        /// The reason: the end of the last connection, or of the last try to connect.
        failure: Failure,
        /// The time until the next try.
        pause: Duration,
    },
    /// There is a connection again.
    Back {
        /// Our name and the room, as the server says them.
        welcome: Box<Welcome>,
        /// The greeting as it came.
        greeting: String,
        /// How the connection reaches the server.
        route: Route,
    },
    /// A faulty line of the server, which was ignored. A server that sends many such lines causes
    /// a few of these per minute.
    Garbled(Fault),
    /// More warnings about the server's lines than a person reads; the next ones are left out.
    WarningsLeftOut,
}
