//! The database is replaced under running clients: by a copy of itself from before, or by a new one.

use std::path::Path;
use std::process::{Command, Output};

use client::{Dial as _, Event, Handle, Since, Stay, open};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};
use tests::checker::{Row, hash, rows};
use tests::crowd::{door, short_pauses};
use tests::{Served, Site, require, within};
use tokio::sync::mpsc;
use wire::Kind;

/// The file that lies in the database's place when the server is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A copy from before the newest lines.
    Backup,
    /// Nothing.
    Nothing,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sqlite3: run with --include-ignored"]
async fn whoever_followed_another_record_is_told_and_starts_afresh() {
    require("sqlite3");
    for found in [Found::Backup, Found::Nothing] {
        let site = Site::new("Networks 101");
        let served = site.serve(&[]);
        let address = served.address;
        let mut alice = site.enter(&served, "alice", &["--bare"]);
        let mut bob = site.enter(&served, "bob", &["--raw"]);
        let mut carol = Follower::enter(&site, &served, "carol").await;
        alice.send("before\n");
        for seen in [alice.expect_out("before"), bob.expect_out("before")] {
            assert!(seen.ends_with("[alice@127.0.0.1] before"), "{seen}");
        }
        carol.hears("before").await;
        back_up(&site);
        alice.send("after 1\nafter 2\n");
        alice.expect_out("after 2");
        bob.expect_out("after 2");
        carol.hears("after 2").await;

        // A line is on its way and cannot be stored, and then the server is no more.
        let lock = SqliteConnectOptions::new().filename(site.path("chat.db"));
        let mut lock = lock.connect().await.expect("the database opens");
        lock.execute("begin immediate").await.expect("the lock");
        alice.send("in flight\n");
        alice.expect_err("the server is waiting");
        kill(served);
        drop(lock);
        put_in_place(&site, found);
        let served = site.serve_again(address, &[]);
        alice.expect_err("this is a different history");
        bob.expect_err("this is a different history");
        carol.is_told(0).await;
        alice.send("anew\n");
        alice.expect_out("anew");
        bob.expect_out("anew");
        carol.hears("anew").await;

        // Leaves are entries too, so everybody has left before the record is read.
        let alice = alice.finish();
        carol.leave().await;
        let bob = bob.finish();
        let stored = rows(&site.path("chat.db")).await;
        let texts = || stored.iter().filter(|row| row.nonce.is_some());
        let texts: Vec<&str> = texts().map(|row| &*row.text).collect();
        let shown = String::from_utf8_lossy(&alice.stdout).into_owned();
        let told = String::from_utf8_lossy(&alice.stderr).into_owned();
        let shown: Vec<&str> = shown.lines().map(|line| &line[18..]).collect();
        match found {
            // The same room: it is said once there, and shown.
            Found::Backup => {
                assert_eq!(texts, ["before", "in flight", "anew"]);
                assert_eq!(shown, ["before", "after 1", "after 2", "in flight", "anew"]);
                assert_eq!(alice.status.code(), Some(0), "{told}");
            }
            // Perhaps another room: nobody can tell whether the line was stored, and it is not said there.
            Found::Nothing => {
                assert_eq!(texts, ["anew"]);
                assert_eq!(shown, ["before", "after 1", "after 2", "anew"]);
                for words in [
                    "1 line was not acknowledged before, and is not sent again",
                    "the server did not acknowledge 1 line",
                ] {
                    assert!(told.contains(words), "{words}: {told}");
                }
                assert_eq!(alice.status.code(), Some(1));
            }
        }
        assert_shown(carol.shown.iter().map(String::as_str), &stored);
        assert_shown(shown_since_back(&bob).iter().map(String::as_str), &stored);
        kill(served);
    }
}

/// The number of the last entry alone would not do: there is one with that number again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sqlite3: run with --include-ignored"]
async fn a_restored_record_that_has_grown_past_the_old_one_is_still_another_one() {
    require("sqlite3");
    let site = Site::new("Networks 101");
    let served = site.serve(&[]);
    let address = served.address;
    let mut bob = site.enter(&served, "bob", &["--raw"]);
    let mut alice = site.enter(&served, "alice", &["--bare"]);
    alice.send("before\n");
    bob.expect_out("before");
    back_up(&site);
    alice.send("after 1\nafter 2\n");
    let last = bob.expect_out("after 2");
    // Bob's machine sleeps, and the world goes on without him.
    bob.signal("-STOP");
    kill(served);
    put_in_place(&site, Found::Backup);
    let served = site.serve_again(address, &[]);
    alice.expect_err("this is a different history");
    let anew: Vec<String> = (1..=10).map(|n| format!("anew {n}")).collect();
    alice.send(&format!("{}\n", anew.join("\n")));
    alice.expect_out("anew 10");
    let at_seq = last.split(' ').next().expect("a seq");
    let there = site.query(&format!("select text from history where seq = {at_seq}"));
    assert!(there[0].starts_with("anew "), "{there:?}");

    bob.signal("-CONT");
    bob.expect_err("this is a different history");
    alice.send("and bob is back\n");
    bob.expect_out("and bob is back");
    let stored = rows(&site.path("chat.db")).await;
    let bob = String::from_utf8_lossy(&bob.finish().stdout).into_owned();
    let since = bob.rfind("= welcome").expect("a greeting");
    let is_entry = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let shown: Vec<&str> = bob[since..].lines().filter(is_entry).collect();
    assert!(
        shown
            .last()
            .is_some_and(|line| line.ends_with("and bob is back"))
    );
    assert_shown(shown.into_iter(), &stored);
    assert_eq!(alice.finish().status.code(), Some(0));
    kill(served);
}

/// As an administrator does it, while the server runs.
fn back_up(site: &Site) {
    let mut command = Command::new("sqlite3");
    command
        .args(["chat.db", ".backup copy.db"])
        .current_dir(site.folder());
    let status = command.status().expect("sqlite3 can be started");
    assert!(status.success());
}

fn put_in_place(site: &Site, found: Found) {
    for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        remove(&site.path(name));
    }
    if found == Found::Backup {
        std::fs::rename(site.path("copy.db"), site.path("chat.db")).expect("the copy");
    }
}

fn remove(path: &Path) {
    if path.exists() {
        std::fs::remove_file(path).expect("a file that can be removed");
    }
}

fn kill(served: Served) {
    served.program.signal("-KILL");
    assert_eq!(served.program.finish().status.code(), None);
}

/// Returns the entries that `client --raw` showed on its last connection.
fn shown_since_back(client: &Output) -> Vec<String> {
    let shown = String::from_utf8_lossy(&client.stdout).into_owned();
    let back = shown.rfind("= welcome").expect("a greeting");
    let is_entry = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let entries = shown[back..].lines().filter(is_entry);
    entries.map(str::to_owned).collect()
}

/// Checks that the lines shown are stored, one after the other.
fn assert_shown<'a>(shown: impl Iterator<Item = &'a str>, stored: &[Row]) {
    let shown: Vec<&str> = shown.collect();
    let hashes: Vec<u64> = shown.iter().map(|line| hash(line)).collect();
    let stored: Vec<u64> = stored.iter().map(|row| row.hash).collect();
    assert!(!shown.is_empty());
    assert!(
        stored.windows(hashes.len()).any(|part| part == hashes),
        "not a part of what is stored: {shown:#?}"
    );
}

/// Somebody who listens with the client's library.
struct Follower {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    /// The entries of the record that is followed now, as they came.
    shown: Vec<String>,
}

impl Follower {
    async fn enter(site: &Site, served: &Served, name: &str) -> Self {
        let bundle = pki::Bundle::read(&site.path(&site.bundle(name))).expect("a bundle");
        let mut door = door(bundle, served.address);
        let connected = within("entering", door.dial()).await.expect("a way in");
        let (handle, outbox, events) = open(Since::Head, false).expect("random numbers");
        let stay = Stay::new(door, outbox, None).pausing(short_pauses());
        tokio::spawn(stay.run(connected));
        Self {
            handle,
            events,
            shown: Vec::new(),
        }
    }

    async fn next(&mut self) -> Option<Event> {
        let event = within("an event", self.events.recv()).await?;
        match &event {
            Event::Entry(entry) => self.shown.push(entry.to_string()),
            Event::OtherHistory { .. } => self.shown.clear(),
            Event::Disorder { .. } | Event::Garbled(_) | Event::WarningsLeftOut => {
                panic!("{event:?}")
            }
            _ => {}
        }
        Some(event)
    }

    async fn hears(&mut self, text: &str) {
        loop {
            if let Event::Entry(entry) = self.next().await.expect("it stays")
                && matches!(&entry.kind, Kind::Message(line) if line.as_str() == text)
            {
                return;
            }
        }
    }

    /// Waits until it is told that this is another record.
    async fn is_told(&mut self, lines_set_aside: usize) {
        loop {
            if let Event::OtherHistory { set_aside } = self.next().await.expect("it stays") {
                assert_eq!(set_aside, lines_set_aside);
                return;
            }
        }
    }

    async fn leave(&mut self) {
        self.handle.quit();
        while self.next().await.is_some() {}
    }
}
