//! The harness of the integration tests: it does the work, so that a test is a few lines of story.
//!
//! A [`World`] is a CA and a room in a folder of their own; a [`Peer`] is a TLS connection below
//! the client crate, for everything that a real client would not do; `programs` has the three
//! programs as people run them. A [`crowd`] is many clients at once, and the [`checker`] judges what
//! they saw. [`pages`] are the documents, and a [`Transcript`] is one of the protocol's.

#![expect(clippy::missing_panics_doc, reason = "a harness fails by panicking")]

pub mod checker;
pub mod crowd;

mod chance;
mod pages;
#[cfg(unix)]
mod files;
mod peer;
mod programs;
mod proxy;
#[cfg(target_os = "linux")]
mod rush;
#[cfg(target_os = "linux")]
mod strangers;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tmux;
mod transcript;
mod world;

pub use chance::{chance, number, rounds};
pub use pages::{Page, fences, files_below, page, pages, project, section, section_of_any};
#[cfg(unix)]
pub use files::raise_file_limit;
pub use peer::{Peer, Said, said};
pub use programs::{
    Running, Served, Site, WITHOUT_PACE, program, rare_tool_or_skip, run, tool_or_skip,
};
pub use proxy::{Cut, Manner, Proxy, Side};
#[cfg(target_os = "linux")]
pub use rush::{Rush, open_window};
#[cfg(target_os = "linux")]
pub use strangers::{Siege, Strangers, client_hello, connect_from, large_hello};
#[cfg(unix)]
pub use terminal::{Oddities, Terminal};
#[cfg(unix)]
pub use tmux::{Pane, Tmux};
pub use transcript::{Scene, Transcript};
pub use world::{Options, World, instructors, lasting};

use std::time::Duration;

/// How long anything may take before a test gives it up for lost. A bound, never a pause.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}
