//! A server that is told to stop ends within ten seconds, whatever its clients, its readers and its
//! disk do.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::crowd::{Crowd, Plan};
use tests::{Logging, Mount, Served, Site, UNLIMITED, end, look_until, program, run, sit_unread};

use crate::{alone, alone_blocking};

const AT_MOST: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_load_ends_within_ten_seconds() {
    let _alone = alone().await;
    let site = Site::new("Networks 101");
    let served = site.serve(&UNLIMITED);
    let plan = Plan {
        pace: Duration::ZERO,
        ..Plan::default()
    };
    let mut crowd = Crowd::enter(&site, served.address, &plan).await;
    crowd.stored(1000).await;
    assert_eq!(stop(served), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, to mount a disk: run with --include-ignored"]
async fn a_server_on_a_full_disk_ends_within_ten_seconds() {
    let _alone = alone().await;
    let site = Site::new("Networks 101");
    let mount = Mount::tmpfs(&site.path("disk"), "16m");
    let mut served = site.serve(&[&UNLIMITED[..], &["--db", "disk/chat.db"]].concat());
    let mut crowd = Crowd::enter(&site, served.address, &Plan::default()).await;
    crowd.stored(200).await;
    let _filler = mount.fill_up(&mut served).await;
    assert_eq!(stop(served), Some(75));
}

/// Tells it to stop, and checks how long that takes. Returns its exit code.
fn stop(mut served: Served) -> Option<i32> {
    let began = Instant::now();
    served.program.signal("-TERM");
    let code = served.program.wait().code();
    let took = began.elapsed();
    assert!(took < AT_MOST, "{took:?}");
    code
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_the_end_for_ten_seconds_at_most() {
    let _alone = alone().await;
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    let _bob = sit_unread(&site, &served).await;
    let since = Instant::now();
    served.program.signal("-TERM");
    served
        .program
        .expect_err("did not end in time and are abandoned");
    let server = end(served.program);
    assert_eq!(server.code, Some(0), "{}", server.err);
    assert!(since.elapsed() < AT_MOST, "{:?}", since.elapsed());
    assert_eq!(
        site.query("select reason from joins where id = 'bob'"),
        ["shutting-down"]
    );
}

#[test]
fn a_server_whose_output_nobody_reads_still_ends_when_it_is_told_to() {
    let _alone = alone_blocking();
    let site = Site::new("Networks 101");
    let mut command = Command::new(program("server"));
    command.args(["--listen", "127.0.0.1:0", "--show"]);
    command.args(UNLIMITED);
    command
        .current_dir(site.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let log = std::fs::File::create(site.path("log.txt")).expect("a log");
    let mut server = command.stderr(log).spawn().expect("the server starts");
    let log = || std::fs::read_to_string(site.path("log.txt")).expect("a log");
    let port = look_until("where the server listens", || {
        let log = log();
        let (_, rest) = log.split_once("listening on 127.0.0.1:")?;
        rest.split_once(' ').map(|(port, _)| port.to_owned())
    });
    let target = format!("127.0.0.1:{port}");
    // Far more than a pipe holds.
    let lines = format!("{}\n", "x".repeat(4000)).repeat(100);
    let bundle = site.bundle("alice");
    let said = run(
        site.folder(),
        "client",
        &["--cert", &bundle, "--server", &target],
        &lines,
    );
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let told = Command::new("sh")
        .args(["-c", &format!("kill {}", server.id())])
        .status();
    assert!(told.is_ok_and(|status| status.success()));
    let begun = Instant::now();
    let status = look_until("the server's end", || server.try_wait().expect("its end"));
    assert!(status.success(), "{status}");
    let took = begun.elapsed();
    assert!(took < AT_MOST, "{took:?}");
}

#[test]
fn a_server_whose_log_nobody_reads_ends_when_it_is_told_to() {
    let _alone = alone_blocking();
    let site = Site::new("Networks 101");
    let (server, unread) = Logging::start(&site, Some("trace"));
    // More than a pipe takes.
    for _ in 0..3000 {
        drop(TcpStream::connect(server.address).expect("a connection"));
    }
    let took = server.stop();
    assert!(took < AT_MOST, "{took:?}");
    drop(unread);
}
