//! Sends new entries to every session that has received all earlier ones.
//!
//! Waking a task for each session costs as much as sending. So one flusher on each processor goes
//! through many sessions when something is published, and does everything that needs no wait. A
//! slow reader or a page of the database is left to the session's own task.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::lock::lock;
use crate::transcript::progress::Progress;
use crate::transcript::reader::View;

/// After this many sessions a flusher yields its thread.
const SESSIONS_AT_ONCE: usize = 64;

/// A session that entries can be sent to.
pub(crate) trait Flush: Send + Sync {
    /// Sends new entries as far as that needs no wait; the session's own task does the rest. The
    /// output is assembled in `scratch`.
    fn flush(&self, view: &View, scratch: &mut Vec<u8>);
}

/// A handle on every flusher.
#[derive(Debug)]
pub(crate) struct Flushers {
    newcomers: Vec<Arc<Newcomers>>,
    next: AtomicUsize,
}

/// Goes through its share of the sessions whenever something is published.
pub(crate) struct Flusher {
    /// Not the transcript: a flusher outlives the recorder, and a reader of the record would then
    /// keep it from being closed properly.
    views: watch::Receiver<View>,
    progress: Arc<Progress>,
    /// Its index in `progress`.
    index: usize,
    newcomers: Arc<Newcomers>,
    /// A session that has ended is found to be gone at the next turn.
    sessions: Vec<Weak<dyn Flush>>,
}

/// Sessions that have begun since a flusher's last turn.
#[derive(Default)]
struct Newcomers(Mutex<Vec<Weak<dyn Flush>>>);

impl Flushers {
    /// Starts a flusher for each processor: as many tasks as the runtime has threads, and a thread
    /// for each processor beyond those. They run until the recorder has ended.
    pub(crate) fn start(
        processors: usize,
        views: &watch::Receiver<View>,
        progress: &Arc<Progress>,
        tasks: &TaskTracker,
    ) -> Self {
        let runtime = Handle::current();
        let workers = runtime.metrics().num_workers();
        let flushers: Vec<Flusher> = (0..workers.max(processors))
            .map(|_| Flusher::new(views.clone(), progress.clone()))
            .collect();
        let way = Self::to(&flushers);
        for (index, flusher) in flushers.into_iter().enumerate() {
            if index < workers {
                tasks.spawn(flusher.run());
            } else {
                let runtime = runtime.clone();
                tasks.spawn_blocking(move || runtime.block_on(flusher.run()));
            }
        }
        way
    }

    /// Returns a handle on these flushers, which must run for as long as there are sessions.
    pub(crate) fn to(flushers: &[Flusher]) -> Self {
        Self {
            newcomers: flushers.iter().map(|one| one.newcomers.clone()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Assigns a session to one of the flushers, which sends to it from its next turn on.
    pub(crate) fn add(&self, session: Weak<dyn Flush>) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.newcomers[next % self.newcomers.len()].add(session);
    }
}

impl Flusher {
    /// Returns a flusher that has no sessions yet.
    pub(crate) fn new(views: watch::Receiver<View>, progress: Arc<Progress>) -> Self {
        Self {
            views,
            index: progress.add(),
            progress,
            newcomers: Arc::default(),
            sessions: Vec::new(),
        }
    }

    /// Runs until the recorder has ended. Its last turn sends each session the last entries.
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

impl Newcomers {
    fn add(&self, session: Weak<dyn Flush>) {
        lock(&self.0).push(session);
    }

    fn take(&self, sessions: &mut Vec<Weak<dyn Flush>>) {
        sessions.append(&mut lock(&self.0));
    }
}

impl std::fmt::Debug for Newcomers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Newcomers")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread::ThreadId;
    use std::time::Duration;

    use super::*;

    /// Records the threads that tried to send to it.
    #[derive(Default)]
    struct Noted(Mutex<HashSet<ThreadId>>);

    impl Flush for Noted {
        fn flush(&self, _: &View, _: &mut Vec<u8>) {
            lock(&self.0).insert(std::thread::current().id());
        }
    }

    #[tokio::test]
    async fn each_processor_has_a_flusher_for_as_long_as_there_is_a_recorder() {
        const PROCESSORS: usize = 3;
        let progress = Arc::<Progress>::default();
        let (views, receiver) = watch::channel(View::default());
        let tasks = TaskTracker::new();
        let flushers = Flushers::start(PROCESSORS, &receiver, &progress, &tasks);
        let noted = Arc::<Noted>::default();
        let session: Arc<dyn Flush> = noted.clone();
        for _ in 0..PROCESSORS {
            flushers.add(Arc::downgrade(&session));
        }

        views.send_modify(|view| view.head = 1);
        progress.reach(1).await;
        assert_eq!(lock(&noted.0).len(), PROCESSORS);

        drop(views);
        tasks.close();
        tasks.wait().await;
    }

    struct Quick;

    impl Flush for Quick {
        fn flush(&self, _: &View, _: &mut Vec<u8>) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_takes_from_its_first_session_to_its_last_whoever_comes_between() {
        const BETWEEN: Duration = Duration::from_millis(20);
        let progress = Arc::<Progress>::default();
        let (views, _) = watch::channel(View::default());
        let flusher = Flusher::new(views.subscribe(), progress.clone());
        let flushers = Flushers::to(std::slice::from_ref(&flusher));
        let session: Arc<dyn Flush> = Arc::new(Quick);
        for _ in 0..=SESSIONS_AT_ONCE {
            flushers.add(Arc::downgrade(&session));
        }
        let running = tokio::spawn(flusher.run());
        tokio::task::yield_now().await;

        views.send_modify(|view| view.head = 1);
        // It is in the middle of its turn, and yields the thread.
        tokio::task::yield_now().await;
        assert!(!progress.has_reached(1));
        tokio::time::advance(BETWEEN).await;
        progress.reach(1).await;
        assert_eq!(progress.last_turn(), Some((Instant::now(), BETWEEN)));
        running.abort();
    }
}
