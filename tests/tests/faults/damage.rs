//! The database is damaged, cannot be written, or is taken away: the server says so and ends, and
//! repairs nothing.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tests::checker::{assert_clean, rows};
use tests::crowd::{Crowd, Plan};
use tests::{Mount, Running, Served, Site, UNLIMITED, program, require};

use crate::disk::{end, enter};

/// SQLite's pages.
const PAGE_BYTES: u64 = 4096;

#[tokio::test]
async fn a_damaged_record_is_refused_at_the_start_and_left_as_it_is() {
    let site = Site::new("Networks 101");
    let db = fill(&site, 20_000).await;
    let pages = fs::metadata(&db).expect("a database").len() / PAGE_BYTES;
    assert!(pages > 300, "{pages}");
    let whole = fs::read(&db).expect("a database");
    let damages: [(&str, u64, &[u8]); 4] = [
        ("the first bytes of the header", 0, b"not a database"),
        ("the size of a page in the header", 16, &[0x13, 0x37]),
        (
            // Nothing else that a start reads is as old as that.
            "a page of long ago",
            pages / 5 * PAGE_BYTES,
            &[0xa5; 4096],
        ),
        ("the last page", (pages - 1) * PAGE_BYTES, &[0xff; 4096]),
    ];
    for (what, at, bytes) in damages {
        fs::write(&db, &whole).expect("the record is written");
        overwrite(&db, at, bytes);
        let damaged = fs::read(&db).expect("a database");
        refused(&site, &[], 74, "chat.db", "restore the last backup");
        let same = fs::read(&db).expect("a database") == damaged;
        assert!(same, "{what}: the file was changed");
    }
    fs::write(&db, &whole).expect("the record is written");
    let served = site.serve(&[]);
    served.program.signal("-TERM");
    assert!(served.program.finish().status.success());
}

/// A reader gets the truth, or nothing.
#[tokio::test]
async fn damage_that_a_reader_meets_ends_the_server_and_is_never_an_answer() {
    let site = Site::new("Networks 101");
    let db = fill(&site, 20_000).await;
    let mut served = site.serve(&UNLIMITED);
    let mut alice = enter(&site, &served, "alice").await;
    let pages = fs::metadata(&db).expect("a database").len() / PAGE_BYTES;
    for page in pages / 4..pages / 2 {
        overwrite(&db, page * PAGE_BYTES, &[0xa5; 4096]);
    }
    alice.say("/history").await;
    let heard = alice.rest().await;
    let entries: Vec<_> = heard
        .iter()
        .filter(|line| line.contains("[alice@192.0.2.7] "))
        .collect();
    assert!(!entries.is_empty(), "what is whole is shown");
    for (line, n) in entries.iter().zip(1..) {
        let at = "2026-11-21T10:00:00.123Z";
        assert_eq!(**line, format!("= {n} {at} [alice@192.0.2.7] line {n}"));
    }
    assert!(!heard.iter().any(|line| line == "= end history"));
    ended(&mut served, 74, "chat.db can no longer be read");
}

#[tokio::test]
async fn damage_that_the_recorder_meets_ends_the_server_and_nothing_is_acknowledged() {
    let site = Site::new("Networks 101");
    let db = fill(&site, 20_000).await;
    let mut served = site.serve(&UNLIMITED);
    let mut alice = enter(&site, &served, "alice").await;
    let root = "select rootpage from sqlite_schema where name = 'history'";
    let mut other = open(&db).await;
    let root: i64 = sqlx::query_scalar(root)
        .fetch_one(&mut other)
        .await
        .expect("a page");
    // With the log emptied the page is read from the file, and somebody else's write makes the
    // server read it anew.
    let touch = "
        pragma wal_checkpoint(truncate);
        update meta set value = value where key = 'epoch'";
    other.execute(touch).await.expect("written");
    overwrite(&db, (root.unsigned_abs() - 1) * PAGE_BYTES, &[0xa5; 4096]);
    alice.say("/say k3v9q2a7-1 hello").await;
    let heard = alice.rest().await;
    assert!(
        !heard.iter().any(|line| line.starts_with("= ok")),
        "{heard:?}"
    );
    assert!(
        !heard.iter().any(|line| line.contains("hello")),
        "{heard:?}"
    );
    ended(&mut served, 74, "malformed");
}

#[test]
#[ignore = "needs setpriv: run with --include-ignored"]
fn a_file_or_folder_that_cannot_be_written_is_named_at_the_start() {
    require("setpriv");
    let site = Site::new("Networks 101");
    let folder = site.path("room");
    fs::create_dir(&folder).expect("a folder");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let hint = "must be allowed to write to the database and to create files beside it";
    let db = folder.join("chat.db");
    mode(&folder, 0o555);
    refused_by(
        as_anybody(),
        &site,
        1,
        "room/chat.db: Permission denied",
        hint,
    );
    assert!(!db.exists());

    mode(&folder, 0o755);
    let mut served = site.serve(&["--db", "room/chat.db"]);
    served.program.signal("-TERM");
    served.program.wait();
    mode(&db, 0o440);
    refused_by(
        as_anybody(),
        &site,
        1,
        "room/chat.db: Permission denied",
        hint,
    );
    mode(&db, 0o000);
    refused_by(
        as_anybody(),
        &site,
        1,
        "room/chat.db: Permission denied",
        hint,
    );
    mode(&db, 0o640);
    mode(&folder, 0o555);
    refused_by(as_anybody(), &site, 1, "room/chat.db: ", hint);
    fs::remove_file(folder.join("chat.db.lock")).unwrap_or_else(|_| {
        mode(&folder, 0o755);
        fs::remove_file(folder.join("chat.db.lock")).expect("removed");
        mode(&folder, 0o555);
    });
    refused_by(
        as_anybody(),
        &site,
        1,
        "room/chat.db.lock: Permission denied",
        hint,
    );
    mode(&folder, 0o755);
}

#[test]
#[ignore = "needs root, to mount a disk: run with --include-ignored"]
fn a_disk_that_cannot_be_written_is_named_at_the_start() {
    let site = Site::new("Networks 101");
    let folder = site.path("room");
    let mount = Mount::tmpfs(&folder, "4m");
    let mut served = site.serve(&["--db", "room/chat.db"]);
    served.program.signal("-TERM");
    served.program.wait();
    mount.remount("ro");
    let arguments = ["--db", "room/chat.db"];
    refused(
        &site,
        &arguments,
        1,
        "chat.db.lock: Read-only file system",
        "must be allowed",
    );
    let arguments = ["--db", "room/new.db"];
    refused(
        &site,
        &arguments,
        1,
        "new.db: Read-only file system",
        "must be allowed",
    );
}

/// A file system that became read-only is a disk that failed: systems do that to such disks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: run with --include-ignored"]
async fn a_disk_that_becomes_read_only_ends_the_server_and_loses_nothing() {
    require("strace");
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    let address = served.address;
    let mut crowd = Crowd::enter(&site, address, &Plan::default()).await;
    crowd.stored(100).await;
    let mut strace = Command::new("strace");
    let inject = "inject=pwrite64:error=EROFS";
    strace.args([
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=pwrite64",
        "-e",
        inject,
    ]);
    strace.args(["-p", &served.program.id().to_string()]);
    let strace = Running::spawn(strace);
    ended(&mut served, 74, "disk I/O error");
    drop(strace);
    let served = site.serve_again(address, &UNLIMITED);
    crowd.stored(100).await;
    let history = crowd.drain_all().await;
    end(served);
    assert_clean(
        "a read-only disk",
        &history,
        &rows(&site.path("chat.db")).await,
    );
}

/// The promise: an acknowledged line was in the file of that name at that moment.
#[tokio::test]
async fn nothing_is_acknowledged_once_the_database_or_its_log_is_gone() {
    for name in ["chat.db", "chat.db-wal"] {
        for replace in [false, true] {
            let site = Site::new("Networks 101");
            let mut served = site.serve(&UNLIMITED);
            let mut alice = enter(&site, &served, "alice").await;
            alice.say("/say k3v9q2a7-1 here").await;
            alice.expect("= ok k3v9q2a7-1 ").await;
            let copy = site.path("copy");
            fs::copy(site.path(name), &copy).expect("copied");
            match replace {
                true => fs::rename(&copy, site.path(name)).expect("replaced"),
                false => fs::remove_file(site.path(name)).expect("deleted"),
            }
            alice.say("/say k3v9q2a7-2 gone").await;
            let heard = alice.rest().await;
            assert!(
                !heard.iter().any(|line| line.contains("k3v9q2a7-2")),
                "{heard:?}"
            );
            assert!(!heard.iter().any(|line| line.contains("gone")), "{heard:?}");
            let cause = format!("{name} was deleted, moved or replaced");
            ended(&mut served, 74, &cause);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_moved_away_under_load_and_back_has_everything_acknowledged() {
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    let address = served.address;
    let mut crowd = Crowd::enter(&site, address, &Plan::default()).await;
    for _ in 0..3 {
        crowd.stored(200).await;
        let files = ["chat.db", "chat.db-wal", "chat.db-shm"];
        let aside = site.path("aside");
        fs::create_dir_all(&aside).expect("a folder");
        for name in files {
            fs::rename(site.path(name), aside.join(name)).expect("moved");
        }
        ended(&mut served, 74, "was deleted, moved or replaced");
        for name in files {
            fs::rename(aside.join(name), site.path(name)).expect("moved back");
        }
        served = site.serve_again(address, &UNLIMITED);
    }
    crowd.stored(200).await;
    let history = crowd.drain_all().await;
    end(served);
    assert_clean(
        "a record moved away",
        &history,
        &rows(&site.path("chat.db")).await,
    );
}

/// Starts a server, and checks that it refuses and says what to do.
fn refused(site: &Site, arguments: &[&str], code: i32, error: &str, hint: &str) {
    let mut command = Command::new(program("server"));
    command.args(arguments);
    refused_by(command, site, code, error, hint);
}

fn refused_by(mut command: Command, site: &Site, code: i32, error: &str, hint: &str) {
    command
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(site.folder());
    let mut running = Running::spawn(command);
    running.wait();
    let Output { status, stderr, .. } = running.finish();
    let told = String::from_utf8_lossy(&stderr);
    let says = |kind: &str, part: &str| {
        told.lines()
            .any(|line| line.starts_with(kind) && line.contains(part))
    };
    assert_eq!(status.code(), Some(code), "{error}: {told}");
    assert!(!told.contains("listening on"), "{error}: {told}");
    assert!(says("server: error: ", error), "{error}: {told}");
    assert!(says("server: hint: ", hint), "{error}: {told}");
}

/// Returns a command that starts a server whose rights end where file modes say, also when the tests
/// run as root.
fn as_anybody() -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg("--bounding-set=-dac_override,-dac_read_search")
        .arg(program("server"))
        .args(["--db", "room/chat.db"]);
    command
}

/// Writes a record of this many lines that alice said long ago, and returns its path.
async fn fill(site: &Site, lines: u64) -> PathBuf {
    let db = site.path("chat.db");
    end(site.serve(&[]));
    let sql = format!(
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < {lines})
        insert into history (seq, at, kind, id, ip, text, session)
        select n, '2026-11-21T10:00:00.123Z', 'message', 'alice', '192.0.2.7', 'line ' || n, 1 from n;
        update meta set value = '{lines}' where key = 'head';
        pragma wal_checkpoint(truncate);"
    );
    let mut connection = open(&db).await;
    let filled = connection.execute(AssertSqlSafe(sql)).await;
    filled.expect("the record is written");
    connection.close().await.expect("closed");
    db
}

async fn open(db: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(db);
    options.connect().await.expect("the database opens")
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path);
    let written = file.and_then(|file| file.write_all_at(bytes, at));
    written.expect("the file is written");
}

/// Waits for a server to end by itself, as it must within this bound.
fn ended(served: &mut Served, code: i32, cause: &str) {
    let error = served.program.expect_err("server: error: ");
    assert!(error.contains(cause), "{error}");
    served.program.expect_err("server: hint: ");
    assert_eq!(served.program.wait().code(), Some(code));
}
