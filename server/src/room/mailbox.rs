//! What one session alone is to be told: whether it may begin, answers, replies, its end.
//!
//! Everything in it is a value. A dialect makes lines of it, as the last step before they are sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;
use wire::{Reason, Refusal, Reply};

use crate::room::pace::Paces;

/// Everything that can be owed at once: an answer for each line under way, the reply to one
/// command, a start and an end.
const OWED_MAX: usize = UNACKNOWLEDGED_LINES_MAX + 4;

/// A session's mailbox. Permits bound it: nothing but the end is owed without one.
// One allocation with a lock, where channels would take a kilobyte each.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    post: Mutex<Post>,
    /// Wakes the session's task to send.
    stirred: Notify,
    /// Wakes whoever waits for the admission or the end.
    told: Notify,
}

#[derive(Debug, Default)]
struct Post {
    owed: VecDeque<Owed>,
    admission: Option<Box<Result<Admission, Refusal>>>,
    /// Whether nobody is left who could answer.
    is_abandoned: bool,
    end: Option<Box<End>>,
}

/// What a session is owed, in its order. A permit is given back when the bytes have been written.
#[derive(Debug)]
pub(crate) enum Owed {
    /// A line was judged; the answer, if the line had a RUN-N.
    Answer(Option<Told>, OwnedSemaphorePermit),
    /// The reply to a command: its lines.
    Reply(Vec<Told>, OwnedSemaphorePermit),
    /// The reply to `/history`: the entries after one seq up to another.
    Replay {
        after: u64,
        to: u64,
        permit: OwnedSemaphorePermit,
    },
    /// The reply to `/ping`: how far the session has been sent.
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

/// A session may begin: its row in `joins`, and the enter if there is one, are committed.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) session: u64,
    pub(crate) pace: Arc<Paces>,
}

/// Why a session is told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    /// The same for the person.
    pub(crate) words: String,
}

impl Mailbox {
    /// Owes something, and has the session's task send it.
    pub(crate) fn reply(&self, owed: Owed) {
        self.add(owed);
        self.stir();
    }

    /// Owes something that goes out with what is published next.
    pub(crate) fn add(&self, owed: Owed) {
        let mut post = self.post();
        post.owed.push_back(owed);
        debug_assert!(post.owed.len() <= OWED_MAX, "each has a permit");
    }

    /// Tells the session to end; the first reason counts.
    pub(crate) fn end(&self, end: End) {
        self.post().end.get_or_insert_with(|| Box::new(end));
        self.told.notify_one();
    }

    /// Answers the session that wants to begin.
    pub(crate) fn admit(&self, answer: Result<Admission, Refusal>) {
        self.post().admission = Some(Box::new(answer));
        self.told.notify_one();
    }

    /// Lets the session that wants to begin know that nobody will answer.
    pub(crate) fn abandon(&self) {
        self.post().is_abandoned = true;
        self.told.notify_one();
    }

    /// Waits for the answer to an enter; `None` when there will be none.
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

    /// Waits until the session is told to end.
    pub(crate) async fn ended(&self) -> End {
        loop {
            if let Some(end) = &self.post().end {
                return (**end).clone();
            }
            self.told.notified().await;
        }
    }

    /// Takes the next thing that is owed.
    pub(crate) fn next(&self) -> Option<Owed> {
        self.post().owed.pop_front()
    }

    /// Keeps no room for more than is owed now.
    pub(crate) fn shrink(&self) {
        self.post().owed.shrink_to_fit();
    }

    /// Has the session's task look for something to send.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Waits for [`Mailbox::stir`]; returns at once when there was one since the last wait.
    pub(crate) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().expect("nobody panics with it")
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
        // Also when it was told before somebody waits, and again.
        assert_eq!(mailbox.ended().await, end(Reason::Replaced));
    }

    #[tokio::test]
    async fn a_session_that_wants_to_begin_hears_the_answer_or_that_there_is_none() {
        let admitted = Mailbox::default();
        let pace = Arc::new(PaceRules::default().paces());
        admitted.admit(Ok(Admission { session: 7, pace }));
        // The answer counts although its waiter is gone by now.
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
