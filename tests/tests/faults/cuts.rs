//! Connections that are cut, at every byte of an exchange.

use std::time::Duration;

use client::{Dial as _, Door, End, Event, Handle, Pauses, Since, Stay, open};
use tests::checker::{Happened, History, Journal, assert_clean, rows};
use tests::crowd::door;
use tests::{Cut, Manner, Proxy, Side, World, within};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::{Kind, Line, Reply};

/// Rooms in which exchanges are cut side by side: commits wait for the disk, not for the processor.
const ROOMS: usize = 8;

/// How many lines are said in an exchange.
const LINES: usize = 3;

/// How the lines of an exchange are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Each when the one before it is acknowledged and shown.
    OneByOne,
    /// All together.
    AtOnce,
}

/// The results of cutting an exchange again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tally {
    /// After how many bytes the exchange was over before the cut came: every cut below was made.
    bytes: usize,
    cuts: usize,
    /// Lines that were on the disk when they were sent again: the cut had come between the commit
    /// and its acknowledgement.
    stored_when_resent: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_any_byte_loses_nothing_and_repeats_nothing() {
    let mut stored_when_resent = 0;
    for (side, pace, manner, connections) in [
        (Side::Server, Pace::OneByOne, Manner::Close, 1),
        (Side::Server, Pace::AtOnce, Manner::Reset, 2),
        (Side::Client, Pace::OneByOne, Manner::Reset, 1),
        (Side::Client, Pace::AtOnce, Manner::Close, 2),
    ] {
        let cut = Cut {
            side,
            after_bytes: 0,
            manner,
            connections,
        };
        let mut rooms = JoinSet::new();
        for room in 0..ROOMS {
            rooms.spawn(cut_everywhere(room, pace, cut));
        }
        let tallies = rooms.join_all().await;
        let bytes = tallies.iter().map(|tally| tally.bytes).min();
        let cuts: usize = tallies.iter().map(|tally| tally.cuts).sum();
        println!("{side:?} {pace:?}: {cuts} cuts, at least at every one of {bytes:?} bytes");
        assert!(bytes.is_some_and(|bytes| bytes > 100 && cuts >= bytes));
        stored_when_resent += tallies
            .iter()
            .map(|tally| tally.stored_when_resent)
            .sum::<usize>();
    }
    println!("{stored_when_resent} lines were stored already when they were sent again");
    assert!(stored_when_resent > 0);
}

/// Cuts an exchange in a room of its own after `first` bytes, and after each [`ROOMS`] more, until
/// it is over before the cut comes.
async fn cut_everywhere(first: usize, pace: Pace, cut: Cut) -> Tally {
    let world = World::with(|options| {
        options.without_pace();
        options.limits.sessions_per_minute_max = 0;
    })
    .await;
    let proxy = Proxy::start(world.address()).await;
    let history = History::new();
    let (mut cuts, mut stored_when_resent) = (0, 0);
    for after_bytes in (first..).step_by(ROOMS) {
        let cut = Cut { after_bytes, ..cut };
        let is_cut = proxy.cut(cut).await;
        let door = door(world.bundle("alice"), proxy.address());
        let exchange = async { Exchange::enter(&history, door).await.run(pace).await };
        stored_when_resent += within(&format!("{cut:?}"), exchange).await;
        let is_cut = within("the end of the connection", is_cut).await;
        if !is_cut.expect("the proxy tells") {
            let what = format!("cuts from {first} on");
            assert_clean(&what, &history.so_far(), &rows(&world.db()).await);
            return Tally {
                bytes: after_bytes,
                cuts,
                stored_when_resent,
            };
        }
        cuts += 1;
    }
    unreachable!("an exchange ends")
}

/// One person who says three lines, is acknowledged and shown each of them, and leaves.
struct Exchange {
    journal: Journal,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    staying: tokio::task::JoinHandle<client::Outcome>,
    acknowledged: usize,
    shown: Vec<String>,
    /// The newest entry when the client had reconnected.
    head_when_back: Option<u64>,
    stored_when_resent: usize,
}

impl Exchange {
    async fn enter(history: &History, mut door: Door) -> Self {
        let (handle, outbox, events) = open(Since::Head, false).expect("random numbers");
        // Before the greeting nothing was said, and whoever starts the client starts it again.
        let connected = loop {
            match door.dial().await {
                Ok(connected) => break connected,
                Err(failure) => assert!(failure.may_pass, "{failure}"),
            }
        };
        let journal = history.journal(connected.welcome.id.as_str());
        journal.note(Happened::Began(None));
        let at_once = Pauses::new(Duration::ZERO, Duration::ZERO, || None);
        let stay = Stay::new(door, outbox, None).pausing(at_once);
        Self {
            journal,
            handle,
            events,
            staying: tokio::spawn(stay.run(connected)),
            acknowledged: 0,
            shown: Vec::new(),
            head_when_back: None,
            stored_when_resent: 0,
        }
    }

    /// Returns how many lines were stored already when they were sent again.
    async fn run(mut self, pace: Pace) -> usize {
        let mut said = Vec::new();
        for n in 1..=LINES {
            let text = format!("line {n}");
            let place = self.handle.reserve().await.expect("it stays");
            let line = Line::parse(text.as_bytes()).expect("a line");
            self.journal.invoke(&text, || place.say(line).to_string());
            said.push(text);
            if pace == Pace::OneByOne || n == LINES {
                while self.acknowledged < n || self.shown.len() < n {
                    let event = self.events.recv().await.expect("it stays");
                    self.hear(event);
                }
            }
        }
        self.handle.reserve().await.expect("it stays").quit();
        while let Some(event) = self.events.recv().await {
            self.hear(event);
        }
        assert_eq!(self.shown, said);
        let left = self.staying.await.expect("staying does not panic");
        assert_eq!((left.end, left.unacknowledged), (End::Goodbye, 0));
        self.stored_when_resent
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Entry(entry) => {
                self.journal.receive(&entry);
                if let Kind::Message(line) = entry.kind {
                    self.shown.push(line.as_str().to_owned());
                }
            }
            Event::Reply(Reply::Ok { nonce, seq }) => {
                let nonce = nonce.to_string();
                self.journal.note(Happened::Stored { nonce, seq });
                self.acknowledged += 1;
                if self.head_when_back.is_some_and(|head| seq <= head) {
                    self.stored_when_resent += 1;
                }
            }
            Event::Back { welcome, .. } => self.head_when_back = Some(welcome.head),
            Event::Lost { .. } | Event::CaughtUp(_) | Event::Reply(Reply::Bye { .. }) => {}
            other => panic!("a cut is a loss and nothing else: {other:?}"),
        }
    }
}
