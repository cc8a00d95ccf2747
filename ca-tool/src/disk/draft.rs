//! Files of one's own, outside of a CA's folder, that get their names together. Until then they lie in a
//! folder that nobody can foresee; one that a killed run left is removed by the next.

use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::folder::{self, Folder, Lock};
use crate::error::{Error, io_error};
use crate::os::{self, Access};

/// A folder in which files wait for their names. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Draft {
    folder: PathBuf,
    /// Where the files go.
    place: PathBuf,
    /// While it is held, this is no leftover of a run that was killed.
    _lock: Lock,
}

impl Draft {
    /// Begins in this folder, which is made when it is not there.
    pub(crate) fn begin(place: &Path) -> Result<Self, Error> {
        folder::create_folder(place)?;
        folder::remove_drafts(place)?;
        let folder = place.join(folder::temporary_name(folder::DRAFT)?);
        folder::create_folder(&folder)?;
        let locked = Folder::new(&folder).lock_files();
        if locked.is_err() {
            // No one to tell if it cannot be removed.
            let _ = fs::remove_dir_all(&folder);
        }
        Ok(Self {
            folder,
            place: place.to_owned(),
            _lock: locked?,
        })
    }

    /// Brings a file to the disk that is to have this name.
    pub(crate) fn write(
        &self,
        name: impl AsRef<Path>,
        bytes: &[u8],
        access: Access,
    ) -> Result<(), Error> {
        folder::write_new(&self.folder.join(name), bytes, access)
    }

    /// Gives a file its name; refuses when something has that name, were it a symbolic link.
    pub(crate) fn publish(&self, name: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let place = self.place.join(&name);
        folder::rename_new(&self.folder.join(name), &place)?;
        os::sync_folder(&self.place).map_err(io_error("write to", &self.place))?;
        Ok(place)
    }

    /// Gives a file its name; what had that name is gone.
    pub(crate) fn replace(&self, name: impl AsRef<Path>) -> Result<(), Error> {
        let place = self.place.join(&name);
        fs::rename(self.folder.join(name), &place).map_err(io_error("replace", &place))?;
        os::sync_folder(&self.place).map_err(io_error("write to", &self.place))
    }

    /// A folder to compare with: it is certainly our own.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // No one to tell if it cannot be removed; the next run tries again.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
