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
        match self.code() {
            _ if matches!(self, DatabaseError::Full { .. }) => Fault::Passing(DISK_FULL),
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

    /// What SQLite said, without the details: extended codes have the primary one in their low byte.
    fn code(&self) -> Option<i32> {
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
        let code = error.code()?.parse::<i32>().ok()?;
        Some(code & 0xff)
    }
}
