//! Failures of the database, and their meaning for a writer.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another server uses it.
    #[error("{} is in use by another server", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The file cannot be created or opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The path names a folder, a named pipe or a device.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The database.
        path: PathBuf,
    },
    /// The file is plainly something else.
    #[error("{} is not a database, but {kind}", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// It is an SQLite database, with other tables than a record has.
    #[error("{} is a database of another program, with the tables {tables}", path.display())]
    OfAnotherProgram {
        /// The database.
        path: PathBuf,
        /// Some of its tables.
        tables: String,
    },
    /// SQLite reported an error.
    #[error("cannot use the database {}: {}", path.display(), in_words(cause))]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        cause: sqlx::Error,
    },
    /// The migrations do not fit the file.
    #[error("cannot bring {} to this version's tables: {}", path.display(), migration_words(cause))]
    Migrate {
        /// The database.
        path: PathBuf,
        /// The reason.
        cause: MigrateError,
    },
    /// SQLite did not take a setting, so commits would not be durable.
    #[error("cannot use the database {}: {pragma} is {found}, not {wanted}, so lines would not be safe", path.display())]
    Pragma {
        /// The database.
        path: PathBuf,
        /// The setting.
        pragma: &'static str,
        /// Its value.
        found: String,
        /// The value it must have.
        wanted: &'static str,
    },
    /// The file has several names, so that a second server could open it under another one.
    #[error("{} has another name in this file system: two servers could write to it, each with its own write-ahead log", path.display())]
    Linked {
        /// The database.
        path: PathBuf,
    },
    /// The file was deleted, moved or replaced while it was open.
    #[error("{} was deleted, moved or replaced while the server was using it", path.display())]
    Replaced {
        /// The database.
        path: PathBuf,
    },
    /// There is no room for more. Only the record in memory reports this.
    #[error("{} is full", path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// A reader could not read it.
    #[error("{} can no longer be read: {why}", path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// SQLite's message.
        why: String,
    },
    /// The file holds something that no server wrote.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The damaged part.
        what: String,
    },
}

/// Returns SQLite's message without the number of the error.
fn in_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// Returns why the tables could not be made those of this version.
fn migration_words(cause: &MigrateError) -> String {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => in_words(cause),
        MigrateError::VersionMissing(number) => {
            format!("a newer version of this server made them (step {number})")
        }
        MigrateError::VersionMismatch(number) => {
            format!("another program than this server made them (step {number} differs)")
        }
        other => other.to_string(),
    }
}

/// The words for people while the disk is full.
const DISK_FULL: &str = "disk full";

/// SQLite's number for a file that does not begin as a database does.
const SQLITE_NOTADB: i32 = 26;

/// The meaning of an error for a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It will pass: nothing was stored, so the same write can be tried again.
    Passing(&'static str),
    /// It is unknown what was stored, or nothing can be trusted any more: stop.
    Fatal,
}

impl DatabaseError {
    /// Returns the failure of a database that SQLite reported.
    pub(crate) fn sqlite(path: &Path, cause: sqlx::Error) -> Self {
        let path = path.to_owned();
        Self::Sqlite { path, cause }
    }

    /// Returns whether waiting can help.
    // A file system that became read-only does not pass by itself: systems do that to a failing disk,
    // and it lasts until somebody mends it.
    pub(crate) fn fault(&self) -> Fault {
        const SQLITE_BUSY: i32 = 5;
        const SQLITE_LOCKED: i32 = 6;
        const SQLITE_FULL: i32 = 13;
        // The index of the write-ahead log cannot grow on a full disk, which SQLite reports as an I/O error.
        // Nothing was written then.
        const SQLITE_IOERR_SHMSIZE: i32 = 4874;
        match self.code() {
            _ if matches!(self, DatabaseError::Full { .. }) => Fault::Passing(DISK_FULL),
            _ if self.extended_code() == Some(SQLITE_IOERR_SHMSIZE) => Fault::Passing(DISK_FULL),
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Fault::Passing("the database is locked"),
            Some(SQLITE_FULL) => Fault::Passing(DISK_FULL),
            _ => Fault::Fatal,
        }
    }

    /// Returns whether SQLite reported damage, or a failure of reading or writing.
    pub fn is_io_or_corruption(&self) -> bool {
        const SQLITE_IOERR: i32 = 10;
        const SQLITE_CORRUPT: i32 = 11;
        match self {
            _ if self.fault() != Fault::Fatal => false,
            DatabaseError::Damaged { .. } | DatabaseError::Unreadable { .. } => true,
            _ => matches!(
                self.code(),
                Some(SQLITE_IOERR | SQLITE_CORRUPT | SQLITE_NOTADB)
            ),
        }
    }

    /// Returns whether SQLite reported that the file does not begin as a database does.
    pub(crate) fn is_not_a_database(&self) -> bool {
        self.code() == Some(SQLITE_NOTADB)
    }

    /// Returns whether the folder for the database does not exist.
    pub(crate) fn is_about_a_missing_folder(&self) -> bool {
        matches!(self, DatabaseError::Open { source, .. } if source.kind() == ErrorKind::NotFound)
    }

    /// Returns whether the files could not be opened or created, or may not be written to.
    pub(crate) fn is_about_rights(&self) -> bool {
        const SQLITE_READONLY: i32 = 8;
        const SQLITE_CANTOPEN: i32 = 14;
        match self {
            DatabaseError::Open { .. } => true,
            _ => matches!(self.code(), Some(SQLITE_READONLY | SQLITE_CANTOPEN)),
        }
    }

    /// Returns whether SQLite was told to stop its work.
    pub(crate) fn is_interruption(&self) -> bool {
        const SQLITE_INTERRUPT: i32 = 9;
        self.code() == Some(SQLITE_INTERRUPT)
    }

    /// Returns whether a value that a statement needs was missing. The statement that commits fails
    /// like this on purpose when the record does not end as we left it.
    pub(crate) fn is_missing_value(&self) -> bool {
        const SQLITE_CONSTRAINT_NOTNULL: i32 = 1299;
        self.extended_code() == Some(SQLITE_CONSTRAINT_NOTNULL)
    }

    /// Returns whether a newer version of this server, or another program, made the tables.
    pub(crate) fn is_about_the_version(&self) -> bool {
        matches!(
            self,
            DatabaseError::Migrate {
                cause: MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_),
                ..
            }
        )
    }

    /// Returns SQLite's primary error code, which is the low byte of the extended one.
    fn code(&self) -> Option<i32> {
        self.extended_code().map(|code| code & 0xff)
    }

    fn extended_code(&self) -> Option<i32> {
        let source = match self {
            DatabaseError::Sqlite { cause, .. } => cause,
            DatabaseError::Migrate {
                cause: MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _),
                ..
            } => source,
            _ => return None,
        };
        let sqlx::Error::Database(error) = source else {
            return None;
        };
        error.code()?.parse().ok()
    }
}
