//! Windows: a file inherits its permissions from its folder, which lies in the user's own.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::Access;

pub(super) fn set_file_mode(_options: &mut OpenOptions, _access: Access) {}

pub(super) fn set_folder_mode(_builder: &mut DirBuilder) {}

// A folder cannot be opened like a file here; the file system keeps a journal of names.
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

// A drive has a letter, so no other folder takes its place.
pub(super) fn device(_path: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

// The folder decides who may write here, not the file.
pub(super) fn have_one_owner(_one: &Path, _other: &Path) -> bool {
    true
}

pub(super) fn make_private(_path: &Path, _ours: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn machine_name() -> Option<String> {
    gethostname::gethostname().into_string().ok()
}

pub(super) fn is_discarded() -> bool {
    false
}

pub(super) fn is_open_to_others(_path: &Path) -> bool {
    false
}

pub(super) fn ask_hidden(prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match rpassword::prompt_password(prompt) {
        Ok(typed) => Ok(Some(Zeroizing::new(typed.into_bytes()))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(super) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    if target.is_dir() {
        std::os::windows::fs::symlink_dir(target, link)
    } else {
        std::os::windows::fs::symlink_file(target, link)
    }
}
