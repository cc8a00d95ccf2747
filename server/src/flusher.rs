//! Sends what is published to every session that has taken all that came before.
//!
//! To wake a task for each session costs as much as to send. So one task on each thread goes
//! through many sessions when something is published, and does for each what needs no wait. Whatever
//! does, a slow reader or a page of the database, is left to the session's own task.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::transcript::View;

/// After so many sessions a flusher lets others have its thread.
const SESSIONS_AT_ONCE: usize = 64;

/// A session that something may be sent to.
pub(crate) trait Flush: Send + Sync {
    /// Sends what is new, as far as that needs no wait; else the session's own task does. What goes
    /// out is put together in `scratch`.
    fn flush(&self, view: &View, scratch: &mut Vec<u8>);
}

/// The way to every flusher.
#[derive(Debug)]
pub(crate) struct Flushers {
    newcomers: Vec<Arc<Newcomers>>,
    next: AtomicUsize,
}

/// Goes through its share of the sessions whenever something is published.
pub(crate) struct Flusher {
    /// Not the transcript: a flusher outlives the recorder, and whoever could read the record then would
    /// keep it from being closed in good order.
    views: watch::Receiver<View>,
    progress: Arc<Progress>,
    /// Its place in `progress`.
    index: usize,
    newcomers: Arc<Newcomers>,
    /// A session that has ended is gone, and noticed here at the next turn.
    sessions: Vec<Weak<dyn Flush>>,
}

/// How far the flushers are. What is published while they are at work reaches nobody sooner for it, and
/// takes a write to everybody of its own.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Of each flusher, its last turn.
    turns: Mutex<Vec<Turn>>,
    moved: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    head: u64,
    ended: Instant,
    took: Duration,
}

/// Sessions that have begun since a flusher's last turn.
#[derive(Default)]
struct Newcomers(Mutex<Vec<Weak<dyn Flush>>>);

impl Flushers {
    /// The way to flushers, which must run for as long as there are sessions.
    pub(crate) fn to(flushers: &[Flusher]) -> Self {
        Self {
            newcomers: flushers.iter().map(|one| one.newcomers.clone()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Has one of them send to a session from its next turn on.
    pub(crate) fn add(&self, session: Weak<dyn Flush>) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.newcomers[next % self.newcomers.len()].add(session);
    }
}

impl Flusher {
    /// Without sessions yet.
    pub(crate) fn new(views: watch::Receiver<View>, progress: Arc<Progress>) -> Self {
        Self {
            views,
            index: progress.add(),
            progress,
            newcomers: Arc::default(),
            sessions: Vec::new(),
        }
    }

    /// Goes on until the recorder has ended, which is the last that each session hears.
    pub(crate) async fn run(mut self) {
        let mut scratch = Vec::new();
        loop {
            let published = self.views.changed().await;
            self.turn(&mut scratch).await;
            if published.is_err() {
                return;
            }
        }
    }

    async fn turn(&mut self, scratch: &mut Vec<u8>) {
        let began = Instant::now();
        // In this order: a session that is taken at the next turn began after this view was
        // published, and has seen it.
        let view = self.views.borrow_and_update().clone();
        self.newcomers.take(&mut self.sessions);
        let (mut at, mut since_yield) = (0, 0);
        while at < self.sessions.len() {
            match self.sessions[at].upgrade() {
                Some(session) => {
                    session.flush(&view, scratch);
                    at += 1;
                }
                None => {
                    self.sessions.swap_remove(at);
                }
            }
            since_yield += 1;
            if since_yield == SESSIONS_AT_ONCE {
                since_yield = 0;
                tokio::task::yield_now().await;
            }
        }
        self.progress.note(self.index, view.head, began);
    }
}

impl Progress {
    pub(crate) fn add(&self) -> usize {
        let mut turns = self.turns();
        turns.push(Turn {
            head: 0,
            ended: Instant::now(),
            took: Duration::ZERO,
        });
        turns.len() - 1
    }

    pub(crate) fn note(&self, flusher: usize, head: u64, began: Instant) {
        let ended = Instant::now();
        self.turns()[flusher] = Turn {
            head,
            ended,
            took: ended - began,
        };
        self.moved.notify_one();
    }

    fn turns(&self) -> MutexGuard<'_, Vec<Turn>> {
        self.turns.lock().expect(NOBODY_PANICS)
    }

    /// When the last flusher was done with its turn, and how long the slowest took.
    pub(crate) fn last_turn(&self) -> Option<(Instant, Duration)> {
        let turns = self.turns();
        let ended = turns.iter().map(|turn| turn.ended).max()?;
        let took = turns.iter().map(|turn| turn.took).max()?;
        Some((ended, took))
    }

    /// Whether every flusher has gone through its sessions with this head.
    pub(crate) fn has_reached(&self, head: u64) -> bool {
        self.turns().iter().all(|turn| turn.head >= head)
    }

    /// Waits until it has.
    pub(crate) async fn reach(&self, head: u64) {
        while !self.has_reached(head) {
            self.moved.notified().await;
        }
    }
}

impl Newcomers {
    fn add(&self, session: Weak<dyn Flush>) {
        self.0.lock().expect(NOBODY_PANICS).push(session);
    }

    fn take(&self, sessions: &mut Vec<Weak<dyn Flush>>) {
        sessions.append(&mut self.0.lock().expect(NOBODY_PANICS));
    }
}

const NOBODY_PANICS: &str = "nobody panics with it";

impl std::fmt::Debug for Newcomers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Newcomers")
    }
}
