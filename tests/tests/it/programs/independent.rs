//! Other people's programs use a room: OpenSSL, GnuTLS, Python, Node and SQLite's own shell. Each test
//! needs the program that it is about, so it runs only when you ask for it.

use std::path::Path;
use std::process::{Command, Stdio};

use tests::{Running, World, require, said};

/// Returns `openssl s_client` with the README's flags, as a person or without a certificate.
fn s_client(w: &World, name: Option<&str>, more: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-nocommands", "-connect"])
        .arg(w.address().to_string())
        .args(["-verify_return_error", "-verify_hostname", "localhost"])
        .arg("-CAfile")
        .arg(w.ca().register().certificate())
        .args(more);
    if let Some(name) = name {
        let bundle = w.bundle_path(name);
        command.arg("-cert").arg(&bundle).arg("-key").arg(&bundle);
        command.arg("-CAfile").arg(&bundle);
    }
    command
}

/// Starts another program's client, and has it talk with alice, who uses the harness.
async fn talks_with_alice(w: &World, name: &str, command: Command) {
    let mut alice = w.enter("alice").await;
    let mut other = Running::spawn(command);
    other.expect_out(&format!("= welcome id={name} "));
    alice.expect(&format!("* {name}@127.0.0.1 entered")).await;
    // Commands of OpenSSL's own begin with these letters; here they are only said.
    for text in ["hello, 世界", "Quit is a word", "Renegotiate"] {
        other.send(&format!("{text}\n"));
        assert_eq!(alice.next_said().await, said(name, text));
        other.expect_out(&format!("[{name}@127.0.0.1] {text}"));
    }
    alice.say("good to see you").await;
    other.expect_out("[alice@127.0.0.1] good to see you");
    other.send("/quit\n");
    other.expect_out("= bye goodbye");
    alice
        .expect(&format!("* {name}@127.0.0.1 left (goodbye)"))
        .await;
    let status = other.wait();
    assert!(status.success(), "{name}: {status}");
    let how = format!("select tls || ' ' || reason from joins where id = '{name}'");
    assert_eq!(w.column(&how).await, ["TLSv1.3 goodbye"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssl: run with --include-ignored"]
async fn openssl_is_a_client() {
    require("openssl");
    let w = World::start().await;
    talks_with_alice(&w, "bob", s_client(&w, Some("bob"), &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs gnutls-cli: run with --include-ignored"]
async fn gnutls_is_a_client() {
    require("gnutls-cli");
    let w = World::start().await;
    let bundle = w.bundle_path("bob");
    let mut command = Command::new("gnutls-cli");
    command
        .args(["--verify-hostname", "localhost", "--port"])
        .arg(w.address().port().to_string());
    for file in ["--x509cafile", "--x509certfile", "--x509keyfile"] {
        command.arg(file).arg(&bundle);
    }
    command.arg(w.address().ip().to_string());
    talks_with_alice(&w, "bob", command).await;
}

/// Says each line that it reads, and shows each line that is said.
const PYTHON: &str = r#"
import socket, ssl, sys, threading

cert, port = sys.argv[1], int(sys.argv[2])
tls = ssl.create_default_context(cafile=cert)
tls.load_cert_chain(cert)
connection = socket.create_connection(("127.0.0.1", port))
room = tls.wrap_socket(connection, server_hostname="localhost")

def say():
    for line in sys.stdin:
        room.sendall(line.encode())

threading.Thread(target=say, daemon=True).start()
for line in room.makefile(encoding="utf-8"):
    print(line, end="", flush=True)
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3: run with --include-ignored"]
async fn python_is_a_client() {
    require("python3");
    let w = World::start().await;
    let mut command = Command::new("python3");
    command
        .args(["-c", PYTHON])
        .arg(w.bundle_path("bob"))
        .arg(w.address().port().to_string())
        .env("PYTHONUTF8", "1");
    talks_with_alice(&w, "bob", command).await;
}

/// Says each line that it reads, and shows each line that is said.
const NODE: &str = r#"
const [cert, port] = process.argv.slice(1);
const pem = require("fs").readFileSync(cert);
const room = require("tls").connect({
  host: "127.0.0.1", port, servername: "localhost", ca: pem, cert: pem, key: pem,
});
process.stdin.pipe(room);
room.pipe(process.stdout);
room.on("end", () => process.stdin.destroy());
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs node: run with --include-ignored"]
async fn node_is_a_client() {
    require("node");
    let w = World::start().await;
    let mut command = Command::new("node");
    command
        .args(["-e", NODE])
        .arg(w.bundle_path("bob"))
        .arg(w.address().port().to_string());
    talks_with_alice(&w, "bob", command).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssl: run with --include-ignored"]
async fn a_server_gives_no_ticket_to_come_back_with() {
    require("openssl");
    let w = World::start().await;
    let ticket = w.folder().join("ticket");
    let arguments = ["-sess_out", &ticket.to_string_lossy()];
    // As talkative as it can be, so that it would also tell of a ticket that it did not write.
    let mut command = s_client(&w, Some("bob"), &arguments);
    command.arg("-msg");
    let mut bob = Running::spawn(command);
    bob.expect_out("= welcome id=bob ");
    bob.send("/quit\n");
    bob.expect_out("= bye goodbye");
    bob.wait();
    let told = bob.finish();
    let told = String::from_utf8_lossy(&told.stdout) + String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("Handshake [length"), "{told}");
    assert!(!told.contains("NewSessionTicket"), "{told}");
    assert!(!ticket.exists());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssl: run with --include-ignored"]
async fn a_server_speaks_only_tls_1_3_and_only_to_clients_with_a_certificate() {
    require("openssl");
    let w = World::start().await;
    for (name, more, alert) in [
        (Some("bob"), &["-tls1_2"][..], "alert protocol version"),
        (None, &[], "alert certificate required"),
    ] {
        let mut stranger = Running::spawn(s_client(&w, name, more));
        stranger.wait();
        let output = stranger.finish();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(alert), "{alert}: {told}");
        assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    }
    let _bob = w.enter("bob").await;
    assert_eq!(w.column("select id from joins").await, ["bob"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssl: run with --include-ignored"]
async fn openssl_finds_nothing_wrong_with_a_certificate_until_it_is_revoked() {
    require("openssl");
    let w = World::start().await;
    let verify = |purpose: &str, file: &Path| {
        let output = Command::new("openssl")
            .args(["verify", "-x509_strict", "-crl_check", "-purpose", purpose])
            .arg("-CAfile")
            .arg(w.ca().register().certificate())
            .arg("-CRLfile")
            .arg(w.ca().register().revocation_list())
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(told)
    };
    let (server, alice) = (w.ca().register().server_bundle(), w.bundle_path("alice"));
    assert_eq!(verify("sslserver", &server), Ok(()));
    assert_eq!(verify("sslclient", &alice), Ok(()));
    // Neither can be used as the other.
    verify("sslclient", &server).expect_err("a server is no client");
    verify("sslserver", &alice).expect_err("a client is no server");
    w.revoke("alice");
    let told = verify("sslclient", &alice).expect_err("she is revoked");
    assert!(told.contains("certificate revoked"), "{told}");
    assert_eq!(verify("sslserver", &server), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs sqlite3: run with --include-ignored"]
async fn sqlite_reads_the_record_while_the_server_writes_it_and_changes_nothing() {
    require("sqlite3");
    let w = World::start().await;
    let mut alice = w.enter("alice").await;
    let ask = |flags: &[&str], sql: &str| {
        let output = Command::new("sqlite3")
            .args(flags)
            .arg(w.db())
            .arg(sql)
            .stdin(Stdio::null())
            .output()
            .expect("sqlite3 runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(answer)
        } else {
            Err(told)
        }
    };
    for text in ["hello", "你好"] {
        alice.say(text).await;
        alice.expect(text).await;
        let line = "select line from transcript order by seq desc limit 1";
        let expected = format!("[alice@127.0.0.1] {text}\n");
        assert_eq!(ask(&["-readonly"], line), Ok(expected));
    }
    let everything = ask(&["-readonly"], "select * from transcript");
    let everything = everything.expect("an answer");
    assert_eq!(everything.lines().count(), 3, "{everything}");
    let attendance = ask(&["-readonly"], "select id, sessions, lines from attendance");
    assert_eq!(attendance, Ok("alice|1|2\n".to_owned()));
    let told = ask(&["-readonly"], "delete from history").expect_err("it is read only");
    assert!(told.contains("readonly"), "{told}");

    // A copy that is made while the server writes is whole.
    let copy = w.folder().join("copy.db");
    let backup = format!(".backup '{}'", copy.display());
    assert_eq!(ask(&["-readonly"], &backup), Ok(String::new()));
    let whole = Command::new("sqlite3")
        .arg(&copy)
        .arg("pragma integrity_check; select count(*) from history")
        .output()
        .expect("sqlite3 runs");
    assert_eq!(String::from_utf8_lossy(&whole.stdout), "ok\n3\n");
}

#[tokio::test]
#[ignore = "needs openssl: run with --include-ignored"]
async fn a_bundle_takes_keys_in_the_forms_that_openssl_has_written_them() {
    require("openssl");
    let w = World::start().await;
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(w.folder())
            .output()
            .expect("openssl runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {told}");
        String::from_utf8(output.stdout).expect("PEM")
    };
    let read = |name: &str, text: &str| {
        pki::Bundle::parse(text.as_bytes(), std::path::Path::new(name)).expect(name)
    };
    let anchor = std::fs::read_to_string(w.ca().register().certificate()).expect("the CA");

    // SEC1, of a bundle that is otherwise as ca-tool made it; it is good enough to enter with.
    w.bundle("alice");
    let key = openssl("pkey -in ca/people/alice.pem -traditional");
    assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"), "{key}");
    let leaf = openssl("x509 -in ca/people/alice.pem");
    let bundle = read("alice.pem", &format!("{leaf}{anchor}{key}"));
    let entered = tests::Peer::connect(w.address(), &bundle, &[]).await;
    let welcome = entered.expect("a connection").welcome().await;
    assert_eq!(welcome.id.as_str(), "alice");

    // PKCS#1.
    std::fs::write(w.folder().join("leaf.cnf"), "basicConstraints=CA:FALSE").expect("written");
    openssl("req -new -newkey rsa:2048 -nodes -keyout bob.key -subj /CN=bob -out bob.csr");
    let key = openssl("pkey -in bob.key -traditional");
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"), "{key}");
    let leaf = openssl(
        "x509 -req -in bob.csr -CA ca/ca.pem -CAkey ca/private/ca.key -CAcreateserial -CAserial bob.srl -days 1 -extfile leaf.cnf",
    );
    let bundle = read("bob.pem", &format!("{leaf}{anchor}{key}"));
    assert_eq!(bundle.certificate().key, "RSA-2048");
}
