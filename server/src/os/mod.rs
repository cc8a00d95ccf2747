//! Everything that depends on the operating system, in one place.
//!
//! Each system's file has the same functions; no other file asks which system it is. Not here: any
//! decision about what to do on it.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(not(unix))]
pub use other::stop_signal;
#[cfg(not(unix))]
pub(crate) use other::*;
#[cfg(unix)]
pub use unix::stop_signal;
#[cfg(unix)]
pub(crate) use unix::*;

/// The size of a disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskBytes {
    /// What this program may still write.
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// Opens the log, or makes it. A link that somebody else made is refused.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    keep_private(&mut options);
    match open_no_link(&mut options, path) {
        Err(_) if is_link(path) => {}
        opened => return opened,
    }
    refuse_planted_link(path)?;
    follow_links(&mut options);
    options.open(path)
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink())
}
