//! The people in a simulated room: each on a host of their own, with a real client that stays through
//! everything, who talk, listen, and write down what they do and see.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ca_tool::{Ca, Candidate, InitOptions, IssueOptions};
use client::{
    Cause, Clock, Connected, Dial, Event, Failure, Pauses, Scene, Since, Stay, Target, explain,
};
use pki::{Bundle, Gate, Identity, Revocations};
use tests::checker::{Happened, Journal};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turmoil::net::TcpStream;
use wire::{Line, Reply, Run};

/// Everybody's name, which is that of their host too.
pub(crate) const NAMES: [&str; 4] = ["alice", "bert", "cleo", "dora"];

/// Where the server is.
pub(crate) const SERVER: &str = "server";
pub(crate) const PORT: u16 = 27332;

/// How often somebody thinks of something to say.
const BEAT: Duration = Duration::from_millis(20);

/// One person, over every start of their host.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    journal: Journal,
    scene: Arc<Scene>,
    pub(crate) identity: Identity,
    seed: u64,
    starts: Cell<u64>,
    /// Said and not answered.
    pub(crate) unanswered: RefCell<BTreeSet<String>>,
    /// The highest place of an own line.
    pub(crate) own: Cell<u64>,
    /// The last entry that came.
    pub(crate) seen: Cell<u64>,
    /// Whether nothing new is said.
    pub(crate) is_quiet: Cell<bool>,
    /// Whether nothing that came is taken.
    pub(crate) is_deaf: Cell<bool>,
    /// How often the client reconnected.
    pub(crate) back: Cell<u64>,
    /// How the last stay ended, which it should not.
    pub(crate) left: RefCell<Option<String>>,
}

/// The certificates of everybody, and the gate that lets them in. Made once: a simulation does not
/// depend on keys.
struct Papers {
    gate: Arc<Gate>,
    of: Vec<(Identity, Scene)>,
}

fn papers() -> &'static Papers {
    static PAPERS: OnceLock<Papers> = OnceLock::new();
    PAPERS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = Ca::init(&folder.path().join("ca"), &InitOptions::named("Simulated"));
        let ca = ca.expect("a new CA");
        let candidates = Candidate::named(NAMES.map(str::to_owned));
        let issued = ca.issue(&candidates, &IssueOptions::default());
        issued.expect("certificates");
        let bundle = |name: &str| {
            let path = ca.register().people().join(format!("{name}.pem"));
            Bundle::read(&path).expect("a bundle")
        };
        let gate = Gate::new(bundle(NAMES[0]).anchor().clone(), false).expect("a gate");
        let of = NAMES.map(|name| {
            let bundle = bundle(name);
            let now = SystemTime::now();
            let identity = gate.admit(bundle.leaf(), &Revocations::Unchecked, now);
            let scene = Scene {
                target: Target::parse(&format!("{SERVER}:{PORT}")).expect("a target"),
                own: bundle.certificate(),
                anchor: "Simulated".to_owned(),
                anchor_print: String::new(),
                clock: Clock::utc(),
            };
            (identity.expect("a good certificate"), scene)
        });
        Papers {
            gate: Arc::new(gate),
            of: of.into(),
        }
    })
}

/// Returns a gate that admits everybody.
pub(crate) fn gate() -> Arc<Gate> {
    papers().gate.clone()
}

impl Person {
    pub(crate) fn new(index: usize, journal: Journal, seed: u64) -> Self {
        let (identity, scene) = papers().of[index].clone();
        Self {
            name: NAMES[index],
            journal,
            scene: Arc::new(scene),
            identity,
            seed: seed * NAMES.len() as u64 + index as u64,
            starts: Cell::new(0),
            unanswered: RefCell::default(),
            own: Cell::new(0),
            seen: Cell::new(0),
            is_quiet: Cell::new(false),
            is_deaf: Cell::new(false),
            back: Cell::new(0),
            left: RefCell::default(),
        }
    }

    /// Returns whether everything that was said is answered, and nothing more is said.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_quiet.get() && self.unanswered.borrow().is_empty()
    }

    /// The programs that their host runs, from each start of it to its crash or the end of the simulation.
    pub(crate) async fn live(self: Rc<Self>) -> turmoil::Result {
        let start = self.starts.get() + 1;
        self.starts.set(start);
        let mut chance = fastrand::Rng::with_seed(self.seed * 1000 + start);
        // The lines of the last run that got no answer will never get one.
        for nonce in self.unanswered.take() {
            self.journal.note(Happened::Unknown { nonce });
        }
        self.seen.set(0);
        let since = match chance.u8(0..4) {
            0 => Since::Head,
            1 => Since::Last(chance.u64(1..50)),
            _ => Since::Beginning,
        };
        let began = (since == Since::Beginning).then_some(0);
        self.journal.note(Happened::Began(began));

        let run = Run::parse(&format!("{}x{start:04}", self.name)).expect("a run");
        let (mut handle, outbox, mut events) = client::open_run(run, since, false);
        let mut wire = Wire(self.scene.clone());
        let first = loop {
            match wire.dial().await {
                Ok(connected) => break connected,
                Err(failure) if failure.may_pass() => sleep(Duration::from_millis(100)).await,
                Err(failure) => return Err(failure.to_string().into()),
            }
        };
        let mut jitter = chance.fork();
        let pauses = Pauses::new(
            Duration::from_millis(50),
            Duration::from_secs(2),
            move || Some(jitter.u64(..)),
        );
        let stay = Stay::new(wire, outbox, None).pausing(pauses);
        let staying = tokio::spawn(stay.run(first));

        let (mut said, mut wants) = (0, 0_u32);
        let mut beat = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = sleep_until(beat) => {
                    beat += BEAT;
                    wants += match chance.u32(0..1000) {
                        0..100 => 1,
                        // More than the window, so that the next line has to wait.
                        100..103 => chance.u32(1..100),
                        _ => 0,
                    };
                    if self.is_quiet.get() {
                        wants = 0;
                    }
                }
                place = handle.reserve(), if wants > 0 => {
                    let Ok(place) = place else { break };
                    (said, wants) = (said + 1, wants - 1);
                    let long = "x".repeat(chance.usize(0..200));
                    let text = format!("{} says {start}.{said} {long}", self.name).trim_end().to_owned();
                    let line = Line::parse(text.as_bytes()).expect("a line");
                    let nonce = self.journal.invoke(&text, || place.say(line).to_string());
                    self.unanswered.borrow_mut().insert(nonce);
                }
                event = events.recv(), if !self.is_deaf.get() => match event {
                    Some(event) => self.hear(&event),
                    None => break,
                },
            }
        }
        let left = staying.await?;
        self.left.replace(Some(format!("{left:?}")));
        // Not an error here: the simulation goes on, and judges it at its end.
        Ok(())
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::Entry(entry) => {
                self.journal.receive(entry);
                self.seen.set(entry.seq);
            }
            Event::CaughtUp(seq) => self.seen.set(self.seen.get().max(*seq)),
            Event::Reply(Reply::Ok { nonce, seq }) => {
                let (nonce, seq) = (nonce.to_string(), *seq);
                self.unanswered.borrow_mut().remove(&nonce);
                self.own.set(self.own.get().max(seq));
                self.journal.note(Happened::Stored { nonce, seq });
            }
            Event::Refused(refusal) => {
                let Some(nonce) = &refusal.nonce else { return };
                let (nonce, code) = (nonce.to_string(), refusal.code.as_str().to_owned());
                self.unanswered.borrow_mut().remove(&nonce);
                self.journal.note(Happened::Refused { nonce, code });
            }
            Event::OtherHistory { .. } => self.journal.note(Happened::Afresh),
            Event::Back { .. } => self.back.set(self.back.get() + 1),
            _ => {}
        }
    }
}

/// The way to the server over the simulated network.
struct Wire(Arc<Scene>);

impl Dial for Wire {
    type Stream = TcpStream;

    async fn dial(&mut self) -> Result<Connected<TcpStream>, Failure> {
        let server = SocketAddr::new(turmoil::lookup(SERVER), PORT);
        let unreachable = |words: String| {
            let cause = Cause::Unreachable(vec![(server, words)]);
            explain(&cause, &self.0, SystemTime::now())
        };
        let connecting = TcpStream::connect(server);
        let stream = match timeout(client::limits::CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable("no answer".to_owned())),
        };
        let local = stream.local_addr();
        let local = local.map_err(|error| unreachable(error.to_string()))?;
        Connected::without_tls(stream, local, server, self.0.clone()).await
    }
}

/// Returns the person who comes from an address: where there is no TLS, a host stands for its person's certificate.
pub(crate) fn who(people: &[(IpAddr, Identity)], from: IpAddr) -> Identity {
    let found = people.iter().find(|(ip, _)| *ip == from);
    found.expect("somebody's host").1.clone()
}
