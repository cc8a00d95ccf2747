//! Which lines share a commit.
//!
//! A commit costs an `fsync` and, for each session, a record of TLS and a write, however many lines are
//! in it. So the first line of a moment goes at once, and those that come soon after it go together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::limits::UNACKNOWLEDGED_LINES_MAX;

use crate::flusher::Progress;

/// So many are committed without waiting for more: as many lines as four sessions may have under
/// way, so that a few who talk fast never wait for nobody.
const ENOUGH: usize = 4 * UNACKNOWLEDGED_LINES_MAX;

/// So many in one commit are a crowd, which says the next lines when it has heard these.
const CROWD: usize = 32;

/// How long what was published may be on its way before more is committed all the same.
const FLUSH_WAIT_MAX: Duration = Duration::from_millis(50);

/// When the next commit is due, by what the last ones were.
#[derive(Debug)]
pub(crate) struct Gathering {
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

impl Gathering {
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
        if !progress.has_reached(self.published) {
            let reached = progress.reach(self.published);
            let reached = tokio::time::timeout(FLUSH_WAIT_MAX, reached);
            self.gather_until(reached, asks, from, self.most).await;
        }
        // Those who were sent something first answer while others are still being sent it. With half as
        // long as that took, what all of them say next is in one commit.
        if let Some((ended, took)) = progress.last_turn() {
            let rested_at = ended + (took / 2).min(FLUSH_WAIT_MAX);
            self.rested_at = self.rested_at.max(rested_at);
        }
        if Instant::now() < self.rested_at {
            let rested = rest_until(self.rested_at);
            let enough = ENOUGH.min(self.most);
            self.gather_until(rested, asks, from, enough).await;
        }
        // A crowd that comes in two halves costs twice as much to send.
        if asks.len() < self.crowd {
            let is_over = rest_until(self.rested_at + self.crowd_gap());
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
        self.gap * 4 / 5
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
                _ = &mut until => break,
                taken = from.recv_many(asks, room) => {
                    if taken == 0 {
                        return;
                    }
                }
            }
        }
        while asks.len() < self.most
            && let Ok(ask) = from.try_recv()
        {
            asks.push(ask);
        }
    }
}

/// Waits until then, and for the lines that were there by then.
///
/// A thread that waits for its sockets looks at its clock when something comes, and then runs whoever
/// waited for the clock first. Without the second step a line that came in time would have to wait for
/// the next commit, and where lines come in step with the clock, all of them would.
async fn rest_until(then: Instant) {
    tokio::time::sleep_until(then).await;
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use crate::flusher::Flusher;
    use crate::transcript::View;

    use super::*;

    const GAP: Duration = Duration::from_millis(5);
    const CROWD_GAP: Duration = Duration::from_millis(4);

    /// Asks, which are nothing but numbers here, and those that come later.
    fn some(count: usize) -> Vec<usize> {
        (0..count).collect()
    }

    /// How many asks share a commit with so many, and how long that takes.
    async fn gather(
        gathering: &mut Gathering,
        from: &mut mpsc::Receiver<usize>,
        count: usize,
    ) -> (usize, Duration) {
        let began = Instant::now();
        let mut taken = some(count);
        gathering.gather(&mut taken, from).await;
        (taken.len(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_goes_at_once_and_those_of_a_moment_share_a_commit() {
        let mut gathering = Gathering::new(GAP, 1000);
        let (asks, mut from) = mpsc::channel(8);

        assert_eq!(
            gather(&mut gathering, &mut from, 1).await,
            (1, Duration::ZERO)
        );

        for ask in some(3) {
            asks.send(ask).await.expect("it is there");
        }
        assert_eq!(gather(&mut gathering, &mut from, 1).await, (4, GAP));

        // When everybody who talks waits already, nobody is waited for.
        assert_eq!(
            gather(&mut gathering, &mut from, ENOUGH).await,
            (ENOUGH, Duration::ZERO)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_woken_with_the_clock_comes_in_time() {
        let mut gathering = Gathering::new(GAP, 1000);
        let (asks, mut from) = mpsc::channel(8);
        gather(&mut gathering, &mut from, 1).await;

        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let reading = tokio::spawn(async move {
            gone.await.expect("the clock wakes it");
            asks.send(7).await.expect("it is there");
        });
        let clock = tokio::spawn(async move {
            tokio::time::sleep(GAP).await;
            go.send(()).expect("it is there");
        });
        assert_eq!(gather(&mut gathering, &mut from, 1).await, (2, GAP));
        clock.await.expect("no panic");
        reading.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_waited_for_until_it_is_all_there() {
        let mut gathering = Gathering::new(GAP, 1000);
        let (asks, mut from) = mpsc::channel(8);

        for (came, crowd) in [
            (CROWD, CROWD),
            (CROWD - 1, 0),
            (ENOUGH / 2, ENOUGH),
            (ENOUGH / 2 - 1, ENOUGH / 2 - 1),
        ] {
            gather(&mut gathering, &mut from, came).await;
            assert_eq!(gathering.crowd, crowd, "{came}");
        }

        tokio::time::advance(2 * GAP).await;
        gather(&mut gathering, &mut from, 100).await;
        // All of them are there in time.
        assert_eq!(
            gather(&mut gathering, &mut from, 100).await,
            (100, CROWD_GAP)
        );
        // The last one comes later, and nobody else is waited for.
        let last = async {
            tokio::time::sleep(CROWD_GAP + CROWD_GAP / 2).await;
            asks.send(99).await.expect("it is there");
        };
        let (gathered, ()) = tokio::join!(gather(&mut gathering, &mut from, 99), last);
        assert_eq!(gathered, (100, CROWD_GAP + CROWD_GAP / 2));
        // One stays away.
        assert_eq!(
            gather(&mut gathering, &mut from, 99).await,
            (99, 2 * CROWD_GAP)
        );
        assert_eq!(gathering.crowd, 99);
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_come_while_the_last_are_on_their_way_share_a_commit() {
        let mut gathering = Gathering::new(GAP, 1000);
        let (asks, mut from) = mpsc::channel(8);
        let (views, _) = watch::channel(View::default());
        let flusher = Flusher::new(views.subscribe(), gathering.progress());
        gathering.note_published(1);
        for ask in some(3) {
            asks.send(ask).await.expect("it is there");
        }

        // A flusher that does not come on does not hold up the record for ever.
        assert_eq!(
            gather(&mut gathering, &mut from, 1).await,
            (4, FLUSH_WAIT_MAX)
        );

        let flushing = tokio::spawn(flusher.run());
        tokio::time::advance(FLUSH_WAIT_MAX).await;
        let publishing = async {
            asks.send(7).await.expect("it is there");
            tokio::task::yield_now().await;
            views.send_modify(|view| view.head = 1);
        };
        let (gathered, ()) = tokio::join!(gather(&mut gathering, &mut from, 1), publishing);
        assert_eq!(gathered, (2, Duration::ZERO));
        flushing.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_hear_last_have_half_as_long_as_sending_took() {
        const TOOK: Duration = Duration::from_millis(20);
        let mut gathering = Gathering::new(GAP, 1000);
        let (_asks, mut from) = mpsc::channel(8);
        let progress = gathering.progress();
        let (quick, slow) = (progress.add(), progress.add());

        let began = Instant::now();
        progress.note(quick, 1, began);
        tokio::time::advance(TOOK).await;
        progress.note(slow, 1, began);
        assert_eq!(gather(&mut gathering, &mut from, 1).await, (1, TOOK / 2));

        // Once that is over, the next goes at once.
        tokio::time::advance(GAP).await;
        assert_eq!(
            gather(&mut gathering, &mut from, 1).await,
            (1, Duration::ZERO)
        );

        // However long it took, it is no more than this.
        tokio::time::advance(GAP).await;
        let began = Instant::now();
        tokio::time::advance(100 * FLUSH_WAIT_MAX).await;
        progress.note(slow, 2, began);
        assert_eq!(
            gather(&mut gathering, &mut from, 1).await,
            (1, FLUSH_WAIT_MAX)
        );
    }
}
