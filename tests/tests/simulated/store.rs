//! The record of a simulated server: memory, or memory with a fault of ours that must be noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use server::DatabaseError;
use server::memory::{Memory, Opened};
use server::record::{Answer, Batch, Found, Known, LastSession, Pages, Record, Sender, Space};
use tokio::sync::Mutex;
use wire::{ClientId, Timestamp};

/// A fault in the record. The server over it is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A commit is answered a moment before it is stored.
    AnswersEarly,
    /// The knowledge of a run is lost when the server ends.
    ForgetsSenders,
    /// The first entry of each page is missing.
    SkipsInPages,
}

/// How far behind its answers a store is that answers early.
const BEHIND: Duration = Duration::from_millis(50);

/// Counts of what the record did, and the space that it reports.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Pages that somebody needed who had fallen out of the tail.
    pub(crate) pages: AtomicU64,
    /// Commits that a crash broke off before they were stored.
    pub(crate) broken_before: AtomicU64,
    /// Commits that a crash broke off after that, and before anybody knew.
    pub(crate) broken_after: AtomicU64,
    /// Whether the disk is nearly full.
    pub(crate) is_low: AtomicBool,
}

/// The store that the recorder writes to.
#[derive(Debug)]
pub(crate) struct Store {
    memory: Memory,
    opened: Arc<Mutex<Opened>>,
    mutant: Option<Mutant>,
    counts: Arc<Counts>,
}

/// A commit on its way, to be counted when it is broken off.
struct Underway<'a> {
    memory: &'a Memory,
    counts: &'a Counts,
    before: u64,
    after: u64,
    is_over: bool,
}

/// The store that readers read from.
#[derive(Debug)]
pub(crate) struct Shelf {
    memory: Memory,
    mutant: Option<Mutant>,
    counts: Arc<Counts>,
}

/// Opens the record as a server does that starts.
pub(crate) fn open(
    memory: &Memory,
    mutant: Option<Mutant>,
    counts: &Arc<Counts>,
) -> (Store, Arc<Shelf>, Found) {
    let (opened, found) = memory.open();
    let store = Store {
        memory: memory.clone(),
        opened: Arc::new(Mutex::new(opened)),
        mutant,
        counts: counts.clone(),
    };
    let shelf = Shelf {
        memory: memory.clone(),
        mutant,
        counts: counts.clone(),
    };
    (store, Arc::new(shelf), found)
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        // Without an entry in it, nobody can tell whether it was stored, and nobody misses it.
        if self.is_over || self.before == self.after {
            return;
        }
        let broken = match self.memory.head() == self.after {
            true => &self.counts.broken_after,
            false => &self.counts.broken_before,
        };
        broken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Record for Store {
    async fn commit(
        &mut self,
        batch: &Batch,
        head: u64,
        alive_at: Timestamp,
    ) -> Result<(), DatabaseError> {
        if self.mutant != Some(Mutant::AnswersEarly) {
            let mut underway = Underway {
                memory: &self.memory,
                counts: &self.counts,
                before: self.memory.head(),
                after: head,
                is_over: false,
            };
            let mut opened = self.opened.lock().await;
            let committed = opened.commit(batch, head, alive_at).await;
            underway.is_over = true;
            return committed;
        }
        let (opened, batch) = (self.opened.clone(), batch.clone());
        // It ends with the server, and then with what it was to store.
        tokio::spawn(async move {
            let mut opened = opened.lock().await;
            tokio::time::sleep(BEHIND).await;
            while opened.commit(&batch, head, alive_at).await.is_err() {
                tokio::time::sleep(BEHIND).await;
            }
        });
        Ok(())
    }

    async fn known_run(&mut self, sender: &Sender) -> Result<Known, DatabaseError> {
        if self.mutant == Some(Mutant::ForgetsSenders) {
            return Ok(Known::default());
        }
        self.opened.lock().await.known_run(sender).await
    }

    fn check(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn space(&mut self) -> Space {
        match self.counts.is_low.load(Ordering::Relaxed) {
            true => Space::Low,
            false => Space::Enough,
        }
    }

    async fn close(self) -> Result<(), DatabaseError> {
        Ok(())
    }
}

impl Pages for Shelf {
    fn page(&self, after: u64, to: u64, entries_max: u64) -> Answer<'_, Option<(String, u64)>> {
        self.counts.pages.fetch_add(1, Ordering::Relaxed);
        let skips = self.mutant == Some(Mutant::SkipsInPages);
        self.memory.page(after + u64::from(skips), to, entries_max)
    }

    fn time_of(&self, seq: u64) -> Answer<'_, Option<Timestamp>> {
        self.memory.time_of(seq)
    }

    fn last_session<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<LastSession>> {
        self.memory.last_session(id)
    }

    fn start_of_tail(&self, head: u64, bytes: usize) -> Answer<'_, u64> {
        self.memory.start_of_tail(head, bytes)
    }
}
