//! The reasons why a server cannot start or go on, each with its exit code and a hint.

use crate::transcript::fault::{DatabaseError, Fault};
use crate::transcript::recorder::RecorderError;
use crate::watch::revocation::ListError;

/// The reason why a server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The recorder.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The revocation list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The recorder panicked, so nothing more can be recorded.
    #[error("the recorder failed: {0}")]
    Panic(tokio::task::JoinError),
    /// The listener does not tell its address.
    #[error("cannot determine the address that this server listens on: {0}")]
    Listener(std::io::Error),
    /// The newest entries could not be read.
    #[error("cannot read the newest entries: {0}")]
    Tail(DatabaseError),
}

impl Failure {
    /// Returns the exit code (`sysexits.h`): 74 when reading or writing failed or the database is
    /// damaged, 75 when lines could not be stored for now, 1 for anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Recorder(RecorderError::NotStored { .. }) => 75,
            // After any failure of a commit that will not pass, it is unknown what the disk holds.
            Failure::Recorder(RecorderError::Database(_)) | Failure::Tail(_) => 74,
            Failure::Database(error) if error.is_io_or_corruption() => 74,
            Failure::Database(_) | Failure::List(_) | Failure::Panic(_) | Failure::Listener(_) => 1,
        }
    }

    /// Returns advice for the operator, if there is any.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Failure::Database(DatabaseError::InUse { .. }) => Some(
                "only one server can use a database; stop the other one, or name another with --db",
            ),
            Failure::List(ListError::Older { .. }) => Some(
                "was an old copy of the CA's folder restored? Sign a newer list with `ca-tool crl`",
            ),
            Failure::Database(DatabaseError::Linked { .. }) => Some(
                "remove the other name, or make an independent copy with: sqlite3 OLD 'vacuum into NEW'",
            ),
            Failure::Database(error) if matches!(error.fault(), Fault::Passing(_)) => Some(
                "nothing is damaged: free space on the disk, or end the program that holds the database, and start again",
            ),
            Failure::Database(DatabaseError::NotAFile { .. }) => {
                Some("--db takes the name of a file, such as --db chat.db")
            }
            Failure::Database(
                DatabaseError::NotADatabase { .. } | DatabaseError::OfAnotherProgram { .. },
            ) => Some(
                "it was not changed. --db takes the file of a room's record, such as --db chat.db, which the server creates if it does not exist",
            ),
            Failure::Database(error) if error.is_about_a_missing_folder() => {
                Some("create its folder first: the server creates the database, but no folders")
            }
            Failure::Database(error) if error.is_about_rights() => Some(
                "the server's user must be allowed to write to the database and to create files beside it",
            ),
            Failure::Database(error) if error.is_about_the_version() => Some(
                "it was not changed. Start the version of the server that made it, or a newer one; or name another file with --db",
            ),
            Failure::Database(error) if error.is_not_a_database() => Some(NOT_A_DATABASE),
            Failure::Database(error)
            | Failure::Tail(error)
            | Failure::Recorder(RecorderError::Database(error))
                if error.is_io_or_corruption() =>
            {
                Some(DAMAGED)
            }
            Failure::Recorder(RecorderError::Database(_)) => Some(
                "start the server again: everything committed is safe, and clients resend the rest",
            ),
            Failure::Recorder(RecorderError::NotStored { .. })
            | Failure::Database(_)
            | Failure::Tail(_)
            | Failure::List(_)
            | Failure::Panic(_)
            | Failure::Listener(_) => None,
        }
    }
}

/// Files of well-known other kinds were named before; these bytes could be a database's or anything else's.
const NOT_A_DATABASE: &str = "it was not changed. If it is another kind of file, name the record's with --db; if it is the record, its first bytes are damaged: restore the last backup";

/// A server never repairs: nobody could know what is left after that.
const DAMAGED: &str = "check the disk; nothing was repaired. If the server does not start again, restore the last backup, or save the readable part with: sqlite3 chat.db .recover";
