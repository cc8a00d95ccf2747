//! Keeps the revocation list up to date: reads it when the file changes, and when somebody asks.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pki::{CrlNumber, Gate, RevocationList, Revocations};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::few::few;
use crate::room::ask::Ask;
use crate::room::desk::Asks;
use crate::watch::file::{FileWatch, Reading};
use crate::watch::reminder::Reminder;

/// How often the log repeats that the list is past its nextUpdate.
const STALE_WARNING_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Reads the list when it changes, and publishes it.
#[derive(Debug)]
pub(crate) struct RevocationWatch {
    pub(crate) file: FileWatch,
    pub(crate) gate: Arc<Gate>,
    pub(crate) lists: watch::Sender<Revocations>,
    /// The highest number ever seen; the database remembers it.
    pub(crate) newest: CrlNumber,
    /// The same number until the database has it.
    pub(crate) unrecorded: Option<CrlNumber>,
    pub(crate) asks: Asks,
}

/// The reason why a list was not read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The list cannot be trusted.
    #[error("cannot use {}: {source}", path.display())]
    Use {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: pki::RevocationError,
    },
    /// It is older than a list seen before: somebody may be trying to undo a revocation.
    #[error("cannot use {}: its number {found} is lower than {newest}, which was seen before", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its number.
        found: CrlNumber,
        /// The highest number seen.
        newest: CrlNumber,
    },
}

impl ListError {
    /// Returns whether the file may become good without being changed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Read { .. } => true,
            Self::Use { source, .. } => *source == pki::RevocationError::Future,
            Self::Older { .. } => false,
        }
    }
}

/// Reads a list from a file.
///
/// # Errors
///
/// When the file cannot be read, or its list is not from this gate's CA.
pub fn read_list(path: &Path, gate: &Gate) -> Result<RevocationList, ListError> {
    let read = |source| ListError::Read {
        path: path.to_owned(),
        source,
    };
    // Opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(read)?.is_file() {
        return Err(read(std::io::Error::other("it is not a file")));
    }
    let mut bytes = Vec::new();
    let limit = pki::limits::CRL_BYTES_MAX;
    File::open(path)
        .map_err(read)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 > limit {
        let most = format!("it has more than {} MiB", limit >> 20);
        return Err(read(std::io::Error::other(most)));
    }
    gate.revocation_list(&bytes, SystemTime::now())
        .map_err(|source| ListError::Use {
            path: path.to_owned(),
            source,
        })
}

/// Refuses a list that is older than one seen before.
pub(crate) fn check_number(
    path: &Path,
    found: &CrlNumber,
    newest: &CrlNumber,
) -> Result<(), ListError> {
    if found >= newest {
        return Ok(());
    }
    let (found, newest) = (found.clone(), newest.clone());
    Err(ListError::Older {
        path: path.to_owned(),
        found,
        newest,
    })
}

impl RevocationWatch {
    /// Watches until the server stops.
    pub(crate) async fn run(mut self) {
        let mut reminder = Reminder::every(STALE_WARNING_INTERVAL);
        while let Some(look) = self.file.look().await {
            if look.is_due {
                let reading = match self.reload().await {
                    Ok(()) => Reading::Taken,
                    Err(failure) if failure.may_pass() => Reading::NotNow(failure.to_string()),
                    Err(failure) => Reading::Refused(failure.to_string()),
                };
                if let Some(words) = self.file.judge(&look, reading) {
                    error!("{words}; the last good list stays in use");
                }
            }
            self.record();
            let is_stale = self.lists.borrow().stale_since(SystemTime::now()).is_some();
            if reminder.is_due(is_stale, Instant::now()) {
                warn!(path = %self.file.path().display(), "the revocation list is out of date; sign it again with `ca-tool crl`");
            }
        }
    }

    /// Uses the list in the file, or keeps the last good one.
    async fn reload(&mut self) -> Result<(), ListError> {
        let (path, gate) = (self.file.path().to_owned(), self.gate.clone());
        let (newest, before) = (self.newest.clone(), self.lists.borrow().clone());
        // A list may be large. This thread has others to serve, so another one reads and compares,
        // and frees the memory of the last list.
        let reading = tokio::task::spawn_blocking(move || {
            let list = read_list(&path, &gate)?;
            check_number(&path, list.number(), &newest)?;
            let forgotten = Forgotten::between(&before, &list);
            Ok((list, forgotten))
        });
        let (list, forgotten) = reading.await.map_err(|failure| ListError::Read {
            path: self.file.path().to_owned(),
            source: failure.into(),
        })??;
        info!(number = %list.number(), revoked = list.count(), "revocation list read");
        if *list.number() > self.newest {
            self.newest = list.number().clone();
            self.unrecorded = Some(self.newest.clone());
        }
        let before = self.lists.send_replace(Revocations::List(Arc::new(list)));
        drop(tokio::task::spawn_blocking(move || drop(before)));
        forgotten.tell();
        Ok(())
    }

    /// Sends the newest number to the database. Never waits: the recorder's queue may be full while
    /// the database cannot be written, and lists must still be taken.
    fn record(&mut self) {
        if let Some(number) = self.unrecorded.clone()
            && self.asks.try_send(Ask::ListSeen(number).into()).is_ok()
        {
            self.unrecorded = None;
        }
    }
}

/// The certificates that a newer list no longer revokes, as text for the log: the first few, and
/// the number of the rest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Forgotten {
    no_longer_on_hold: String,
    let_in: String,
}

impl Forgotten {
    /// Compares the lists in one pass over the older one.
    fn between(before: &Revocations, now: &RevocationList) -> Self {
        let Revocations::List(before) = before else {
            return Self::default();
        };
        let forgotten = before.serials().filter(|serial| !now.revokes(serial));
        let (held, let_in): (Vec<_>, Vec<_>) = forgotten.partition(|serial| before.holds(serial));
        Self {
            no_longer_on_hold: few(held),
            let_in: few(let_in),
        }
    }

    /// Logs what the newer list left out. A list may leave out certificates that have expired or
    /// were on hold, and no others: a restored old copy of the CA's folder signs lists with new
    /// numbers and old contents.
    fn tell(&self) {
        if !self.no_longer_on_hold.is_empty() {
            info!(serials = self.no_longer_on_hold, "no longer on hold");
        }
        if !self.let_in.is_empty() {
            error!(
                serials = self.let_in,
                "the new list lets in certificates that the last one revoked; was an old copy of the CA's folder restored?"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::mint::{Authority, Reason};

    use super::*;

    /// Returns lists of one CA with these numbers of certificates, numbered from 1, of which the
    /// first few are on hold.
    fn lists<const N: usize>(counts: [(u64, u64); N]) -> [RevocationList; N] {
        let ca = Authority::new("Networks 101");
        let now = SystemTime::now();
        counts.map(|(revoked, on_hold)| {
            let hold = |number| (number <= on_hold).then_some(Reason::CertificateHold);
            let list = ca.revocation_list_of((1..=revoked).map(|number| (number, hold(number))));
            RevocationList::parse(&list, ca.certificate(), now).expect("a list")
        })
    }

    #[test]
    fn a_list_that_omits_many_revocations_is_reported_in_one_short_line() {
        let [before, now] = lists([(204, 7), (0, 0)]);
        let before = Revocations::List(Arc::new(before));
        let forgotten = Forgotten::between(&before, &now);
        assert_eq!(forgotten.no_longer_on_hold, "01, 02, 03, 04, 05 and 2 more");
        assert_eq!(forgotten.let_in, "08, 09, 0a, 0b, 0c and 192 more");
    }

    #[test]
    fn a_list_that_omits_no_revocation_is_not_reported() {
        let [before, now] = lists([(9, 2), (10, 0)]);
        let before = Revocations::List(Arc::new(before));
        assert_eq!(Forgotten::between(&before, &now), Forgotten::default());
        let unchecked = Forgotten::between(&Revocations::Unchecked, &now);
        assert_eq!(unchecked, Forgotten::default());
    }
}
