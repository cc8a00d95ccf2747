//! The decisions of the room: asks become rows and answers.
//!
//! Other folders send an `Ask` and read their mailbox; only the recorder calls `Room::apply`. The
//! decisions are pure: nothing in `decide` and the files that it uses waits, and the time is passed
//! in. `desk`, `mailbox` and `pace` are the handles through which sessions wait: they hold channels,
//! permits and timers. Not here: sockets, files, SQL, and tasks.

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
