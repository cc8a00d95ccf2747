//! How far the flushers are with what was published: the batcher waits for them.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

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

impl Progress {
    /// One more flusher, and its place.
    pub(crate) fn add(&self) -> usize {
        let mut turns = self.turns();
        turns.push(Turn {
            head: 0,
            ended: Instant::now(),
            took: Duration::ZERO,
        });
        turns.len() - 1
    }

    /// A flusher is done with a turn that began then, with this head.
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

const NOBODY_PANICS: &str = "nobody panics with it";
