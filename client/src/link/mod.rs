//! A conversation with the server: one connection after the other, and whatever outlives them.
//!
//! A [`Link`] owns one connection, a [`Stay`] takes the [`Outbox`] from one to the next. The rest of the program holds a
//! [`Handle`] to say things and takes [`Event`]s; it never sees a line of the wire, a nonce that it did not get, or a
//! socket. Nothing here shows anything to anybody or knows who is in the room.

mod awaited;
mod connection;
mod course;
mod door;
mod event;
mod handle;
mod outbox;
mod pauses;
mod silence;
mod stay;

pub use connection::{End, Link};
pub use door::Door;
pub use event::Event;
pub use handle::{Gone, Handle, Permit};
pub use outbox::{Outbox, open, open_run};
pub use pauses::Pauses;
pub use stay::{Dial, Outcome, Stay};
