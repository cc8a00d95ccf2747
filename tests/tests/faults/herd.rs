//! A server that is restarted under many members: everybody is back soon, and nobody has left.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ca_tool::{Candidate, IssueOptions};
use client::{Dial as _, Event, Handle, Since, Stay, open};
use pki::Bundle;
use tests::checker::{Happened, History, Journal, assert_clean, rows};
use tests::crowd::door;
use tests::{Site, within};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use wire::Line;

/// A lecture hall.
const MEMBERS: usize = 300;

/// A restart of the server under [`MEMBERS`], all of one address, with the pauses and the limits
/// that everybody has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_300_members_writes_no_enters_and_no_leaves() {
    let site = Site::new("Networks 101");
    let names: Vec<String> = (1..=MEMBERS).map(|n| format!("member{n}")).collect();
    let candidates = Candidate::named(names.iter().cloned());
    let issued = site.ca().issue(&candidates, &IssueOptions::default());
    issued.expect("certificates");
    let mut served = site.serve(&[]);
    let address = served.address;
    let history = History::new();
    let (back, mut returns) = mpsc::channel(MEMBERS);
    let mut entering = JoinSet::new();
    for name in &names {
        let path = site.path(&format!("ca/people/{name}.pem"));
        let bundle = Bundle::read(&path).expect("a bundle");
        let (journal, back) = (history.journal(name), back.clone());
        entering.spawn(Member::enter(journal, bundle, address, back));
    }
    let mut members = entering.join_all().await;

    for (signal, reason) in [("-KILL", "server-crash"), ("-TERM", "shutting-down")] {
        served.program.signal(signal);
        let ended = String::from_utf8_lossy(&served.program.finish().stderr).into_owned();
        assert!(!ended.contains("refused"), "{ended}");
        served = site.serve_again(address, &[]);
        let began = Instant::now();
        let mut took = Vec::new();
        for _ in 0..MEMBERS {
            let returned = within("everybody is back", returns.recv()).await;
            let returned: Instant = returned.expect("members are there");
            took.push(returned.saturating_duration_since(began));
        }
        tell(reason, &mut took);
        let joins = format!("select count(*) from joins where reason = '{reason}'");
        assert_eq!(site.query(&joins), [MEMBERS.to_string()]);
    }

    // One line, seen by all, says that each of them is really there.
    members[0].say("we are all here").await;
    for member in &mut members {
        let seen = member.seen.wait_for(|seen| *seen == "we are all here");
        within("everybody sees it", seen).await.expect("a member");
    }
    let here = "select count(*), count(distinct id) from joins where left_at is null";
    assert_eq!(site.query(here), [format!("{MEMBERS},{MEMBERS}")]);
    let entries = "select kind, count(*) from history group by kind order by kind";
    assert_eq!(
        site.query(entries),
        [format!("enter,{MEMBERS}"), "message,1".to_owned()]
    );

    let mut losses = BTreeSet::new();
    for member in members {
        losses.extend(member.leave().await);
    }
    // Nobody was turned away: a server was not there, or it ended.
    for why in &losses {
        let is_of_restart = [
            "cannot reach",
            "is being stopped",
            "before its greeting",
            // The server ended before TLS began.
            "without an answer",
            // It ended after that, before it could say goodbye: it closed the connection, or its system did.
            "the server closed it",
            "Connection reset by peer",
            "Broken pipe",
        ];
        assert!(is_of_restart.iter().any(|part| why.contains(part)), "{why}");
    }
    served.program.signal("-TERM");
    let ended = served.program.finish();
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && !log.contains("refused"), "{log}");
    assert_clean(
        "a herd",
        &history.so_far(),
        &rows(&site.path("chat.db")).await,
    );
}

/// Prints how the returns are spread.
fn tell(reason: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let most = took
        .iter()
        .map(|first| {
            let second = *first..*first + Duration::from_secs(1);
            took.iter().filter(|took| second.contains(*took)).count()
        })
        .max();
    println!(
        "{reason}: of {} members the first was back after {:?}, half after {:?}, the last after {:?}; at most {} within a second",
        took.len(),
        took[0],
        took[took.len() / 2],
        took[took.len() - 1],
        most.unwrap_or(0)
    );
}

/// Somebody who listens, and stays.
struct Member {
    handle: Handle,
    journal: Journal,
    seen: watch::Receiver<String>,
    listening: JoinHandle<BTreeSet<String>>,
    staying: JoinHandle<client::Outcome>,
}

impl Member {
    async fn enter(
        journal: Journal,
        bundle: Bundle,
        address: std::net::SocketAddr,
        back: mpsc::Sender<Instant>,
    ) -> Self {
        let (handle, outbox, mut events) = open(Since::Head, false).expect("random numbers");
        let mut door = door(bundle, address);
        let connected = within("entering", door.dial()).await.expect("a way in");
        journal.note(Happened::Began(None));
        let (show, seen) = watch::channel(String::new());
        let (is_in, has_entered) = tokio::sync::oneshot::channel();
        let hears = journal.clone();
        let listening = tokio::spawn(async move {
            let mut is_in = Some(is_in);
            let mut losses = BTreeSet::new();
            while let Some(event) = events.recv().await {
                match event {
                    Event::Entry(entry) => {
                        hears.receive(&entry);
                        if let wire::Kind::Message(line) = entry.kind {
                            show.send_replace(line.as_str().to_owned());
                        }
                    }
                    Event::CaughtUp(_) => {
                        if let Some(is_in) = is_in.take() {
                            let _unheard = is_in.send(());
                        }
                    }
                    Event::Back { .. } => {
                        back.send(Instant::now()).await.expect("the test counts");
                    }
                    Event::Lost { failure, .. } => {
                        losses.insert(failure.in_short().to_owned());
                    }
                    Event::Reply(wire::Reply::Ok { nonce, seq }) => {
                        let nonce = nonce.to_string();
                        hears.note(Happened::Stored { nonce, seq });
                    }
                    Event::Reply(wire::Reply::Bye { .. }) => {}
                    other => panic!("a restart is a loss and nothing else: {other:?}"),
                }
            }
            losses
        });
        let staying = tokio::spawn(Stay::new(door, outbox, None).run(connected));
        within("following", has_entered).await.expect("it listens");
        Self {
            handle,
            journal,
            seen,
            listening,
            staying,
        }
    }

    async fn say(&mut self, text: &str) {
        let place = self.handle.reserve().await.expect("it stays");
        let line = Line::parse(text.as_bytes()).expect("a line");
        self.journal.invoke(text, || place.say(line).to_string());
    }

    /// Leaves; why connections were lost before.
    async fn leave(self) -> BTreeSet<String> {
        self.handle.quit();
        within("leaving", self.staying).await.expect("no panic");
        within("leaving", self.listening).await.expect("no panic")
    }
}
