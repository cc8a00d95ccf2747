//! The faults of a simulated room, and their times: drawn from the seed, and undone after a while.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use server::memory::Memory;
use turmoil::Sim;

use crate::people::{NAMES, Person, SERVER};
use crate::store::Counts;

/// Something that goes wrong, until it is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nothing passes between the server and somebody.
    Partition(usize),
    /// Everything that the server sends to one person is lost.
    LossToClient(usize),
    /// Everything that one person sends to the server is lost.
    LossToServer(usize),
    /// Everything between the server and somebody waits.
    Hold(usize),
    /// Somebody's way to the server is long.
    Delay(usize),
    /// The server dies.
    ServerCrash,
    /// The server is told to stop.
    ServerStop,
    /// Somebody's host dies.
    ClientCrash(usize),
    /// Somebody takes nothing that came.
    Deaf(usize),
    /// The disk is full.
    FullDisk,
    /// The disk is nearly full, so that lines are refused.
    LowDisk,
    /// Commits take long.
    SlowDisk,
}

/// The faults that are there, and those that are still to come.
pub(crate) struct Faults {
    chance: fastrand::Rng,
    next: Duration,
    until: Duration,
    /// When each is undone.
    present: BTreeMap<Fault, Duration>,
    /// When somebody's way to the server becomes longer or shorter.
    weather: Duration,
    pub(crate) met: BTreeMap<&'static str, u64>,
}

/// Faults begin no later than this.
pub(crate) const LAST: Duration = Duration::from_secs(30);

/// The longest that a message takes where nothing is wrong.
const WAY_MAX: Duration = Duration::from_millis(60);

/// The same on a long way.
const LONG_WAY_MAX: Duration = Duration::from_secs(2);

/// How long a way stays as it is, at the most.
const WEATHER_MAX: Duration = Duration::from_millis(200);

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: fastrand::Rng::with_seed(seed),
            next: Duration::from_secs(1),
            until: LAST,
            present: BTreeMap::new(),
            weather: Duration::ZERO,
            met: BTreeMap::new(),
        }
    }

    /// Returns whether nothing is wrong, and nothing will be.
    pub(crate) fn are_over(&self, now: Duration) -> bool {
        now >= self.until && self.present.is_empty()
    }

    /// Brings about what is due now, and undoes what has lasted long enough.
    pub(crate) fn act(
        &mut self,
        now: Duration,
        sim: &mut Sim<'_>,
        memory: &Memory,
        counts: &Counts,
        people: &[Rc<Person>],
        stop: &dyn Fn(),
    ) {
        let over: Vec<Fault> = self
            .present
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(fault, _)| *fault)
            .collect();
        for fault in over {
            self.present.remove(&fault);
            undo(fault, sim, memory, counts, people);
        }
        self.change_weather(now, sim);
        if now < self.next || now >= self.until {
            return;
        }
        self.next = now + Duration::from_millis(self.chance.u64(50..2500));
        let (fault, lasts) = self.draw();
        let until = (now + lasts).min(self.until + Duration::from_secs(5));
        if self.present.keys().any(|other| excludes(*other, fault)) {
            return;
        }
        self.present.insert(fault, until);
        *self.met.entry(name(fault)).or_default() += 1;
        match fault {
            Fault::Partition(who) => sim.partition(SERVER, NAMES[who]),
            Fault::LossToClient(who) => sim.partition_oneway(SERVER, NAMES[who]),
            Fault::LossToServer(who) => sim.partition_oneway(NAMES[who], SERVER),
            Fault::Hold(who) => sim.hold(SERVER, NAMES[who]),
            // The weather sees to it.
            Fault::Delay(_) => {}
            Fault::ServerCrash => sim.crash(SERVER),
            Fault::ServerStop => stop(),
            Fault::ClientCrash(who) => sim.crash(NAMES[who]),
            Fault::Deaf(who) => people[who].is_deaf.set(true),
            Fault::FullDisk => memory.fill(true),
            Fault::LowDisk => counts.is_low.store(true, Ordering::Relaxed),
            Fault::SlowDisk => {
                let mut moment = || Duration::from_millis(self.chance.u64(0..150));
                memory.take_time(moment(), moment());
            }
        }
    }

    /// Makes a way longer or shorter, so that messages overtake each other. How long it is does not
    /// depend on who sends first: tokio's `watch` wakes its receivers in an order that no seed
    /// gives, and only what each of them does alone is the same again.
    fn change_weather(&mut self, now: Duration, sim: &Sim<'_>) {
        if now < self.weather {
            return;
        }
        self.weather = now + self.up_to(WEATHER_MAX);
        let who = self.chance.usize(0..NAMES.len());
        let is_long = self.present.contains_key(&Fault::Delay(who));
        let way = self.up_to(if is_long { LONG_WAY_MAX } else { WAY_MAX });
        sim.set_link_latency(SERVER, NAMES[who], way);
    }

    fn up_to(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_millis()).expect("a short time");
        Duration::from_millis(self.chance.u64(1..=max))
    }

    fn draw(&mut self) -> (Fault, Duration) {
        let who = self.chance.usize(0..NAMES.len());
        let (fault, longest) = match self.chance.u8(0..15) {
            0 => (Fault::Partition(who), 10_000),
            1 => (Fault::LossToClient(who), 4_000),
            2 => (Fault::LossToServer(who), 4_000),
            3 | 4 => (Fault::Hold(who), 8_000),
            5 => (Fault::Delay(who), 10_000),
            6..9 => (Fault::ServerCrash, 3_000),
            9 => (Fault::ServerStop, 3_000),
            10 => (Fault::ClientCrash(who), 5_000),
            11 => (Fault::Deaf(who), 15_000),
            12 => (Fault::FullDisk, 4_000),
            13 => (Fault::LowDisk, 4_000),
            _ => (Fault::SlowDisk, 10_000),
        };
        (fault, Duration::from_millis(self.chance.u64(1..longest)))
    }
}

fn undo(fault: Fault, sim: &mut Sim<'_>, memory: &Memory, counts: &Counts, people: &[Rc<Person>]) {
    match fault {
        Fault::Partition(who) => sim.repair(SERVER, NAMES[who]),
        Fault::LossToClient(who) => sim.repair_oneway(SERVER, NAMES[who]),
        Fault::LossToServer(who) => sim.repair_oneway(NAMES[who], SERVER),
        Fault::Hold(who) => sim.release(SERVER, NAMES[who]),
        Fault::Delay(who) => sim.set_link_latency(SERVER, NAMES[who], WAY_MAX),
        // A server that was told to stop and has not ended dies now.
        Fault::ServerCrash | Fault::ServerStop => sim.bounce(SERVER),
        Fault::ClientCrash(who) => sim.bounce(NAMES[who]),
        Fault::Deaf(who) => people[who].is_deaf.set(false),
        Fault::FullDisk => memory.fill(false),
        Fault::LowDisk => counts.is_low.store(false, Ordering::Relaxed),
        Fault::SlowDisk => work_as_usual(memory),
    }
}

/// A commit takes a moment, in which a server can die.
pub(crate) fn work_as_usual(memory: &Memory) {
    let moment = Duration::from_millis(3);
    memory.take_time(moment, moment);
}

/// Whether one cannot come while the other is there: both would be undone by the first.
fn excludes(one: Fault, other: Fault) -> bool {
    let link = |fault| match fault {
        Fault::Partition(who)
        | Fault::LossToClient(who)
        | Fault::LossToServer(who)
        | Fault::Hold(who) => Some(who),
        _ => None,
    };
    let ends_server = |fault| matches!(fault, Fault::ServerCrash | Fault::ServerStop);
    one == other
        || link(one).is_some_and(|who| link(other) == Some(who))
        || (ends_server(one) && ends_server(other))
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Partition(_) => "partitions",
        Fault::LossToClient(_) => "losses on the way to a client",
        Fault::LossToServer(_) => "losses on the way to the server",
        Fault::Hold(_) => "networks that hold back",
        Fault::Delay(_) => "long ways",
        Fault::ServerCrash => "crashes of the server",
        Fault::ServerStop => "stops of the server",
        Fault::ClientCrash(_) => "crashes of a client",
        Fault::Deaf(_) => "clients that do not listen",
        Fault::FullDisk => "full disks",
        Fault::LowDisk => "disks nearly full",
        Fault::SlowDisk => "slow disks",
    }
}
