//! The scenarios: each one once, against one server that was started for it.

use std::cell::RefCell;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use tests::{Running, program};

use crate::dialect::{self, Event, Heard, TEXT_BYTES, Tag};
use crate::link::{Link, SCRATCH_BYTES};
use crate::load::{Counts, Crowd, Found, Pace, Plan};
use crate::report::Measured;
use crate::site::Site;
use crate::system::{Served, System, own_cpu};

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// 100 clients; 4 of them talk, each with at most 64 lines that not everybody has.
    Fan100,
    /// The same with 1,000 clients.
    Fan1000,
    /// The same with 4,000 clients.
    Fan4000,
    /// 100 clients who all talk, each with one line that not everybody has.
    Many100,
    /// 200 lines a second of 4 senders to 100 clients.
    Lat200,
    /// 2,000 lines a second of 100 senders to 100 clients.
    Lat2000,
    /// Full mutual handshakes up to the greeting, 8 at a time.
    Handshakes,
    /// The resident memory of 1,000 connections that only listen.
    Idle1000,
    /// The same of 5,000.
    Idle5000,
    /// 4 senders, each with at most 64 unacknowledged lines; nobody listens.
    Ingest,
    /// The same load on a database of 10 million entries.
    IngestLarge,
    /// One client follows from the beginning of a million entries.
    CatchUp,
    /// The start of a server on 10,000 entries.
    StartSmall,
    /// The start of a server on 10 million entries.
    StartLarge,
    /// Pages of 256 entries out of 10,000.
    PageSmall,
    /// Pages of 256 entries out of 10 million.
    PageLarge,
    /// The program `client` among 100 clients to whom 2,000 lines a second are said.
    Client,
}

/// The size of each scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The time for which a room that talks is measured.
    pub(crate) window: Duration,
    warm_up: Duration,
    /// Numbers of clients, of handshakes and of entries are divided by it.
    divisor: u64,
}

/// The reason to stop a scenario: a peer that does not support it.
pub(crate) type Outcome = Result<Measured, &'static str>;

impl Scale {
    pub(crate) fn full(window: Duration) -> Self {
        Self {
            window,
            warm_up: Duration::from_secs(1),
            divisor: 1,
        }
    }

    /// Returns a scale that is small enough to run for every change. It shows only whether lines are lost.
    pub(crate) fn small() -> Self {
        Self {
            window: Duration::from_millis(700),
            warm_up: Duration::from_millis(200),
            divisor: 50,
        }
    }

    fn of(self, count: usize) -> usize {
        (count / self.divisor as usize).max(8)
    }

    fn entries(self, entries: u64) -> u64 {
        (entries / self.divisor / self.divisor).max(2_000)
    }
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Runs it once.
    pub(crate) fn run(self, system: System, site: &Site, scale: Scale) -> Outcome {
        let room = |clients, senders, pace| talk(system, site, scale, (clients, senders, pace));
        match self {
            Scenario::Fan100 => room(100, 4, Pace::Heard(64)),
            Scenario::Fan1000 => room(1000, 4, Pace::Heard(64)),
            Scenario::Fan4000 => room(4000, 4, Pace::Heard(64)),
            Scenario::Many100 => room(100, usize::MAX, Pace::Heard(1)),
            Scenario::Lat200 => room(100, 4, Pace::Every(Duration::from_millis(20))),
            Scenario::Lat2000 => room(100, usize::MAX, Pace::Every(Duration::from_millis(50))),
            Scenario::Handshakes => handshakes(system, site, scale),
            Scenario::Idle1000 => idle(system, site, scale.of(1000)),
            Scenario::Idle5000 => idle(system, site, scale.of(5000)),
            Scenario::Ingest => ingest(system, site, scale, None),
            Scenario::IngestLarge if system == System::Ours => {
                ingest(system, site, scale, Some(scale.entries(10_000_000)))
            }
            _ if system != System::Ours => Err("it has no such record"),
            Scenario::IngestLarge => Err("it has no such record"),
            Scenario::CatchUp => Ok(catch_up(site, scale.entries(1_000_000))),
            Scenario::StartSmall => Ok(start(site, 10_000)),
            Scenario::StartLarge => Ok(start(site, scale.entries(10_000_000))),
            Scenario::PageSmall => Ok(pages(site, 10_000)),
            Scenario::PageLarge => Ok(pages(site, scale.entries(10_000_000))),
            Scenario::Client => Ok(with_client(site, scale)),
        }
    }
}

/// Two readings of the clocks, and the difference between them.
struct Meter<'a> {
    served: &'a Served,
    cpu: Duration,
    own: Duration,
    began: Instant,
}

impl<'a> Meter<'a> {
    fn start(served: &'a Served) -> Self {
        Self {
            served,
            cpu: served.cpu(),
            own: own_cpu(),
            began: Instant::now(),
        }
    }

    fn read(&self, unit: &'static str, units: u64) -> Measured {
        let seconds = self.began.elapsed().as_secs_f64();
        let units = units.max(1) as f64;
        let each = |spent: Duration| Some(spent.as_secs_f64() * 1e6 / units);
        Measured {
            unit,
            cpu_us: each(self.served.cpu() - self.cpu),
            load_us: each(own_cpu() - self.own),
            rate: Some(units / seconds),
            ..Measured::default()
        }
    }
}

/// The number of people in a room, how many of them talk, and how.
type Room = (usize, usize, Pace);

fn plan(system: System, site: &Site, served: &Served, (clients, senders, pace): Room) -> Plan {
    Plan {
        system,
        address: served.address,
        clients: site.people(system, clients),
        are_listening: true,
        senders: senders.min(clients),
        pace,
    }
}

fn talk(system: System, site: &Site, scale: Scale, (clients, senders, pace): Room) -> Outcome {
    let clients = scale.of(clients);
    let served = Served::start(system, site, clients);
    let crowd = Crowd::enter(plan(system, site, &served, (clients, senders, pace)));
    crowd.join();
    let mut measured = measure(&served, &crowd, scale);
    judge(&mut measured, crowd.leave());
    served.stop();
    Ok(measured)
}

fn measure(served: &Served, crowd: &Crowd, scale: Scale) -> Measured {
    crowd.talk();
    sleep(scale.warm_up);
    crowd.measure(true);
    let (meter, before) = (Meter::start(served), crowd.counts());
    sleep(scale.window);
    let after = crowd.counts();
    let measured = match after.delivered - before.delivered {
        0 => meter.read("ack", after.acked - before.acked),
        delivered => meter.read("delivery", delivered),
    };
    crowd.measure(false);
    measured
}

fn judge(measured: &mut Measured, found: Found) {
    measured.gaps = found.gaps;
    measured.lost = found.lost;
    let Some(last) = found.latencies_us.len().checked_sub(1) else {
        return;
    };
    let at = |share: f64| {
        let place = (last as f64 * share).round() as usize;
        Some(f64::from(found.latencies_us[place]))
    };
    measured.p50_us = at(0.5);
    measured.p99_us = at(0.99);
    measured.p999_us = at(0.999);
}

fn handshakes(system: System, site: &Site, scale: Scale) -> Outcome {
    let count = scale.of(2000);
    let served = Served::start(system, site, count);
    let enter = |count| {
        let mut plan = plan(system, site, &served, (count, 0, Pace::Heard(1)));
        plan.are_listening = false;
        // The configurations are made before anything is measured.
        let meter = Meter::start(&served);
        (Crowd::enter(plan), meter)
    };
    enter(count / 20 + 1).0.leave();
    let (crowd, meter) = enter(count);
    let mut measured = meter.read("handshake", count as u64);
    judge(&mut measured, crowd.leave());
    served.stop();
    Ok(measured)
}

fn idle(system: System, site: &Site, clients: usize) -> Outcome {
    let served = Served::start(system, site, clients);
    let before = served.resident_kib();
    let crowd = Crowd::enter(plan(system, site, &served, (clients, 0, Pace::Heard(1))));
    crowd.join();
    let (mut cpu, deadline) = (Duration::ZERO, Instant::now() + Duration::from_secs(10));
    // An enter is sent to everybody who is there, and that is not idle.
    while served.cpu() != cpu && Instant::now() < deadline {
        cpu = served.cpu();
        sleep(Duration::from_millis(500));
    }
    let grown = served.resident_kib().saturating_sub(before);
    let mut measured = Measured {
        unit: "connection",
        kib: Some(grown as f64 / clients as f64),
        ..Measured::default()
    };
    judge(&mut measured, crowd.leave());
    served.stop();
    Ok(measured)
}

fn ingest(system: System, site: &Site, scale: Scale, entries: Option<u64>) -> Outcome {
    const SENDERS: usize = 4;
    let served = match entries {
        Some(entries) => {
            site.issue(SENDERS);
            Served::start_ours(site, &site.database(entries))
        }
        None => Served::start(system, site, SENDERS),
    };
    if let Some(request) = dialect::prepare_to_store(system) {
        let mut one = One::enter(system, site, &served);
        one.send(&request);
        one.hear_until(|event| matches!(event, Event::Acked));
    }
    let mut plan = plan(system, site, &served, (SENDERS, SENDERS, Pace::Acked(64)));
    plan.are_listening = false;
    let crowd = Crowd::enter(plan);
    crowd.join();
    let mut measured = measure(&served, &crowd, scale);
    judge(&mut measured, crowd.leave());
    served.stop();
    Ok(measured)
}

fn catch_up(site: &Site, entries: u64) -> Measured {
    site.issue(1);
    let served = Served::start_ours(site, &site.database(entries));
    let mut one = One::enter(System::Ours, site, &served);
    let meter = Meter::start(&served);
    one.send(b"/follow 0\n");
    let mut texts = 0;
    one.hear_until(|event| {
        texts += u64::from(matches!(event, Event::Text(_)));
        matches!(event, Event::Ready)
    });
    let mut measured = meter.read("entry", texts);
    measured.seconds = Some(meter.began.elapsed().as_secs_f64());
    measured.gaps = one.heard.gaps;
    measured.lost = entries.saturating_sub(texts);
    served.stop();
    measured
}

fn start(site: &Site, entries: u64) -> Measured {
    let db = site.database(entries);
    let began = Instant::now();
    let served = Served::start_ours(site, &db);
    let seconds = began.elapsed().as_secs_f64();
    let measured = Measured {
        unit: "start",
        cpu_us: Some(served.cpu().as_secs_f64() * 1e6),
        seconds: Some(seconds),
        ..Measured::default()
    };
    served.stop();
    measured
}

fn pages(site: &Site, entries: u64) -> Measured {
    const PAGES: u64 = 400;
    site.issue(1);
    let served = Served::start_ours(site, &site.database(entries));
    let mut one = One::enter(System::Ours, site, &served);
    let mut places = fastrand::Rng::with_seed(7);
    let mut took = Vec::new();
    let meter = Meter::start(&served);
    for _ in 0..PAGES {
        let before = places.u64(257..=entries);
        let asked = Instant::now();
        one.send(format!("/history 256 before {before}\n").as_bytes());
        one.hear_until(|event| matches!(event, Event::Ready));
        took.push(asked.elapsed().as_micros() as u32);
    }
    let mut measured = meter.read("page", PAGES);
    took.sort_unstable();
    let latencies_us = took;
    judge(
        &mut measured,
        Found {
            latencies_us,
            ..Found::default()
        },
    );
    served.stop();
    measured
}

/// Adds the real client to the room: it must print everything, in order.
fn with_client(site: &Site, scale: Scale) -> Measured {
    let clients = scale.of(100);
    let served = Served::start(System::Ours, site, clients + 1);
    let pace = Pace::Every(Duration::from_millis(50));
    let crowd = Crowd::enter(plan(System::Ours, site, &served, (clients, clients, pace)));
    crowd.join();
    let (bundle, address) = (site.bundle(clients), served.address.to_string());
    let bundle = bundle.to_string_lossy();
    let arguments = ["--cert", &bundle, "--server", &address];
    let mut client = Running::start(&site.path(""), &program("client"), &arguments);
    client.expect_err("connected as ");
    let mut measured = measure(&served, &crowd, scale);
    let counts: Counts = crowd.hush();
    // Everything that is shown now was said after the rest.
    client.send("that is all\n");
    client.expect_out("that is all");
    let shown = client.finish();
    judge(&mut measured, crowd.leave());
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let mut next = vec![1; clients];
    let (mut texts, mut gaps) = (0, 0);
    for line in shown.lines().filter(|line| line.ends_with("xxxx")) {
        let tag = Tag::read(&line.as_bytes()[line.len() - TEXT_BYTES..]);
        texts += 1;
        match next.get_mut(tag.sender) {
            Some(next) if *next == tag.n => *next += 1,
            _ => gaps += 1,
        }
    }
    measured.gaps += gaps;
    measured.lost += counts.said.abs_diff(texts);
    served.stop();
    measured
}

/// One connection, for requests that follow each other.
struct One {
    runtime: tokio::runtime::Runtime,
    link: Link,
    heard: Heard,
    scratch: RefCell<Vec<u8>>,
}

impl One {
    fn enter(system: System, site: &Site, served: &Served) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let config = site.people(system, 1).remove(0);
        let link = runtime
            .block_on(Link::open(system, served.address, config))
            .expect("the server lets us in");
        let mut one = Self {
            runtime,
            link,
            heard: Heard::new(system),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
        };
        one.send(&dialect::login(system, 0));
        one.hear_until(|event| matches!(event, Event::Ready));
        one
    }

    fn send(&mut self, bytes: &[u8]) {
        let sending = self.link.send(bytes);
        self.runtime.block_on(sending).expect("the server is there");
    }

    /// Reads until the awaited answer comes.
    fn hear_until(&mut self, mut is_it: impl FnMut(&Event<'_>) -> bool) {
        const PATIENCE: Duration = Duration::from_secs(120);
        let mut is_done = false;
        while !is_done {
            let reading = self.link.read(&self.scratch, |bytes| {
                self.heard.hear(bytes, |event| {
                    if let Event::Refused(words) = &event {
                        panic!("{words}");
                    }
                    is_done |= is_it(&event);
                });
            });
            let reading = async { tokio::time::timeout(PATIENCE, reading).await };
            let read = self.runtime.block_on(reading).expect("an answer in time");
            read.expect("the server is there");
        }
    }
}
