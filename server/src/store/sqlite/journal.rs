//! Watches the size of the write-ahead log. A reader that keeps a transaction open keeps the log
//! from being emptied, and nothing else would show it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::{info, warn};

/// How often the size is checked.
const JOURNAL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The size of the write-ahead log, checked now and then.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    bytes_max: u64,
    checked_at: Option<Instant>,
    is_large: bool,
}

/// A change that is logged.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Grown,
    Shrunk,
}

impl Journal {
    pub(crate) fn new(path: PathBuf, bytes_max: u64) -> Self {
        Self {
            path,
            bytes_max,
            checked_at: None,
            is_large: false,
        }
    }

    /// Returns the path of the write-ahead log.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks the size. Logs once when it has become too large, and once when it is small again.
    pub(crate) fn look(&mut self) {
        if self
            .checked_at
            .is_some_and(|at| at.elapsed() < JOURNAL_CHECK_INTERVAL)
        {
            return;
        }
        self.checked_at = Some(Instant::now());
        let Ok(bytes) = std::fs::metadata(&self.path).map(|journal| journal.len()) else {
            return;
        };
        match self.judge(bytes) {
            Some(Change::Grown) => warn!(
                bytes,
                "the write-ahead log grows, because a program keeps a transaction on the database open; nothing is lost, but the disk fills: end that program, and read with short transactions (sqlite3 -readonly)"
            ),
            Some(Change::Shrunk) => info!(bytes, "the write-ahead log is small again"),
            None => {}
        }
    }

    fn judge(&mut self, bytes: u64) -> Option<Change> {
        let was_large = self.is_large;
        // SQLite leaves the file at its maximum size; only a reader makes it larger.
        self.is_large = bytes > self.bytes_max;
        match (was_large, self.is_large) {
            (false, true) => Some(Change::Grown),
            (true, false) => Some(Change::Shrunk),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grows_is_reported_once_and_so_is_its_end() {
        let mut journal = Journal::new("chat.db-wal".into(), 1000);
        let told = [0, 1000, 1001, 5000, 1001, 1000, 0, 1001].map(|bytes| journal.judge(bytes));
        let (grown, shrunk) = (Some(Change::Grown), Some(Change::Shrunk));
        let expected = [
            None,
            None,
            grown,
            None,
            None,
            shrunk,
            None,
            Some(Change::Grown),
        ];
        assert_eq!(told, expected);
    }
}
