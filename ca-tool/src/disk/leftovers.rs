//! Removes what killed runs left: temporary files and drafts. Some of them hold private keys.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::temporary::{DRAFT, is_draft, is_temporary, temporary_name};
use crate::error::Error;
use crate::notice::{Listener, Notice};

/// Removes temporary files and drafts from a CA's folder. The caller holds the folder's lock, so none
/// of them belongs to a run that is alive.
pub(crate) fn remove_from(folder: &Folder, listener: &dyn Listener) -> Result<(), Error> {
    let mut count = 0;
    let below = [folder.private(), folder.certificates(), folder.people()];
    // A symbolic link in a folder's place leads to somebody's other files.
    let below = below.into_iter().filter(|place| is_folder(place));
    for place in std::iter::once(folder.path().to_owned()).chain(below) {
        for leftover in temporary_files(&place) {
            match fs::remove_file(&leftover) {
                Ok(()) => count += 1,
                Err(error) => listener.notice(&Notice::CannotRemove(leftover, error)),
            }
        }
    }
    if count > 0 {
        let folder = folder.path().to_owned();
        listener.notice(&Notice::RemovedFiles { count, folder });
    }
    remove_drafts(folder.path(), listener)
}

/// Removes the drafts of killed runs from a folder. A draft whose run is alive stays.
pub(crate) fn remove_drafts(above: &Path, listener: &dyn Listener) -> Result<(), Error> {
    let entries = fs::read_dir(above).into_iter().flatten().flatten();
    let drafts: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| entry.file_name().to_str().is_some_and(is_draft))
        .map(|entry| entry.path())
        .collect();
    for draft in drafts {
        // An empty draft has no lock yet: either its run was killed just then, or it is alive and
        // begins again.
        if fs::remove_dir(&draft).is_ok() {
            continue;
        }
        // The draft's run may rename it at this very moment: the first to rename it keeps it.
        let ours = above.join(temporary_name(DRAFT)?);
        if !is_abandoned(&draft) || fs::rename(&draft, &ours).is_err() {
            continue;
        }
        listener.notice(&match fs::remove_dir_all(&ours) {
            Ok(()) => Notice::RemovedDraft(draft),
            Err(error) => Notice::CannotRemove(ours, error),
        });
    }
    Ok(())
}

/// Returns whether no run holds a draft's lock.
fn is_abandoned(draft: &Path) -> bool {
    let lock = Folder::new(draft).lock();
    let is_file = fs::symlink_metadata(&lock).is_ok_and(|there| there.is_file());
    let open = || File::options().read(true).write(true).open(&lock);
    is_file && open().is_ok_and(|file| file.try_lock().is_ok())
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
}

/// Returns the plain files in a folder that have a temporary name.
fn temporary_files(folder: &Path) -> Vec<PathBuf> {
    // Whoever needs a folder that cannot be read reports it.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        // A symbolic link is not ours, whatever its name.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| is_temporary(name, ""))
        })
        .map(|entry| entry.path())
        .collect()
}
