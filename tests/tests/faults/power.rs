//! The power goes. Every line that was acknowledged or shown before is on the disk.
//!
//! No power is cut: `strace` records what the server does to its files, and the disk is put
//! together as it would be had the power gone at some moment of that record.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::replay::{self, Files, Nanos, Record, Unsynced};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tests::checker::{Happened, Logged, Row, Violation, assert_clean, check, rows};
use tests::crowd::{Crowd, Plan};
use tests::{Site, UNLIMITED, chance, program, require, rounds};

/// Cuts the power at many moments of one run, and judges each disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: run with --include-ignored"]
async fn whatever_was_acknowledged_or_shown_is_on_the_disk_when_the_power_goes() {
    require("strace");
    let mut chance = chance("power");
    let run = Run::of(&program("server"), &mut chance).await;
    for round in 0..rounds(60) {
        let at = run.moment(round, &mut chance);
        let (unsynced, what) = match round % 2 {
            0 => (Unsynced::Gone, "with what was synced"),
            _ => (Unsynced::Any(&mut chance), "with some of the rest too"),
        };
        let violations = run.judge(at, unsynced).await;
        assert_eq!(violations, [], "round {round}, {what}, cut at {at}");
    }
}

/// Cuts the power under a crowd, again and again; the crowd comes back to what the disk holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: run with --include-ignored"]
async fn after_a_power_cut_the_room_goes_on_and_everybody_sees_each_line_once() {
    require("strace");
    let mut chance = chance("after the power went");
    let site = Site::new("Networks 101");
    let db = db(&site);
    let server = program("server");
    let recorded = site.path("recorded");
    let mut before = Files::new();
    let mut served = site.serve_by(recording(&server, &db, &recorded));
    let mut crowd = Crowd::enter(&site, served.address, &Plan::default()).await;
    for _ in 0..rounds(12) {
        crowd.stored(chance.u64(1..200)).await;
        tokio::time::sleep(Duration::from_micros(chance.u64(0..20_000))).await;
        let address = served.address;
        served.program.signal("-KILL");
        served.program.finish();
        let record = Record::read(&recorded, &db, before);
        let unsynced = match chance.bool() {
            true => Unsynced::Gone,
            false => Unsynced::Any(&mut chance),
        };
        before = record.cut(Nanos::MAX, unsynced);
        replay::restore(&db, &before);
        served = site.serve_again_by(address, recording(&server, &db, &recorded));
    }
    crowd.stored(200).await;
    let history = crowd.drain_all().await;
    served.program.signal("-TERM");
    assert!(served.program.finish().status.success());
    assert_clean("power cuts", &history, &rows(&db).await);
}

/// A server's run under a crowd, on record.
pub(crate) struct Run {
    record: Record,
    history: Vec<Logged>,
    /// Until when the server was starting.
    started: Nanos,
    /// Moments, and how much of the history had certainly happened by then.
    seen: Vec<(Nanos, usize)>,
}

impl Run {
    /// Runs a server under a crowd from an empty folder to its good end.
    pub(crate) async fn of(server: &Path, chance: &mut fastrand::Rng) -> Self {
        let site = Site::new("Networks 101");
        let (db, recorded) = (db(&site), site.path("recorded"));
        let served = site.serve_by(recording(server, &db, &recorded));
        let started = now();
        let plan = Plan {
            line_bytes: 500,
            ..Plan::default()
        };
        let mut crowd = Crowd::enter(&site, served.address, &plan).await;
        let mut seen = vec![(0, 0)];
        for _ in 0..150 {
            crowd.stored(chance.u64(1..10)).await;
            // In this order: all of it had happened before that moment.
            let happened = crowd.history().len();
            seen.push((now(), happened));
        }
        let history = crowd.drain_all().await;
        seen.push((now(), history.len()));
        served.program.signal("-TERM");
        assert!(served.program.finish().status.success());
        let record = Record::read(&recorded, &db, Files::new());
        println!(
            "{} calls on record, {} of them syncs",
            record.len(),
            record.syncs()
        );
        Self {
            record,
            history,
            started,
            seen,
        }
    }

    /// Just after an acknowledgement, or any other moment, the start not forgotten.
    fn moment(&self, round: u64, chance: &mut fastrand::Rng) -> Nanos {
        match round / 2 % 4 {
            0 | 1 => self.moment_of_an_acknowledgement(chance),
            2 => self.record.any_moment(Nanos::MAX, chance),
            _ => self.record.any_moment(self.started, chance),
        }
    }

    /// Just after an acknowledgement.
    pub(crate) fn moment_of_an_acknowledgement(&self, chance: &mut fastrand::Rng) -> Nanos {
        self.seen[chance.usize(1..self.seen.len())].0
    }

    /// Starts the server on the disk that a power cut at this moment would leave, and checks its record.
    pub(crate) async fn judge(&self, at: Nanos, unsynced: Unsynced<'_>) -> Vec<Violation> {
        let site = Site::new("Networks 101");
        let db = db(&site);
        replay::restore(&db, &self.record.cut(at, unsynced));
        let served = site.serve(&[]);
        served.program.signal("-TERM");
        assert!(served.program.finish().status.success());
        assert_eq!(integrity(&db).await, "ok");
        check(&self.until(at), &rows(&db).await)
    }

    /// Returns everything that had certainly happened, and the lines that were said later, which may be
    /// stored or not.
    fn until(&self, at: Nanos) -> Vec<Logged> {
        let sure = self.seen.iter().rev().find(|(by, _)| *by <= at);
        let (before, after) = self
            .history
            .split_at(sure.map_or(0, |(_, happened)| *happened));
        let said = after
            .iter()
            .filter(|logged| matches!(logged.event, Happened::Invoked { .. }));
        before.iter().chain(said).cloned().collect()
    }
}

fn recording(server: &Path, db: &Path, file: &Path) -> std::process::Command {
    let mut command = replay::recording(server, db, file);
    command.args(UNLIMITED);
    command
}

/// By the name that the server itself uses for it.
pub(crate) fn db(site: &Site) -> std::path::PathBuf {
    let folder = site.folder().canonicalize();
    folder.expect("the folder is there").join("chat.db")
}

/// By the same clock as the record's.
fn now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("it is after 1970").as_nanos()).expect("and before 2554")
}

/// Returns the stored rows while no server runs. They are read from a copy, because opening a database
/// repairs it.
pub(crate) async fn stored(db: &Path) -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("chat.db");
    replay::restore(&copy, &replay::read(db));
    assert_eq!(integrity(&copy).await, "ok");
    rows(&copy).await
}

pub(crate) async fn integrity(db: &Path) -> String {
    let options = SqliteConnectOptions::new().filename(db);
    let mut connection = options.connect().await.expect("the database opens");
    sqlx::query_scalar("pragma integrity_check")
        .fetch_one(&mut connection)
        .await
        .expect("the database can be read")
}
