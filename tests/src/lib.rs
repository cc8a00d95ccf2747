//! The harness of the integration tests: it does the work, so that a test is a few lines of story.
//!
//! | to test | use |
//! |---|---|
//! | the server in this process, with any limits | [`World`]: a CA and a room in a folder of their own |
//! | bytes that a real client would not send | [`Peer`]: a TLS connection below the client crate |
//! | the three programs as people run them | [`Site`]: a CA's folder in which programs are started |
//! | many clients at once, and faults | [`crowd`], and the [`checker`] that judges what they saw |
//! | a network that loses, delays and cuts | [`Proxy`] |
//! | connections without a certificate | [`Strangers`] |
//! | the documents, and the transcripts in them | [`pages`], [`Transcript`] |
//!
//! Everything that needs none of our programs is in the crate `kit`, and is passed on here: terminals,
//! other people's tools, certificates and waiting.

#![expect(clippy::missing_panics_doc, reason = "a harness fails by panicking")]

pub mod checker;
pub mod crowd;

mod chance;
mod day;
#[cfg(target_os = "linux")]
mod disk;
mod ended;
mod files;
#[cfg(unix)]
mod logging;
mod pages;
mod peer;
mod programs;
mod proxy;
#[cfg(target_os = "linux")]
mod rush;
#[cfg(target_os = "linux")]
mod strangers;
mod transcript;
mod world;

#[cfg(unix)]
pub use kit::{Emulator, Oddities, Pane, Shown, Terminal, Tmux};
pub use kit::{PATIENCE, Running, look_until, require, require_root, within};
#[cfg(target_os = "linux")]
pub use kit::{peak_kib, processor_time, resident_kib};

pub use chance::{chance, number, rounds};
pub use day::same_day;
#[cfg(target_os = "linux")]
pub use disk::{Filler, Mount};
pub use ended::{Ended, end, finish, run_at, run_client};
pub use files::raise_file_limit;
#[cfg(unix)]
pub use logging::Logging;
pub use pages::{Page, fences, files_below, page, pages, project, section, section_of_any};
pub use peer::{Peer, Said, said, sit_unread};
pub use programs::{Served, Site, UNLIMITED, program, run};
pub use proxy::{Cut, Manner, Proxy, Side};
#[cfg(target_os = "linux")]
pub use rush::{Rush, open_window};
#[cfg(target_os = "linux")]
pub use strangers::{Siege, Strangers, client_hello, connect_from, large_hello};
pub use transcript::{Scene, Transcript};
pub use world::{Options, World, instructors, lasting};
