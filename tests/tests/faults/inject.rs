//! One write or sync fails, whichever: the first, the second, and so on through a short run.
//!
//! Only of the database's files: SQLite does not look at whether its sync of the folder failed.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::power::{db, integrity, stored};
use crate::replay;
use tests::checker::{Happened, assert_clean, rows};
use tests::crowd::{Crowd, Plan};
use tests::{Running, Served, Site, UNLIMITED, program, require};

/// A call that fails, and how.
const FAULTS: [Fault; 4] = [
    Fault("fsync", "EIO"),
    Fault("fsync", "ENOSPC"),
    Fault("pwrite64", "EIO"),
    Fault("pwrite64", "ENOSPC"),
];

/// How many acknowledgements make a short run.
const LINES: u64 = 5;

/// More calls than any run here makes, so that a loop that would not end fails.
const CALLS_MAX: u64 = 400;

#[derive(Debug, Clone, Copy)]
struct Fault(&'static str, &'static str);

/// Whichever call it is while a database is made, the server says what is wrong, and the next
/// start finds nothing in its way.
#[tokio::test]
#[ignore = "needs strace: run with --include-ignored"]
async fn a_disk_that_fails_once_while_a_database_is_made_leaves_nothing_in_the_way() {
    require("strace");
    for fault in FAULTS {
        for n in 1..=CALLS_MAX {
            let site = Site::new("Networks 101");
            let (db, log) = (db(&site), site.path("injected"));
            let mut command = fault.at(n, &db, &log);
            command
                .args(["--listen", "127.0.0.1:0"])
                .current_dir(site.folder());
            let mut server = Running::spawn(command);
            let is_up = listens(&mut server);
            if is_up {
                server.signal("-TERM");
            }
            let output = server.finish();
            let is_injected = was_injected(&log);
            judge_end(fault, n, is_injected, is_up, &output);
            let served = site.serve(&[]);
            served.program.signal("-TERM");
            assert!(served.program.finish().status.success(), "{fault:?} {n}");
            assert_eq!(integrity(&db).await, "ok", "{fault:?} {n}");
            assert_eq!(rows(&db).await, [], "{fault:?} {n}");
            if !is_injected {
                assert!(n > 1, "{fault:?}: there is no such call");
                println!("{fault:?}: each of {} calls", n - 1);
                break;
            }
            assert!(n < CALLS_MAX, "{fault:?}: no end");
        }
    }
}

/// Whichever call it is under a crowd, from the start of the server to its end, nobody is told that
/// a line was refused, and nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: run with --include-ignored"]
async fn a_disk_that_fails_once_costs_no_line_and_refuses_none() {
    require("strace");
    for fault in FAULTS {
        let site = Site::new("Networks 101");
        let (db, log) = (db(&site), site.path("injected"));
        let Served {
            address, program, ..
        } = site.serve(&UNLIMITED);
        let plan = Plan {
            speakers: 2,
            listeners: 1,
            rude: 0,
            ..Plan::default()
        };
        let mut crowd = Crowd::enter(&site, address, &plan).await;
        end(program).await;
        let mut waited_out = 0;
        for n in 1..=CALLS_MAX {
            let mut command = fault.at(n, &db, &log);
            command
                .args(["--listen", &address.to_string()])
                .current_dir(site.folder());
            let mut server = Running::spawn(command);
            let is_up = listens(&mut server);
            let output = run(&mut crowd, server, is_up).await;
            let is_injected = was_injected(&log);
            judge_end(fault, n, is_injected, is_up, &output);
            let stored = stored(&db).await;
            assert_clean(&format!("{fault:?} {n}"), &crowd.history(), &stored);
            let said = String::from_utf8_lossy(&output.stderr);
            waited_out += u64::from(said.contains("the database can be written again"));
            if !is_injected {
                assert!(n > 1, "{fault:?}: there is no such call");
                println!("{fault:?}: each of {} calls", n - 1);
                break;
            }
            assert!(n < CALLS_MAX, "{fault:?}: no end");
        }
        let can_be_waited_out = matches!(fault, Fault("pwrite64", "ENOSPC"));
        assert_eq!(waited_out > 0, can_be_waited_out, "{fault:?}");
        let served = site.serve_again(address, &UNLIMITED);
        crowd.stored(LINES).await;
        let history = crowd.drain_all().await;
        end(served.program).await;
        assert_clean(&format!("{fault:?}"), &history, &rows(&db).await);
        let refused = |event: &Happened| matches!(event, Happened::Refused { .. });
        assert!(
            !history.iter().any(|logged| refused(&logged.event)),
            "{fault:?}"
        );
    }
}

impl Fault {
    /// Returns a command that starts a server whose `n`th call of the kind fails, once.
    fn at(self, n: u64, db: &Path, log: &Path) -> Command {
        let Fault(call, error) = self;
        let mut command = Command::new("strace");
        command
            .args(["-D", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none"])
            .args(["-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:error={error}:when={n}")])
            .arg("-o")
            .arg(log);
        replay::on_files(&mut command, db);
        command.arg(program("server")).args(UNLIMITED);
        command.arg("--db").arg(db);
        command
    }
}

/// Returns whether the server came as far as to listen; if not, it says why before it ends.
fn listens(server: &mut Running) -> bool {
    loop {
        let line = server.expect_err("");
        if line.contains("listening on ") {
            return true;
        }
        if line.starts_with("server: error: ") {
            return false;
        }
    }
}

/// A few lines are said, or as many as can be; then the server is told to stop, if it did not.
async fn run(crowd: &mut Crowd, server: Running, is_up: bool) -> Output {
    let id = server.id();
    let mut ended = tokio::task::spawn_blocking(move || server.finish());
    tokio::select! {
        output = &mut ended => return output.expect("nobody panics"),
        () = crowd.stored(LINES), if is_up => {}
    }
    // It may have ended by itself by now.
    let _gone = Command::new("sh")
        .args(["-c", &format!("kill -TERM {id}")])
        .stderr(Stdio::null())
        .status();
    ended.await.expect("nobody panics")
}

async fn end(server: Running) {
    server.signal("-TERM");
    let ended = tokio::task::spawn_blocking(move || server.finish());
    assert!(ended.await.expect("nobody panics").status.success());
}

fn was_injected(log: &Path) -> bool {
    let log = std::fs::read_to_string(log).expect("strace writes a log");
    log.contains("(INJECTED)")
}

/// A disk that fails stops the server. A full disk is waited out once the server listens, but not
/// when it is about to start or to end; either way it says so.
fn judge_end(fault: Fault, n: u64, is_injected: bool, is_up: bool, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let expected: &[i32] = match (is_injected, fault) {
        (false, _) => &[0],
        (true, Fault("pwrite64", "ENOSPC")) if is_up => &[0, 74],
        (true, Fault("pwrite64", "ENOSPC")) => &[1],
        (true, _) => &[74],
    };
    let code = output.status.code();
    assert!(
        code.is_some_and(|code| expected.contains(&code)),
        "{fault:?} {n}: {code:?}, not {expected:?}: {said}"
    );
    let sentence = |line: &str| line.starts_with("server: error: ") && line.contains("chat.db");
    let is_told = code == Some(0) || said.lines().any(sentence);
    assert!(is_told, "{fault:?} {n}: {said}");
}
