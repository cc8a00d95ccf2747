//! Everything that depends on the operating system, in one place.
//!
//! Each system's file has the same functions; no other file asks which system it runs on. Not here:
//! any decision about what to do there.

#[cfg(not(unix))]
mod other;
mod port_holder;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod unix;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(not(unix))]
pub(crate) use other::*;
#[cfg(not(unix))]
pub use other::{stdout_is_new_file, stop_signal};
pub(crate) use port_holder::{Holder, holder_of};
#[cfg(unix)]
pub use signals::stop_signal;
#[cfg(unix)]
pub use unix::stdout_is_new_file;
#[cfg(unix)]
pub(crate) use unix::*;

/// The size of a disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskBytes {
    /// The bytes that this program may still write.
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// Opens the log for appending, or creates it. Refuses a link that another user made, and every file
/// that is neither a regular file nor a character device.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    if let Ok(file) = std::fs::metadata(path) {
        check_log(&file)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    keep_private(&mut options);
    let opened = match open_no_link(&mut options, path) {
        Err(_) if is_link(path) => {
            refuse_planted_link(path)?;
            follow_links(&mut options);
            options.open(path)
        }
        opened => opened,
    };
    let file = opened?;
    // Another file may have taken the name since the first look.
    check_log(&file.metadata()?)?;
    let_writes_wait(&file)?;
    Ok(file)
}

fn check_log(file: &Metadata) -> io::Result<()> {
    match why_no_log(file) {
        Some(why) => Err(io::Error::other(why)),
        None => Ok(()),
    }
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink())
}
