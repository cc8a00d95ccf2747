//! Decides which lines share a commit.
//!
//! A commit costs one `fsync` and, for each session, one TLS record and one write, however many
//! lines are in it. So the first line after a pause is committed at once, and the lines that come
//! soon after it are committed together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;

use crate::transcript::progress::Progress;

/// A commit with this many lines does not wait for more, once the last commit has been sent. Four
/// sessions may have as many lines under way, so a few people who type fast never wait in vain.
const ENOUGH: usize = 4 * UNACKNOWLEDGED_LINES_MAX;

/// A commit with this many lines comes from a crowd, which says its next lines after it has
/// received these.
const CROWD: usize = 32;

/// The longest time that asks wait until the last commit has been sent and its receivers have
/// answered.
const FLUSH_WAIT_MAX: Duration = Duration::from_millis(50);

/// Decides when the next commit is due, from what the last ones were like.
#[derive(Debug)]
pub(crate) struct Batcher {
    gap: Duration,
    most: usize,
    /// From this moment on a line is committed at once.
    rested_at: Instant,
    /// The number of lines to wait for a little longer, because as many came last time.
    crowd: usize,
    /// How far the flushers are, and the entry that they have to reach.
    progress: Arc<Progress>,
    published: u64,
}

impl Batcher {
    /// Allows one commit per gap, of at most `most` asks.
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

    /// Returns the progress, which the flushers report to.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Notes the newest entry that the flushers have to send.
    pub(crate) fn note_published(&mut self, head: u64) {
        self.published = head;
    }

    /// Adds to the first asks of a commit those that share it: the asks that come while the last
    /// commit is being sent, those that come within the gap, and as many as came last time.
    pub(crate) async fn gather<T>(&mut self, asks: &mut Vec<T>, from: &mut mpsc::Receiver<T>) {
        let progress = self.progress.clone();
        let flush_wait_ends = Instant::now() + FLUSH_WAIT_MAX;
        if !progress.has_reached(self.published) {
            let reached = progress.reach(self.published);
            let reached = tokio::time::timeout_at(flush_wait_ends, reached);
            self.gather_until(reached, asks, from, self.most).await;
        }
        // Sessions that were sent something early answer while others are still being sent it.
        // Waiting half as long as the sending took collects all their next lines in one commit.
        if let Some((ended, took)) = progress.last_turn() {
            let rested_at = (ended + took / 2).min(flush_wait_ends);
            self.rested_at = self.rested_at.max(rested_at);
        }
        let enough = ENOUGH.min(self.most);
        if asks.len() < enough && Instant::now() < self.rested_at {
            let rested = tokio::time::sleep_until(self.rested_at);
            self.gather_until(rested, asks, from, enough).await;
        }
        // Sending costs twice as much when a crowd arrives in two halves.
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

    /// Returns the gap for a crowd: it fills a commit sooner than a few people do, and the commit
    /// waits for it anyway.
    fn crowd_gap(&self) -> Duration {
        self.gap * 2 / 3
    }

    /// Takes asks until `until` completes, or until there are enough.
    async fn gather_until<T>(
        &self,
        until: impl Future,
        asks: &mut Vec<T>,
        from: &mut mpsc::Receiver<T>,
        enough: usize,
    ) {
        tokio::pin!(until);
        while asks.len() < enough {
            let left = self.most - asks.len();
            // The time comes first: it ends the wait, however many asks there are.
            tokio::select! {
                biased;
                _ = &mut until => return self.take_those_in_time(asks, from).await,
                taken = from.recv_many(asks, left) => {
                    if taken == 0 {
                        return;
                    }
                }
            }
        }
    }

    /// Takes the lines that are there by now, for as long as there are more.
    ///
    /// When the gap ends, tokio runs the tasks that waited for the clock before those whose socket
    /// became readable. So this yields until no more lines come; otherwise lines in step with the
    /// clock would always miss the commit.
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

    /// A batcher with a source of asks, which are only numbers here.
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

        /// Gathers a batch that begins with `count` asks. Returns its size, and how long that took.
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

        // When everybody who talks is waiting already, nobody else is waited for.
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
    async fn a_closed_channel_ends_the_wait() {
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

    /// The server's own runtime uses another order.
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
        // By then everybody waits, and is woken by the moment that ends the wait.
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
        // Once the crowd has gone, the one who is left is not delayed.
        tokio::time::advance(2 * CROWD_GAP).await;
        assert_eq!(story.gather(1).await, (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_come_while_the_last_ones_are_sent_share_a_commit() {
        let mut story = Story::new();
        let (views, _) = watch::channel(View::default());
        let flusher = Flusher::new(views.subscribe(), story.batcher.progress());
        story.batcher.note_published(1);
        story.ask(3);

        // A flusher that makes no progress does not hold up the record forever.
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
    async fn the_next_commit_waits_half_as_long_as_sending_took() {
        const TOOK: Duration = Duration::from_millis(20);
        let mut story = Story::new();
        let progress = story.batcher.progress();
        let (quick, slow) = (progress.add(), progress.add());

        let began = Instant::now();
        progress.note(quick, 1, began);
        tokio::time::advance(TOOK).await;
        progress.note(slow, 1, began);
        assert_eq!(story.gather(1).await, (1, TOOK / 2));

        // After that, the next line is committed at once.
        tokio::time::advance(GAP).await;
        assert_eq!(story.gather(1).await, (1, Duration::ZERO));

        // However long the sending took, the wait is no longer than this.
        let began = Instant::now();
        tokio::time::advance(100 * FLUSH_WAIT_MAX).await;
        progress.note(slow, 2, began);
        assert_eq!(story.gather(1).await, (1, FLUSH_WAIT_MAX));
        // And there is no wait at all when everybody who talks is waiting already.
        progress.note(slow, 2, began);
        assert_eq!(story.gather(ENOUGH).await, (ENOUGH, Duration::ZERO));
    }
}
