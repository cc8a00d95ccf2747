//! A file that is checked periodically, and read when it has changed or somebody asks for it.
//!
//! Notifications about file changes differ between operating systems, and do not exist for files on
//! a network; so the file is simply checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use crate::os;

/// Decides when a file has to be read, and what is logged about it.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    poll: Interval,
    /// Changes when somebody asks for all files to be read.
    reload: watch::Receiver<()>,
    stop: CancellationToken,
    /// The file's version when it was last judged. `None` at first: it may have changed since it
    /// was read for the start.
    judged: FileVersion,
    /// The last message about it.
    told: Option<String>,
}

/// One check of the file.
#[derive(Debug)]
pub(crate) struct Look {
    /// Whether the file has to be read.
    pub(crate) is_due: bool,
    is_asked: bool,
    /// Taken before the file is read: a change during the reading is read again.
    version: FileVersion,
}

/// The result of reading the file.
#[derive(Debug)]
pub(crate) enum Reading {
    /// It is good, and in use.
    Taken,
    /// It is not good, for this reason, and will not be unless it changes.
    Refused(String),
    /// It is not good now, but that may pass: the file was missing for a moment, or the CA's clock
    /// is ahead of ours.
    NotNow(String),
}

impl Reading {
    /// Returns the result of a reading whose error has these words, and passes or not.
    pub(crate) fn of<E: fmt::Display>(read: Result<(), E>, may_pass: fn(&E) -> bool) -> Self {
        match read {
            Ok(()) => Reading::Taken,
            Err(failure) if may_pass(&failure) => Reading::NotNow(failure.to_string()),
            Err(failure) => Reading::Refused(failure.to_string()),
        }
    }
}

/// Distinguishes a file from its earlier versions; `None` when there is no file.
type FileVersion = Option<(SystemTime, u64, Option<u64>)>;

impl FileWatch {
    pub(crate) fn new(
        path: PathBuf,
        poll_interval: Duration,
        reload: watch::Receiver<()>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            path,
            poll: tokio::time::interval(poll_interval),
            reload,
            stop,
            judged: None,
            told: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until it is time for a check; `None` when the server stops.
    pub(crate) async fn look(&mut self) -> Option<Look> {
        let is_asked = tokio::select! {
            () = self.stop.cancelled() => return None,
            // Whoever could ask may be gone; then only the timer counts.
            Ok(()) = self.reload.changed() => true,
            _ = self.poll.tick() => false,
        };
        let version = version(&self.path).await;
        let has_changed = self.judged.is_none() || self.judged != version;
        Some(Look {
            is_due: is_asked || has_changed,
            is_asked,
            version,
        })
    }

    /// Notes the result of a reading. Returns the message for the log: once, unless somebody asked.
    pub(crate) fn judge(&mut self, look: &Look, reading: Reading) -> Option<String> {
        let (is_judged, words) = match reading {
            Reading::Taken => (true, None),
            Reading::Refused(words) => (true, Some(words)),
            Reading::NotNow(words) => (false, Some(words)),
        };
        // A failure that may pass is tried again although the file stays the same.
        self.judged = look.version.filter(|_| is_judged);
        let is_news = look.is_asked || is_judged || self.told != words;
        self.told.clone_from(&words);
        words.filter(|_| is_news)
    }
}

/// Not on this thread: a file system that does not answer, such as one on a network, must delay
/// nobody else.
async fn version(path: &Path) -> FileVersion {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((
        metadata.modified().ok()?,
        metadata.len(),
        os::file_number(&metadata),
    ))
}
