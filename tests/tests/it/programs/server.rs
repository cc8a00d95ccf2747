//! The output and the log of the program `server` while it runs.

use std::fs;

use pki::Bundle;
use serde_json::Value;
use tests::Site;

use super::{Ended, end, run_at, run_client, site};

#[test]
fn a_server_says_where_it_listens_which_record_it_keeps_and_whom_it_trusts() {
    let site = site();
    let served = site.serve(&["--db", "lab.db"]);
    let says = &served.said;
    for part in [
        format!("listening on {} ", served.address),
        "room=\"Networks 101\"".to_owned(),
        format!("ca_fingerprint={}", site.ca().register().says().fingerprint),
        site.path("lab.db").display().to_string(),
        "revocation=\"on\"".to_owned(),
    ] {
        assert!(says.contains(&part), "{part}: {says}");
    }
}

#[test]
fn a_connection_is_logged_with_everything_that_its_row_in_joins_holds() {
    let site = site();
    let mut served = site.serve(&[]);
    let _alice = site.enter(&served, "alice", &[]);
    let line = served.program.expect_err(" entered ");
    let row = site.run("server", &["query", "--json", "select * from joins"]);
    let row: Value = serde_json::from_slice(&row.stdout).expect("JSON");
    let row = &row[0];
    let text = |key: &str| match &row[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{key}: {other}"),
    };
    let local = format!(
        "local={}/{} {}#{}",
        text("local_ip"),
        text("prefix"),
        text("interface"),
        text("interface_index")
    );
    assert!(line.contains(&local), "{local}: {line}");
    for (key, shown) in [
        ("id", format!("id={} ", text("id"))),
        ("ip", format!("ip={} ", text("ip"))),
        ("port", format!("port={} ", text("port"))),
        ("session", format!("session={} ", text("session"))),
        ("role", format!("role={} ", text("role"))),
        ("tls", format!("tls=\"{}\"", text("tls"))),
        ("cipher", format!("cipher={} ", text("cipher"))),
        (
            "key_exchange",
            format!("key_exchange=\"{}\"", text("key_exchange")),
        ),
        ("serial", format!("serial={} ", text("serial"))),
        (
            "fingerprint",
            format!("fingerprint={} ", text("fingerprint")),
        ),
        ("client", format!("dialect=\"{}\"", text("client"))),
    ] {
        assert!(line.contains(&shown), "{key}: no {shown} in {line}");
    }
    let certificate = Bundle::read(&site.path("ca/people/alice.pem"));
    let certificate = certificate.expect("a bundle").certificate();
    assert_eq!(text("serial"), certificate.serial.to_string());
    assert_eq!(text("fingerprint"), certificate.fingerprint.to_string());
    assert_eq!(
        (text("ip"), text("local_ip")),
        ("127.0.0.1".into(), "127.0.0.1".into())
    );
    assert_eq!(text("prefix"), "8");
    assert_eq!(text("tls"), "TLSv1.3");
    assert_eq!(text("key_exchange"), "X25519MLKEM768");
    assert!(row["left_at"].is_null() && row["reason"].is_null());
}

#[test]
fn show_prints_each_entry_and_the_log_file_tells_thread_and_line_but_never_what_was_said() {
    let site = site();
    let mut served = site.serve(&["--show", "--log-file", "room.log"]);
    run_client(&site, &served.address.to_string(), "alice", "a secret\n");
    let stamp = served.program.expect_out(" * alice@127.0.0.1 entered");
    assert!(stamp.starts_with("1 20"), "{stamp}");
    let line = served.program.expect_out("] a secret");
    assert!(line.ends_with("Z [alice@127.0.0.1] a secret"), "{line}");
    served
        .program
        .expect_out(" * alice@127.0.0.1 left (goodbye)");
    served.program.signal("-TERM");
    let ended = end(served.program);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let log = fs::read_to_string(site.path("room.log")).expect("a log");
    let entered = log.lines().find(|line| line.contains(" entered "));
    let entered = entered.expect("a connection in the log");
    assert!(entered.starts_with("20"), "a time: {entered}");
    // The program's own, where there are no more than two processors.
    let thread = entered.split_whitespace().nth(2);
    assert!(
        matches!(thread, Some("main" | "tokio-rt-worker")),
        "a thread: {entered}"
    );
    assert!(
        entered.contains("src/session/admitted.rs:"),
        "a place: {entered}"
    );
    assert!(!log.contains("a secret") && !ended.err.contains("a secret"));
}

#[test]
fn a_refusal_is_logged_with_its_cause_escaped_and_leaves_no_row() {
    let site = site();
    let mut served = site.serve(&[]);
    let evil = "ev\u{1b}[2Jil\n2026-11-21 INFO entered id=alice";
    fs::write(site.path("evil.pem"), mint(&site, evil)).expect("written");
    let refused = run_at(&site, &served.address.to_string(), "evil.pem", "hello\n");
    refused.failed(61, "does not admit", "the server's log says why");
    assert!(!refused.err.contains('\u{1b}'), "{:?}", refused.err);
    let line = served.program.expect_err("refused");
    assert!(line.contains("ip=127.0.0.1 port="), "{line}");
    assert!(line.contains("is not acceptable"), "{line}");
    assert!(line.contains("INFO entered id=alice"), "one line: {line}");
    assert!(!line.contains('\u{1b}'), "{line:?}");
    assert_eq!(site.query("select count(*) from joins"), ["0"]);

    // The same certificate with a name that is one is let in.
    fs::write(site.path("dora.pem"), mint(&site, "dora")).expect("written");
    let said = run_at(&site, &served.address.to_string(), "dora.pem", "hello\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(site.query("select id from joins"), ["dora"]);
}

/// Returns a bundle that this site's CA signed, with any text for a name.
fn mint(site: &Site, name: &'static str) -> String {
    let anchor = fs::read_to_string(site.ca().register().certificate()).expect("a certificate");
    let leaf = kit::mint::Leaf::person(name);
    kit::mint::bundle(
        &leaf,
        &kit::mint::issuer(site.ca().register().path()),
        &anchor,
        &[],
    )
}

#[test]
fn a_log_is_not_written_into_a_file_that_the_server_needs() {
    let site = site();
    for name in ["chat.db", "chat.db-wal", "chat.db.lock"] {
        fs::write(site.path(name), "").expect("a file");
    }
    for (log, subject) in [
        ("chat.db", "the database"),
        ("chat.db-wal", "a file of the database"),
        ("./chat.db.lock", "a file of the database"),
        ("./ca/server.pem", "the bundle"),
        ("ca/../ca/crl.pem", "the revocation list"),
    ] {
        let before = fs::read(site.path(log)).expect("it is there");
        let refused = Ended::from(site.run("server", &["--log-file", log]));
        let words = format!("server: error: the log {log} is {subject}\n");
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.starts_with(&words), "{}", refused.err);
        assert_eq!(fs::read(site.path(log)).expect("it is there"), before);
    }
    fs::write(site.path("other.db"), b"SQLite format 3\0").expect("a file");
    for (log, words) in [
        (
            "ca/ca.pem",
            "ca/ca.pem: it is a file of certificates or keys (PEM)",
        ),
        (
            "ca/private/ca.key",
            "ca.key: it is a file of certificates or keys (PEM)",
        ),
        ("other.db", "other.db: it is a database"),
        ("no/room.log", "no/room.log: its folder does not exist"),
    ] {
        let before = fs::read(site.path(log)).ok();
        let refused = Ended::from(site.run("server", &["--log-file", log]));
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
        assert!(!refused.err.contains("os error"), "{}", refused.err);
        assert_eq!(fs::read(site.path(log)).ok(), before);
    }
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_or_change_are_told_of_at_the_start_and_when_they_are_read_again() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::new("Networks 101");
    let set_mode = |name: &str, mode| {
        let path = site.path(name);
        let options = fs::OpenOptions::new().create(true).append(true).open(&path);
        options.expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    set_mode("ca/server.pem", 0o644);
    set_mode("chat.db", 0o666);
    set_mode("room.log", 0o662);
    let mut served = site.serve(&["--log-file", "room.log"]);
    served
        .program
        .expect_err("ca/server.pem (mode 0644) and pose as this server; run `chmod go= ");
    // Warnings from before the server listened are in the log.
    let log = fs::read_to_string(site.path("room.log")).expect("a log");
    for told in [
        "others can write to room.log (mode 0662) and change the log; run `chmod go-w room.log`",
        "chat.db (mode 0666) and change the record; run `chmod go-w ",
    ] {
        assert!(log.contains(told), "{log}");
    }
    served.program.signal("-HUP");
    served.program.expect_err("ca/server.pem (mode 0644)");
    set_mode("ca/server.pem", 0o600);
    set_mode("chat.db", 0o640);
    set_mode("room.log", 0o640);
    served.program.signal("-HUP");
    served.program.expect_err("certificate read");
    served.program.signal("-TERM");
    let ended = served.program.finish();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    // Of three readings, those while others could read it.
    assert_eq!(told.matches("others can read").count(), 2, "{told}");

    let mut served = site.serve(&["--log-file", "quiet.log"]);
    served.program.expect_err("certificate read");
    served.program.signal("-TERM");
    served.program.finish();
    let log = fs::read_to_string(site.path("quiet.log")).expect("a log");
    assert!(log.contains("certificate read"), "{log}");
    assert!(!log.contains("others can"), "{log}");
}
