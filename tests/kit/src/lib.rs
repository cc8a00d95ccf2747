//! Everything that the tests of all programs share, so that none of it is written twice: programs as people
//! run them, terminals, other people's tools, certificates good and bad, and waiting with a deadline.
//!
//! It depends on none of our programs, because their own tests depend on it.

#![expect(clippy::missing_panics_doc, reason = "a harness fails by panicking")]

pub mod mint;

mod event;
mod files;
#[cfg(target_os = "linux")]
mod proc;
mod running;
#[cfg(unix)]
mod screens;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tmux;
mod tool;

pub use event::{PATIENCE, look_until, within};
pub use files::files_below;
#[cfg(target_os = "linux")]
pub use proc::{peak_kib, processor_time, resident_kib};
pub use running::Running;
#[cfg(unix)]
pub use screens::{Emulator, Shown};
#[cfg(unix)]
pub use terminal::{Oddities, Terminal};
#[cfg(unix)]
pub use tmux::{Pane, Tmux};
pub use tool::{python_with, require, require_root};
#[cfg(unix)]
pub use vt100::MouseProtocolMode;
