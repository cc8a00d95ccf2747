//! Writes files so that a crash leaves either the old file or the new one, and reads them whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::temporary::temporary_name;
use crate::error::{Error, io_error};
use crate::os::{self, Access};

/// A text in the CA's folder or beside it, in bytes; only the index and the list are larger.
pub(crate) const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Writes a file that must not exist yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    Staged::write(path, bytes, access)?.publish()
}

/// Writes a file in place of the old one. If the old one is a symbolic link, the file that it leads to is
/// replaced, and the link stays: its owner keeps that file elsewhere on purpose.
pub(crate) fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    if !is_link {
        return Staged::write(path, bytes, access)?.replace();
    }
    let place = fs::canonicalize(path).map_err(io_error("replace", path))?;
    Staged::write(&place, bytes, access)?.replace()
}

/// A new file whose bytes are on the disk, but not yet under its name. Dropping it removes it.
#[derive(Debug)]
struct Staged {
    temporary: PathBuf,
    destination: PathBuf,
}

impl Staged {
    /// Writes the bytes next to their destination, under a name that nobody can foresee.
    fn write(destination: &Path, bytes: &[u8], access: Access) -> Result<Self, Error> {
        let folder = parent(destination);
        let temporary = folder.join(temporary_name("")?);
        let mut file = os::create_new(&temporary, access).map_err(io_error("write", &temporary))?;
        // From here on the file is there, so it is removed when something fails.
        let staged = Self {
            temporary,
            destination: destination.to_owned(),
        };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(io_error("write", &staged.temporary))?;
        Ok(staged)
    }

    /// Gives the file its name. Fails if anything has that name, even a symbolic link.
    fn publish(self) -> Result<(), Error> {
        rename_new(&self.temporary, &self.destination)?;
        sync_folder(parent(&self.destination))
    }

    /// Gives the file its name, in place of whatever had it.
    fn replace(self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.destination)
            .map_err(io_error("replace", &self.destination))?;
        sync_folder(parent(&self.destination))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; if it fails, there is nobody to tell.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Renames a file within its file system. Fails if anything has the new name.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::Exists(to.to_owned()));
        }
        // Some file systems have no hard links, such as FAT on a USB stick. There an empty file takes
        // the name first, which fails if it is taken; then it is replaced.
        Err(_) => {
            os::create_new(to, Access::Private).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::Exists(to.to_owned()),
                _ => io_error("write", to)(error),
            })?;
            return fs::rename(from, to).map_err(|error| {
                // The empty file is ours, and would keep the name from the next run.
                let _ = fs::remove_file(to);
                io_error("write", to)(error)
            });
        }
    }
    fs::remove_file(from).map_err(io_error("remove", from))
}

/// Creates a folder that nobody else can enter. An existing one stays as it is.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    os::create_folder(path).map_err(io_error("make", path))
}

/// Syncs the names in a folder to the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<(), Error> {
    os::sync_folder(path).map_err(io_error("write to", path))
}

/// Reads a file of at most `bytes_max` bytes. Returns `None` if it does not exist.
pub(crate) fn read_if_there(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    use std::io::Read as _;

    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    // Allocated for the whole file: growing would leave a copy behind, and it may be a key.
    let length = file.metadata().map_or(0, |there| there.len());
    let capacity = usize::try_from(length.min(bytes_max) + 1).unwrap_or(0);
    let mut bytes = Vec::with_capacity(capacity);
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Error::Damaged {
            path: path.to_owned(),
            fault: format!("it has more than {} MiB", bytes_max >> 20),
        });
    }
    Ok(Some(bytes))
}

/// Reads a text file of at most `bytes_max` bytes. Returns `None` if it does not exist.
pub(crate) fn read_text_if_there(path: &Path, bytes_max: u64) -> Result<Option<String>, Error> {
    let Some(bytes) = read_if_there(path, bytes_max)? else {
        return Ok(None);
    };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::Damaged {
            path: path.to_owned(),
            fault: "it is not UTF-8".to_owned(),
        })
}

/// Returns the error for a file that has to exist and does not.
pub(crate) fn missing(path: &Path) -> Error {
    Error::NoFile(path.to_owned())
}

/// Returns the folder of a file; `.` if its path names none.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("alice.pem");
        write_new(&path, b"one", Access::Private).expect("written");
        let staged = Staged::write(&path, b"two", Access::Private).expect("beside it");
        assert!(matches!(staged.publish(), Err(Error::Exists(_))));
        assert_eq!(fs::read(&path).expect("a file"), b"one");
        assert_eq!(names(above.path()), ["alice.pem"], "nothing is left over");

        replace(&path, b"three", Access::Private).expect("replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"three");
        assert_eq!(names(above.path()), ["alice.pem"], "nothing is left over");
    }

    #[test]
    fn a_rename_that_fails_takes_no_name() {
        let above = tempfile::tempdir().expect("a folder");
        let (from, to) = (above.path().join("none"), above.path().join("alice.pem"));
        rename_new(&from, &to).expect_err("nothing to rename");
        assert!(names(above.path()).is_empty());
    }

    #[test]
    fn a_file_that_is_not_published_is_gone() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("alice.pem");
        drop(Staged::write(&path, b"one", Access::Private).expect("written"));
        assert!(names(above.path()).is_empty());
    }

    #[test]
    fn a_symbolic_link_that_was_planted_is_not_followed() {
        let above = tempfile::tempdir().expect("a folder");
        let (path, elsewhere) = (
            above.path().join("alice.pem"),
            above.path().join("elsewhere"),
        );
        os::symlink(&elsewhere, &path).expect("linked");
        let refused = write_new(&path, b"key", Access::Private);
        assert!(matches!(refused, Err(Error::Exists(_))));
        assert!(!elsewhere.exists());
    }

    #[test]
    fn a_file_that_is_kept_elsewhere_stays_there() {
        let above = tempfile::tempdir().expect("a folder");
        let elsewhere = above.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        fs::write(elsewhere.join("real"), "one").expect("written");
        let (first, second) = (above.path().join("second"), above.path().join("index.txt"));
        os::symlink(Path::new("elsewhere/real"), &first).expect("linked");
        os::symlink(Path::new("second"), &second).expect("linked");
        replace(&second, b"two", Access::Private).expect("replaced");
        assert_eq!(fs::read(elsewhere.join("real")).expect("a file"), b"two");
        assert!(second.is_symlink() && first.is_symlink());
        assert_eq!(names(&elsewhere), ["real"], "nothing is left over");

        // A link that leads nowhere is not replaced by a file that nobody expects there.
        fs::remove_file(elsewhere.join("real")).expect("removed");
        replace(&second, b"three", Access::Private).expect_err("it leads nowhere");
        assert!(second.is_symlink());
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("index.txt");
        fs::write(&path, "12345").expect("written");
        assert_eq!(
            read_if_there(&path, 5).expect("5 bytes"),
            Some(b"12345".to_vec())
        );
        assert!(matches!(
            read_if_there(&path, 4),
            Err(Error::Damaged { .. })
        ));
        assert_eq!(
            read_if_there(&above.path().join("none"), 4).expect("none"),
            None
        );
    }
}
