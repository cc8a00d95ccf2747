//! Which lines share a commit.
//!
//! A commit costs an `fsync` and, for each session, a record of TLS and a write, however many lines are
//! in it. So the first line of a moment goes at once, and those that come soon after it go together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;

use crate::transcript::progress::Progress;

/// So many are committed without waiting for more, once the last ones are on their way: as many lines as
/// four sessions may have under way, so that a few who talk fast never wait for nobody.
const ENOUGH: usize = 4 * UNACKNOWLEDGED_LINES_MAX;

/// So many in one commit are a crowd, which says the next lines when it has heard these.
const CROWD: usize = 32;

/// How long asks wait, at the most, for what was published to be on its way and for those who were sent
/// it to answer.
const FLUSH_WAIT_MAX: Duration = Duration::from_millis(50);

/// When the next commit is due, by what the last ones were.
#[derive(Debug)]
pub(crate) struct Batcher {
    gap: Duration,
    most: usize,
    /// From when on a line is committed at once.
    rested_at: Instant,
    /// So many are waited for a little longer, as they came last time.
    crowd: usize,
    /// How far what was published is on its way, and to where that was.
    progress: Arc<Progress>,
    published: u64,
}

impl Batcher {
    /// At most one commit in a gap, of at most so many asks.
    pub(crate) fn new(gap: Duration, most: usize) -> Self {
        Self {
            gap,
            most,
            rested_at: Instant::now(),
            crowd: 0,
            progress: Arc::default(),
            published: 0,
        }
    }

    /// What flushers tell how far they are.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Takes note of what the flushers are to send now.
    pub(crate) fn note_published(&mut self, head: u64) {
        self.published = head;
    }

    /// Adds to the first asks of a commit those that go with them: what comes while the last ones are
    /// on their way, and for as long as the gap lasts, and as many as came last time.
    pub(crate) async fn gather<T>(&mut self, asks: &mut Vec<T>, from: &mut mpsc::Receiver<T>) {
        let progress = self.progress.clone();
        let flush_wait_ends = Instant::now() + FLUSH_WAIT_MAX;
        if !progress.has_reached(self.published) {
            let reached = progress.reach(self.published);
            let reached = tokio::time::timeout_at(flush_wait_ends, reached);
            self.gather_until(reached, asks, from, self.most).await;
        }
        // Those who were sent something first answer while others are still being sent it. With half as
        // long as that took, what all of them say next is in one commit.
        if let Some((ended, took)) = progress.last_turn() {
            let rested_at = (ended + took / 2).min(flush_wait_ends);
            self.rested_at = self.rested_at.max(rested_at);
        }
        let enough = ENOUGH.min(self.most);
        if asks.len() < enough && Instant::now() < self.rested_at {
            let rested = tokio::time::sleep_until(self.rested_at);
            self.gather_until(rested, asks, from, enough).await;
        }
        // A crowd that comes in two halves costs twice as much to send.
        let crowd_wait_ends = self.rested_at + self.crowd_gap();
        if asks.len() < self.crowd && Instant::now() < crowd_wait_ends {
            let is_over = tokio::time::sleep_until(crowd_wait_ends);
            let crowd = self.crowd.min(self.most);
            self.gather_until(is_over, asks, from, crowd).await;
        }
        self.crowd = match asks.len() {
            few if few < CROWD => 0,
            some if some < ENOUGH / 2 => some,
            _ => ENOUGH,
        };
        let gap = match self.crowd {
            0 => self.gap,
            _ => self.crowd_gap(),
        };
        self.rested_at = Instant::now() + gap;
    }

    /// A crowd has a commit's worth of lines sooner than a few have, and is waited for anyway.
    fn crowd_gap(&self) -> Duration {
        self.gap * 2 / 3
    }

    /// Takes what is asked until then, or until it is enough.
    async fn gather_until<T>(
        &self,
        until: impl Future,
        asks: &mut Vec<T>,
        from: &mut mpsc::Receiver<T>,
        enough: usize,
    ) {
        tokio::pin!(until);
        while asks.len() < enough {
            let room = self.most - asks.len();
            // The moment first: it ends this, however many there are who ask.
            tokio::select! {
                biased;
                _ = &mut until => return self.take_those_in_time(asks, from).await,
                taken = from.recv_many(asks, room) => {
                    if taken == 0 {
                        return;
                    }
                }
            }
        }
    }

    /// Takes the lines that were there by now, for as long as there are more.
    ///
    /// A thread that waits for its sockets looks at its clock when something comes, and then runs whoever
    /// waited for the clock before those whose line has come. Without this they would have to wait for the
    /// next commit, and where lines come in step with the clock, all of them would.
    async fn take_those_in_time<T>(&self, asks: &mut Vec<T>, from: &mut mpsc::Receiver<T>) {
        let mut taken = usize::MAX;
        while taken != asks.len() {
            taken = asks.len();
            tokio::task::yield_now().await;
            while asks.len() < self.most
                && let Ok(ask) = from.try_recv()
            {
                asks.push(ask);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{oneshot, watch};

    use crate::session::flusher::Flusher;
    use crate::transcript::reader::View;

    use super::*;

    const GAP: Duration = Duration::from_millis(6);
    const CROWD_GAP: Duration = Duration::from_millis(4);
    const MOST: usize = 1000;

    /// One who gathers asks, which are nothing but numbers here.
    struct Story {
        batcher: Batcher,
        sender: mpsc::Sender<usize>,
        from: mpsc::Receiver<usize>,
    }

    impl Story {
        fn new() -> Self {
            let (sender, from) = mpsc::channel(MOST);
            Self {
                batcher: Batcher::new(GAP, MOST),
                sender,
                from,
            }
        }

        fn ask(&self, count: usize) {
            for ask in 0..count {
                self.sender.try_send(ask).expect("there is room");
            }
        }

        /// With how many others so many share a commit, all told, and how long that takes.
        async fn gather(&mut self, count: usize) -> (usize, Duration) {
            let began = Instant::now();
            let mut asks = (0..count).collect();
            self.batcher.gather(&mut asks, &mut self.from).await;
            (asks.len(), began.elapsed())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_goes_at_once_and_those_of_a_moment_share_a_commit() {
        let mut story = Story::new();
        assert_eq!(story.gather(1).await, (1, Duration::ZERO));

        story.ask(3);
        assert_eq!(story.gather(1).await, (4, GAP));

        // When everybody who talks waits already, nobody is waited for.
        assert_eq!(story.gather(ENOUGH).await, (ENOUGH, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_taken_than_a_commit_may_have() {
        let mut story = Story::new();
        story.batcher.most = 3;
        story.gather(1).await;
        story.ask(5);
        assert_eq!(story.gather(1).await, (3, Duration::ZERO));
        assert_eq!(story.from.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_can_ask_any_more_nobody_is_waited_for() {
        let mut story = Story::new();
        story.gather(1).await;
        story.ask(3);
        story.sender = mpsc::channel(1).0;
        assert_eq!(story.gather(1).await, (4, Duration::ZERO));
    }

    #[tokio::test]
    async fn all_that_are_woken_with_the_clock_come_in_time() {
        woken_with_the_clock().await;
    }

    /// The runtime that the server runs on has another order.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn all_that_are_woken_with_the_clock_come_in_time_on_a_thread_of_several() {
        let done = tokio::spawn(woken_with_the_clock());
        done.await.expect("no panic");
    }

    async fn woken_with_the_clock() {
        const READERS: usize = 20;
        let mut story = Story::new();
        let mut go = Vec::new();
        for reader in 0..READERS {
            let (ready, told) = oneshot::channel::<()>();
            go.push(ready);
            let sender = story.sender.clone();
            tokio::spawn(async move {
                told.await.expect("the moment comes");
                sender.send(reader).await.expect("it is there");
            });
        }
        // Everybody waits by then, and is woken by the moment that ends the batcher.
        tokio::task::yield_now().await;
        let moment = async {
            tokio::time::sleep(GAP).await;
            go.into_iter()
                .for_each(|ready| ready.send(()).expect("it is there"));
        };
        let Story { batcher, from, .. } = &mut story;
        let mut asks = vec![READERS];
        batcher.gather_until(moment, &mut asks, from, MOST).await;
        assert_eq!(asks.len(), 1 + READERS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_waited_for_until_it_is_all_there() {
        let mut story = Story::new();
        for (came, crowd) in [
            (CROWD, CROWD),
            (CROWD - 1, 0),
            (ENOUGH / 2, ENOUGH),
            (ENOUGH / 2 - 1, ENOUGH / 2 - 1),
        ] {
            story.gather(came).await;
            assert_eq!(story.batcher.crowd, crowd, "{came}");
        }

        tokio::time::advance(2 * GAP).await;
        story.gather(100).await;
        // All of them are there in time.
        assert_eq!(story.gather(100).await, (100, CROWD_GAP));
        // The last one comes later, and nobody else is waited for.
        let late = CROWD_GAP + CROWD_GAP / 2;
        let sender = story.sender.clone();
        let last = async {
            tokio::time::sleep(late).await;
            sender.send(99).await.expect("it is there");
        };
        let (gathered, ()) = tokio::join!(story.gather(99), last);
        assert_eq!(gathered, (100, late));
        // One stays away.
        assert_eq!(story.gather(99).await, (99, 2 * CROWD_GAP));
        assert_eq!(story.batcher.crowd, 99);
        // Once the crowd has gone, one who is left goes at once.
        tokio::time::advance(2 * CROWD_GAP).await;
        assert_eq!(story.gather(1).await, (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_come_while_the_last_are_on_their_way_share_a_commit() {
        let mut story = Story::new();
        let (views, _) = watch::channel(View::default());
        let flusher = Flusher::new(views.subscribe(), story.batcher.progress());
        story.batcher.note_published(1);
        story.ask(3);

        // A flusher that does not come on does not hold up the record for ever.
        assert_eq!(story.gather(1).await, (4, FLUSH_WAIT_MAX));

        let flushing = tokio::spawn(flusher.run());
        tokio::time::advance(FLUSH_WAIT_MAX).await;
        let sender = story.sender.clone();
        let publishing = async {
            sender.send(7).await.expect("it is there");
            tokio::task::yield_now().await;
            views.send_modify(|view| view.head = 1);
        };
        let (gathered, ()) = tokio::join!(story.gather(1), publishing);
        assert_eq!(gathered, (2, Duration::ZERO));
        flushing.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_hear_last_have_half_as_long_as_sending_took() {
        const TOOK: Duration = Duration::from_millis(20);
        let mut story = Story::new();
        let progress = story.batcher.progress();
        let (quick, slow) = (progress.add(), progress.add());

        let began = Instant::now();
        progress.note(quick, 1, began);
        tokio::time::advance(TOOK).await;
        progress.note(slow, 1, began);
        assert_eq!(story.gather(1).await, (1, TOOK / 2));

        // Once that is over, the next goes at once.
        tokio::time::advance(GAP).await;
        assert_eq!(story.gather(1).await, (1, Duration::ZERO));

        // However long it took, it is no more than this.
        let began = Instant::now();
        tokio::time::advance(100 * FLUSH_WAIT_MAX).await;
        progress.note(slow, 2, began);
        assert_eq!(story.gather(1).await, (1, FLUSH_WAIT_MAX));
        // And nothing, when everybody who talks waits already.
        progress.note(slow, 2, began);
        assert_eq!(story.gather(ENOUGH).await, (ENOUGH, Duration::ZERO));
    }
}
