//! A folder that nobody can foresee, in which files wait until they get their names together. If the
//! run is killed, the next one removes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files;
use super::folder::Folder;
use super::leftovers;
use super::lock::{Lock, lock};
use super::temporary::{DRAFT, temporary_name};
use crate::error::{Error, io_error};
use crate::notice::Listener;
use crate::os::Access;

/// A folder in which files wait for their names. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Draft {
    folder: PathBuf,
    /// The folder to which the files go.
    place: PathBuf,
    /// While a run holds it, no other run takes the folder for a leftover.
    lock: Option<Lock>,
}

/// How often to begin a draft before giving up.
const TRIES_MAX: usize = 5;

impl Draft {
    /// Begins a draft in this folder, which is created if it does not exist.
    pub(crate) fn begin(place: &Path, listener: &dyn Listener) -> Result<Self, Error> {
        files::create_folder(place)?;
        leftovers::remove_drafts(place, listener)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::make(place, listener) {
                // Another run may have taken the folder for a leftover before it was locked.
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES_MAX => {}
                done => return done,
            }
        }
    }

    fn make(place: &Path, listener: &dyn Listener) -> Result<Self, Error> {
        let mut draft = Self {
            folder: place.join(temporary_name(DRAFT)?),
            place: place.to_owned(),
            lock: None,
        };
        files::create_folder(&draft.folder)?;
        draft.lock = Some(lock(&Folder::new(&draft.folder), listener)?);
        Ok(draft)
    }

    /// Returns the folder itself. It certainly belongs to the user.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file to the disk that is to have this name.
    pub(crate) fn write(
        &self,
        name: impl AsRef<Path>,
        bytes: &[u8],
        access: Access,
    ) -> Result<(), Error> {
        files::write_new(&self.folder.join(name), bytes, access)
    }

    /// Gives a file its name. Fails if anything has that name, even a symbolic link.
    pub(crate) fn publish(&self, name: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let place = self.place.join(&name);
        files::rename_new(&self.folder.join(name), &place)?;
        files::sync_folder(&self.place)?;
        Ok(place)
    }

    /// Gives a file its name, in place of whatever had it.
    pub(crate) fn replace(&self, name: impl AsRef<Path>) -> Result<(), Error> {
        let place = self.place.join(&name);
        fs::rename(self.folder.join(name), &place).map_err(io_error("replace", &place))?;
        files::sync_folder(&self.place)
    }

    /// Lets go of the lock, as some systems rename no folder in which a file is open.
    pub(crate) fn unlock(&mut self) {
        self.lock = None;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // If it cannot be removed there is nobody to tell; the next run tries again.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
