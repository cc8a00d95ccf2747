//! One simulation: a server, people, faults, and the outcome.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use server::Limits;
use server::MemoryRoom;
use server::memory::Memory;
use tests::checker::{Happened, History, Logged, Row, Violation, check, hash};
use turmoil::net::TcpListener;
use turmoil::{Builder, Sim};
use wire::{Entry, Kind};

use crate::faults::{Faults, work_as_usual};
use crate::people::{NAMES, PORT, Person, SERVER, gate, who};
use crate::store::{Counts, Mutant, open};

/// How far the clock goes on at once. Messages come at these moments only.
const TICK: Duration = Duration::from_millis(10);

/// How long everything may take to come to its end once the faults have stopped: a client notices
/// within 75 seconds that it hears nothing, and is back in a few more.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(100);

/// Another epoch would be another database, and nothing of one is kept here.
const EPOCH: &str = "9f86d081884c7d65";

/// The outcome of a simulation.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<Violation>,
    history: Vec<Logged>,
    rows: Vec<Row>,
    /// The kinds of events that happened, and how often.
    pub(crate) met: BTreeMap<&'static str, u64>,
    /// Simulated.
    took: Duration,
}

/// Simulates a room until everything that was said is answered and seen.
pub(crate) fn simulate(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let mut sim = Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .enable_random_order()
        .min_message_latency(TICK)
        .max_message_latency(TICK)
        .build();
    let memory = Memory::new(EPOCH);
    work_as_usual(&memory);
    let history = History::new();
    let people: Vec<Rc<Person>> = (0..NAMES.len())
        .map(|index| Person::new(index, history.journal(NAMES[index]), seed))
        .map(Rc::new)
        .collect();
    let counts = Arc::new(Counts::default());
    let room = Rc::default();
    add_server(&mut sim, &memory, &people, mutant, &counts, &room);
    for person in &people {
        let person = person.clone();
        sim.host(person.name, move || person.clone().live());
    }

    let mut faults = Faults::new(seed);
    let stop = || {
        if let Some(room) = room.borrow_mut().take() {
            room.stop();
        }
    };
    while !faults.are_over(sim.elapsed()) {
        faults.act(sim.elapsed(), &mut sim, &memory, &counts, &people, &stop);
        step(&mut sim);
    }
    let violations = drain(&mut sim, &people);
    let rows = memory.entries().into_iter().map(row).collect::<Vec<_>>();
    let history = history.so_far();
    let mut met = faults.met;
    met.extend(counted(&history, &rows, &people, &counts));
    let mut outcome = Outcome {
        violations,
        met,
        took: sim.elapsed(),
        history,
        rows,
    };
    let broken = check(&outcome.history, &outcome.rows);
    outcome.violations.extend(broken);
    outcome
}

fn counted(
    history: &[Logged],
    rows: &[Row],
    people: &[Rc<Person>],
    counts: &Counts,
) -> [(&'static str, u64); 8] {
    let count = |is: fn(&Happened) -> bool| {
        let happened = history.iter().filter(|logged| is(&logged.event));
        happened.count() as u64
    };
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    [
        ("entries", rows.len() as u64),
        (
            "acknowledgements",
            count(|event| matches!(event, Happened::Stored { .. })),
        ),
        (
            "refusals",
            count(|event| matches!(event, Happened::Refused { .. })),
        ),
        (
            "lines of which nobody knows",
            count(|event| matches!(event, Happened::Unknown { .. })),
        ),
        (
            "connections that were had again",
            people.iter().map(|person| person.back.get()).sum(),
        ),
        ("pages for who fell behind", of(&counts.pages)),
        ("commits broken off before", of(&counts.broken_before)),
        ("commits broken off after", of(&counts.broken_after)),
    ]
}

/// The room that is open, so that it can be told to stop.
type Open = Rc<RefCell<Option<Rc<MemoryRoom>>>>;

fn add_server(
    sim: &mut Sim<'_>,
    memory: &Memory,
    people: &[Rc<Person>],
    mutant: Option<Mutant>,
    counts: &Arc<Counts>,
    room: &Open,
) {
    // Addresses are given out in the order in which names are first looked up.
    sim.lookup(SERVER);
    let identity = |person: &Rc<Person>| (sim.lookup(person.name), person.identity.clone());
    let identities: Rc<Vec<_>> = Rc::new(people.iter().map(identity).collect());
    let (memory, counts, room) = (memory.clone(), counts.clone(), room.clone());
    sim.host(SERVER, move || {
        let (memory, identities, open_now) = (memory.clone(), identities.clone(), room.clone());
        let counts = counts.clone();
        async move {
            let (store, shelf, found) = open(&memory, mutant, &counts);
            let pages = counts.pages.load(Ordering::Relaxed);
            let opened = MemoryRoom::open(store, shelf, found, gate(), limits()).await?;
            // The pages that fill the tail at the start are not entries that somebody missed.
            counts.pages.store(pages, Ordering::Relaxed);
            let (room, recording) = (Rc::new(opened.0), tokio::spawn(opened.1));
            let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
            open_now.replace(Some(room.clone()));
            let accepting = async {
                loop {
                    let (stream, from) = listener.accept().await?;
                    let (room, identity) = (room.clone(), who(&identities, from.ip()));
                    tokio::task::spawn_local(async move {
                        room.serve(stream, identity, from.ip(), from.port()).await;
                    });
                }
            };
            let accepting: std::io::Result<()> = tokio::select! {
                biased;
                () = stopped(&open_now) => Ok(()),
                ended = accepting => ended,
            };
            accepting?;
            // Nobody else can ask the recorder any more when the last session has ended.
            drop((room, listener));
            Ok(recording.await??)
        }
    });
}

/// Waits until the room was told to stop.
async fn stopped(open_now: &Open) {
    while open_now.borrow().is_some() {
        tokio::time::sleep(TICK).await;
    }
}

/// Small, so that cursors fall out of the tail, batches are cut, and slow readers are cut off.
fn limits() -> Limits {
    Limits {
        line_rate: 0,
        byte_rate: 0,
        daily_bytes_max: 0,
        daily_runs_max: 0,
        sessions_per_minute_max: 0,
        tail_bytes_max: 4 * 1024,
        tail_bytes_at_start: 1024,
        batch_entries_max: 16,
        page_entries_max: 8,
        page_bytes_max: 1024,
        write_bytes_max: 2 * 1024,
        waiting_asks_max: 32,
        write_stall_timeout: Duration::from_secs(8),
        silence_timeout: Duration::from_secs(40),
        absence_max: Duration::from_secs(4),
        absence_after_start_max: Duration::from_secs(8),
        ..Limits::default()
    }
}

/// The faults have stopped: everything that was said is answered, and seen by everybody.
fn drain(sim: &mut Sim<'_>, people: &[Rc<Person>]) -> Vec<Violation> {
    let deadline = sim.elapsed() + DRAIN_TIMEOUT;
    people.iter().for_each(|person| person.is_quiet.set(true));
    let newest = || people.iter().map(|person| person.own.get()).max();
    let is_drained = |person: &Rc<Person>| {
        person.is_answered()
            && Some(person.seen.get()) >= newest()
            && person.left.borrow().is_none()
    };
    while sim.elapsed() < deadline && !people.iter().all(is_drained) {
        step(sim);
    }
    let undrained = people.iter().filter(|person| !is_drained(person));
    let undrained = undrained.map(|person| Violation::Undrained {
        by: person.name.to_owned(),
        what: format!(
            "entry {:?} and answers to {:?}; has seen {}; {:?}",
            newest(),
            person.unanswered.borrow(),
            person.seen.get(),
            person.left.borrow(),
        ),
    });
    undrained.collect()
}

fn step(sim: &mut Sim<'_>) {
    if let Err(error) = sim.step() {
        panic!("a host ended: {error}");
    }
}

/// Returns an entry as the checker wants it, by what goes out.
fn row((entry, nonce): (Entry, Option<String>)) -> Row {
    let text = match &entry.kind {
        Kind::Message(line) => line.as_str().to_owned(),
        Kind::Enter | Kind::Leave(_) => String::new(),
    };
    Row {
        seq: entry.seq,
        id: entry.id.to_string(),
        ip: entry.ip.to_string(),
        text,
        nonce,
        hash: hash(&entry.to_string()),
    }
}

impl Outcome {
    /// Everything that happened, and what was stored in the end, word for word but for the times.
    pub(crate) fn story(self) -> Vec<String> {
        let happened = self.history.into_iter().map(|Logged { id, event }| {
            let event = match event {
                Happened::Received { seq, id, ip, .. } => format!("received {seq} of {id}@{ip}"),
                event => format!("{event:?}"),
            };
            format!("{id}: {event}")
        });
        let stored = self.rows.into_iter().map(|row| {
            let Row {
                seq,
                id,
                ip,
                text,
                nonce,
                ..
            } = row;
            format!("{seq} [{id}@{ip}] {text} ({nonce:?})")
        });
        happened.chain(stored).collect()
    }

    /// Adds what another seed met.
    pub(crate) fn add(&mut self, other: &Outcome) {
        self.took += other.took;
        for (what, count) in &other.met {
            *self.met.entry(what).or_default() += count;
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0?} simulated", self.took)?;
        for (what, count) in &self.met {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}
