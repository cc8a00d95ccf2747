//! The person's end of a room: presents a certificate, sends lines, shows what is said.
//!
//! [`connect`] brings a person as far as the server's greeting and claims nothing before it. From
//! there a [`Link`] owns the connection and speaks the dialect `countersign/1`; others hold a
//! [`Handle`] to say things and a channel of [`Event`]s to hear them. What must outlive one
//! connection is in one place, the [`Outbox`]; a [`Stay`] takes it to the next one. The plain mode in [`plain`] is built on nothing else.
// No SQL here and nothing that signs: a person's end needs neither.

mod args;
mod awaited;
mod clock;
mod connect;
mod course;
mod failure;
mod form;
mod link;
mod opening;
mod outbox;
mod stay;
mod target;
mod terminal;
mod typed;

pub mod limits;
pub mod plain;
pub mod ui;

pub use args::{Args, Config};
pub use clock::Clock;
pub use connect::{Connected, TlsFacts, connect};
pub use failure::{Cause, Exit, Failure, Scene, explain};
pub use form::Form;
pub use link::{End, Link};
pub use opening::Opening;
pub use outbox::{Event, Gone, Handle, Outbox, Place, Since, open, open_run};
pub use stay::{Dial, Door, Left, Pauses, Stay};
pub use target::{Target, TargetError};
pub use terminal::tell;
