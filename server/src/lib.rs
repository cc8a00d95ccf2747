//! The room: mutual TLS in, one ordered transcript out.
//!
//! Every session is a cursor over the transcript; one recorder is its only writer.
//! `ARCHITECTURE.md` at the top of the repository shows how the parts fit together.
//!
//! Each file and folder imports only from those to the left of it in this order (a test looks):
//! `{few, file_kind, lock, os, terminal} <- {config, log} <- room <- explain <- {transcript, watch} <-
//! {store, session} <- door <- {args, failure, simulated} <- run <- lib`.

mod config;
mod door;
mod explain;
mod failure;
mod few;
mod file_kind;
mod lock;
mod os;
mod room;
mod run;
mod session;
mod simulated;
mod store;
mod transcript;
mod watch;

pub mod args;
pub mod log;
pub mod terminal;

pub use config::{Config, Limits, SameId};
pub use door::descriptors::{Allowed, TooFewFiles, connections_allowed};
pub use door::socket::listen;
pub use failure::Failure;
pub use os::{stdout_is_new_file, stop_signal};
pub use run::{processors, run};
pub use simulated::MemoryRoom;
pub use store::{memory, query};
pub use transcript::fault::DatabaseError;
pub use transcript::record;
pub use transcript::recorder::RecorderError;
pub use watch::bundle::{ServerBundleError, read_bundle};
pub use watch::revocation::{ListError, read_list};
