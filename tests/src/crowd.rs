//! A crowd: real clients of the client library, on real connections. They talk, listen, come back after
//! every fault, and write down for the checker what they do and see.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{
    Clock, Connected, Dial as _, Door, Event, Handle, Outbox, Outcome, Pauses, Since, Stay, Target,
};
use pki::Bundle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use wire::{Line, Reply, ServerLine};

use crate::checker::{Happened, History, Journal, Logged, Violation};
use crate::{Peer, Site, within};

/// How long a crowd may take to finish once the faults have stopped.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// The people in a crowd, and how they talk.
#[derive(Debug, Clone)]
pub struct Plan {
    /// People who say lines one after the other, and listen.
    pub speakers: usize,
    /// People who only listen.
    pub listeners: usize,
    /// People who also say lines that must be refused, on connections that they do not keep.
    pub rude: usize,
    /// From one line of a speaker to the next.
    pub pace: Duration,
    /// The bytes of a line.
    pub line_bytes: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            speakers: 4,
            listeners: 2,
            rude: 1,
            pace: Duration::from_millis(4),
            line_bytes: 60,
        }
    }
}

/// Real clients under a plan.
#[derive(Debug)]
pub struct Crowd {
    history: History,
    people: Vec<Person>,
    /// No new lines are begun.
    hush: CancellationToken,
    /// Rude people go.
    go: CancellationToken,
    rude: Vec<JoinHandle<()>>,
    /// Each acknowledgement counts.
    stored: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Person {
    name: String,
    leave: CancellationToken,
    progress: watch::Receiver<Progress>,
    listening: JoinHandle<()>,
    staying: JoinHandle<Outcome>,
}

/// How far one person has got.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    unanswered: usize,
    /// The highest sequence number of their own lines.
    own: u64,
    /// The last entry that came.
    seen: u64,
    is_quiet: bool,
}

/// Everything that a crowd needs to know about a room.
#[derive(Debug, Clone)]
pub struct Room {
    /// Where it is.
    pub address: SocketAddr,
    /// Everybody's bundles, by name.
    pub bundles: PathBuf,
}

impl Room {
    /// Returns the room of a site that is served there, and issues bundles for everybody in the plan.
    pub fn of(site: &Site, address: SocketAddr, plan: &Plan) -> Self {
        for name in plan.names() {
            site.bundle(&name);
        }
        let bundles = site.path("ca/people");
        Self { address, bundles }
    }

    fn bundle(&self, name: &str) -> Bundle {
        bundle(&self.bundles, name)
    }
}

fn bundle(folder: &Path, name: &str) -> Bundle {
    Bundle::read(&folder.join(format!("{name}.pem"))).expect("a bundle")
}

impl Plan {
    /// Returns everybody's names.
    pub fn names(&self) -> Vec<String> {
        let named = |kind: &'static str, count| (1..=count).map(move |n| format!("{kind}{n}"));
        named("speaker", self.speakers)
            .chain(named("listener", self.listeners))
            .chain(named("rude", self.rude))
            .collect()
    }
}

impl Crowd {
    /// Everybody enters a room.
    pub async fn enter(site: &Site, address: SocketAddr, plan: &Plan) -> Self {
        Self::enter_room(&Room::of(site, address, plan), plan, History::new()).await
    }

    /// The same, in any room, written into a history that there is already.
    pub async fn enter_room(room: &Room, plan: &Plan, history: History) -> Self {
        let (hush, go) = (CancellationToken::new(), CancellationToken::new());
        let (count, stored) = watch::channel(0);
        let mut crowd = Self {
            history,
            people: Vec::new(),
            hush,
            go,
            rude: Vec::new(),
            stored,
        };
        for name in plan.names() {
            let journal = crowd.history.journal(&name);
            let bundle = room.bundle(&name);
            if name.starts_with("rude") {
                let rude = rude(
                    journal,
                    bundle,
                    room.address,
                    crowd.go.clone(),
                    count.clone(),
                );
                crowd.rude.push(tokio::spawn(rude));
                continue;
            }
            let speaks = name.starts_with("speaker").then(|| plan.clone());
            let door = door(bundle, room.address);
            let person = Person::enter(journal, door, speaks, crowd.hush.clone(), count.clone());
            crowd.people.push(person.await);
        }
        crowd
    }

    /// Returns everything that the clients did and saw so far.
    pub fn history(&self) -> Vec<Logged> {
        self.history.so_far()
    }

    /// Waits until this many more lines were acknowledged.
    pub async fn stored(&mut self, more: u64) {
        let target = *self.stored.borrow() + more;
        let reached = self.stored.wait_for(|stored| *stored >= target);
        within("lines are acknowledged", reached)
            .await
            .expect("the crowd is there");
    }

    /// Waits until this many lines were acknowledged in all.
    pub async fn acknowledged(&mut self, lines: u64) {
        let reached = self.stored.wait_for(|stored| *stored >= lines);
        within(&format!("{lines} lines are acknowledged"), reached)
            .await
            .expect("the crowd is there");
        assert_eq!(*self.stored.borrow(), lines);
    }

    /// Ends the crowd once the faults have stopped: nobody begins a new line, everything that was said is
    /// answered and seen by everybody within [`DRAIN_TIMEOUT`], and everybody leaves. Returns the history
    /// and whatever did not finish.
    pub async fn drain(self) -> (Vec<Logged>, Vec<Violation>) {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        let mut violations = Vec::new();
        self.go.cancel();
        for rude in self.rude {
            if timeout_at(deadline, rude).await.is_err() {
                let (by, what) = ("rude".to_owned(), "the end of a session".to_owned());
                violations.push(Violation::Undrained { by, what });
            }
        }
        self.hush.cancel();
        let mut newest = 0;
        let mut people = self.people;
        for person in &mut people {
            let quiet = person
                .progress
                .wait_for(|progress| progress.is_quiet && progress.unanswered == 0);
            if timeout_at(deadline, quiet).await.is_err() {
                violations.push(person.undrained("answers to its lines"));
            }
            newest = newest.max(person.progress.borrow().own);
        }
        for person in &mut people {
            let caught_up = person.progress.wait_for(|progress| progress.seen >= newest);
            if timeout_at(deadline, caught_up).await.is_err() {
                violations.push(person.undrained(&format!("entry {newest}")));
            }
        }
        for person in people {
            person.leave.cancel();
            within("everybody leaves", person.staying)
                .await
                .expect("nobody panics");
            within("everybody leaves", person.listening)
                .await
                .expect("nobody panics");
        }
        (self.history.so_far(), violations)
    }

    /// Ends the crowd like [`Crowd::drain`], and fails the test if anything did not finish.
    pub async fn drain_all(self) -> Vec<Logged> {
        let (history, undrained) = self.drain().await;
        assert_eq!(undrained, []);
        history
    }
}

/// Returns what one person needs to connect over the network.
pub fn door(bundle: Bundle, address: SocketAddr) -> Door {
    Door {
        explainer: client::Explainer::default(),
        bundle,
        target: Target::parse(&address.to_string()).expect("an address"),
        clock: Clock::utc(),
    }
}

/// Returns pauses between attempts that are short enough for a test.
pub fn short_pauses() -> Pauses {
    let random = || getrandom::u64().ok();
    Pauses::new(
        Duration::from_millis(20),
        Duration::from_millis(200),
        random,
    )
}

impl Person {
    async fn enter(
        journal: Journal,
        mut door: Door,
        speaks: Option<Plan>,
        hush: CancellationToken,
        count: watch::Sender<u64>,
    ) -> Self {
        let (handle, outbox, events) =
            client::open(Since::Beginning, false).expect("random numbers");
        let leave = handle.leave();
        let name = journal.id().to_owned();
        let connected = within("entering", door.dial())
            .await
            .unwrap_or_else(|failure| panic!("{name} does not get in: {failure}"));
        journal.note(Happened::Began(Some(0)));
        let (progress, watched) = watch::channel(Progress::default());
        let listening = Listening {
            journal,
            speaks,
            hush,
            count,
            progress,
            said: 0,
        };
        Self {
            name,
            leave,
            progress: watched,
            listening: tokio::spawn(listening.run(handle, events)),
            staying: tokio::spawn(stay(door, outbox, connected)),
        }
    }

    fn undrained(&self, what: &str) -> Violation {
        let progress = *self.progress.borrow();
        Violation::Undrained {
            by: self.name.clone(),
            what: format!("{what}: {progress:?}"),
        }
    }
}

async fn stay(door: Door, outbox: Outbox, connected: Connected) -> Outcome {
    let stay = Stay::new(door, outbox, None).pausing(short_pauses());
    stay.run(connected).await
}

/// One person's end: says lines and writes down what comes.
struct Listening {
    journal: Journal,
    speaks: Option<Plan>,
    hush: CancellationToken,
    count: watch::Sender<u64>,
    progress: watch::Sender<Progress>,
    said: u64,
}

impl Listening {
    async fn run(mut self, mut handle: Handle, mut events: mpsc::Receiver<Event>) {
        let pace = self.speaks.as_ref().map_or(Duration::MAX, |plan| plan.pace);
        // The first tick comes at once; a person who only listens has no other.
        let mut tick = tokio::time::interval(pace.clamp(Duration::from_micros(1), DRAIN_TIMEOUT));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let talks = self.speaks.is_some() && !self.hush.is_cancelled();
            if !talks {
                self.progress
                    .send_modify(|progress| progress.is_quiet = true);
            }
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.hear(&event),
                    None => return,
                },
                place = next_place(&mut handle, &mut tick), if talks => {
                    let Ok(place) = place else { return };
                    self.said += 1;
                    let bytes = self.speaks.as_ref().map_or(0, |plan| plan.line_bytes);
                    let text = text(self.journal.id(), self.said, bytes);
                    let line = Line::parse(text.as_bytes()).expect("a line");
                    self.journal.invoke(&text, || place.say(line).to_string());
                    self.progress.send_modify(|progress| progress.unanswered += 1);
                }
                () = self.hush.cancelled(), if talks => {}
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Entry(entry) => {
                self.journal.receive(entry);
                self.progress
                    .send_modify(|progress| progress.seen = entry.seq);
            }
            Event::Reply(Reply::Ok { nonce, seq }) => {
                let (nonce, seq) = (nonce.to_string(), *seq);
                self.journal.note(Happened::Stored { nonce, seq });
                self.count.send_modify(|count| *count += 1);
                self.progress.send_modify(|progress| {
                    progress.unanswered -= 1;
                    progress.own = progress.own.max(seq);
                });
            }
            Event::Refused(refusal) => {
                let Some(nonce) = &refusal.nonce else { return };
                let (nonce, code) = (nonce.to_string(), refusal.code.as_str().to_owned());
                self.journal.note(Happened::Refused { nonce, code });
                self.progress
                    .send_modify(|progress| progress.unanswered -= 1);
            }
            // Where the transcript is another one, the test that brought it about judges.
            Event::OtherHistory { set_aside } => {
                self.journal.note(Happened::Afresh);
                self.progress
                    .send_modify(|progress| progress.unanswered -= set_aside);
            }
            _ => {}
        }
    }
}

async fn next_place<'a>(
    handle: &'a mut Handle,
    tick: &mut tokio::time::Interval,
) -> Result<client::Permit<'a>, client::Gone> {
    tick.tick().await;
    handle.reserve().await
}

fn text(id: &str, n: u64, bytes: usize) -> String {
    let mut text = format!("{id} says {n} ");
    let rest = bytes.saturating_sub(text.len());
    text.push_str(&"x".repeat(rest));
    text
}

/// The pause before another connection is tried while a fault keeps the server away: there is no event
/// of its return to wait for.
const RUDE_RETRY: Duration = Duration::from_millis(50);

/// The pace of a rude client: as part of the load, not a wait for anything.
const RUDE_PACE: Duration = Duration::from_millis(10);

/// Says good lines and bad ones on connections that are begun anew when they break, under another
/// RUN each; never says anything again.
async fn rude(
    journal: Journal,
    bundle: Bundle,
    address: SocketAddr,
    go: CancellationToken,
    count: watch::Sender<u64>,
) {
    let mut run = 0;
    while !go.is_cancelled() {
        run += 1;
        let Ok(mut peer) = Peer::connect(address, &bundle, &[wire::ALPN]).await else {
            tokio::time::sleep(RUDE_RETRY).await;
            continue;
        };
        let mut n = 0;
        while !go.is_cancelled() {
            n += 1;
            let nonce = format!("rude{run:04}-{n}");
            let text = match n % 2 {
                0 => format!("rings \u{7} {n}"),
                _ => format!("is good for once {n}"),
            };
            let said = format!("/say {nonce} {text}\n");
            journal.invoke(&text, || nonce.clone());
            let answered = async {
                peer.try_send(said.as_bytes()).await.ok()?;
                answer(&mut peer, &nonce).await
            };
            let Some(event) = answered.await else {
                journal.note(Happened::Unknown { nonce });
                break;
            };
            if matches!(event, Happened::Stored { .. }) {
                count.send_modify(|count| *count += 1);
            }
            journal.note(event);
            tokio::time::sleep(RUDE_PACE).await;
        }
    }
}

/// Returns what the server answers to a line; `None` if the connection ended first.
async fn answer(peer: &mut Peer, said: &str) -> Option<Happened> {
    loop {
        let line = peer.read_line().await.ok().flatten()?;
        let nonce = said.to_owned();
        match ServerLine::parse(&line) {
            Ok(ServerLine::Reply(Reply::Ok { nonce: named, seq })) if named.to_string() == said => {
                return Some(Happened::Stored { nonce, seq });
            }
            Ok(ServerLine::Refusal(refusal))
                if refusal
                    .nonce
                    .as_ref()
                    .is_some_and(|named| named.to_string() == said) =>
            {
                let code = refusal.code.as_str().to_owned();
                return Some(Happened::Refused { nonce, code });
            }
            _ => {}
        }
    }
}
