//! The recorder orders what is said. It is the only writer of the transcript.
//!
//! It takes the waiting asks, stamps them, commits them in one statement, and only then publishes
//! them: nothing is shown to anyone before it is on the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use wire::{Kind, Timestamp};

use crate::config::Limits;
use crate::explain::Explainer;
use crate::room::ask::Ask;
use crate::room::batch::{Batch, Recorded};
use crate::room::decide::{Moment, Room, Work};
use crate::room::desk::{Asks, Desk, Posted, Waiter, cannot_record};
use crate::room::presence::Rules;
use crate::room::senders::{Known, Sender};
use crate::transcript::batcher::Batcher;
use crate::transcript::fault::{DatabaseError, Fault};
use crate::transcript::progress::Progress;
use crate::transcript::reader::View;
use crate::transcript::record::{Found, Pages, Record};
use crate::transcript::tail::{Segment, Tail};

/// The number of asks that may be on their way to the recorder. Each session has at most 64 lines
/// among them, and waits for a place.
const ASKS_MAX: usize = 4096;

/// How often the recorder checks that the record is still there while nothing is committed.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often a commit is retried while the database cannot be written.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The reason why the recorder ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The database failed; it is unknown what it holds of the last batch.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The server was stopped while the database could not be written.
    #[error(
        "{cause}, and the server was told to stop: {lines} lines were not stored, and none of them was acknowledged"
    )]
    NotStored {
        /// The reason why the database could not be written.
        cause: &'static str,
        /// The number of lines.
        lines: usize,
    },
}

/// The recorder before it runs.
#[derive(Debug)]
pub(crate) struct Recorder<R> {
    asks: mpsc::Receiver<Posted>,
    /// Asks that arrived while the database could not be written.
    waiting: VecDeque<Posted>,
    batcher: Batcher,
    record: R,
    room: Room,
    desk: Desk,
    view: watch::Sender<View>,
    limits: Limits,
    stop: CancellationToken,
    /// When the recorder noticed that the server stops.
    stopped_at: Option<Instant>,
    explainer: Explainer,
    /// How long the asks of this batch waited for others, which only an explanation needs.
    gathered: Duration,
}

impl<R: Record> Recorder<R> {
    /// Returns a recorder over an open record, the channel to it, and the channel of its views.
    pub(crate) async fn new(
        record: R,
        pages: &dyn Pages,
        found: Found,
        rules: Rules,
        limits: Limits,
        stop: CancellationToken,
    ) -> Result<(Self, Asks, watch::Receiver<View>), DatabaseError> {
        let tail = load_tail(pages, found.head, &limits).await?;
        let desk = Desk::new(rules.pace);
        let room = Room::new(
            found,
            rules,
            (Instant::now() + limits.absence_after_start_max).into_std(),
        );
        let view = View {
            head: room.head(),
            tail: Arc::new(tail),
            here: Arc::new(room.here()),
            waiting: None,
        };
        let (view, views) = watch::channel(view);
        let (sender, asks) = mpsc::channel(ASKS_MAX);
        let waiting = VecDeque::new();
        Ok((
            Self {
                asks,
                waiting,
                batcher: Batcher::new(limits.commit_gap, limits.batch_entries_max),
                record,
                room,
                desk,
                view,
                limits,
                stop,
                stopped_at: None,
                explainer: Explainer::default(),
                gathered: Duration::ZERO,
            },
            sender,
            views,
        ))
    }

    /// Returns the same recorder, whose commits are explained.
    pub(crate) fn explained(self, explainer: Explainer) -> Self {
        Self { explainer, ..self }
    }

    /// Returns the progress, which the flushers report to.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.batcher.progress()
    }

    /// Records until no ask can come any more, then closes the record.
    pub(crate) async fn run(mut self) -> Result<(), RecorderError> {
        let mut alive = tokio::time::interval(self.limits.alive_interval);
        let mut check = tokio::time::interval(FILE_CHECK_INTERVAL);
        let mut asks = Vec::new();
        loop {
            if self.waiting.is_empty() {
                let due = self.room.next_due();
                // In a fixed order rather than a random one, so that a run can be repeated. Timers
                // come first: they are rare, and each moves on when it was handled.
                tokio::select! {
                    biased;
                    // The patience counts from here, however late the last session asks for
                    // something.
                    () = self.stop.cancelled(), if self.stopped_at.is_none() => {
                        self.stopped_at = Some(Instant::now());
                        continue;
                    }
                    _ = check.tick() => {
                        self.record.check()?;
                        continue;
                    }
                    _ = alive.tick() => {}
                    () = sleep_until(due) => {}
                    taken = self.asks.recv_many(&mut asks, self.limits.batch_entries_max) => {
                        if taken == 0 {
                            break;
                        }
                        let began = Instant::now();
                        self.batcher.gather(&mut asks, &mut self.asks).await;
                        self.gathered = began.elapsed();
                    }
                }
            } else {
                let take = self.waiting.len().min(self.limits.batch_entries_max);
                asks.extend(self.waiting.drain(..take));
            }
            self.take(asks.drain(..)).await?;
        }
        self.end_what_is_left().await?;
        self.record.close().await?;
        self.explainer.closed(self.room.head());
        Ok(())
    }

    /// Handles one batch: stamp, commit, publish, answer.
    async fn take(&mut self, posted: impl Iterator<Item = Posted>) -> Result<(), RecorderError> {
        let (asks, mut waiters): (Vec<Ask>, Vec<Waiter>) =
            posted.map(|posted| (posted.ask, posted.waiter)).unzip();
        for sender in self.room.unknown_senders(&asks) {
            let known = self.known_run(&sender, &asks).await?;
            self.room.learn(sender, known);
        }
        let space = self.record.space();
        let mut work = Work::default();
        let moment = this_moment();
        self.room.note_absences(moment, &mut work);
        for (number, ask) in asks.into_iter().enumerate() {
            self.room.apply(number, ask, moment, space, &mut work);
        }
        self.explainer.stamped(&work, self.gathered);
        let began = Instant::now();
        self.commit(&work.rows).await?;
        self.explainer.committed(&work, began.elapsed());
        // A commit to a deleted file does not count.
        self.record.check()?;
        let is_published = self.publish(&work);
        if self.explainer.is_on() {
            let here = self.view.borrow().here.len();
            self.explainer.published(&work, self.room.head(), here);
        }
        let is_told = !work.outcomes.is_empty();
        self.desk.tell(work.outcomes, &mut waiters);
        // Only now, so that a session's answers go out together with the published entries.
        if is_published || is_told {
            self.batcher.note_published(self.room.head());
            self.view.send_modify(|_| ());
        }
        self.room.forget_old();
        Ok(())
    }

    /// Returns what the database knows of a run. Waits while the database is locked.
    async fn known_run(&mut self, sender: &Sender, asks: &[Ask]) -> Result<Known, RecorderError> {
        loop {
            let failure = match self.record.known_run(sender).await {
                Ok(known) => return Ok(known),
                Err(failure) => failure,
            };
            let Fault::Passing(cause) = failure.fault() else {
                return Err(failure.into());
            };
            if self.is_patience_over() {
                let lines = asks.iter().filter(|ask| matches!(ask, Ask::Say(_))).count();
                let lines = lines + self.count_waiting();
                return Err(RecorderError::NotStored { cause, lines });
            }
            self.wait_out(cause).await;
        }
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), RecorderError> {
        let mut told = false;
        loop {
            let alive_at = Timestamp::from(SystemTime::now());
            let committed = self.record.commit(batch, self.room.head(), alive_at);
            let failure = match committed.await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            let Fault::Passing(cause) = failure.fault() else {
                return Err(failure.into());
            };
            // Nobody waits for the sign of life; the next batch carries it.
            if batch.is_empty() {
                return Ok(());
            }
            if !told {
                error!(error = %failure, "the database cannot be written; lines wait");
                self.view.send_modify(|view| view.waiting = Some(cause));
                told = true;
            }
            if self.is_patience_over() {
                let lines = self.count_lines(batch);
                return Err(RecorderError::NotStored { cause, lines });
            }
            self.wait_out(cause).await;
        }
        if told {
            info!("the database can be written again");
            self.view.send_modify(|view| view.waiting = None);
        }
        Ok(())
    }

    /// Returns whether a database that cannot be written was waited for long enough: only a
    /// stopping server gives up.
    fn is_patience_over(&mut self) -> bool {
        let timeout = self.limits.stop_database_timeout;
        self.stop.is_cancelled()
            && self.stopped_at.get_or_insert_with(Instant::now).elapsed() > timeout
    }

    /// Waits for a moment. Meanwhile newcomers are refused and everything else is kept.
    async fn wait_out(&mut self, cause: &'static str) {
        let moment = tokio::time::sleep(RETRY_INTERVAL);
        tokio::pin!(moment);
        loop {
            let has_room = self.waiting.len() < self.limits.waiting_asks_max;
            // The time comes first: it ends the wait, however many asks there are.
            tokio::select! {
                biased;
                () = &mut moment => return,
                ask = self.asks.recv(), if has_room => match ask {
                    Some(posted) if matches!(posted.ask, Ask::Enter(_)) => {
                        posted.waiter.refuse(cannot_record(cause));
                    }
                    Some(posted) => self.waiting.push_back(posted),
                    None => {
                        moment.await;
                        return;
                    }
                },
            }
        }
    }

    /// Publishes the committed entries, if any, but wakes nobody yet. Returns whether it published
    /// anything.
    fn publish(&self, work: &Work) -> bool {
        if work.rows.entries.is_empty() && work.moved.is_empty() {
            return false;
        }
        let entries = work.rows.entries.iter().map(|recorded| &recorded.entry);
        let segment = Segment::encode(entries);
        self.view.send_if_modified(|view| {
            view.head = self.room.head();
            view.tail = Arc::new(view.tail.with(segment, self.limits.tail_bytes_max));
            if !work.moved.is_empty() {
                self.room
                    .note_here(&work.moved, Arc::make_mut(&mut view.here));
            }
            false
        });
        true
    }

    /// Ends the sessions that were abandoned and never reported their end.
    async fn end_what_is_left(&mut self) -> Result<(), RecorderError> {
        let batch = self.room.end_all(this_moment());
        self.commit(&batch).await?;
        Ok(self.record.check()?)
    }

    fn count_lines(&mut self, batch: &Batch) -> usize {
        let is_message = |recorded: &&Recorded| matches!(recorded.entry.kind, Kind::Message(_));
        batch.entries.iter().filter(is_message).count() + self.count_waiting()
    }

    /// Counts the lines that will not be recorded any more. Ends of sessions wait among them.
    fn count_waiting(&mut self) -> usize {
        self.asks.close();
        let asked = std::iter::from_fn(|| self.asks.try_recv().ok());
        self.waiting.drain(..).chain(asked).filter(is_line).count()
    }
}

fn this_moment() -> Moment {
    Moment {
        now: Instant::now().into_std(),
        clock: Timestamp::from(SystemTime::now()),
    }
}

fn is_line(posted: &Posted) -> bool {
    matches!(posted.ask, Ask::Say(_))
}

async fn sleep_until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

async fn load_tail(pages: &dyn Pages, head: u64, limits: &Limits) -> Result<Tail, DatabaseError> {
    let mut tail = Tail::default();
    let mut after = pages
        .start_of_tail(head, limits.tail_bytes_at_start)
        .await?;
    while after < head {
        let Some((lines, last)) = pages.page(after, head, limits.page_entries_max).await? else {
            break;
        };
        let lines = lines.into_bytes();
        let count = memchr::memchr_iter(b'\n', &lines).count() as u64;
        tail = tail.with(
            Segment::from_lines(last + 1 - count, lines),
            limits.tail_bytes_max,
        );
        after = last;
    }
    Ok(tail)
}
