//! The place of a new CA: whether it is free, where the CA is drafted, and how it gets there, whole or
//! not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::draft::Draft;
use crate::disk::files;
use crate::disk::folder::Folder;
use crate::disk::temporary::is_draft;
use crate::error::{Error, io_error};
use crate::os;

/// Checks that a CA's folder can be made here: there is nothing, or an empty folder.
pub(super) fn check_empty(path: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(taken(path)),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    // A folder that is filled contains its draft, and maybe another draft that a killed run left.
    let may_hold_drafts = is_filled(path);
    for entry in entries.flatten() {
        let is_draft = entry.file_name().to_str().is_some_and(is_draft);
        if !(may_hold_drafts && is_draft) {
            return Err(taken(path));
        }
    }
    Ok(())
}

/// Returns the folder in which to draft a CA that goes to `path`.
pub(super) fn drafted_in(path: &Path) -> &Path {
    if is_filled(path) {
        path
    } else {
        files::parent(path)
    }
}

/// Moves a CA from its draft to its place.
pub(super) fn publish(mut draft: Draft, path: &Path) -> Result<(), Error> {
    if is_filled(path) {
        let done = fill(&draft, path);
        draft.unlock();
        return done;
    }
    draft.unlock();
    // An empty folder gives way to the new one; if it is no longer empty, this fails.
    match fs::remove_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => return Err(taken(path)),
    }
    fs::rename(draft.folder(), path).map_err(|error| match check_empty(path) {
        Err(taken) => taken,
        Ok(()) => io_error("make", path)(error),
    })?;
    files::sync_folder(files::parent(path))
}

/// Returns whether a folder is filled instead of replaced. `.` and `..` cannot be renamed, and a shell
/// that is in the folder would stay in the old one.
fn is_filled(path: &Path) -> bool {
    let is_here = || {
        let here = std::env::current_dir().and_then(fs::canonicalize);
        let there = fs::canonicalize(path);
        matches!((here, there), (Ok(here), Ok(there)) if here == there)
    };
    path.file_name().is_none() || is_here()
}

/// Moves everything from the draft into its folder, which contains nothing else. The certificate comes
/// last: until it is there, the folder holds no CA.
fn fill(draft: &Draft, path: &Path) -> Result<(), Error> {
    check_empty(path)?;
    os::make_private(path, draft.folder()).map_err(io_error("use", path))?;
    let mut moved = Vec::new();
    let done = move_all(draft.folder(), path, &mut moved);
    if done.is_err() {
        // If a file cannot be moved back, the next run reports it.
        for (from, to) in moved.iter().rev() {
            let _ = fs::rename(to, from);
        }
    }
    done
}

fn move_all(draft: &Path, path: &Path, moved: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), Error> {
    let (from, to) = (Folder::new(draft), Folder::new(path));
    // First a folder that is never empty: of two runs, only one gets past it.
    let folders = [
        (from.private(), to.private()),
        (from.certificates(), to.certificates()),
        (from.people(), to.people()),
    ];
    for (from, to) in folders {
        fs::rename(&from, &to).map_err(io_error("make", &to))?;
        moved.push((from, to));
    }
    let others = [
        (from.settings(), to.settings()),
        (from.list_number(), to.list_number()),
        (from.list(), to.list()),
        (from.index(), to.index()),
        (from.server(), to.server()),
    ];
    for (from, to) in others {
        files::rename_new(&from, &to)?;
        moved.push((from, to));
    }
    // The others are on the disk before the certificate is there.
    files::sync_folder(path)?;
    let (from, to) = (from.certificate(), to.certificate());
    files::rename_new(&from, &to)?;
    moved.push((from, to));
    files::sync_folder(path)
}

/// Returns the error for a place that is not free.
fn taken(path: &Path) -> Error {
    if Folder::new(path).certificate().exists() {
        return Error::AlreadyCa(path.to_owned());
    }
    // A draft that still has the CA's certificate, but no longer its key, was half moved.
    let drafts = fs::read_dir(path).into_iter().flatten().flatten();
    let mut drafts = drafts.filter(|entry| {
        let draft = Folder::new(&entry.path());
        entry.file_name().to_str().is_some_and(is_draft)
            && draft.certificate().exists()
            && !draft.private().exists()
    });
    match drafts.next() {
        Some(_) => Error::HalfMade(path.to_owned()),
        None => Error::NotEmpty(path.to_owned()),
    }
}
