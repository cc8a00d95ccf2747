//! Tracks how far the flushers are: the batcher waits for them.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lock::lock;

/// How far the flushers are. An entry that is published while they are at work reaches nobody
/// sooner, and costs another write to everybody.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last turn of each flusher.
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
    /// Adds a flusher. Returns its index.
    pub(crate) fn add(&self) -> usize {
        let mut turns = self.turns();
        turns.push(Turn {
            head: 0,
            ended: Instant::now(),
            took: Duration::ZERO,
        });
        turns.len() - 1
    }

    /// Notes that a flusher has finished a turn with this head, which it began at `began`.
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
        lock(&self.turns)
    }

    /// Returns when the last flusher finished its turn, and how long the slowest turn took.
    pub(crate) fn last_turn(&self) -> Option<(Instant, Duration)> {
        let turns = self.turns();
        let ended = turns.iter().map(|turn| turn.ended).max()?;
        let took = turns.iter().map(|turn| turn.took).max()?;
        Some((ended, took))
    }

    /// Returns whether every flusher has gone through its sessions with this head.
    pub(crate) fn has_reached(&self, head: u64) -> bool {
        self.turns().iter().all(|turn| turn.head >= head)
    }

    /// Waits until every flusher has reached this head.
    pub(crate) async fn reach(&self, head: u64) {
        while !self.has_reached(head) {
            self.moved.notified().await;
        }
    }
}
