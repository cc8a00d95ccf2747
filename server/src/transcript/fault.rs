//! What can go wrong with the database, and what it means for whoever wanted to write.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another server has it.
    #[error("{} is in use by another server", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The file cannot be made or opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The migrations do not fit the file.
    #[error("{} cannot be brought to this version's tables: {source}", path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why.
        source: MigrateError,
    },
    /// SQLite did not do what it was told, so that commits would not be durable.
    #[error("{}: {pragma} is {found}, not {wanted}: lines would not be safe", path.display())]
    Pragma {
        /// The database.
        path: PathBuf,
        /// Which setting.
        pragma: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The file has more names than one, by which a second server could open it.
    #[error("{} has another name in this file system: two servers could write to it, each with a log of its own", path.display())]
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
    /// There is no room for more, which only the record in memory says in these words.
    #[error("{} is full", path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// Somebody who wanted to read it could not.
    #[error("{} cannot be read any more: {why}", path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// The file holds what no server wrote.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// What people are told while the disk is full.
const DISK_FULL: &str = "disk full";

/// What an error means for whoever wanted to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It will pass: nothing was stored; try the same again.
    Passing(&'static str),
    /// It is not known what was stored, or nothing can be trusted any more: stop.
    Fatal,
}

impl DatabaseError {
    /// Whether waiting can help.
    // A file system that became read-only is not among it: systems do that to a disk that fails,
    // and it does not pass before somebody does something about it.
    pub(crate) fn fault(&self) -> Fault {
        const SQLITE_BUSY: i32 = 5;
        const SQLITE_LOCKED: i32 = 6;
        const SQLITE_FULL: i32 = 13;
        // The index of the log cannot grow on a full disk, which SQLite calls an I/O error. Nothing
        // was written then.
        const SQLITE_IOERR_SHMSIZE: i32 = 4874;
        match self.code() {
            _ if matches!(self, DatabaseError::Full { .. }) => Fault::Passing(DISK_FULL),
            _ if self.extended_code() == Some(SQLITE_IOERR_SHMSIZE) => Fault::Passing(DISK_FULL),
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Fault::Passing("the database is locked"),
            Some(SQLITE_FULL) => Fault::Passing(DISK_FULL),
            _ => Fault::Fatal,
        }
    }

    /// Whether SQLite said that the file is damaged or that reading or writing it failed.
    pub fn is_io_or_corruption(&self) -> bool {
        const SQLITE_IOERR: i32 = 10;
        const SQLITE_CORRUPT: i32 = 11;
        const SQLITE_NOTADB: i32 = 26;
        match self {
            _ if self.fault() != Fault::Fatal => false,
            DatabaseError::Damaged { .. } | DatabaseError::Unreadable { .. } => true,
            _ => matches!(
                self.code(),
                Some(SQLITE_IOERR | SQLITE_CORRUPT | SQLITE_NOTADB)
            ),
        }
    }

    /// Whether the files could not be opened or made, or may not be written.
    pub(crate) fn is_about_rights(&self) -> bool {
        const SQLITE_READONLY: i32 = 8;
        const SQLITE_CANTOPEN: i32 = 14;
        match self {
            DatabaseError::Open { .. } => true,
            _ => matches!(self.code(), Some(SQLITE_READONLY | SQLITE_CANTOPEN)),
        }
    }

    /// Whether SQLite was told to stop what it was doing.
    pub(crate) fn is_interruption(&self) -> bool {
        const SQLITE_INTERRUPT: i32 = 9;
        self.code() == Some(SQLITE_INTERRUPT)
    }

    /// Whether a value was missing that a statement needs. The one of a commit does that on purpose
    /// where the record does not end as it was left.
    pub(crate) fn is_missing_value(&self) -> bool {
        const SQLITE_CONSTRAINT_NOTNULL: i32 = 1299;
        self.extended_code() == Some(SQLITE_CONSTRAINT_NOTNULL)
    }

    /// What SQLite said, without the details: extended codes have the primary one in their low byte.
    fn code(&self) -> Option<i32> {
        self.extended_code().map(|code| code & 0xff)
    }

    fn extended_code(&self) -> Option<i32> {
        let source = match self {
            DatabaseError::Sqlite { source, .. } => source,
            DatabaseError::Migrate {
                source: MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _),
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
