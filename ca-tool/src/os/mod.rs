//! What is special to an operating system: who may read a file, from the moment it is made, and
//! how a folder is brought to the disk.
//!
//! Modes are given when a file is opened. A `chmod` afterwards would leave a moment in which a
//! key could be read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner: it holds a key.
    Private,
    /// Whoever can reach it.
    Public,
}

/// Makes a file that was not there. A symbolic link that lies in its place is not followed.
pub(crate) fn create_new(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    mode::of_file(&mut options, access);
    options.open(path)
}

/// Opens a file that is only locked, and makes it when it is not there.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    mode::of_file(&mut options, Access::Private);
    options.open(path)
}

/// Makes a folder that nobody else can enter, and those above it, and brings them to the disk; what
/// is there stays as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    // The folder where one is has no name here.
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(path);
    create_folder(above)?;
    let mut builder = DirBuilder::new();
    mode::of_folder(&mut builder);
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

/// The number of the device on which a file or folder is, where devices have numbers.
pub(crate) fn device(path: &Path) -> io::Result<Option<u64>> {
    mode::device(path)
}

/// Brings to the disk which files a folder has.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    mode::sync_folder(path)
}

/// Whether anybody but its owner can read a file or enter a folder; not if it is not there.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    mode::is_open_to_others(path)
}

/// Whether nobody will ever read what is written to standard output. Where it is closed, Rust opens
/// the null device in its place.
pub fn is_discarded() -> bool {
    mode::is_discarded()
}

/// Whether a plain file belongs to whom a folder belongs, and nobody else can read it.
pub(crate) fn is_file_of(path: &Path, folder: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|there| there.is_file())
        && !is_open_to_others(path)
        && mode::have_one_owner(path, folder)
}

/// Makes a folder that was there its owner's alone, if that is whoever made `ours`: another owner
/// could put other things into it.
pub(crate) fn take_for_oneself(path: &Path, ours: &Path) -> io::Result<()> {
    mode::take_for_oneself(path, ours)
}

#[cfg(unix)]
mod mode {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{
        DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
        PermissionsExt as _,
    };
    use std::path::Path;

    use super::Access;

    pub(super) fn of_file(options: &mut OpenOptions, access: Access) {
        options.mode(match access {
            Access::Private => 0o600,
            Access::Public => 0o644,
        });
    }

    pub(super) fn of_folder(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    pub(super) fn device(path: &Path) -> io::Result<Option<u64>> {
        Ok(Some(std::fs::metadata(path)?.dev()))
    }

    pub(super) fn have_one_owner(one: &Path, other: &Path) -> bool {
        let owner = |path| std::fs::symlink_metadata(path).map(|there| there.uid());
        owner(one).is_ok_and(|one| owner(other).is_ok_and(|other| one == other))
    }

    pub(super) fn take_for_oneself(path: &Path, ours: &Path) -> io::Result<()> {
        let folder = File::open(path)?;
        let there = folder.metadata()?;
        if there.uid() != std::fs::metadata(ours)?.uid() {
            return Err(io::Error::other("it belongs to another user"));
        }
        match there.permissions().mode() & 0o077 {
            0 => Ok(()),
            _ => folder.set_permissions(std::fs::Permissions::from_mode(0o700)),
        }
    }

    pub(super) fn is_discarded() -> bool {
        let results = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let results = results.and_then(|results| results.metadata());
        let null = std::fs::metadata("/dev/null");
        results.is_ok_and(|results| {
            results.file_type().is_char_device()
                && null.is_ok_and(|null| null.rdev() == results.rdev())
        })
    }

    pub(super) fn is_open_to_others(path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|there| there.permissions().mode() & 0o077 != 0)
    }
}

#[cfg(not(unix))]
mod mode {
    use std::fs::{DirBuilder, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::Access;

    // A file here inherits who may read it from its folder, which lies in the user's own.
    pub(super) fn of_file(_options: &mut OpenOptions, _access: Access) {}

    pub(super) fn of_folder(_builder: &mut DirBuilder) {}

    pub(super) fn take_for_oneself(_path: &Path, _ours: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn is_discarded() -> bool {
        false
    }

    pub(super) fn is_open_to_others(_path: &Path) -> bool {
        false
    }

    // A drive has a letter, so that no other folder stays where it was.
    pub(super) fn device(_path: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    // Who may write here is asked of the folder, not of the file.
    pub(super) fn have_one_owner(_one: &Path, _other: &Path) -> bool {
        true
    }

    // A folder cannot be opened as a file here; the file system keeps a journal of names.
    pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
        Ok(())
    }
}
