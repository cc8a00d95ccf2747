//! Why a server could not start or go on: the exit code of each failure, and what to do about it.

use crate::transcript::fault::{DatabaseError, Fault};
use crate::transcript::recorder::RecorderError;
use crate::watch::revocation::ListError;

/// Why a server could not start or go on.
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
    /// The recorder panicked, and with it the record ends.
    #[error("the recorder failed: {0}")]
    Panic(tokio::task::JoinError),
    /// The listener is not one.
    #[error("cannot tell where this server listens: {0}")]
    Listener(std::io::Error),
    /// The newest entries could not be read.
    #[error("cannot read the newest entries: {0}")]
    Tail(DatabaseError),
}

impl Failure {
    /// The exit code (`sysexits.h`): 74 when reading or writing failed or the database is damaged,
    /// 75 when lines could not be stored for now, 1 for anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Recorder(RecorderError::NotStored { .. }) => 75,
            // After a commit that failed for any reason but the known passing ones, what the disk
            // holds is unknown.
            Failure::Recorder(RecorderError::Database(_)) | Failure::Tail(_) => 74,
            Failure::Database(error) if error.is_io_or_corruption() => 74,
            Failure::Database(_) | Failure::List(_) | Failure::Panic(_) | Failure::Listener(_) => 1,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Failure::Database(DatabaseError::InUse { .. }) => {
                Some("only one server may write a database; stop the other one, or use --db")
            }
            Failure::List(ListError::Older { .. }) => Some(
                "was an old copy of the CA's folder restored? Revoking, or any run of ca-tool that signs the list again, makes a newer one",
            ),
            Failure::Database(DatabaseError::Linked { .. }) => Some(
                "remove the other name, or make a copy of its own with: sqlite3 OLD 'vacuum into NEW'",
            ),
            Failure::Database(error) if matches!(error.fault(), Fault::Passing(_)) => Some(
                "nothing is damaged: make room on the disk, or end what holds the database, and start again",
            ),
            Failure::Database(error) if error.is_about_rights() => Some(
                "the server writes to the database and makes files beside it: it needs to be allowed to do both",
            ),
            Failure::Database(error)
            | Failure::Tail(error)
            | Failure::Recorder(RecorderError::Database(error))
                if error.is_io_or_corruption() =>
            {
                Some(DAMAGED)
            }
            Failure::Recorder(RecorderError::Database(_)) => Some(
                "start the server again: what was committed is safe, and clients send the rest again",
            ),
            _ => None,
        }
    }
}

/// A server never repairs: what is left after that may be anything, and nobody would know.
const DAMAGED: &str = "look at the disk; nothing was repaired. If the server does not start again, bring back the last backup, or save what can be read with: sqlite3 chat.db .recover";
