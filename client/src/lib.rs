//! The client of a room: presents a certificate, sends lines, shows what everybody says.
//!
//! [`connect()`] leads as far as the server's greeting and claims nothing before it. From there a
//! [`Link`] owns the connection and speaks the dialect `countersign/1`; the rest of the program
//! holds a [`Handle`] to say things and a channel of [`Event`]s to hear them. Everything that must
//! outlive one connection is in one place, the [`Outbox`]; a [`Stay`] takes it to the next one.
//!
//! Each file and folder imports only from those to the left of it in this order (a test looks):
//! `{limits, os} <- settings <- words <- explain <- connect <- link <- {config, enter, keys} <- room <-
//! {plain, window, conformance} <- lib`.
// No SQL here. Nothing signs but `conformance`, for a server that it makes up itself.

mod config;
mod conformance;
mod connect;
mod enter;
mod explain;
mod keys;
mod link;
mod plain;
mod room;
mod settings;
mod window;
mod words;

pub mod limits;
pub mod os;

pub use config::{Args, Config};
pub use conformance::{ConformanceArgs, run as run_conformance};
pub use connect::{Connected, Opening, Route, TlsFacts, connect, connect_explained};
pub use explain::Explainer;
pub use link::{
    Dial, Door, End, Event, Gone, Handle, Link, Outbox, Outcome, Pauses, Permit, Stay, open,
    open_run,
};
pub use plain::run as run_plain;
pub use settings::{Bell, Form, Mouse, Since, Target, TargetError, Theme};
pub use window::run as run_window;
pub use words::{Cause, Clock, Exit, Failure, Fault, Scene, explain, report, tell};
