//! The disk is full, the database is locked, or a reader never ends: lines wait, and nothing is lost.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use pki::Bundle;
use tests::checker::{Happened, Logged, assert_clean, rows};
use tests::crowd::{Crowd, Plan};
use tests::{Mount, PATIENCE, Peer, Running, Served, Site, UNLIMITED, require, same_day};

/// Flags of a room whose database is on the small disk.
fn on_disk() -> Vec<&'static str> {
    [&UNLIMITED[..], &["--db", "disk/chat.db"]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, to mount a disk: run with --include-ignored"]
async fn on_a_full_disk_everything_waits_and_goes_on_when_there_is_room() {
    let site = Site::new("Networks 101");
    let test = "a full disk";
    let mount = Mount::tmpfs(&site.path("disk"), "16m");
    let db = site.path("disk/chat.db");
    let mut served = site.serve(&on_disk());
    let mut crowd = Crowd::enter(&site, served.address, &Plan::default()).await;
    let mut watcher = enter(&site, &served, "watcher").await;
    for _ in 0..3 {
        crowd.stored(200).await;
        let filler = mount.fill_up(&mut served).await;
        watcher
            .expect("! waiting - disk full; lines are kept")
            .await;
        watcher_is_served(&mut watcher).await;
        turned_away(&site, &served).await;
        // Everything that a client was told by now is on the disk by now.
        assert_clean("while full", &crowd.history(), &rows(&db).await);
        drop(filler);
        served
            .program
            .expect_err("the database can be written again");
        watcher.expect(" says ").await;
    }
    crowd.stored(200).await;
    drop(watcher);
    let history = crowd.drain_all().await;
    let refused = refusals(&history, "disk-low");
    end(served);
    assert_clean(test, &history, &rows(&db).await);
    println!("{test}: {refused} lines refused while it was nearly full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, to mount a disk: run with --include-ignored"]
async fn a_server_that_is_stopped_on_a_full_disk_says_what_it_did_not_store() {
    let site = Site::new("Networks 101");
    let test = "a stop on a full disk";
    let mount = Mount::tmpfs(&site.path("disk"), "16m");
    let mut served = site.serve(&on_disk());
    let address = served.address;
    let mut crowd = Crowd::enter(&site, address, &Plan::default()).await;
    crowd.stored(200).await;
    let filler = mount.fill_up(&mut served).await;
    served.program.signal("-TERM");
    let error = served.program.expect_err("server: error: ");
    assert_eq!(served.program.wait().code(), Some(75), "{error}");
    let told: u64 = error
        .split_once("told to stop: ")
        .and_then(|(_, rest)| rest.split_once(" lines were not stored"))
        .and_then(|(lines, _)| lines.parse().ok())
        .unwrap_or_else(|| panic!("{error}"));

    // Whoever said them was not told that they were stored: they are all still unanswered.
    let history = crowd.history();
    let count = |is: fn(&Happened) -> bool| history.iter().filter(|l| is(&l.event)).count() as u64;
    let invoked = count(|event| matches!(event, Happened::Invoked { .. }));
    let refused = count(|event| matches!(event, Happened::Refused { .. }));
    let unanswered = invoked - refused - acknowledged(&history);
    assert!((1..=unanswered).contains(&told), "{told} of {unanswered}");

    drop(filler);
    let stored = rows(&site.path("disk/chat.db")).await;
    let lines = stored.iter().filter(|row| row.nonce.is_some()).count();
    crowd.acknowledged(lines as u64).await;
    let served = site.serve_again(address, &on_disk());
    crowd.stored(200).await;
    let history = crowd.drain_all().await;
    end(served);
    assert_clean(test, &history, &rows(&site.path("disk/chat.db")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, to mount a disk: run with --include-ignored"]
async fn on_a_disk_that_is_nearly_full_a_line_is_refused_and_never_said_again() {
    let site = Site::new("Networks 101");
    let mount = Mount::tmpfs(&site.path("disk"), "64m");
    let mut served = site.serve(&on_disk());
    let mut watcher = enter(&site, &served, "watcher").await;
    let mut alice = site.enter(&served, "alice", &[]);
    watcher.expect("* alice@").await;
    // A fiftieth of it is 1342 KB. The room that is left is enough until the server looks at the disk.
    let filler = mount.fill_but(1200 * 1024);
    let mut lines = Lines::of("k3v9q2a7", 1);
    lines.say_until(&mut watcher, "! disk-low").await;
    served.program.expect_err("the disk is nearly full");
    alice.send("while there is no room\n");
    alice.expect_err("nearly full");
    drop(filler);
    lines.say_until(&mut watcher, "= ok").await;
    served.program.expect_err("there is room on the disk again");
    alice.send("when there is room\n");
    watcher.expect("] when there is room").await;
    let ended = alice.finish();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    drop(watcher);
    end(served);
    let stored = rows(&site.path("disk/chat.db")).await;
    let alices = stored
        .iter()
        .filter(|row| row.id == "alice" && row.nonce.is_some());
    let texts: Vec<_> = alices.map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["when there is room"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, to mount a disk: run with --include-ignored"]
async fn while_the_disk_fills_those_who_wrote_much_are_refused_before_others() {
    same_day().await;
    let site = Site::new("Networks 101");
    let mount = Mount::tmpfs(&site.path("disk"), "64m");
    // A quarter of that is 10,000 bytes.
    let arguments = ["--db", "disk/chat.db", "--daily-bytes", "40000"];
    let mut served = site.serve(&arguments);
    let mut alice = enter(&site, &served, "alice").await;
    let mut bob = enter(&site, &served, "bob").await;
    for n in 1..=3 {
        let text = "x".repeat(4000);
        alice.say(&format!("/say k3v9q2a7-{n} {text}")).await;
        alice.expect(&format!("= ok k3v9q2a7-{n} ")).await;
    }
    // A fiftieth of the disk is 1342 KB, and twice that is more than the room that is left.
    let filler = mount.fill_but(2000 * 1024);
    let mut lines = Lines::of("k3v9q2a7", 4);
    let refused = lines.say_until(&mut alice, "! disk-low").await;
    assert!(
        refused.contains("you wrote more than 10000 bytes today"),
        "{refused}"
    );
    served.program.expect_err("the disk is filling up");
    bob.say("/say bobsrun1-1 there is room for me").await;
    bob.expect("= ok bobsrun1-1 ").await;
    drop(filler);
    lines.say_until(&mut alice, "= ok").await;
    served.program.expect_err("there is room on the disk again");
    drop((alice, bob));
    end(served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sqlite3: run with --include-ignored"]
async fn a_database_that_a_shell_locks_for_ten_seconds_loses_and_refuses_nothing() {
    require("sqlite3");
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    let mut crowd = Crowd::enter(&site, served.address, &Plan::default()).await;
    let mut watcher = enter(&site, &served, "watcher").await;
    crowd.stored(200).await;
    let mut shell = shell(&site);
    shell.send(".timeout 5000\nbegin immediate;\n.system echo locked\n");
    shell.expect_out("locked");
    let locked_at = Instant::now();
    watcher
        .expect("! waiting - the database is locked; lines are kept")
        .await;
    served.program.expect_err("the database cannot be written");
    turned_away(&site, &served).await;
    // This is how long the lock is held; nothing is waited for.
    while locked_at.elapsed() < Duration::from_secs(10) {
        watcher_is_served(&mut watcher).await;
    }
    assert_clean(
        "while locked",
        &crowd.history(),
        &rows(&site.path("chat.db")).await,
    );
    shell.send("rollback;\n");
    served
        .program
        .expect_err("the database can be written again");
    watcher.expect(" says ").await;
    crowd.stored(200).await;
    drop(watcher);
    let history = crowd.drain_all().await;
    end(served);
    assert_clean("a lock", &history, &rows(&site.path("chat.db")).await);
    let only_rude = history.iter().all(|logged| {
        !matches!(logged.event, Happened::Refused { .. }) || logged.id.starts_with("rude")
    });
    assert!(only_rude, "a line was refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sqlite3: run with --include-ignored"]
async fn a_reader_that_keeps_a_transaction_is_warned_of_and_the_log_shrinks_after() {
    const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
    require("sqlite3");
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    // Few listeners and long lines, so that the log grows quickly.
    let plan = Plan {
        speakers: 3,
        listeners: 1,
        pace: Duration::ZERO,
        line_bytes: 4000,
        ..Plan::default()
    };
    let mut crowd = Crowd::enter(&site, served.address, &plan).await;
    crowd.stored(20).await;
    let log_bytes = || fs::metadata(site.path("chat.db-wal")).map_or(0, |log| log.len());
    let mut shell = shell(&site);
    shell.send("begin;\nselect count(*) from history;\n.system echo reads\n");
    shell.expect_out("reads");
    let began = Instant::now();
    while log_bytes() <= JOURNAL_BYTES_MAX {
        assert!(began.elapsed() < PATIENCE * 4, "{}", log_bytes());
        crowd.stored(50).await;
    }
    served.program.expect_err("the write-ahead log grows");
    let largest = log_bytes();
    shell.send("commit;\n");
    let began = Instant::now();
    while log_bytes() > JOURNAL_BYTES_MAX {
        assert!(began.elapsed() < PATIENCE, "{}", log_bytes());
        crowd.stored(50).await;
    }
    served
        .program
        .expect_err("the write-ahead log is small again");
    println!("the log had {largest} bytes, and then {}", log_bytes());
    let history = crowd.drain_all().await;
    end(served);
    assert_clean(
        "a long reader",
        &history,
        &rows(&site.path("chat.db")).await,
    );
}

/// Lines of one run, said until the server has noticed how full the disk is.
struct Lines {
    run: &'static str,
    next: u64,
}

impl Lines {
    fn of(run: &'static str, next: u64) -> Self {
        Self { run, next }
    }

    /// Says a line after another until an answer begins like this, and returns that answer.
    async fn say_until(&mut self, peer: &mut Peer, wanted: &str) -> String {
        // The server looks at the disk once a second, and only when it stores something. At more than
        // this pace the lines themselves would fill the disk.
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        loop {
            pace.tick().await;
            let nonce = format!("{}-{}", self.run, self.next);
            self.next += 1;
            peer.say(&format!("/say {nonce} is there room?")).await;
            let answer = peer.expect(&format!(" {nonce} ")).await;
            if answer.starts_with(wanted) {
                return answer;
            }
        }
    }
}

/// Checks that a session is served while nothing can be written, is shown nothing new, and is told why only
/// once.
async fn watcher_is_served(watcher: &mut Peer) {
    // Entries stored before may still be on their way.
    answers(watcher).await;
    for _ in 0..5 {
        assert_eq!(answers(watcher).await, [""; 0]);
    }
}

/// Checks that a session is answered while nothing can be written, and returns the lines that came unasked.
async fn answers(peer: &mut Peer) -> Vec<String> {
    let mut unasked = Vec::new();
    for (ask, end) in [
        ("/who", "= here "),
        ("/history 5", "= end history"),
        ("/ping", "= at "),
    ] {
        peer.say(ask).await;
        loop {
            let line = peer.next_line().await.expect("the session goes on");
            if line.starts_with(end) {
                break;
            }
            if !line.starts_with("= ") {
                unasked.push(line);
            }
        }
    }
    unasked
}

/// Checks that a newcomer is told to try later while nothing can be written.
async fn turned_away(site: &Site, served: &Served) {
    let bundle = Bundle::read(&site.path(&site.bundle("newcomer"))).expect("a bundle");
    let connected = Peer::connect(served.address, &bundle, &[wire::ALPN]).await;
    let mut newcomer = connected.expect("a connection");
    let told = newcomer.rest().await;
    assert!(
        told.len() == 1 && told[0].starts_with("! try-later "),
        "{told:?}"
    );
}

/// Returns a person in the room, below the client crate, who sees everything said from now on.
pub(crate) async fn enter(site: &Site, served: &Served, name: &str) -> Peer {
    let bundle = Bundle::read(&site.path(&site.bundle(name))).expect("a bundle");
    let connected = Peer::connect(served.address, &bundle, &[wire::ALPN]).await;
    let mut peer = connected.expect("a connection");
    peer.welcome().await;
    peer.say("/follow head").await;
    peer.expect("= at ").await;
    peer
}

/// Stops a server and expects it to end well.
pub(crate) fn end(served: Served) {
    served.program.signal("-TERM");
    let ended = served.program.finish();
    assert!(ended.status.success(), "{ended:?}");
}

/// Starts the shell of SQLite on a room's database.
fn shell(site: &Site) -> Running {
    let mut command = Command::new("sqlite3");
    command.arg("chat.db").current_dir(site.folder());
    Running::spawn(command)
}

/// Returns how many lines were acknowledged.
fn acknowledged(history: &[Logged]) -> u64 {
    let is = |logged: &&Logged| matches!(logged.event, Happened::Stored { .. });
    history.iter().filter(is).count() as u64
}

fn refusals(history: &[Logged], wanted: &str) -> usize {
    let is = |logged: &&Logged| matches!(&logged.event, Happened::Refused { code, .. } if code == wanted);
    history.iter().filter(is).count()
}
