//! Delivers bundles and certificates together with their lines in the index: all of them or none.
//!
//! They are written into folders that nobody can foresee, and `.pending` names these folders. Then the
//! index is written with their serial numbers: from that moment they exist. Then they get their own
//! names. The next run that takes the lock delivers the files that the index names, and removes the
//! others. So a run that is interrupted at any moment has either happened or not.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use pki::Serial;
use zeroize::Zeroizing;

use super::pending::{WaitingFolder, forget, read_pending, waiting_name, write_pending};
use crate::disk::files;
use crate::disk::folder::Folder;
use crate::disk::temporary::temporary_name;
use crate::error::{Error, io_error};
use crate::os::{self, Access};

/// Files on their way to their places.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    folder: &'a Folder,
    /// The folders in which files wait, each inside its destination.
    folders: Vec<PathBuf>,
    files: Vec<WaitingFile>,
    /// Whether the index may name them. Until then, dropping a delivery undoes it.
    may_be_recorded: bool,
}

/// A file that waits for its name.
#[derive(Debug)]
struct WaitingFile {
    path: PathBuf,
    /// The file's bytes, which may contain a key.
    bytes: Zeroizing<Vec<u8>>,
    access: Access,
}

impl<'a> Delivery<'a> {
    /// Begins a delivery to these folders. The caller holds the lock.
    pub(super) fn begin(folder: &'a Folder, destinations: &[&Path]) -> Result<Self, Error> {
        let mut delivery = Self {
            folder,
            folders: Vec::new(),
            files: Vec::new(),
            may_be_recorded: false,
        };
        let mut pending = read_pending(folder)?;
        for destination in destinations {
            let waiting = destination.join(temporary_name("")?);
            let waiting = WaitingFolder::new(folder, &waiting)?;
            delivery.folders.push(waiting.path(folder));
            pending.push(waiting);
        }
        // Before the first key is on the disk, `.pending` says where it will be.
        write_pending(folder, &pending)?;
        for waiting in &delivery.folders {
            files::create_folder(waiting)?;
        }
        Ok(delivery)
    }

    /// Adds a file for the destination with this number. Nothing is written yet.
    pub(super) fn add(
        &mut self,
        destination: usize,
        serial: &Serial,
        name: &str,
        bytes: Zeroizing<Vec<u8>>,
        access: Access,
    ) {
        self.files.push(WaitingFile {
            path: self.folders[destination].join(waiting_name(serial, name)),
            bytes,
            access,
        });
    }

    /// Writes the files to the disk, and calls `progress` with how many are written.
    pub(super) fn write(&self, mut progress: impl FnMut(usize)) -> Result<(), Error> {
        let mut written = 0;
        // A disk is faster when it has many requests at once. A few files are not worth a thread.
        let at_once = if self.files.len() < 2 * WRITERS {
            1
        } else {
            WRITERS
        };
        for files in self.files.chunks(at_once * WRITES_BETWEEN_REPORTS) {
            if at_once == 1 {
                files.iter().try_for_each(WaitingFile::write)?;
            } else {
                write_at_once(files)?;
            }
            written += files.len();
            progress(written);
        }
        for waiting in &self.folders {
            files::sync_folder(waiting)?;
            files::sync_folder(files::parent(waiting))?;
        }
        Ok(())
    }

    /// Says that the index is about to be written. From here on, only the index knows whether these
    /// files exist.
    pub(super) fn may_be_recorded(&mut self) {
        self.may_be_recorded = true;
    }

    /// Gives a file its name. If something else has that name by now, the file waits.
    pub(super) fn publish(
        &self,
        destination: usize,
        serial: &Serial,
        name: &str,
    ) -> Result<(), Error> {
        let waiting = &self.folders[destination];
        let place = files::parent(waiting).join(name);
        files::rename_new(&waiting.join(waiting_name(serial, name)), &place)
    }

    /// Ends a delivery. The next run tries again to deliver files that did not get their names.
    pub(super) fn end(self) -> Result<(), Error> {
        for waiting in &self.folders {
            files::sync_folder(files::parent(waiting))?;
        }
        forget(self.folder, &self.folders)
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if !self.may_be_recorded {
            for waiting in &self.folders {
                // If it cannot be removed there is nobody to tell; the next run tries again.
                let _ = fs::remove_dir_all(waiting);
            }
            let _ = forget(self.folder, &self.folders);
        }
    }
}

impl WaitingFile {
    fn write(&self) -> Result<(), Error> {
        os::create_new(&self.path, self.access)
            .and_then(|mut file| {
                file.write_all(&self.bytes)?;
                file.sync_all()
            })
            .map_err(io_error("write", &self.path))
    }
}

fn write_at_once(files: &[WaitingFile]) -> Result<(), Error> {
    let share = files.len().div_ceil(WRITERS);
    thread::scope(|scope| {
        let writers: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(|| files.iter().try_for_each(WaitingFile::write)))
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })
}

/// How many files are written at once.
const WRITERS: usize = 8;
/// How many files each writer writes between two reports of progress.
const WRITES_BETWEEN_REPORTS: usize = 8;
