//! A server that may open no more files.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tests::{processor_time, require};

use super::{Ended, end, finish, site};

#[test]
#[ignore = "needs prlimit: run with --include-ignored"]
fn a_server_that_has_no_more_files_tells_so_waits_quietly_and_recovers() {
    require("prlimit");
    let site = site();
    let mut served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--bare"]);
    let bob = site.enter(&served, "bob", &["--bare"]);
    let id = served.program.id();
    let limit_files = |files: usize| {
        let (pid, files) = (format!("--pid={id}"), format!("--nofile={files}:20000"));
        let limited = Command::new("prlimit").args([pid, files]).status();
        assert!(limited.expect("prlimit").success());
    };
    let before = processor_time(id);

    // The server keeps files for itself, so that only others can take its last one: here it may have no more
    // than it has, and silent connections take the numbers between.
    let open = fs::read_dir(format!("/proc/{id}/fd")).expect("the server runs");
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.collect();
    let most = numbers.iter().max().expect("some files") + 1;
    limit_files(most);
    let connect = |_| TcpStream::connect(served.address).expect("a connection");
    let silent: Vec<TcpStream> = (numbers.len()..most).map(connect).collect();
    let mut told = String::new();
    let mut late = TcpStream::connect(served.address).expect("a connection");
    let _reset = late.read_to_string(&mut told);
    assert_eq!(
        told,
        "! try-later - there is no room for more connections; try again later\n"
    );
    served.program.expect_err("Too many open files");
    alice.send("is it only me?\n");
    alice.expect_out("[alice@127.0.0.1] is it only me?");
    let revoked = Ended::from(site.run("ca-tool", &["revoke", "bob"]));
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    end(bob).failed(6, "revoked", "");
    let used = processor_time(id) - before;
    assert!(
        used < Duration::from_millis(500),
        "{used:?} of processor time"
    );

    limit_files(1024);
    drop(silent);
    let late = site.client(&served, "dora", &["--bare"]);
    let late = finish(late);
    assert_eq!(late.code, Some(0), "{}", late.err);
    alice.send("welcome\n");
    alice.expect_out("[alice@127.0.0.1] welcome");
    served.program.signal("-TERM");
    let server = end(served.program);
    assert_eq!(server.code, Some(0), "{}", server.err);
    let errors = server.err.lines().filter(|line| line.contains(" ERROR "));
    let errors: Vec<_> = errors.collect();
    assert!(errors.len() < 30, "{errors:#?}");
}
