//! The load: a crowd of connections on a few threads, each with a runtime of its own, who say lines
//! and count what comes back. It must cost less than what it measures.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tests::PATIENCE;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;

use crate::dialect::{self, Event, Heard, Tag};
use crate::link::{Link, SCRATCH_BYTES};
use crate::system::System;

const THREADS: usize = 2;

/// The number of logins at the same time, over all threads.
const LOGINS: usize = 8;

/// The time that a crowd may take to get in, or to receive the last lines.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The number of lines of one sender that are followed at once; it is larger than any window.
const FOLLOWED_LINES: u64 = 256;

/// The people of a crowd, and how they talk.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) system: System,
    pub(crate) address: SocketAddr,
    /// One for each client.
    pub(crate) clients: Vec<Arc<ClientConfig>>,
    /// Whether they receive the lines.
    pub(crate) are_listening: bool,
    /// The number of them that talk: the first ones.
    pub(crate) senders: usize,
    pub(crate) pace: Pace,
}

/// The moment at which a sender says the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// While fewer than this number of its lines have not reached everybody.
    Heard(u64),
    /// While fewer than this number of its lines are unacknowledged.
    Acked(u64),
    /// At this interval, whatever happens.
    Every(Duration),
}

/// A crowd that has entered.
pub(crate) struct Crowd {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<Vec<u32>>>,
    plan: Plan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Entering,
    Joining,
    Saying,
    Hushed,
    Over,
}

/// The state that the threads share.
struct Shared {
    began: Instant,
    entered: AtomicU64,
    joined: AtomicU64,
    delivered: AtomicU64,
    acked: AtomicU64,
    out_of_order: AtomicU64,
    is_measuring: AtomicBool,
    failure: Mutex<Option<String>>,
    senders: Vec<Sender>,
}

#[derive(Default)]
struct Sender {
    said: AtomicU64,
    acked: AtomicU64,
    /// The number of its lines that everybody on a thread has received.
    heard: [AtomicU64; THREADS],
    moved: Notify,
}

/// The counts of a crowd so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) said: u64,
    pub(crate) delivered: u64,
    pub(crate) acked: u64,
}

/// The faults, and how long lines took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Lines that somebody received out of order.
    pub(crate) gaps: u64,
    /// Lines that somebody did not receive.
    pub(crate) lost: u64,
    /// The times from sending a line to receiving it, in microseconds, sorted.
    pub(crate) latencies_us: Vec<u32>,
}

impl Crowd {
    /// Makes everybody enter.
    pub(crate) fn enter(plan: Plan) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            entered: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            out_of_order: AtomicU64::new(0),
            is_measuring: AtomicBool::new(false),
            failure: Mutex::new(None),
            senders: (0..plan.senders).map(|_| Sender::default()).collect(),
        });
        let phase = watch::Sender::new(Phase::Entering);
        let threads = (0..THREADS)
            .map(|index| {
                let (plan, shared, phase) = (plan.clone(), shared.clone(), phase.subscribe());
                std::thread::spawn(move || work(index, plan, shared, phase))
            })
            .collect();
        let crowd = Self {
            shared,
            phase,
            threads,
            plan,
        };
        let everybody = crowd.plan.clients.len() as u64;
        crowd.wait("entering", |shared| {
            shared.entered.load(Ordering::Relaxed) == everybody
        });
        crowd
    }

    /// Subscribes everybody to the lines from now on.
    pub(crate) fn join(&self) {
        self.phase.send_replace(Phase::Joining);
        let everybody = self.plan.clients.len() as u64;
        self.wait("joining", |shared| {
            shared.joined.load(Ordering::Relaxed) == everybody
        });
    }

    /// Makes the senders talk.
    pub(crate) fn talk(&self) {
        self.phase.send_replace(Phase::Saying);
    }

    /// Starts or stops noting latencies.
    pub(crate) fn measure(&self, is_measuring: bool) {
        self.shared
            .is_measuring
            .store(is_measuring, Ordering::Relaxed);
        self.fail_if_failed();
    }

    pub(crate) fn counts(&self) -> Counts {
        let said = self.shared.senders.iter();
        Counts {
            said: said.map(|sender| sender.said.load(Ordering::Acquire)).sum(),
            delivered: self.shared.delivered.load(Ordering::Relaxed),
            acked: self.shared.acked.load(Ordering::Relaxed),
        }
    }

    /// Silences everybody, waits until every line has arrived, and judges.
    pub(crate) fn hush(&self) -> Counts {
        self.phase.send_replace(Phase::Hushed);
        for sender in &self.shared.senders {
            sender.moved.notify_one();
        }
        let mut counts = self.counts();
        let mut moved_at = Instant::now();
        // Senders may still be in the middle of a line, so wait until nothing moves.
        while moved_at.elapsed() < Duration::from_millis(300)
            || (self.missing(counts) > 0 && moved_at.elapsed() < Duration::from_secs(10))
        {
            std::thread::sleep(Duration::from_millis(10));
            let now = self.counts();
            if (now.said, now.delivered, now.acked) != (counts.said, counts.delivered, counts.acked)
            {
                (counts, moved_at) = (now, Instant::now());
            }
        }
        self.fail_if_failed();
        counts
    }

    fn missing(&self, counts: Counts) -> u64 {
        let everybody = self.plan.clients.len() as u64;
        let heard = if self.plan.are_listening {
            (counts.said * everybody).abs_diff(counts.delivered)
        } else {
            0
        };
        let acked = match self.plan.pace {
            Pace::Acked(_) => counts.said.abs_diff(counts.acked),
            Pace::Heard(_) | Pace::Every(_) => 0,
        };
        heard + acked
    }

    /// Makes everybody leave.
    pub(crate) fn leave(self) -> Found {
        let counts = self.hush();
        let lost = self.missing(counts);
        self.phase.send_replace(Phase::Over);
        let mut latencies_us = Vec::new();
        for thread in self.threads {
            latencies_us.extend(thread.join().expect("the load does not panic"));
        }
        latencies_us.sort_unstable();
        Found {
            gaps: self.shared.out_of_order.load(Ordering::Relaxed),
            lost,
            latencies_us,
        }
    }

    fn wait(&self, what: &str, is_done: impl Fn(&Shared) -> bool) {
        let deadline = Instant::now() + SETTLE_TIMEOUT.max(PATIENCE);
        while !is_done(&self.shared) {
            self.fail_if_failed();
            assert!(
                Instant::now() < deadline,
                "{what}: not within {SETTLE_TIMEOUT:?}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn fail_if_failed(&self) {
        let failure = self.shared.failure.lock().expect("nobody panics with it");
        if let Some(failure) = &*failure {
            panic!("{}: {failure}", self.plan.system.name());
        }
    }
}

impl Shared {
    fn fail(&self, failure: String) {
        let mut first = self.failure.lock().expect("nobody panics with it");
        first.get_or_insert(failure);
    }
}

fn work(
    index: usize,
    plan: Plan,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) -> Vec<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let plan = Rc::new(plan);
    let mine: Vec<usize> = (index..plan.clients.len()).step_by(THREADS).collect();
    let thread = Rc::new(Thread {
        index,
        members: mine.len() as u32,
        scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
        arrivals: RefCell::new(vec![0; plan.senders * FOLLOWED_LINES as usize]),
        latencies_us: RefCell::default(),
        logins: Semaphore::new(LOGINS / THREADS),
        shared,
        plan,
    });
    let tasks = LocalSet::new();
    for client in mine {
        let (thread, phase) = (thread.clone(), phase.clone());
        tasks.spawn_local(async move {
            if let Err(failure) = thread.clone().serve(client, phase).await {
                thread.shared.fail(format!("client {client}: {failure}"));
            }
        });
    }
    tasks.block_on(&runtime, async {
        // The sender is dropped only when the benchmark has failed.
        let _over = phase.wait_for(|phase| *phase == Phase::Over).await;
    });
    drop(tasks);
    thread.latencies_us.take()
}

/// The state that the connections of one thread share.
struct Thread {
    index: usize,
    members: u32,
    plan: Rc<Plan>,
    shared: Arc<Shared>,
    scratch: RefCell<Vec<u8>>,
    /// For each line of each sender, the number of this thread's connections on which it has arrived.
    arrivals: RefCell<Vec<u32>>,
    latencies_us: RefCell<Vec<u32>>,
    logins: Semaphore,
}

/// The state of one connection.
struct Member {
    client: usize,
    link: Link,
    heard: RefCell<Heard>,
    /// The number of each sender's next line.
    next: RefCell<Vec<u64>>,
    ready: Cell<u64>,
    readied: Notify,
}

impl Thread {
    async fn serve(
        self: Rc<Self>,
        client: usize,
        mut phase: watch::Receiver<Phase>,
    ) -> std::io::Result<()> {
        let turn = self.logins.acquire().await;
        let system = self.plan.system;
        let config = self.plan.clients[client].clone();
        let link = Link::open(system, self.plan.address, config).await?;
        let member = Rc::new(Member {
            client,
            link,
            heard: RefCell::new(Heard::new(system)),
            next: RefCell::new(vec![1; self.plan.senders]),
            ready: Cell::new(0),
            readied: Notify::new(),
        });
        member.link.send(&dialect::login(system, client)).await?;
        while member.ready.get() == 0 {
            self.read(&member).await?;
        }
        drop(turn);
        self.shared.entered.fetch_add(1, Ordering::Relaxed);
        let (thread, reading) = (self.clone(), member.clone());
        let reading = async move {
            let done: std::io::Result<()> = loop {
                if let Err(failure) = thread.read(&reading).await {
                    break Err(failure);
                }
            };
            done
        };
        let talking = async {
            wait_for(&mut phase, Phase::Joining).await;
            if self.plan.are_listening {
                member.link.send(&dialect::join(system)).await?;
                while member.ready.get() == 1 {
                    member.readied.notified().await;
                }
            } else if client < self.plan.senders {
                member
                    .link
                    .send(&dialect::await_acks(system, client))
                    .await?;
            }
            self.shared.joined.fetch_add(1, Ordering::Relaxed);
            if client < self.plan.senders {
                wait_for(&mut phase, Phase::Saying).await;
                self.talk(&member, &phase).await?;
            }
            std::future::pending().await
        };
        tokio::select! {
            done = reading => done,
            done = talking => done,
        }
    }

    async fn read(&self, member: &Member) -> std::io::Result<()> {
        let (mut delivered, mut out_of_order) = (0, 0);
        let mut refused = None;
        let mut heard = Vec::new();
        let reading = member.link.read(&self.scratch, |bytes| {
            let now_us = self.is_measuring_latency().then(|| self.now_us());
            let mut next = member.next.borrow_mut();
            member.heard.borrow_mut().hear(bytes, |event| match event {
                Event::Text(text) => {
                    delivered += 1;
                    let tag = Tag::read(text);
                    match next.get_mut(tag.sender) {
                        Some(next) if *next == tag.n => *next += 1,
                        _ => out_of_order += 1,
                    }
                    if let Some(now_us) = now_us {
                        let took = now_us.saturating_sub(tag.sent_us);
                        self.latencies_us.borrow_mut().push(took as u32);
                    }
                    if self.arrived(tag) {
                        heard.push(tag);
                    }
                }
                Event::Acked => {
                    let sender = &self.shared.senders[member.client];
                    sender.acked.fetch_add(1, Ordering::Relaxed);
                    self.shared.acked.fetch_add(1, Ordering::Relaxed);
                    if matches!(self.plan.pace, Pace::Acked(_)) {
                        sender.moved.notify_one();
                    }
                }
                Event::Ready => {
                    member.ready.set(member.ready.get() + 1);
                    member.readied.notify_one();
                }
                Event::Refused(words) => refused = Some(words),
            });
        });
        reading.await?;
        for tag in heard {
            let sender = &self.shared.senders[tag.sender];
            sender.heard[self.index].store(tag.n, Ordering::Release);
            sender.moved.notify_one();
        }
        self.shared
            .delivered
            .fetch_add(delivered, Ordering::Relaxed);
        out_of_order += std::mem::take(&mut member.heard.borrow_mut().gaps);
        if out_of_order > 0 {
            self.shared
                .out_of_order
                .fetch_add(out_of_order, Ordering::Relaxed);
        }
        refused.map_or(Ok(()), |words| Err(std::io::Error::other(words)))
    }

    fn is_measuring_latency(&self) -> bool {
        matches!(self.plan.pace, Pace::Every(_)) && self.shared.is_measuring.load(Ordering::Relaxed)
    }

    fn now_us(&self) -> u64 {
        self.shared.began.elapsed().as_micros() as u64
    }

    /// Notes that a line has arrived on one more connection. Returns whether it has on all of this thread.
    fn arrived(&self, tag: Tag) -> bool {
        if !matches!(self.plan.pace, Pace::Heard(_)) || tag.sender >= self.plan.senders {
            return false;
        }
        let place = tag.sender as u64 * FOLLOWED_LINES + tag.n % FOLLOWED_LINES;
        let arrivals = &mut self.arrivals.borrow_mut()[place as usize];
        *arrivals += 1;
        let is_all = *arrivals == self.members;
        if is_all {
            *arrivals = 0;
        }
        is_all
    }

    async fn talk(&self, member: &Member, phase: &watch::Receiver<Phase>) -> std::io::Result<()> {
        let sender = &self.shared.senders[member.client];
        let mut clock = match self.plan.pace {
            Pace::Every(interval) => {
                // They begin at even intervals, so that they do not all talk at once.
                let first = interval * member.client as u32 / self.plan.senders as u32;
                let first = tokio::time::Instant::now() + first;
                let mut clock = tokio::time::interval_at(first, interval);
                clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
                Some(clock)
            }
            Pace::Heard(_) | Pace::Acked(_) => None,
        };
        let mut said = 0;
        let mut out = Vec::new();
        while *phase.borrow() == Phase::Saying {
            let room = match self.plan.pace {
                Pace::Every(_) => 1,
                Pace::Acked(window) => {
                    window - (said - sender.acked.load(Ordering::Relaxed)).min(window)
                }
                Pace::Heard(window) => {
                    let heard = sender.heard[..THREADS.min(self.plan.clients.len())].iter();
                    let heard = heard.map(|heard| heard.load(Ordering::Acquire)).min();
                    window - (said - heard.unwrap_or_default()).min(window)
                }
            };
            if let Some(clock) = &mut clock {
                clock.tick().await;
            } else if room == 0 {
                sender.moved.notified().await;
                continue;
            }
            out.clear();
            for _ in 0..room {
                said += 1;
                let tag = Tag {
                    sender: member.client,
                    n: said,
                    sent_us: self.now_us(),
                };
                let is_acked = matches!(self.plan.pace, Pace::Acked(_));
                dialect::say(&self.plan, member.client, is_acked, tag, &mut out);
            }
            sender.said.store(said, Ordering::Release);
            member.link.send(&out).await?;
        }
        Ok(())
    }
}

async fn wait_for(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // The sender is dropped only at the end.
    let _reached = phase.wait_for(|phase| *phase >= wanted).await;
}
