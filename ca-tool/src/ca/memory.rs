//! Remembers beside the CA which columns of rosters hold what, so that next week's roster needs no flags.
//! Headings are kept, and no cell of any roster.

use std::path::{Path, PathBuf};

use super::Ca;
use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::os::Access;
use crate::people::roster::{Kind, Remembered};

/// Reads what is remembered in a CA's folder. It needs no key.
pub(crate) fn remembered(folder: &Path) -> Result<Remembered, Error> {
    let path = Folder::new(folder).rosters();
    match files::read_text_if_there(&path, TEXT_BYTES_MAX)? {
        None => Ok(Remembered::default()),
        Some(text) => Remembered::parse(&text).map_err(|fault| Error::Remembered { path, fault }),
    }
}

impl Ca {
    /// Remembers how a kind of roster is read. Returns the file if it was written, and `None` if it says so
    /// already.
    pub(crate) fn remember_roster(&self, kind: Kind) -> Result<Option<PathBuf>, Error> {
        // Another run may remember something else in the same moment.
        let (_lock, _index) = self.lock()?;
        let path = self.folder().rosters();
        let mut remembered = remembered(self.register.path())?;
        if !remembered.add(kind) {
            return Ok(None);
        }
        let text = remembered.format().map_err(|fault| Error::Remembered {
            path: path.clone(),
            fault,
        })?;
        files::replace(&path, text.as_bytes(), Access::Private)?;
        Ok(Some(path))
    }
}
