//! Events while an operation runs, for whoever watches it: notices and progress.
//!
//! The library never prints. It hands each event, as a value, to a [`Listener`] at the moment it
//! happens: a notice outlives the failure of the operation that gave it, and somebody who waits for a
//! lock learns that at once. The outcome of an operation is not an event: the operation returns it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::error::Error;
use crate::words::{NAMES_SHOWN_MAX, counted, first_few};

/// Hears the events of an operation.
pub trait Listener: fmt::Debug + Send + Sync {
    /// Hears a notice. There is no way to object: the operation goes on.
    fn notice(&self, notice: &Notice);

    /// Hears how far an issuance is.
    fn progress(&self, progress: Progress) {
        let _ = progress;
    }
}

/// Ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Listener for Silent {
    fn notice(&self, _notice: &Notice) {}
}

/// How far an issuance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The steps that are done.
    pub done: usize,
    /// All steps.
    pub of: usize,
}

/// Something worth knowing that is not an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// Another run is using this folder, and this one waits for it.
    Waiting(PathBuf),
    /// Temporary files of an interrupted run were removed from this folder.
    RemovedFiles {
        /// How many.
        count: usize,
        /// The folder.
        folder: PathBuf,
    },
    /// An unfinished folder of an interrupted run was removed.
    RemovedDraft(PathBuf),
    /// Something that an interrupted run left cannot be removed.
    CannotRemove(PathBuf, io::Error),
    /// Files that an interrupted run had recorded were delivered.
    Delivered {
        /// How many.
        count: usize,
        /// The CA's folder.
        folder: PathBuf,
    },
    /// Files that an interrupted run had not recorded were removed.
    Undone {
        /// How many.
        count: usize,
        /// The CA's folder.
        folder: PathBuf,
    },
    /// A delivery that was interrupted cannot be finished now.
    NotSettled(PathBuf, Error),
    /// A folder in which an interrupted run may have left keys cannot be reached.
    OutOfReach {
        /// The folder.
        folder: PathBuf,
        /// The file that names it.
        pending: PathBuf,
    },
    /// A file cannot be delivered because something else has its name.
    Waits {
        /// The file.
        file: PathBuf,
        /// Why.
        fault: String,
    },
    /// The index lacked revocations that are on the revocation list, and has them now.
    CaughtUp {
        /// How many.
        count: usize,
        /// The index.
        index: PathBuf,
        /// The list.
        list: PathBuf,
    },
    /// The revocation list was due, and was signed again.
    ListSigned(PathBuf),
    /// The revocation list is due, and could not be signed.
    ListNotSigned(Error),
    /// The revocation list is due, and somebody has to type the passphrase of the key that signs it.
    ListLocked {
        /// Whether the list has expired already.
        has_expired: bool,
    },
    /// Something was assumed or passed over while a roster was read.
    RosterRead {
        /// The roster.
        roster: PathBuf,
        /// What.
        note: String,
    },
    /// Which columns of a roster hold what is remembered for the next one of its kind.
    Remembered {
        /// The roster.
        roster: PathBuf,
        /// The file that remembers it.
        file: PathBuf,
    },
    /// It cannot be remembered, which changes nothing else.
    NotRemembered(Error),
    /// The roster has columns that ca-tool does not use.
    UnusedColumns {
        /// Their names.
        columns: Vec<String>,
        /// The roster.
        roster: PathBuf,
    },
    /// The CA's folder could not be read, so the report goes without it.
    NoRegister(Error),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Waiting(folder) => {
                write!(
                    f,
                    "waiting for another run that is using {}",
                    folder.display()
                )
            }
            Notice::RemovedFiles { count, folder } => write!(
                f,
                "removed {} that an interrupted run left in {}",
                counted(*count, "temporary file", "temporary files"),
                folder.display()
            ),
            Notice::RemovedDraft(draft) => {
                write!(
                    f,
                    "removed {}, which an interrupted run left",
                    draft.display()
                )
            }
            Notice::CannotRemove(path, error) => {
                write!(f, "cannot remove {}: {error}", path.display())
            }
            Notice::Delivered { count, folder } => write!(
                f,
                "a run in {} was interrupted; delivered {} that it had recorded",
                folder.display(),
                counted(*count, "file", "files")
            ),
            Notice::Undone { count, folder } => write!(
                f,
                "a run in {} was interrupted; removed {} that it had not recorded",
                folder.display(),
                counted(*count, "file", "files")
            ),
            Notice::NotSettled(path, error) => write!(
                f,
                "cannot finish what an interrupted run left in {}: {error}",
                path.display()
            ),
            Notice::OutOfReach { folder, pending } => write!(
                f,
                "cannot reach {}, where an interrupted run may have left keys; if it is gone for good, delete its line in {}",
                folder.display(),
                pending.display()
            ),
            Notice::Waits { file, fault } => write!(f, "{fault}, so {} waits", file.display()),
            Notice::CaughtUp { count, index, list } => write!(
                f,
                "added {} from {} that {} lacked; was an old copy restored?",
                counted(*count, "revocation", "revocations"),
                list.display(),
                index.display()
            ),
            Notice::ListSigned(list) => write!(
                f,
                "{} was signed again. If the server is on another machine, copy it there",
                list.display()
            ),
            Notice::ListLocked { has_expired } => write!(
                f,
                "the revocation list {}: run `ca-tool crl`, which asks for the passphrase",
                match has_expired {
                    true => "has expired",
                    false => "has to be signed again",
                }
            ),
            Notice::ListNotSigned(error) => {
                write!(
                    f,
                    "the revocation list or the index needs repair, but {error}"
                )
            }
            Notice::RosterRead { roster, note } => write!(f, "{}: {note}", roster.display()),
            Notice::Remembered { roster, file } => write!(
                f,
                "the next roster with the headings of {} is read in the same way, without these flags ({} remembers it)",
                roster.display(),
                file.display()
            ),
            Notice::NotRemembered(error) => {
                write!(f, "the flags have to be typed again next time: {error}")
            }
            Notice::UnusedColumns { columns, roster } => write!(
                f,
                "ignoring the {} {} in {}",
                if columns.len() == 1 {
                    "column"
                } else {
                    "columns"
                },
                first_few(columns, NAMES_SHOWN_MAX, ", "),
                roster.display()
            ),
            Notice::NoRegister(error) => write!(f, "{error}"),
        }
    }
}
