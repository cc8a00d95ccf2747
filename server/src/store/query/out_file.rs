//! The file that an answer is written to: nobody else may read it, and under its name there is only ever a whole answer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::QueryError;
use crate::file_kind::FileKind;
use crate::store::sqlite::files::beside;

/// A file beside its place, until it is whole.
#[derive(Debug)]
pub struct OutFile {
    file: io::BufWriter<NamedTempFile>,
    path: PathBuf,
    older: Older,
}

/// What becomes of a file that has the answer's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// It stays, and the answer is refused.
    Kept,
    /// The answer takes its place, if a query may have written it.
    Replaced,
}

impl OutFile {
    /// Creates a file that will take the place of `path`, which must not be the database that is queried.
    ///
    /// # Errors
    ///
    /// When the place is one of the database's files or no regular file, when it is taken by a file that is to be
    /// kept, or when the file cannot be created beside it.
    pub fn create(path: &Path, db: &Path, older: Older) -> Result<Self, QueryError> {
        if path.exists() && !path.is_file() {
            return Err(QueryError::OutNotAFile(path.to_owned()));
        }
        let place = |path: &Path| path.canonicalize().ok();
        let own = ["", "-wal", "-shm", ".lock"].map(|ending| beside(db, ending));
        if path.exists() && own.iter().any(|own| place(own) == place(path)) {
            return Err(QueryError::OutIsDatabase(path.to_owned()));
        }
        check_older(path, older)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Only its owner may read and write it, and an existing link in its place is not followed.
        let file = tempfile::Builder::new()
            .prefix(".answer-")
            .tempfile_in(folder)
            // The name of the file beside it would only confuse.
            .map_err(|cause| of_out(path, cause.kind().into()))?;
        Ok(Self {
            file: io::BufWriter::new(file),
            path: path.to_owned(),
            older,
        })
    }

    /// Puts the file into its place.
    ///
    /// # Errors
    ///
    /// When the rest of it cannot be written, or it cannot be moved.
    pub fn finish(self) -> Result<(), QueryError> {
        let path = self.path;
        let file = self.file.into_inner();
        let file = file.map_err(|error| of_out(&path, error.into_error()))?;
        file.as_file()
            .sync_all()
            .map_err(|cause| of_out(&path, cause))?;
        let placed = match self.older {
            Older::Kept => file.persist_noclobber(&path),
            Older::Replaced => file.persist(&path),
        };
        match placed {
            Ok(_) => Ok(()),
            // It came while the query ran.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(QueryError::OutExists(path))
            }
            Err(error) => Err(of_out(&path, error.error)),
        }
    }
}

/// Refuses to replace a file, or one that no query can have written: a key that is gone cannot be had again.
fn check_older(path: &Path, older: Older) -> Result<(), QueryError> {
    // A link to nothing is a file that somebody wants, too.
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    if older == Older::Kept {
        return Err(QueryError::OutExists(path.to_owned()));
    }
    if !path.exists() {
        return Ok(());
    }
    let kind = FileKind::of(path).map_err(|cause| of_out(path, cause))?;
    match kind.no_answer() {
        Some(kind) => Err(QueryError::OutIsOther {
            path: path.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

fn of_out(path: &Path, cause: io::Error) -> QueryError {
    QueryError::Out {
        path: path.to_owned(),
        cause,
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
