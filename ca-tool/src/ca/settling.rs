//! Finishes deliveries that were interrupted, or undoes them: the index decides.

use std::fs;
use std::path::Path;

use super::old_bundle::{finish_rename, move_old, old_place};
use super::pending::{WaitingFolder, forget, read_pending, read_waiting_name};
use crate::disk::files;
use crate::disk::folder::Folder;
use crate::disk::temporary::is_temporary;
use crate::error::{Error, io_error};
use crate::ledger::index::Index;
use crate::notice::{Listener, Notice};

/// How deliveries ended that had been interrupted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Files that have their names now.
    pub(super) delivered: usize,
    /// Files that were not recorded.
    pub(super) removed: usize,
}

/// Finishes interrupted deliveries, or undoes them. The caller holds the lock.
pub(super) fn settle(
    folder: &Folder,
    index: &Index,
    listener: &dyn Listener,
) -> Result<Settled, Error> {
    let mut settling = Settling {
        folder,
        index,
        listener,
        settled: Settled::default(),
    };
    let mut gone = Vec::new();
    for waiting in read_pending(folder)? {
        let path = waiting.path(folder);
        let name = path.file_name().and_then(|name| name.to_str());
        // Whatever the file says, only folders that a delivery made are touched.
        if !name.is_some_and(|name| is_temporary(name, "")) {
            continue;
        }
        match settling.folder(&waiting) {
            Ok(true) => gone.push(path),
            Ok(false) => {}
            // A USB stick that cannot be written must not stop anything, least of all a revocation.
            Err(error) => listener.notice(&Notice::NotSettled(path, error)),
        }
    }
    forget(folder, &gone)?;
    Ok(settling.settled)
}

struct Settling<'a> {
    folder: &'a Folder,
    index: &'a Index,
    listener: &'a dyn Listener,
    settled: Settled,
}

impl Settling<'_> {
    /// Settles one folder in which files wait. Returns whether it is gone.
    fn folder(&mut self, waiting: &WaitingFolder) -> Result<bool, Error> {
        let is_here = waiting.is_within_reach(self.folder);
        let path = waiting.path(self.folder);
        let destination = files::parent(&path);
        match fs::symlink_metadata(&path) {
            // A symbolic link in its place leads to somebody's other files.
            Ok(there) if !there.is_dir() => return Ok(true),
            Ok(_) => {}
            Err(_) if is_here => return Ok(true),
            Err(_) => {
                self.listener.notice(&Notice::OutOfReach {
                    folder: path,
                    pending: self.folder.pending(),
                });
                return Ok(false);
            }
        }
        let mut is_empty = true;
        let entries = fs::read_dir(&path).map_err(io_error("read", &path))?;
        for entry in entries.flatten() {
            let file = entry.path();
            let name = entry.file_name();
            let Some((serial, name)) = name.to_str().and_then(read_waiting_name) else {
                is_empty = false;
                continue;
            };
            let is_good = self
                .index
                .find(&serial)
                .is_some_and(|entry| entry.revoked.is_none() || entry.is_on_hold());
            if !is_good {
                fs::remove_file(&file).map_err(io_error("remove", &file))?;
                self.settled.removed += 1;
            } else if self.file(&file, &destination.join(name))? {
                self.settled.delivered += 1;
            } else {
                is_empty = false;
            }
        }
        files::sync_folder(destination)?;
        if is_empty {
            fs::remove_dir(&path).map_err(io_error("remove", &path))?;
        }
        Ok(is_empty)
    }

    /// Gives a file its name, unless something else has that name. Returns whether it did.
    fn file(&self, file: &Path, place: &Path) -> Result<bool, Error> {
        if finish_rename(file, place)? {
            return Ok(true);
        }
        match old_place(place, self.index) {
            Ok(None) => {}
            Ok(Some(old)) => move_old(place, &old)?,
            Err(fault) => {
                let file = file.to_owned();
                self.listener.notice(&Notice::Waits { file, fault });
                return Ok(false);
            }
        }
        files::rename_new(file, place)?;
        Ok(true)
    }
}
