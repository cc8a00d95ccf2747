//! A conversation with the server: one connection after the other, and the state that outlives
//! them.
//!
//! A [`Link`] owns one connection, a [`Stay`] takes the [`Outbox`] from one to the next. The rest
//! of the program holds a [`Handle`] to say things and takes [`Event`]s; it does not touch sockets
//! or write lines of the wire. Nothing here shows anything, or keeps the people and the lines of a
//! room.

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
