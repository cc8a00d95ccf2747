//! Messages for one session alone: its admission, answers, replies and its end.
//!
//! All of them are values. A dialect turns them into lines as the last step before they are sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;
use wire::{Reason, Refusal, Reply};

use crate::lock::lock;
use crate::room::pace::Paces;

/// The limit on messages at once: an answer for each line under way, the reply to one command, a
/// start and an end.
const OWED_MAX: usize = UNACKNOWLEDGED_LINES_MAX + 4;

/// A session's mailbox. Permits bound it: only the end needs none.
// One allocation with a lock, where channels would take a kilobyte each.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    post: Mutex<Post>,
    /// Wakes the session's task to send.
    stirred: Notify,
    /// Wakes the task that waits for the admission or the end.
    told: Notify,
}

#[derive(Debug, Default)]
struct Post {
    owed: VecDeque<Owed>,
    admission: Option<Box<Result<Admission, Refusal>>>,
    /// Whether nobody is left to answer the admission.
    is_abandoned: bool,
    end: Option<Box<End>>,
}

/// A message for the session, in its order. The permit is returned once the bytes were written.
#[derive(Debug)]
pub(crate) enum Owed {
    /// A line was judged; the answer, if the line had a RUN-N.
    Answer(Option<Told>, OwnedSemaphorePermit),
    /// The lines of the reply to a command.
    Reply(Vec<Told>, OwnedSemaphorePermit),
    /// The reply to `/history`: the entries after one seq up to another.
    Replay {
        after: u64,
        to: u64,
        permit: OwnedSemaphorePermit,
    },
    /// The reply to `/ping`: the entry up to which the session was sent everything.
    At(OwnedSemaphorePermit),
    /// The session follows the transcript from there on.
    Follow {
        after: u64,
        permit: OwnedSemaphorePermit,
    },
    /// The session ends with this, after the entries that can be sent until then.
    Bye { end: End, entries_until: Instant },
}

/// One line for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Reply(Reply),
    Refusal(Refusal),
}

/// The permission to begin: the session's row in `joins`, and the enter if there is one, are
/// committed.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) session: u64,
    pub(crate) pace: Arc<Paces>,
}

/// The reason why a session has to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    /// The reason in words for the person.
    pub(crate) words: String,
}

impl Mailbox {
    /// Adds a message, and wakes the session's task to send it.
    pub(crate) fn reply(&self, owed: Owed) {
        self.add(owed);
        self.stir();
    }

    /// Adds a message that is sent together with the next published entries.
    pub(crate) fn add(&self, owed: Owed) {
        let mut post = self.post();
        post.owed.push_back(owed);
        debug_assert!(post.owed.len() <= OWED_MAX, "each has a permit");
    }

    /// Tells the session to end; only the first reason counts.
    pub(crate) fn end(&self, end: End) {
        self.post().end.get_or_insert_with(|| Box::new(end));
        self.told.notify_one();
    }

    /// Answers the session that wants to begin.
    pub(crate) fn admit(&self, answer: Result<Admission, Refusal>) {
        self.post().admission = Some(Box::new(answer));
        self.told.notify_one();
    }

    /// Tells the session that wants to begin that nobody will answer.
    pub(crate) fn abandon(&self) {
        self.post().is_abandoned = true;
        self.told.notify_one();
    }

    /// Waits for the answer to an enter; returns `None` when there will be none.
    pub(crate) async fn admission(&self) -> Option<Result<Admission, Refusal>> {
        loop {
            {
                let mut post = self.post();
                match post.admission.take() {
                    Some(answer) => return Some(*answer),
                    None if post.is_abandoned => return None,
                    None => {}
                }
            }
            self.told.notified().await;
        }
    }

    /// Waits until the session has to end.
    pub(crate) async fn ended(&self) -> End {
        loop {
            if let Some(end) = &self.post().end {
                return (**end).clone();
            }
            self.told.notified().await;
        }
    }

    /// Takes the next message.
    pub(crate) fn next(&self) -> Option<Owed> {
        self.post().owed.pop_front()
    }

    /// Frees memory that the current messages do not need.
    pub(crate) fn shrink(&self) {
        self.post().owed.shrink_to_fit();
    }

    /// Wakes the session's task to look for something to send.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Waits for [`Mailbox::stir`]; returns at once when there was one since the last wait.
    pub(crate) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        lock(&self.post)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::room::pace::PaceRules;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_first_reason_to_end_counts_and_is_not_missed() {
        let end = |reason| End {
            reason,
            words: String::new(),
        };
        let mailbox = Mailbox::default();
        let tell = async {
            mailbox.end(end(Reason::Replaced));
            mailbox.end(end(Reason::Revoked));
        };
        let both = async { tokio::join!(biased; mailbox.ended(), tell).0 };
        let told = tokio::time::timeout(PATIENCE, both).await;
        assert_eq!(told, Ok(end(Reason::Replaced)));
        // The same when the reason was set before anybody waited, and when it is read again.
        assert_eq!(mailbox.ended().await, end(Reason::Replaced));
    }

    #[tokio::test]
    async fn a_session_that_wants_to_begin_hears_the_answer_or_that_there_is_none() {
        let admitted = Mailbox::default();
        let pace = Arc::new(PaceRules::default().paces());
        admitted.admit(Ok(Admission { session: 7, pace }));
        // The answer counts even if its waiter is gone by now.
        admitted.abandon();
        let answer = tokio::time::timeout(PATIENCE, admitted.admission()).await;
        let answer = answer.expect("an answer").expect("an answer");
        assert_eq!(answer.expect("admitted").session, 7);

        let forgotten = Mailbox::default();
        let abandon = async { forgotten.abandon() };
        let both = async { tokio::join!(biased; forgotten.admission(), abandon).0 };
        let answer = tokio::time::timeout(PATIENCE, both).await;
        assert!(answer.expect("the news").is_none());
    }
}
