//! The database's file and those beside it: created, locked and checked before SQLite opens them.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::os;
use crate::transcript::fault::DatabaseError;

/// Locks the database. Keeps a second server away for as long as the file is open.
pub(super) fn lock(path: &Path) -> Result<File, DatabaseError> {
    let name = beside(path, ".lock");
    let open = |source| DatabaseError::Open {
        path: name.clone(),
        source,
    };
    let mut options = private_options();
    options.create(true).truncate(false);
    // Through a planted link, another file would be created or locked.
    let file = os::open_no_link(&mut options, &name).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}

/// Creates the file before SQLite does, so that it never has another mode than it should.
pub(super) fn create(path: &Path) -> Result<(), DatabaseError> {
    match private_options().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(DatabaseError::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Returns the path of a file beside the database: its name with this ending.
pub(in crate::store) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Returns an absolute path as sqlx takes it, which is text. A path that is not UTF-8 becomes a URI, which SQLite reads
/// byte by byte.
pub(super) fn name_for_sqlx(path: &Path) -> Cow<'_, Path> {
    match path.to_str() {
        Some(_) => Cow::Borrowed(path),
        None => Cow::Owned(PathBuf::from(format!("file:{}", percent_encoded(path)))),
    }
}

/// Returns an absolute path as SQLite's URIs need it.
pub(in crate::store) fn percent_encoded(path: &Path) -> String {
    let mut encoded = String::new();
    if cfg!(windows) {
        encoded.push('/');
    }
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => encoded.push('/'),
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Checks that the file can be written to: SQLite silently opens a protected file read-only, and
/// reports that only at the first write. Call this after `lock`, because closing a file releases
/// the locks of this process on it.
pub(super) fn check_writable(path: &Path) -> Result<(), DatabaseError> {
    match private_options().open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(DatabaseError::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    os::keep_private(&mut options);
    options
}
