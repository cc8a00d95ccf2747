//! A slow reader costs the others nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use pki::Bundle;
use tests::{Peer, Running, UNLIMITED, World, program};
use wire::{Entry, Kind};

use crate::alone;

/// How fast lines are said while somebody may be stalled.
const LINES_PER_SECOND: u64 = 5000;

/// How often the comparison may be made. A slow reader that costs the others anything does so each
/// time; other programs on this machine do not.
const ATTEMPTS_MAX: usize = 3;

/// A client that stops reading for 20 seconds, while 100,000 lines are said, costs the others nothing and
/// loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_costs_the_others_nothing_and_loses_nothing() {
    let _alone = alone().await;
    let w = World::start().await;
    // The programs use this world's CA; its own server has another database.
    let folder = w.folder().join("apart");
    std::fs::create_dir(&folder).expect("a folder");
    std::os::unix::fs::symlink(w.folder().join("ca"), folder.join("ca")).expect("a link");
    let room = Room::start(&folder);
    let mut speaker = room.enter(&w.bundle("speaker")).await;
    let mut listener = room.enter(&w.bundle("listener")).await;
    let mut slow = room.enter(&w.bundle("slow")).await;
    measure(&mut speaker, &mut listener, 5_000).await;
    slow.expect(" line 4999 ").await;
    let baseline = room.resident_kib();

    for _ in 0..ATTEMPTS_MAX {
        let (without, with) = compare(&mut speaker, &mut listener, &mut slow).await;
        let grown = room.resident_kib().saturating_sub(baseline);
        println!("p99 without {without:?}, with {with:?}, grown {grown} KiB");
        assert!(grown <= 32 * 1024, "resident memory grew by {grown} KiB");
        if with <= without * 2 {
            return;
        }
    }
    panic!(
        "a slow reader more than doubles the others' p99, {ATTEMPTS_MAX} times out of {ATTEMPTS_MAX}"
    );
}

/// Returns the others' p99 while everybody reads, and while one client does not. That client then gets
/// everything.
async fn compare(speaker: &mut Peer, listener: &mut Peer, slow: &mut Peer) -> (Duration, Duration) {
    const QUIET: u64 = 25_000;
    const STALLED: u64 = 100_000;
    // Half of the quiet before, half after, so that a machine that drifts drifts for both.
    let mut without = measure(speaker, listener, QUIET).await;
    slow.expect(&format!(" line {} ", QUIET - 1)).await;
    let begun = Instant::now();
    let with = measure(speaker, listener, STALLED).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(19), "{took:?}");

    let mut expected = None;
    let mut count = 0;
    while count < STALLED {
        let entry = slow.next_entry().await.expect("the session goes on");
        let seq = expected.unwrap_or(entry.seq);
        assert_eq!(entry.seq, seq, "no gap, no duplicate");
        expected = Some(entry.seq + 1);
        if matches!(entry.kind, Kind::Message(_)) {
            let begins = format!("line {count} ");
            assert!(text(&entry).starts_with(&begins), "{entry}");
            count += 1;
        }
    }
    without.extend(measure(speaker, listener, QUIET).await);
    slow.expect(&format!(" line {} ", QUIET - 1)).await;
    (p99(without), p99(with))
}

/// A room as a process of its own, whose memory can be looked at.
struct Room {
    server: Running,
    address: std::net::SocketAddr,
}

impl Room {
    fn start(folder: &Path) -> Self {
        let arguments = [&["--listen", "127.0.0.1:0"], &UNLIMITED[..]].concat();
        let mut server = Running::start(folder, &program("server"), &arguments);
        let line = server.expect_err("listening on ");
        let address = line
            .split("listening on ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let address = address
            .and_then(|address| address.parse().ok())
            .expect("an address");
        Self { server, address }
    }

    /// Returns the resident memory, in KiB.
    fn resident_kib(&self) -> u64 {
        tests::resident_kib(self.server.id())
    }

    async fn enter(&self, bundle: &Bundle) -> Peer {
        let mut peer = Peer::connect(self.address, bundle, &[wire::ALPN])
            .await
            .expect("a connection");
        peer.welcome().await;
        peer.say("/follow head").await;
        peer.expect("= at ").await;
        peer
    }
}

/// Says this many lines at an even pace. Returns, for each second, how long each of its lines took until
/// the listener saw it.
async fn measure(speaker: &mut Peer, listener: &mut Peer, lines: u64) -> Vec<Vec<Duration>> {
    let begun = Instant::now();
    let due = |n: u64| Duration::from_micros(n * 1_000_000 / LINES_PER_SECOND);
    let speaking = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        let mut next = 0;
        while next < lines {
            tick.tick().await;
            let mut text = String::new();
            while next < lines && due(next) <= begun.elapsed() {
                text.push_str(&format!("line {next} at {}\n", begun.elapsed().as_micros()));
                next += 1;
            }
            speaker.send(text).await;
        }
        speaker.expect(&format!(" line {} ", lines - 1)).await;
    };
    let listening = async {
        let mut seconds: Vec<Vec<Duration>> = Vec::new();
        for n in 0..lines {
            let said = listener.next_said().await.text;
            let said_at = said.rsplit(' ').next().and_then(|at| at.parse().ok());
            let said_at = Duration::from_micros(said_at.expect("each line says when"));
            let second = usize::try_from(n / LINES_PER_SECOND).expect("a few seconds");
            seconds.resize(seconds.len().max(second + 1), Vec::new());
            seconds[second].push(begun.elapsed().saturating_sub(said_at));
        }
        seconds
    };
    tokio::join!(speaking, listening).1
}

/// Returns the p99 of the quieter seconds: the first quartile of each second's p99. Other programs on this
/// machine disturb some seconds; a slow reader that cost anything would disturb all twenty.
fn p99(seconds: Vec<Vec<Duration>>) -> Duration {
    let mut each: Vec<Duration> = seconds
        .into_iter()
        .map(|mut took| {
            took.sort_unstable();
            took[took.len() * 99 / 100]
        })
        .collect();
    each.sort_unstable();
    each[each.len() / 4]
}

fn text(entry: &Entry) -> &str {
    match &entry.kind {
        Kind::Message(line) => line.as_str(),
        _ => "",
    }
}
