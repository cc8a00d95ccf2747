//! One connection after the other, and what outlives them.

mod awaited;
pub(crate) mod connection;
mod course;
pub(crate) mod outbox;
pub(crate) mod stay;
