//! What sessions ask of the recorder, and how it reaches them.

use std::sync::{Arc, OnceLock};

use pki::CrlNumber;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};
use wire::{ClientId, Code, Line, Nonce, Reason, Refusal};

use crate::room::batch::Facts;
use crate::room::mailbox::Owing;
use crate::room::pace::Paces;

/// What newcomers are told while nothing can be recorded.
pub(crate) fn try_later(cause: &str) -> Refusal {
    let words = format!("nothing can be recorded now ({cause}); try again later");
    Refusal::new(Code::TryLater, words)
}

/// How others reach the recorder.
pub(crate) type Asks = mpsc::Sender<Ask>;

/// What can be asked of the recorder.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A session wants to begin.
    Enter(Box<Enter>),
    /// A session says something.
    Say(Said),
    /// A line of a session was refused; its N is spent.
    Spend {
        id: ClientId,
        session: u64,
        nonce: Nonce,
    },
    /// A session has ended.
    Leave {
        id: ClientId,
        session: u64,
        reason: Reason,
    },
    /// A revocation list was taken.
    ListSeen(CrlNumber),
}

/// A session that wants to begin.
#[derive(Debug)]
pub(crate) struct Enter {
    pub(crate) facts: Facts,
    pub(crate) handle: SessionHandle,
    pub(crate) reply: oneshot::Sender<Result<Entered, Refusal>>,
}

/// A session that has begun: its row in `joins`, and the enter if there is one, are committed.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) session: u64,
    pub(crate) pace: Arc<Paces>,
}

/// A line, and who wants it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) id: ClientId,
    pub(crate) session: u64,
    pub(crate) nonce: Option<Nonce>,
    pub(crate) line: Line,
    /// One of the 64 lines that a session may have under way, given back when it is answered.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// How the recorder reaches a session.
#[derive(Debug, Clone)]
pub(crate) struct SessionHandle {
    /// Answers.
    pub(crate) owing: Arc<Owing>,
    pub(crate) ending: Arc<Ending>,
}

/// Where a session is told to end. Not a channel: even of one place it takes a kilobyte.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    end: OnceLock<End>,
    told: Notify,
}

/// Why a session is told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    /// The same for the person.
    pub(crate) words: String,
}

impl Ending {
    /// Tells the session to end; the first reason counts.
    pub(crate) fn tell(&self, end: End) {
        if self.end.set(end).is_ok() {
            self.told.notify_one();
        }
    }

    /// Waits until the session is told to end.
    pub(crate) async fn told(&self) -> End {
        loop {
            if let Some(end) = self.end.get() {
                return end.clone();
            }
            self.told.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_to_end_counts_and_is_not_missed() {
        let end = |reason| End {
            reason,
            words: String::new(),
        };
        let ending = Ending::default();
        let tell = async {
            ending.tell(end(Reason::Replaced));
            ending.tell(end(Reason::Revoked));
        };
        let patience = std::time::Duration::from_secs(10);
        let both = async { tokio::join!(biased; ending.told(), tell).0 };
        let told = tokio::time::timeout(patience, both).await;
        assert_eq!(told, Ok(end(Reason::Replaced)));
        // Also when it was told before somebody waits, and again.
        assert_eq!(ending.told().await, end(Reason::Replaced));
    }
}
