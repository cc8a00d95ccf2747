//! The disk is full, the database is locked, or a reader never ends: everything waits that has to,
//! and nothing is lost.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pki::Bundle;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};
use tests::checker::{Happened, Logged, assert_clean, rows};
use tests::crowd::{Crowd, Plan};
use tests::{PATIENCE, Peer, Running, Served, Site, tool_or_skip};

use crate::kills::UNLIMITED;

/// A room whose database is on the small disk.
const ON_DISK: [&str; 12] = [
    "--line-rate",
    "0",
    "--byte-rate",
    "0",
    "--daily-bytes",
    "0",
    "--daily-runs",
    "0",
    "--sessions-per-minute",
    "0",
    "--db",
    "disk/chat.db",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_everything_waits_and_goes_on_when_there_is_room() {
    let site = Site::new("Networks 101");
    let test = "a full disk";
    let Some(mount) = Mount::tmpfs(&site.path("disk"), "16m", test) else {
        return;
    };
    let db = site.path("disk/chat.db");
    let mut served = site.serve(&ON_DISK);
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
        // What anybody was told by now is on the disk by now.
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
async fn a_server_that_is_stopped_on_a_full_disk_says_what_it_did_not_store() {
    let site = Site::new("Networks 101");
    let test = "a stop on a full disk";
    let Some(mount) = Mount::tmpfs(&site.path("disk"), "16m", test) else {
        return;
    };
    let mut served = site.serve(&ON_DISK);
    let address = served.address;
    let mut crowd = Crowd::enter(&site, address, &Plan::default()).await;
    crowd.stored(200).await;
    let filler = mount.fill_up(&mut served).await;
    let began = Instant::now();
    served.program.signal("-TERM");
    let error = served.program.expect_err("server: error: ");
    assert_eq!(served.program.wait().code(), Some(75), "{error}");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
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
    let served = site.serve_again(address, &ON_DISK);
    crowd.stored(200).await;
    let history = crowd.drain_all().await;
    end(served);
    assert_clean(test, &history, &rows(&site.path("disk/chat.db")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_disk_that_is_nearly_full_a_line_is_refused_and_never_said_again() {
    let site = Site::new("Networks 101");
    let Some(mount) = Mount::tmpfs(&site.path("disk"), "64m", "a disk that is nearly full") else {
        return;
    };
    let mut served = site.serve(&ON_DISK);
    let mut watcher = enter(&site, &served, "watcher").await;
    let mut alice = site.enter(&served, "alice", &[]);
    watcher.expect("* alice@").await;
    // A fiftieth of it is 1342 KB; what is left is enough until the server looks at the disk.
    let filler = mount.fill_but(1200 * 1024);
    let mut n = 0;
    loop {
        n += 1;
        watcher
            .say(&format!("/say k3v9q2a7-{n} is there room?"))
            .await;
        let answer = watcher.expect(&format!("k3v9q2a7-{n} ")).await;
        if answer.starts_with("! disk-low") {
            break;
        }
        // The disk is looked at every second.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served.program.expect_err("the disk is nearly full");
    alice.send("while there is no room\n");
    alice.expect_err("nearly full");
    drop(filler);
    loop {
        n += 1;
        watcher
            .say(&format!("/say k3v9q2a7-{n} is there room again?"))
            .await;
        let answer = watcher.expect(&format!("k3v9q2a7-{n} ")).await;
        if answer.starts_with("= ok") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
async fn while_the_disk_fills_those_who_wrote_much_are_refused_before_others() {
    let site = Site::new("Networks 101");
    let Some(mount) = Mount::tmpfs(&site.path("disk"), "64m", "a disk that fills") else {
        return;
    };
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
    // A fiftieth of the disk is 1342 KB, and twice that is more than what is left.
    let filler = mount.fill_but(2000 * 1024);
    let mut n = 3;
    loop {
        n += 1;
        alice.say(&format!("/say k3v9q2a7-{n} and me?")).await;
        let answer = alice.expect(&format!(" k3v9q2a7-{n} ")).await;
        if answer.starts_with("! disk-low") {
            assert!(
                answer.contains("you wrote more than 10000 bytes today"),
                "{answer}"
            );
            break;
        }
        // The disk is looked at every second.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served
        .program
        .expect_err("the disk is filling up; lines of people");
    bob.say("/say bobsrun1-1 there is room for me").await;
    bob.expect("= ok bobsrun1-1 ").await;
    drop(filler);
    loop {
        n += 1;
        alice.say(&format!("/say k3v9q2a7-{n} and now?")).await;
        let answer = alice.expect(&format!(" k3v9q2a7-{n} ")).await;
        if answer.starts_with("= ok") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served.program.expect_err("there is room on the disk again");
    drop((alice, bob));
    end(served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_a_shell_locks_for_ten_seconds_loses_and_refuses_nothing() {
    if !tool_or_skip("sqlite3", "a locked database") {
        return;
    }
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
    while locked_at.elapsed() < Duration::from_secs(10) {
        watcher_is_served(&mut watcher).await;
        // This is how long the lock is held; nothing is waited for.
        tokio::time::sleep(Duration::from_millis(200)).await;
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
async fn a_reader_that_keeps_a_transaction_is_warned_of_and_the_log_shrinks_after() {
    const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
    if !tool_or_skip("sqlite3", "a reader that never ends") {
        return;
    }
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    // Few listeners and long lines: the log is what has to grow.
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
        assert!(began.elapsed() < Duration::from_secs(60), "{}", log_bytes());
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

/// A small disk of its own, which goes when this is dropped.
pub(crate) struct Mount {
    path: PathBuf,
}

/// What fills a disk, until it is dropped.
struct Filler {
    path: PathBuf,
}

impl Mount {
    /// Only root may mount. Where it cannot be done, says which test is skipped; never in CI.
    pub(crate) fn tmpfs(path: &Path, size: &str, test: &str) -> Option<Self> {
        fs::create_dir_all(path).expect("a folder");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = command.arg(path).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            let path = path.to_owned();
            return Some(Self { path });
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "{test}: a file system must be mountable in CI"
        );
        println!("skipped: {test}: only root may mount a file system");
        None
    }

    /// Mounts it again with another option.
    pub(crate) fn remount(&self, option: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{option}")]);
        let mounted = command.arg(&self.path).status();
        assert!(mounted.is_ok_and(|status| status.success()));
    }

    /// Fills it but for so many bytes.
    fn fill_but(&self, bytes: u64) -> Filler {
        let filler = Filler {
            path: self.path.join("filler"),
        };
        let mut file = File::create(&filler.path).expect("a file");
        let block = vec![0; 64 * 1024];
        // Until there is no room at all, and then a little is given back.
        while file.write_all(&block).is_ok() {}
        let length = file.metadata().expect("a file").len();
        file.set_len(length.saturating_sub(bytes)).expect("shorter");
        filler
    }

    /// Fills it up under a server in whose room many talk, until nothing can be written.
    async fn fill_up(&self, served: &mut Served) -> Filler {
        loop {
            // What the log has of the disk already would last for a while.
            let options = SqliteConnectOptions::new().filename(self.path.join("chat.db"));
            let mut other = options.connect().await.expect("the database opens");
            let emptied = other.execute("pragma wal_checkpoint(truncate)").await;
            emptied.expect("the log is emptied");
            let filler = self.fill_but(0);
            let told = served.program.expect_err("disk is ");
            if told.contains("the database cannot be written") {
                return filler;
            }
            // It was found to be nearly full before it was full, and lines are refused.
            drop(filler);
            served.program.expect_err("there is room on the disk again");
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a server that a failed test left behind may still have files on it.
        let _gone = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

/// While nothing can be written a session is served, shown nothing new, and told so only once.
async fn watcher_is_served(watcher: &mut Peer) {
    // What was stored before may still be on its way.
    answers(watcher).await;
    for _ in 0..5 {
        assert_eq!(answers(watcher).await, [""; 0]);
    }
}

/// What a session is served while nothing can be written; gives what came unasked.
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

/// Who comes while nothing can be written is told to try later.
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

/// A person in the room, below the client crate, who sees what is said from now on.
pub(crate) async fn enter(site: &Site, served: &Served, name: &str) -> Peer {
    let bundle = Bundle::read(&site.path(&site.bundle(name))).expect("a bundle");
    let connected = Peer::connect(served.address, &bundle, &[wire::ALPN]).await;
    let mut peer = connected.expect("a connection");
    peer.welcome().await;
    peer.say("/follow head").await;
    peer.expect("= at ").await;
    peer
}

/// Stops a server in good order.
pub(crate) fn end(served: Served) {
    served.program.signal("-TERM");
    let ended = served.program.finish();
    assert!(ended.status.success(), "{ended:?}");
}

/// The shell of SQLite on a room's database.
fn shell(site: &Site) -> Running {
    let mut command = Command::new("sqlite3");
    command.arg("chat.db").current_dir(site.folder());
    Running::spawn(command)
}

/// How many lines were acknowledged.
fn acknowledged(history: &[Logged]) -> u64 {
    let is = |logged: &&Logged| matches!(logged.event, Happened::Stored { .. });
    history.iter().filter(is).count() as u64
}

fn refusals(history: &[Logged], wanted: &str) -> usize {
    let is = |logged: &&Logged| matches!(&logged.event, Happened::Refused { code, .. } if code == wanted);
    history.iter().filter(is).count()
}
