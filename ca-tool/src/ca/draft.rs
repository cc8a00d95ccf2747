//! A CA's folder before it has its name, so that a run that is cut short leaves no half CA.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::folder::{self, Folder, Lock};
use crate::error::{Error, io_error};
use crate::os;

/// A CA's folder before it has its name. Dropped, it is gone.
pub(super) struct Draft {
    pub(super) folder: PathBuf,
    /// While it is held, this is no leftover of a run that was killed.
    pub(super) lock: Option<Lock>,
}

impl Draft {
    pub(super) fn new(above: &Path) -> Result<Self, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::begin(above) {
                // Another run may take a folder that has no lock yet for a leftover.
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES_MAX => {}
                done => return done,
            }
        }
    }

    fn begin(above: &Path) -> Result<Self, Error> {
        let mut draft = Self {
            folder: above.join(folder::temporary_name(folder::DRAFT)?),
            lock: None,
        };
        folder::create_folder(&draft.folder)?;
        draft.lock = Some(Folder::new(&draft.folder).lock_files()?);
        Ok(draft)
    }

    pub(super) fn publish(mut self, path: &Path) -> Result<(), Error> {
        if is_filled(path) {
            let done = self.fill(path);
            self.lock = None;
            return done;
        }
        // Some systems rename no folder in which a file is open.
        self.lock = None;
        // An empty folder gives way to the new one; if it is not empty any more, this fails.
        match fs::remove_dir(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Err(taken(path)),
        }
        fs::rename(&self.folder, path).map_err(|error| match check_empty(path) {
            Err(taken) => taken,
            Ok(()) => io_error("make", path)(error),
        })?;
        let above = folder::parent(path);
        os::sync_folder(above).map_err(io_error("write to", above))
    }

    /// Moves all that it holds into a folder that is empty but for it. The certificate comes last:
    /// before it is there, the folder holds no CA.
    fn fill(&self, path: &Path) -> Result<(), Error> {
        check_empty(path)?;
        os::take_for_oneself(path, &self.folder).map_err(io_error("use", path))?;
        let mut moved = Vec::new();
        let done = self.move_all(path, &mut moved);
        if done.is_err() {
            // What cannot be moved back is told of by whoever tries the next time.
            for (from, to) in moved.iter().rev() {
                let _ = fs::rename(to, from);
            }
        }
        done
    }

    fn move_all(&self, path: &Path, moved: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), Error> {
        let (from, to) = (Folder::new(&self.folder), Folder::new(path));
        // First what is never empty: of two runs only one gets past it.
        let folders = [
            (from.private(), to.private()),
            (from.certificates(), to.certificates()),
            (from.people(), to.people()),
        ];
        for (from, to) in folders {
            fs::rename(&from, &to).map_err(io_error("make", &to))?;
            moved.push((from, to));
        }
        let files = [
            (from.settings(), to.settings()),
            (from.list_number(), to.list_number()),
            (from.list(), to.list()),
            (from.index(), to.index()),
            (from.server(), to.server()),
            (from.certificate(), to.certificate()),
        ];
        for (from, to) in files {
            // All others are on the disk before the last one is there.
            if from.ends_with("ca.pem") {
                os::sync_folder(path).map_err(io_error("write to", path))?;
            }
            folder::rename_new(&from, &to)?;
            moved.push((from, to));
        }
        os::sync_folder(path).map_err(io_error("write to", path))
    }
}

/// How often a draft is begun.
const TRIES_MAX: usize = 5;

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename it is not there, and no one to tell if it cannot be removed.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where the draft of a CA's folder is made.
pub(super) fn above(path: &Path) -> &Path {
    if is_filled(path) {
        path
    } else {
        folder::parent(path)
    }
}

/// Whether a folder is filled rather than replaced: `.` and `..` cannot be given to something else,
/// and whoever is in a folder would stay in the one that was replaced.
fn is_filled(path: &Path) -> bool {
    let is_here = || {
        let here = std::env::current_dir().and_then(fs::canonicalize);
        let there = fs::canonicalize(path);
        matches!((here, there), (Ok(here), Ok(there)) if here == there)
    };
    path.file_name().is_none() || is_here()
}

/// Whether a CA's folder can be made here.
pub(super) fn check_empty(path: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(taken(path)),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    // In a folder that is filled lies its draft, and maybe what a killed run left of another.
    let may_hold_drafts = is_filled(path);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_draft = name.to_str().is_some_and(folder::is_draft);
        if !(may_hold_drafts && is_draft) {
            return Err(taken(path));
        }
    }
    Ok(())
}

fn taken(path: &Path) -> Error {
    if Folder::new(path).certificate().exists() {
        return Error::AlreadyCa(path.to_owned());
    }
    // A draft in it that still has the CA's certificate, and no key any more.
    let drafts = fs::read_dir(path).into_iter().flatten().flatten();
    let mut drafts = drafts.filter(|entry| {
        let draft = Folder::new(&entry.path());
        entry.file_name().to_str().is_some_and(folder::is_draft)
            && draft.certificate().exists()
            && !draft.private().exists()
    });
    match drafts.next() {
        Some(_) => Error::HalfMade(path.to_owned()),
        None => Error::NotEmpty(path.to_owned()),
    }
}
