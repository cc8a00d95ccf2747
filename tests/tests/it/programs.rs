//! The three programs as people run them: what they say, what they leave behind, how they end.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ca_tool::{Candidate, Host};
use pki::Bundle;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose,
};
use serde_json::Value;
use tests::{PATIENCE, Peer, Running, Site, WITHOUT_PACE, lasting, program, run, tool_or_skip};

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Ended {
    /// The error and the hint that a program ended with.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, error: &str, hint: &str) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        let line = |kind: &str, part: &str| {
            let mut lines = self.err.lines();
            lines.any(|line| line.contains(&format!("{kind}: ")) && line.contains(part))
        };
        assert!(line("error", error), "{}", self.err);
        assert!(line("hint", hint), "{}", self.err);
    }
}

/// Closes a program's input, as the end of a pipe does, and waits for its end.
pub(crate) fn finish(running: Running) -> Ended {
    running.finish().into()
}

/// Waits until a program ends by itself; its input stays open.
pub(crate) fn end(mut running: Running) -> Ended {
    running.wait();
    running.finish().into()
}

pub(crate) fn site() -> Site {
    Site::new("Networks 101")
}

// --- by hand --------------------------------------------------------------------------------

#[test]
fn the_way_by_hand_works_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let init: Vec<&str> = "init --host chat.example --no-passphrase --name"
        .split(' ')
        .chain(["Networks 101"])
        .collect();
    let made = Ended::from(run(folder, "ca-tool", &init, ""));
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(made.out.contains("ca/server.pem"), "{}", made.out);
    let people = ["issue", "alice", "张三", "s2024-017"];
    let issued = Ended::from(run(folder, "ca-tool", &people, ""));
    assert_eq!(issued.code, Some(0), "{}", issued.err);

    // Without a flag it would take the port that everybody's server takes.
    let listen = ["--listen", "127.0.0.1:0"];
    let mut server = Running::start(folder, &program("server"), &listen);
    let said = server.expect_err("listening on ");
    let port = said.split("listening on 127.0.0.1:").nth(1);
    let port = port.and_then(|rest| rest.split(' ').next());
    let host = format!("localhost:{}", port.expect("a port"));
    let cert = |id: &str| format!("ca/people/{id}.pem");

    let client = |id: &str, more: &[&str]| {
        let cert = cert(id);
        let mut arguments = vec!["--cert", &cert, "--server", &host];
        arguments.extend(more);
        let mut client = Running::start(folder, &program("client"), &arguments);
        client.expect_err(&format!("connected as {id} from 127.0.0.1"));
        client
    };
    let mut zhang = client("张三", &["--bare"]);
    let mut alice = client("alice", &[]);
    alice.send("hello\nis anybody there?\n");
    assert_eq!(zhang.expect_out("hello"), "[alice@127.0.0.1] hello");
    zhang.expect_out("is anybody there?");
    zhang.send("我在\n");
    let line = alice.expect_out("我在");
    let (stamp, text) = line.split_at("2026-11-21 10:00:00".len());
    assert_eq!(text, " [张三@127.0.0.1] 我在");
    assert!(stamp.starts_with("20"), "{line}");
    // What was said in a pipe is shown to who said it, before the end.
    alice.send("bye");
    let (alice, zhang) = (finish(alice), finish(zhang));
    assert_eq!((alice.code, zhang.code), (Some(0), Some(0)));
    assert!(
        alice.out.ends_with(" [alice@127.0.0.1] bye"),
        "{}",
        alice.out
    );
    assert!(zhang.out.starts_with("[alice@127.0.0.1] hello\n"));
    let one_line = run(
        folder,
        "client",
        &["--cert", &cert("s2024-017"), "--server", &host, "--bare"],
        "hello\n",
    );
    assert_eq!(Ended::from(one_line).out, "[s2024-017@127.0.0.1] hello");

    let asked = run(
        folder,
        "server",
        &["query", "--csv", "select line from transcript"],
        "",
    );
    let asked = Ended::from(asked).out;
    assert_eq!(
        asked.lines().take(5).collect::<Vec<_>>(),
        [
            "line",
            "* 张三@127.0.0.1 entered",
            "* alice@127.0.0.1 entered",
            "[alice@127.0.0.1] hello",
            "[alice@127.0.0.1] is anybody there?",
        ]
    );
}

// --- questions ------------------------------------------------------------------------------

#[test]
fn a_query_answers_as_a_table_as_csv_and_as_json() {
    let site = site();
    let served = site.serve(&[]);
    let said = run_client(
        &site,
        &served.address.to_string(),
        "alice",
        "say \"hi\", 张三\n",
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let sql = "select id, text, nonce is null as plain, null as none \
               from history where kind = 'message'";
    let ask = |more: &[&str]| {
        let mut arguments = vec!["query", sql];
        arguments.extend(more);
        let ended = Ended::from(site.run("server", &arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    };
    let table = ask(&[]);
    let rows: Vec<&str> = table.lines().map(str::trim).collect();
    let words = |row: &str| {
        row.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(rows[0]), ["id", "text", "plain", "none"]);
    assert_eq!(words(rows[1]), ["alice", "say", "\"hi\",", "张三", "0"]);
    assert_eq!(
        ask(&["--csv"]),
        "id,text,plain,none\nalice,\"say \"\"hi\"\", 张三\",0,"
    );
    let json: Value = serde_json::from_str(&ask(&["--json"])).expect("JSON");
    let expected = r#"[{"id":"alice","text":"say \"hi\", 张三","plain":0,"none":null}]"#;
    assert_eq!(json, serde_json::from_str::<Value>(expected).expect("JSON"));
}

#[test]
fn a_query_cannot_change_anything_and_says_what_it_did_not_understand() {
    let site = site();
    let served = site.serve(&[]);
    run_client(&site, &served.address.to_string(), "alice", "hello\n");
    // Without alice's leave, which may be recorded meanwhile.
    let what_was_said = "select count(*), max(seq) from history where kind != 'leave'";
    let before = site.query(what_was_said);
    for (sql, words) in [
        ("delete from history", "may only read"),
        ("update joins set id = 'mallory'", "may only read"),
        ("pragma user_version = 7", "may only read"),
        ("drop view transcript", "may only read"),
        ("vacuum into 'copy.db'", "may only read"),
        ("attach 'copy.db' as copy", "may only read"),
        ("select 1; select 2", "more than one"),
        ("select * from nowhere", "no such table: nowhere"),
        ("selct", "syntax error"),
    ] {
        let refused = Ended::from(site.run("server", &["query", sql]));
        assert_eq!(refused.code, Some(1), "{sql}: {}", refused.out);
        let said = refused.err.strip_prefix("server: error: ");
        assert!(
            said.is_some_and(|said| said.contains(words)),
            "{sql}: {}",
            refused.err
        );
        // Each cause once, and without the numbers that SQLite gives them.
        assert_eq!(refused.err.matches(words).count(), 1, "{}", refused.err);
        assert!(!refused.err.contains("code"), "{}", refused.err);
        assert_eq!(refused.out, "", "{sql}");
    }
    assert_eq!(site.query(what_was_said), before);
    let missing = Ended::from(site.run("server", &["query", "--db", "no.db", "select 1"]));
    missing.failed(
        1,
        "there is no database no.db",
        "name the file with --db FILE",
    );
    assert!(!site.path("no.db").exists());
    assert!(!site.path("copy.db").exists());
}

// --- what a server says ---------------------------------------------------------------------

#[test]
fn a_server_says_where_it_listens_which_record_it_keeps_and_whom_it_trusts() {
    let site = site();
    let served = site.serve(&["--db", "lab.db"]);
    let says = &served.said;
    for part in [
        format!("listening on {} ", served.address),
        "room=\"Networks 101\"".to_owned(),
        format!("ca_fingerprint={}", site.ca().says().fingerprint),
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
fn who_is_refused_is_logged_with_the_cause_escaped_and_leaves_no_row() {
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

/// A bundle that this site's CA signed, with any text for a name.
fn mint(site: &Site, name: &str) -> String {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name = DnValue::Utf8String(name.to_owned());
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&key, site.ca().issuer());
    let anchor = fs::read_to_string(site.ca().certificate()).expect("a certificate");
    let leaf = leaf.expect("a certificate").pem();
    Bundle::compose(&[], &leaf, &anchor, &key.serialize_pem())
}

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
    // Nor is it said again whenever a connection is had again.
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

// --- the end of a server --------------------------------------------------------------------

#[cfg(unix)]
#[test]
fn a_server_that_is_stopped_says_so_and_has_stored_all_that_it_acknowledged() {
    let site = site();
    let served = site.serve(&WITHOUT_PACE);
    // How it ends is what is told here, so nobody waits for it to be back.
    let mut alice = site.enter(&served, "alice", &["--raw", "--give-up-after", "0"]);
    let bob = site.enter(&served, "bob", &["--raw", "--give-up-after", "0"]);
    // Less than a pipe holds, and more than is said at once.
    let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    alice.send(&lines);
    alice.expect_out("= ok ");
    let since = Instant::now();
    served.program.signal("-TERM");
    let (alice, bob) = (end(alice), end(bob));
    let server = end(served.program);
    assert_eq!(server.code, Some(0), "{}", server.err);
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "{:?}",
        since.elapsed()
    );
    for client in [&alice, &bob] {
        client.failed(6, "shutting-down", "connect again when the server is back");
        let bye = "= bye shutting-down the server is being stopped";
        assert_eq!(client.out.lines().last(), Some(bye));
    }
    let stored = site.query("select nonce || ' ' || seq from history where kind = 'message'");
    let acknowledged = alice
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("= ok "));
    let acknowledged: Vec<&str> = acknowledged.collect();
    assert!(!acknowledged.is_empty());
    for answer in &acknowledged {
        assert!(stored.iter().any(|row| row == answer), "{answer} is lost");
    }
    assert_eq!(
        site.query("select id, reason, left_at is null from joins order by session"),
        ["alice,shutting-down,0", "bob,shutting-down,0"]
    );
}

/// A session that asks for far more than a connection holds, and reads nothing of it.
#[cfg(unix)]
async fn sit_unread(site: &Site, served: &tests::Served) -> Peer {
    let mut alice = site.enter(served, "alice", &["--bare"]);
    let long = format!("{}\n", "x".repeat(4000));
    alice.send(&long.repeat(250));
    alice.send("the end\n");
    alice.expect_out("the end");
    assert_eq!(finish(alice).code, Some(0));
    let bundle = Bundle::read(&site.path(&site.bundle("bob"))).expect("a bundle");
    let bob = Peer::connect(served.address, &bundle, &[wire::ALPN]).await;
    let mut bob = bob.expect("a connection");
    bob.welcome().await;
    bob.send("/history\n".repeat(30)).await;
    bob
}

#[cfg(unix)]
#[tokio::test]
async fn who_does_not_read_holds_up_the_end_for_ten_seconds_at_most() {
    let site = site();
    let mut served = site.serve(&WITHOUT_PACE);
    let _bob = sit_unread(&site, &served).await;
    let since = Instant::now();
    served.program.signal("-TERM");
    served
        .program
        .expect_err("did not end in time and are abandoned");
    let server = end(served.program);
    assert_eq!(server.code, Some(0), "{}", server.err);
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(
        site.query("select reason from joins where id = 'bob'"),
        ["shutting-down"]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_signal_does_not_wait_for_anybody() {
    let site = site();
    let mut served = site.serve(&WITHOUT_PACE);
    let _bob = sit_unread(&site, &served).await;
    served.program.signal("-TERM");
    served.program.expect_err("stopping");
    served.program.signal("-TERM");
    assert_eq!(end(served.program).code, Some(143));
}

#[cfg(unix)]
#[test]
fn after_a_crash_sessions_end_when_the_server_was_last_known_to_run() {
    let site = site();
    let served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--bare", "--give-up-after", "0"]);
    alice.send("hello\n");
    alice.expect_out("hello");
    served.program.signal("-KILL");
    assert_eq!(end(served.program).code, None);
    let alice = end(alice);
    assert_eq!(alice.code, Some(4), "{}", alice.err);
    let alive_at = site.query("select value from meta where key = 'alive_at'");
    let open = "select left_at, reason from joins";
    assert_eq!(site.query(open), [","]);

    let mut served = site.serve(&[]);
    let line = served.program.expect_err("a crash left open");
    assert!(
        line.contains(" WARN ") && line.contains("sessions=1"),
        "{line}"
    );
    assert_eq!(site.query(open), [format!("{},server-crash", alive_at[0])]);
    // What was acknowledged before the crash is there, and the numbers go on.
    let said = run_client(&site, &served.address.to_string(), "bob", "hello again\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines = "select seq, text from history where kind = 'message' order by seq";
    assert_eq!(site.query(lines)[0], "2,hello");
    assert_eq!(
        site.query("select count(*) = max(seq) from history"),
        ["1"],
        "no gap"
    );
}

// --- a server that cannot start -------------------------------------------------------------

#[test]
fn a_record_has_one_server() {
    let site = site();
    let served = site.serve(&[]);
    let second = Ended::from(site.run("server", &["--listen", "127.0.0.1:0"]));
    second.failed(
        1,
        "chat.db is in use by another server",
        "name another with --db",
    );
    let other = site.serve(&["--db", "other.db"]);
    assert_ne!(other.address, served.address);
}

#[test]
fn a_file_that_is_no_record_is_left_as_it_is() {
    let site = site();
    let text = "these are my notes, not a database\n".repeat(200);
    fs::write(site.path("notes.txt"), &text).expect("written");
    let arguments = ["--listen", "127.0.0.1:0", "--db", "notes.txt"];
    let refused = Ended::from(site.run("server", &arguments));
    assert_eq!(refused.code, Some(74), "{}", refused.err);
    let line = refused
        .err
        .lines()
        .find(|line| line.starts_with("server: error: "));
    let line = line.unwrap_or_else(|| panic!("no error: {}", refused.err));
    assert!(line.contains("notes.txt"), "{line}");
    assert_eq!(line.matches("file is not a database").count(), 1, "{line}");
    let hint = "server: hint: does --db name another kind of file?";
    assert!(refused.err.contains(hint), "{}", refused.err);
    let now = fs::read_to_string(site.path("notes.txt"));
    assert_eq!(now.expect("notes"), text);
    let asked = Ended::from(site.run("server", &["query", "--db", "notes.txt", "select 1"]));
    asked.failed(
        1,
        "cannot open notes.txt: file is not a database",
        "another kind of file",
    );
    assert_eq!(asked.err.matches("file is not a database").count(), 1);
}

#[cfg(unix)]
#[test]
fn a_folder_or_a_named_pipe_is_refused_as_a_database_and_as_a_log() {
    let site = site();
    fs::create_dir(site.path("folder")).expect("a folder");
    let made = Command::new("mkfifo").arg(site.path("pipe")).status();
    assert!(made.expect("mkfifo").success());
    for (name, kind) in [("folder", "folder"), ("pipe", "named pipe")] {
        let error = format!("{name} is not a regular file");
        let served = site.run("server", &["--listen", "127.0.0.1:0", "--db", name]);
        Ended::from(served).failed(1, &error, "--db takes the name of a file");
        let asked = site.run("server", &["query", "--db", name, "select 1"]);
        Ended::from(asked).failed(1, &error, "--db takes the name of a file");
        let error = format!("cannot open the log {name}: it is a {kind}; ");
        let logged = site.run("server", &["--listen", "127.0.0.1:0", "--log-file", name]);
        let logged = Ended::from(logged);
        assert_eq!(logged.code, Some(1), "{}", logged.err);
        assert!(logged.err.contains(&error), "{}", logged.err);
        assert!(!site.path(&format!("{name}.lock")).exists());
    }
    let served = site.run("server", &["--listen", "127.0.0.1:0", "--db", "no/chat.db"]);
    Ended::from(served).failed(1, "cannot open no/chat.db: ", "create its folder first");
}

#[test]
fn a_server_takes_a_port_alone_and_says_how_to_write_what_it_does_not_understand() {
    let site = site();
    let served = site.serve(&[]);
    // It is taken on one of the addresses, so nothing is open to others while this is tested.
    let port = served.address.port().to_string();
    Ended::from(site.run("server", &["--listen", &port])).failed(
        1,
        &format!(":{port}: "),
        "another program uses this port",
    );
    for (arguments, error) in [
        (
            &["--listen", "localhost:28111"][..],
            "such as 0.0.0.0:27332 or [::1]:27332, or a port alone",
        ),
        (&["--port", "28111"], "'--port'"),
        (&["query"], "<SQL>"),
    ] {
        let refused = Ended::from(site.run("server", arguments));
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(
            refused.err.starts_with("server: error: "),
            "{}",
            refused.err
        );
        assert!(refused.err.contains(error), "{}", refused.err);
    }
}

#[test]
fn what_a_server_needs_and_does_not_find_is_named_with_what_to_do() {
    let site = site();
    let served = site.serve(&[]);
    site.bundle("alice");
    fs::write(site.path("broken.pem"), "-----BEGIN CERTIFICATE-----\n").expect("written");
    let taken = served.address.to_string();
    for (arguments, error, hint) in [
        (
            ["--listen", &taken],
            format!("cannot listen on {taken}: "),
            "another program uses this port",
        ),
        (
            ["--cert", "no/server.pem"],
            "cannot read no/server.pem: ".to_owned(),
            "ca-tool init",
        ),
        (
            ["--crl", "no/crl.pem"],
            "cannot read no/crl.pem: ".to_owned(),
            "ca-tool init",
        ),
        (
            ["--cert", "ca/people/alice.pem"],
            "ca/people/alice.pem is not a server's certificate".to_owned(),
            "ca/server.pem",
        ),
        (
            ["--crl", "ca/server.pem"],
            "cannot use ca/server.pem: it is not a whole revocation list".to_owned(),
            "--crl names another",
        ),
    ] {
        let refused = Ended::from(site.run("server", &arguments));
        refused.failed(1, &error, hint);
    }
    assert!(!site.path("no").exists());
}

// --- no more files --------------------------------------------------------------------------

/// The processor time that a process has used, in seconds.
#[cfg(target_os = "linux")]
fn processor_seconds(id: u32) -> f64 {
    // The fields after the name, which stands in brackets: utime is the 12th, stime the 13th.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_has_no_more_files_tells_so_waits_quietly_and_recovers() {
    if !tool_or_skip("prlimit", "a server without files") {
        return;
    }
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
    let before = processor_seconds(id);

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
    let used = processor_seconds(id) - before;
    assert!(used < 0.5, "{used} s of processor time");

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

#[test]
fn a_log_is_not_written_into_a_file_that_the_server_needs() {
    let site = site();
    fs::write(site.path("chat.db"), "").expect("a file");
    for (log, what) in [
        ("chat.db", "database"),
        ("./ca/server.pem", "bundle"),
        ("ca/../ca/crl.pem", "revocation list"),
    ] {
        let before = fs::read(site.path(log)).expect("it is there");
        let refused = Ended::from(site.run("server", &["--log-file", log]));
        let words = format!("server: error: the log {log} is the {what}\n");
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.starts_with(&words), "{}", refused.err);
        assert_eq!(fs::read(site.path(log)).expect("it is there"), before);
    }
}

// --- the client -----------------------------------------------------------------------------

/// Runs `client` with somebody's bundle to its end, with `input` on its standard input.
pub(crate) fn run_client(site: &Site, server: &str, name: &str, input: &str) -> Ended {
    run_at(site, server, &site.bundle(name), input)
}

/// Runs `client` with a bundle of any kind to its end.
pub(crate) fn run_at(site: &Site, server: &str, cert: &str, input: &str) -> Ended {
    let arguments = ["--cert", cert, "--server", server, "--bare"];
    run(site.folder(), "client", &arguments, input).into()
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
fn a_client_shows_times_in_the_zone_of_who_reads_or_in_utc() {
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
    // A stranger who knows the room's CA trusts the server, and is not trusted.
    let read = |path| fs::read_to_string(path).expect("PEM");
    let stranger = read(site.path(&site.bundle("alice"))).replace(
        read(site.ca().certificate()).trim(),
        read(others.ca().certificate()).trim(),
    );
    fs::write(others.path("stranger.pem"), stranger).expect("written");
    run_at(&others, &server, "stranger.pem", "hello\n").failed(
        62,
        "is from the CA \"Networks 101\"",
        "is this the right room?",
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
fn a_server_whose_output_nobody_reads_still_ends_when_it_is_told_to() {
    let site = Site::new("Networks 101");
    let mut command = Command::new(program("server"));
    command.args(["--listen", "127.0.0.1:0", "--show"]);
    command.args(WITHOUT_PACE);
    command
        .current_dir(site.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let log = std::fs::File::create(site.path("log.txt")).expect("a log");
    let mut server = command.stderr(log).spawn().expect("the server starts");
    let log = || std::fs::read_to_string(site.path("log.txt")).expect("a log");
    let deadline = Instant::now() + PATIENCE;
    while !log().contains("listening on ") && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let log = log();
    let port = log
        .split("listening on 127.0.0.1:")
        .nth(1)
        .and_then(|l| l.split(' ').next());
    let target = format!("127.0.0.1:{}", port.expect("a port"));
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
    let status = server.wait().expect("the server ends");
    assert!(
        status.success() && begun.elapsed() < Duration::from_secs(10),
        "{status}"
    );
}

#[cfg(unix)]
#[test]
fn what_is_piped_while_the_server_is_killed_and_started_again_is_stored_once_and_in_order() {
    let site = site();
    let served = site.serve(&WITHOUT_PACE);
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
    let served = site.serve_again(address, &WITHOUT_PACE);
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
    // Who said them and who only listened saw each of them once.
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
    // What was told before somebody could listen is in the log.
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
