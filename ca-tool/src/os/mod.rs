//! Everything that differs between operating systems: who may read a file, how a folder reaches the
//! disk, and how to ask at a terminal without showing the answer. No other file of this crate has a
//! branch for a system.
//!
//! A file gets its mode when it is opened: a `chmod` afterwards would leave a moment in which others
//! could read a key. Nothing here knows the purpose of a file.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// The users who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only its owner: it holds a key.
    Private,
    /// Everybody who can reach it.
    Public,
}

/// Creates a file that must not exist yet. Does not follow a symbolic link of that name.
pub(crate) fn create_new(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    system::set_file_mode(&mut options, access);
    options.open(path)
}

/// Opens a lock file, and creates it if it does not exist.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    system::set_file_mode(&mut options, Access::Private);
    options.open(path)
}

/// Creates a folder that only its owner can enter, and the folders above it, and syncs them to the
/// disk. A folder that exists stays as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    // An empty path is the current folder.
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(path);
    create_folder(above)?;
    let mut builder = DirBuilder::new();
    system::set_folder_mode(&mut builder);
    match builder.create(path) {
        // Another run was faster.
        Err(_) if path.is_dir() => {}
        done => done?,
    }
    if above.as_os_str().is_empty() {
        sync_folder(Path::new("."))
    } else {
        sync_folder(above)
    }
}

/// Returns this machine's name, or `None` when it is not UTF-8.
pub(crate) fn machine_name() -> Option<String> {
    system::machine_name()
}

/// Syncs the names in a folder to the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    system::sync_folder(path)
}

/// Returns the number of the device that holds a file or folder, on systems that number devices.
pub(crate) fn device(path: &Path) -> io::Result<Option<u64>> {
    system::device(path)
}

/// Returns whether anybody but its owner can read a file or enter a folder. A path that does not
/// exist is open to nobody.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    system::is_open_to_others(path)
}

/// Returns whether standard output leads nowhere. Where it is closed, Rust opens the null device in
/// its place.
pub(crate) fn is_discarded() -> bool {
    system::is_discarded()
}

/// Returns whether a path is a plain file that has the same owner as a folder, and that nobody else
/// can read.
pub(crate) fn is_file_of(path: &Path, folder: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|there| there.is_file())
        && !is_open_to_others(path)
        && system::have_one_owner(path, folder)
}

/// Makes an existing folder private. Fails if its owner is not the owner of `ours`: another user
/// could put files into it.
pub(crate) fn make_private(path: &Path, ours: &Path) -> io::Result<()> {
    system::make_private(path, ours)
}

/// Asks at the terminal for one line, and does not show what is typed. Returns `None` when the input
/// ends instead, as with Ctrl-D.
///
/// # Errors
///
/// When there is no terminal, or it cannot be used.
pub(crate) fn ask_hidden(prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    system::ask_hidden(prompt)
}

/// Makes a symbolic link, for tests that plant one.
#[cfg(test)]
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    system::symlink(target, link)
}
