//! One member's session, from the greeting to the goodbye.
//!
//! The door begins a session over a stream whose owner the gate admitted; nothing here knows TLS or
//! sockets. Not here: the order of lines, which the recorder decides.

pub(crate) mod admitted;
pub(crate) mod closing;
pub(crate) mod dialect;
pub(crate) mod end_watch;
pub(crate) mod flusher;
pub(crate) mod inbound;
pub(crate) mod life;
pub(crate) mod metered;
pub(crate) mod outbound;
pub(crate) mod replies;
pub(crate) mod silence;
