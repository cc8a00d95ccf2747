//! What one session alone is to be sent: answers, replies, its end.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;

/// Everything that can be owed at once: an answer for each line under way, the reply to one
/// command, a start and an end.
const OWED_MAX: usize = UNACKNOWLEDGED_LINES_MAX + 4;

/// What one session alone is to be sent. A permit is given back when the bytes have been written.
#[derive(Debug)]
pub(crate) enum Owed {
    /// A line was judged; the answer, if the line had a RUN-N.
    Answer(Option<String>, OwnedSemaphorePermit),
    /// The reply to a command, with its line ends.
    Reply(String, OwnedSemaphorePermit),
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
    /// The session ends with this line, after the entries that can be sent until then.
    Bye {
        line: String,
        entries_until: Instant,
    },
}

/// What is owed to a session, in its order. Permits bound it: nothing is owed without one, but the
/// end.
#[derive(Debug, Default)]
pub(crate) struct Owing {
    queue: Mutex<VecDeque<Owed>>,
    stirred: Notify,
}

impl Owing {
    /// Owes something, and has the session's task send it.
    pub(crate) fn owe(&self, owed: Owed) {
        self.add(owed);
        self.stir();
    }

    /// Owes something that goes out with what is published next.
    pub(crate) fn add(&self, owed: Owed) {
        let mut queue = self.lock();
        queue.push_back(owed);
        debug_assert!(queue.len() <= OWED_MAX, "each has a permit");
    }

    /// The next thing that is owed.
    pub(crate) fn next(&self) -> Option<Owed> {
        self.lock().pop_front()
    }

    /// Keeps no room for more than is owed now.
    pub(crate) fn shrink(&self) {
        self.lock().shrink_to_fit();
    }

    /// Has the session's task look for something to send.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Waits for [`Owing::stir`], or for nothing when there was one since.
    pub(crate) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Owed>> {
        self.queue.lock().expect("nobody panics with it")
    }
}
