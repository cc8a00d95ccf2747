//! The decisions of the room, without I/O: asks become rows and answers.
//!
//! Other folders send an `Ask` and read their mailbox; only the recorder calls `Room::apply`. Not
//! here: sockets, files, SQL, tasks, and the time of day, which is passed in.

pub(crate) mod ask;
pub(crate) mod batch;
pub(crate) mod decide;
pub(crate) mod desk;
pub(crate) mod facts;
pub(crate) mod found;
pub(crate) mod mailbox;
pub(crate) mod pace;
pub(crate) mod presence;
pub(crate) mod quota;
pub(crate) mod senders;
pub(crate) mod stamp;
