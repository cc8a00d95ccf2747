//! A file that is looked at again and again, and read when it has changed or somebody asks for it.
//!
//! What the operating system tells of changes differs from system to system, and says nothing of a
//! file that comes over a network; so the file is simply looked at.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use crate::os;

/// When a file is to be read, and what is to be told of it.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    poll: Interval,
    /// Changes when somebody asks for all files to be read.
    reload: watch::Receiver<()>,
    stop: CancellationToken,
    /// The file as it was when it was judged. Nothing yet: it may have changed since it was read
    /// for the start.
    judged: FileVersion,
    /// What was told of it last.
    told: Option<String>,
}

/// One look at the file.
#[derive(Debug)]
pub(crate) struct Look {
    /// Whether it is to be read.
    pub(crate) is_due: bool,
    is_asked: bool,
    /// From before the reading: a change in the middle of it is read again.
    version: FileVersion,
}

/// What came of reading the file.
#[derive(Debug)]
pub(crate) enum Reading {
    /// It is good, and in use.
    Taken,
    /// It is not good, for this reason, and will not be unless it changes.
    Refused(String),
    /// The same, but this may pass by itself: a moment without the file, a CA's clock ahead of ours.
    NotNow(String),
}

/// What tells a file from the one that was there before; nothing, when there is none.
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

    /// Waits until it is time to look; `None` when the server stops.
    pub(crate) async fn look(&mut self) -> Option<Look> {
        let is_asked = tokio::select! {
            () = self.stop.cancelled() => return None,
            // Whoever could ask may be gone; then only the time counts.
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

    /// Remembers what came of the reading, and gives what is to be told of it: once, unless
    /// somebody asked.
    pub(crate) fn judge(&mut self, look: &Look, reading: Reading) -> Option<String> {
        let (is_judged, words) = match reading {
            Reading::Taken => (true, None),
            Reading::Refused(words) => (true, Some(words)),
            Reading::NotNow(words) => (false, Some(words)),
        };
        // What may pass is tried again although the file stays as it is.
        self.judged = look.version.filter(|_| is_judged);
        let is_news = look.is_asked || is_judged || self.told != words;
        self.told.clone_from(&words);
        words.filter(|_| is_news)
    }
}

/// Not on this thread: a file system that does not answer, as over a network, must hold up nobody else.
async fn version(path: &Path) -> FileVersion {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((
        metadata.modified().ok()?,
        metadata.len(),
        os::file_number(&metadata),
    ))
}
