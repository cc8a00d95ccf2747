//! The person's end of a room: presents a certificate, sends lines, shows what is said.
//!
//! [`connect`] brings a person as far as the server's greeting and claims nothing before it. From
//! there a [`Link`] owns the connection and speaks the dialect `countersign/1`; others hold a
//! [`Handle`] to say things and a channel of [`Event`]s to hear them. What must outlive one
//! connection is in one place, the [`Outbox`]; a [`Stay`] takes it to the next one. The plain mode in `plain/` is built on nothing else.
// No SQL here and nothing that signs: a person's end needs neither.

mod config;
mod connect;
mod link;
mod plain;
mod room;
mod settings;
mod window;
mod words;

pub mod limits;

pub use config::args::{Args, Config};
pub use connect::connected::{Connected, TlsFacts, connect};
pub use connect::opening::Opening;
pub use link::connection::{End, Link};
pub use link::outbox::{Event, Gone, Handle, Outbox, Place, Since, open, open_run};
pub use link::stay::{Dial, Door, Left, Pauses, Stay};
pub use plain::form::Form;
pub use plain::talk::{report, run as run_plain};
pub use settings::target::{Target, TargetError};
pub use window::{Bell, Theme, run as run_window};
pub use words::clock::Clock;
pub use words::failure::{Cause, Exit, Failure, Scene, explain};
pub use words::terminal::tell;
