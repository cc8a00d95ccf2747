//! The program `client` as people run it: how it shows what is said, and how it fails.

use std::fs;
use std::process::Command;
use std::time::Duration;

use ca_tool::{Candidate, Host};
use serde_json::Value;
use tests::{Running, Site, UNLIMITED, lasting, program};

use super::{end, finish, run_at, run_client, site};

#[cfg(unix)]
#[test]
fn a_person_whose_certificate_ends_soon_is_told_so_once_and_what_to_do() {
    const TOLD: &str = "client: your certificate expires in 9 days (";
    let site = site();
    let nine_days = lasting(Duration::from_secs(9 * 24 * 60 * 60 + 3600));
    let issued = site.ca().issue(&Candidate::named(["alice"]), &nine_days);
    issued.expect("a certificate");
    let served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--json"]);
    let told = alice.expect_err("expires");
    assert!(
        told.starts_with(TOLD) && told.ends_with("): ask for another"),
        "{told}"
    );
    // It is not said again after each reconnection.
    served.program.signal("-TERM");
    assert_eq!(end(served.program).code, Some(0));
    let served = site.serve_again(served.address, &[]);
    alice.expect_err("connected again");
    let alice = finish(alice);
    assert_eq!(alice.err.matches(TOLD).count(), 1, "{}", alice.err);
    let welcome = |line: &&str| line.contains(r#""kind":"welcome""#);
    let welcomes: Vec<&str> = alice.out.lines().filter(welcome).collect();
    assert_eq!(welcomes.len(), 2, "{}", alice.out);
    for welcome in welcomes {
        assert!(welcome.contains(r#""expires":"20"#), "{welcome}");
    }
    let bob = finish(site.enter(&served, "bob", &["--json"]));
    assert!(!bob.err.contains("expires"), "{}", bob.err);
    assert!(!bob.out.contains("expires"), "{}", bob.out);
}

#[test]
fn a_client_shows_what_programs_want_to_read() {
    let site = site();
    let served = site.serve(&[]);
    let mut json = site.enter(&served, "alice", &["--json"]);
    json.send("hello\n");
    let shown = json.expect_out(r#""kind":"message""#);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["text"], "hello");
    assert_eq!(
        (&shown["id"], &shown["ip"]),
        (&"alice".into(), &"127.0.0.1".into())
    );
    let every_line = finish(json).out;
    assert!(every_line.lines().count() > 3, "{every_line}");
    for line in every_line.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }

    let mut raw = site.enter(&served, "bob", &["--raw"]);
    raw.send("hello\n");
    raw.expect_out("Z [bob@127.0.0.1] hello");
    let raw = finish(raw).out;
    let first = raw.lines().next().unwrap_or_default();
    assert!(first.starts_with("= welcome id=bob "), "{raw}");
    assert!(
        raw.contains("= ok ") && raw.contains("\n= bye goodbye"),
        "{raw}"
    );
}

#[cfg(unix)]
#[test]
fn a_client_shows_times_in_the_readers_zone_or_in_utc() {
    let site = site();
    let served = site.serve(&[]);
    let (cert, server) = (site.bundle("alice"), served.address.to_string());
    for (more, shift) in [(&["--utc"][..], "+0 hours"), (&[], "+9 hours")] {
        let mut command = Command::new(program("client"));
        command
            .args(["--cert", &cert, "--server", &server])
            .args(more)
            .env("TZ", "JST-9")
            .current_dir(site.folder());
        let mut client = Running::spawn(command);
        client.send("hello\n");
        let shown = client.expect_out("] hello");
        assert_eq!(finish(client).code, Some(0));
        let sql = format!(
            "select strftime('%Y-%m-%d %H:%M:%S', at, '{shift}') || ' [alice@127.0.0.1] hello' \
             from history where kind = 'message' order by seq desc limit 1"
        );
        assert_eq!(site.query(&sql), [shown]);
    }
}

#[test]
fn a_client_tells_which_server_it_did_not_find() {
    let (site, others) = (site(), Site::new("Compilers 202"));
    let hosts = ["chat.example", "192.0.2.7"].map(|host| Host::parse(host).expect("a host"));
    let bundle = site
        .ca()
        .issue_server(&hosts, None)
        .expect("a bundle")
        .bundle;
    let elsewhere = site.serve(&["--cert", &bundle.to_string_lossy()]);
    let server = elsewhere.address.to_string();
    run_client(&site, &server, "alice", "hello\n").failed(
        5,
        "is for chat.example and 192.0.2.7, not for 127.0.0.1",
        "use --server chat.example",
    );
    // Nothing was said to a server that is not the one that was meant.
    assert_eq!(site.query("select count(*) from joins"), ["0"]);

    let served = others.serve(&[]);
    let server = served.address.to_string();
    run_client(&site, &server, "alice", "hello\n").failed(
        5,
        "a certificate of another CA, not of \"Networks 101\"",
        "is this the right server?",
    );
    // A certificate beside the CA of another room is no file that `ca-tool` made: nobody connects with it.
    let read = |path| fs::read_to_string(path).expect("PEM");
    let stranger = read(site.path(&site.bundle("alice"))).replace(
        read(site.ca().register().certificate()).trim(),
        read(others.ca().register().certificate()).trim(),
    );
    fs::write(others.path("stranger.pem"), stranger).expect("written");
    run_at(&others, &server, "stranger.pem", "hello\n").failed(
        1,
        "the certificate of \"alice\" in it was issued by \"Networks 101\", and not by the CA",
        "use the whole file that `ca-tool issue` made",
    );
    assert_eq!(others.query("select count(*) from joins"), ["0"]);

    drop(served);
    let nobody = run_client(&site, &server, "alice", "hello\n");
    nobody.failed(
        4,
        &format!("cannot reach {server}"),
        "is the server running",
    );
}

#[test]
fn a_second_session_replaces_the_first_is_refused_or_both_stay() {
    let site = site();
    let served = site.serve(&[]);
    let first = site.enter(&served, "alice", &[]);
    let second = site.enter(&served, "alice", &[]);
    end(first).failed(6, "replaced", "--same-id allow");
    assert_eq!(finish(second).code, Some(0));
    drop(served);

    let served = site.serve(&["--same-id", "refuse"]);
    let mut first = site.enter(&served, "alice", &["--bare"]);
    let since = site.query("select joined_at from joins order by session desc limit 1");
    run_client(&site, &served.address.to_string(), "alice", "hello\n").failed(
        61,
        &format!("already here, since {} from 127.0.0.1", since[0]),
        "leave there first",
    );
    first.send("it is still me\n");
    first.expect_out("it is still me");
    assert_eq!(finish(first).code, Some(0));
    drop(served);

    let served = site.serve(&["--same-id", "allow"]);
    let mut first = site.enter(&served, "alice", &["--bare"]);
    let mut second = site.enter(&served, "alice", &["--bare"]);
    second.send("from the second\n");
    first.expect_out("[alice@127.0.0.1] from the second");
    first.send("from the first\n");
    second.expect_out("[alice@127.0.0.1] from the first");
    assert_eq!(
        (finish(first).code, finish(second).code),
        (Some(0), Some(0))
    );
}

#[cfg(unix)]
#[test]
fn what_is_piped_while_the_server_is_killed_and_started_again_is_stored_once_and_in_order() {
    let site = site();
    let served = site.serve(&UNLIMITED);
    let address = served.address;
    let mut bob = site.enter(&served, "bob", &["--bare"]);
    let mut alice = site.enter(&served, "alice", &["--bare"]);
    // Far more than the window, and less than a pipe holds.
    let lines: Vec<String> = (0..5000).map(|number| format!("line {number}")).collect();
    let (before, after) = lines.split_at(4000);
    alice.send(&(before.join("\n") + "\n"));
    alice.expect_out("line 100");
    served.program.signal("-KILL");
    assert_eq!(end(served.program).code, None);
    alice.expect_err("connection lost");
    bob.expect_err("connection lost");
    alice.send(&(after.join("\n") + "\n"));
    alice.close_input();
    let served = site.serve_again(address, &UNLIMITED);
    bob.expect_err("connected again as bob");
    let alice = finish(alice);
    assert_eq!(alice.code, Some(0), "{}", alice.err);
    assert!(
        alice.err.contains("connected again as alice"),
        "{}",
        alice.err
    );
    let stored = site.query("select text from history where kind = 'message' order by seq");
    assert_eq!(stored, lines);
    // The person who said them and the person who only listened saw each of them once.
    bob.expect_out("line 4999");
    let bob = finish(bob);
    assert_eq!(bob.code, Some(0), "{}", bob.err);
    let shown = |out: &str| -> Vec<String> {
        let texts = out
            .lines()
            .map(|line| line.replace("[alice@127.0.0.1] ", ""));
        texts.collect()
    };
    assert_eq!(shown(&alice.out), lines);
    assert_eq!(shown(&bob.out), lines);
    drop(served);
}
