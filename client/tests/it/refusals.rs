//! Every way of not getting in: its exit code, its sentence, and the next step.

use kit::mint::Purpose;
use tokio::io::AsyncWriteExt as _;

use crate::room::{Authority, Leaf, Outcome, Person, Room};

/// The sentence and the hint of a failure, without the port.
fn told(outcome: &Outcome, room: &Room) -> (Option<i32>, Vec<String>) {
    let (code, told) = outcome.told();
    let port = format!(":{}", room.port);
    (
        code,
        told.iter().map(|line| line.replace(&port, "")).collect(),
    )
}

#[track_caller]
fn check(outcome: &Outcome, room: &Room, code: i32, sentence: &str, hint: &str) {
    let (came, told) = told(outcome, room);
    let sentence = format!("client: error: {sentence}");
    let hint = format!("client: hint: {hint}");
    assert_eq!((came, told), (Some(code), vec![sentence, hint]));
    assert_eq!(outcome.stdout, "");
}

#[tokio::test]
async fn a_revoked_certificate_is_told_so() {
    let room = Room::open().await.revoking(7);
    let mut alice = room.alice(&[]);
    alice.types("hi\n").await;
    room.refuse().await;
    let outcome = alice.ends().await;
    let sentence = "the certificate of alice was revoked by \"Networks 101\", or is on hold";
    let ask = "ask whoever runs the room: this file works again after a hold, and after a revocation you need a new certificate";
    check(&outcome, &room, 62, sentence, ask);
}

#[tokio::test]
async fn a_name_that_the_server_does_not_accept_is_told_so() {
    let room = Room::open().await;
    let outcome = room.person(&Leaf::person("server"), &[]);
    room.refuse().await;
    let sentence = "127.0.0.1 does not admit server: the name or the key in the certificate is not acceptable there";
    let hint = "ask whoever runs the room; the server's log says why";
    check(&outcome.ends().await, &room, 61, sentence, hint);
}

#[tokio::test]
async fn a_servers_certificate_is_refused_as_a_persons() {
    let room = Room::open().await;
    let alice = room.person(
        &Leaf {
            purpose: Some(Purpose::ServerAuth),
            ..Leaf::person("alice")
        },
        &[],
    );
    room.refuse().await;
    let sentence = "127.0.0.1 does not admit alice: the certificate is not one for a person";
    let hint = "this is a server or CA certificate; use your personal one";
    check(&alice.ends().await, &room, 61, sentence, hint);
}

#[tokio::test]
async fn a_certificate_beside_a_ca_that_did_not_issue_it_is_refused_before_connecting() {
    let room = Room::open().await;
    let other = Authority::new("Chemistry 7");
    let bundle = other.bundle(&Leaf::person("alice"), &room.authority, &[]);
    let path = room.write("alice.pem", &bundle);
    let server = format!("127.0.0.1:{}", room.port);
    let alice = Person::start(&["--cert", path.to_str().expect("UTF-8"), "--server", &server]);
    let (code, told) = told(&alice.ends_by_itself().await, &room);
    assert_eq!(code, Some(1), "{told:?}");
    for words in [
        "the certificate of \"alice\" in it was issued by \"Chemistry 7\"",
        "and not by the CA whose certificate is beside it: \"Networks 101\"",
    ] {
        assert!(told[0].contains(words), "{told:?}");
    }
}

#[tokio::test]
async fn own_dates_are_told_before_connecting() {
    let room = Room::open().await;
    for (valid, words) in [
        ((-10, -1), "expired at "),
        ((1, 10), "is not valid before "),
    ] {
        let leaf = Leaf {
            valid,
            ..Leaf::person("alice")
        };
        let outcome = room.person(&leaf, &[]).ends().await;
        let (code, told) = told(&outcome, &room);
        assert_eq!(code, Some(62));
        assert!(told[0].contains(words), "{told:?}");
        assert!(told[0].ends_with("by this machine's clock"), "{told:?}");
        assert!(
            told[1].ends_with("this machine's clock may be wrong"),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_itself_is_not_trusted() {
    let right = "is this the right server? compare `ca-tool show ca/ca.pem` there; if the room's CA is new, ask for a new certificate";
    let poser = "somebody may be posing as the server with a person's certificate";
    let person = Leaf {
        hosts: vec!["127.0.0.1"],
        ..Leaf::person("mallory")
    };
    let expired = Leaf {
        valid: (-10, -1),
        ..Leaf::server(&["127.0.0.1"])
    };
    let unsaid = Leaf {
        purpose: None,
        ..Leaf::server(&["127.0.0.1"])
    };
    for (leaf, is_ours, sentence, hint) in [
        (
            Leaf::server(&["chat.example", "192.0.2.1"]),
            true,
            "the server's certificate is for chat.example and 192.0.2.1, not for 127.0.0.1",
            "use --server chat.example, if that is the server you mean; or whoever runs the room can run `ca-tool issue-server chat.example 192.0.2.1 127.0.0.1`",
        ),
        (
            Leaf::server(&[]),
            true,
            "the server's certificate is for no host at all, not for 127.0.0.1",
            "whoever runs the room can run `ca-tool issue-server 127.0.0.1`",
        ),
        (
            Leaf::server(&["127.0.0.1"]),
            false,
            "127.0.0.1 proves itself with a certificate of another CA, not of \"Chemistry 7\"",
            right,
        ),
        (
            person,
            true,
            "127.0.0.1 proves itself with a certificate that is not a server certificate",
            poser,
        ),
        (
            unsaid,
            true,
            "127.0.0.1 proves itself with a certificate that does not say what it is for (no extended key usage serverAuth)",
            "whoever runs the room can run `ca-tool issue-server 127.0.0.1`",
        ),
        (
            expired,
            true,
            "the certificate of 127.0.0.1 expired at ",
            "tell whoever runs the room; or this machine's clock may be wrong",
        ),
    ] {
        let room = Room::open_as(Authority::new("Networks 101"), &leaf).await;
        let alice = if is_ours {
            room.alice(&[])
        } else {
            let other = Authority::new("Chemistry 7");
            let server = format!("127.0.0.1:{}", room.port);
            let alice = Leaf::person("alice");
            let bundle = other.bundle(&alice, &other, &[("server", &server)]);
            let path = room.write("alice.pem", &bundle);
            Person::start(&["--cert", path.to_str().expect("UTF-8")])
        };
        room.refuse().await;
        let (code, told) = told(&alice.ends().await, &room);
        assert_eq!(code, Some(5), "{told:?}");
        assert!(
            told[0].starts_with(&format!("client: error: {sentence}")),
            "{told:?}"
        );
        assert_eq!(told[1], format!("client: hint: {hint}"));
    }
}

#[tokio::test]
async fn a_refusal_in_the_rooms_own_words_is_told() {
    for (refusal, words, hint) in [
        (
            "! already-here - alice is here already",
            "alice is here already",
            "alice is in the room already; leave there first",
        ),
        (
            "! too-many-sessions - come back in 12 s",
            "come back in 12 s",
            "try again later",
        ),
        ("! try-later - disk full", "disk full", "try again later"),
    ] {
        let room = Room::open().await;
        let alice = room.alice(&["--give-up-after", "0"]);
        let mut session = room.accept().await;
        session.send(refusal).await;
        let outcome = alice.ends_by_itself().await;
        let sentence = format!("127.0.0.1 does not admit alice now: {words}");
        check(&outcome, &room, 61, &sentence, hint);
    }
}

#[tokio::test]
async fn a_server_that_is_no_room_is_reported_as_none() {
    let room = Room::open().await;
    let alice = room.alice(&[]);
    let mut tcp = room.accept_tcp().await;
    tcp.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")
        .await
        .expect("sent");
    let hint = "a room's port is usually 27332";
    let outcome = alice.ends_by_itself().await;
    check(&outcome, &room, 4, "127.0.0.1 does not speak TLS", hint);

    // Something else that is said, and by a room.
    for other in [
        "! already-here - you are here\n",
        "! try-later\n",
        "= bye x\n",
    ] {
        let alice = room.alice(&[]);
        let mut tcp = room.accept_tcp().await;
        tcp.write_all(other.as_bytes()).await.expect("sent");
        let outcome = alice.ends_by_itself().await;
        check(&outcome, &room, 4, "127.0.0.1 does not speak TLS", hint);
    }
}

/// Ends a connection as a server without room does.
async fn turn_away(room: &Room, line: &str) {
    use tokio::io::AsyncReadExt as _;
    let mut tcp = room.accept_tcp().await;
    tcp.write_all(line.as_bytes()).await.expect("sent");
    tcp.shutdown().await.expect("closed");
    // The client's bytes are read, so that nothing is lost to a reset.
    let mut hello = Vec::new();
    let _ = tcp.read_to_end(&mut hello).await;
}

const NO_ROOM: &str =
    "! try-later - this server has no room for more connections now; try again later\n";

#[tokio::test]
async fn a_server_without_room_is_tried_again() {
    for line in [NO_ROOM, ""] {
        let room = Room::open().await;
        let mut alice = room.alice(&["--bare"]);
        for _ in 0..2 {
            turn_away(&room, line).await;
        }
        // It does not even read the bytes that were sent to it.
        drop(room.accept_tcp().await);
        let mut session = room.enter().await;
        // Once it is in, it stays.
        session.send(&crate::room::entry(42, "hello")).await;
        assert_eq!(alice.shows().await, "[bob@192.0.2.9] hello");
        session.close().await;
        for _ in 0..2 {
            turn_away(&room, line).await;
        }
        let mut session = room.greet().await;
        assert_eq!(session.next().await, "/follow 42 2026-11-21T10:00:00.123Z");
        session.send("= at 42").await;
        alice.stops_typing();
        session.goodbye().await;
        let (code, told) = told(&alice.ends().await, &room);
        assert_eq!(code, Some(0), "{told:?}");
        let why = match line {
            "" => "127.0.0.1 closed the connection without an answer",
            _ => {
                "does not admit alice now: this server has no room for more connections now; try again later"
            }
        };
        let times = told.iter().filter(|line| line.contains(why)).count();
        assert!(times >= 4, "{told:?}");
    }
}

#[tokio::test]
async fn a_server_without_room_is_told_so_and_is_no_wrong_port() {
    for (line, code, sentence, hint) in [
        (
            NO_ROOM,
            61,
            "127.0.0.1 does not admit alice now: this server has no room for more connections now; try again later",
            "try again later",
        ),
        (
            "",
            4,
            "127.0.0.1 closed the connection without an answer",
            "it may be full: try again later; its log may say why",
        ),
    ] {
        let room = Room::open().await;
        let alice = room.alice(&["--give-up-after", "0"]);
        turn_away(&room, line).await;
        check(&alice.ends_by_itself().await, &room, code, sentence, hint);
    }
}

#[tokio::test]
async fn a_server_of_another_kind_is_told_so() {
    let sentence = "127.0.0.1 speaks TLS, but it is not a room (it does not know countersign/1)";
    for greets in [true, false] {
        let room = Room::open().await.of_another_kind();
        let alice = room.alice(&[]);
        let mut session = room.accept().await;
        if greets {
            session.send(crate::room::GREETING).await;
        }
        session.close().await;
        let hint = "a room's port is usually 27332";
        check(&alice.ends_by_itself().await, &room, 4, sentence, hint);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_matter_of_the_network() {
    let room = Room::open().await;
    let (alice, port) = (Leaf::person("alice"), room.port);
    let bundle = room.authority.bundle(&alice, &room.authority, &[]);
    let path = room.write("alice.pem", &bundle);
    let path = path.to_str().expect("UTF-8").to_owned();
    drop(room);
    let room = Room::open().await;
    let path_again = room.write("alice.pem", &bundle);
    let path_again = path_again.to_str().expect("UTF-8");
    assert_ne!(path, path_again);
    let server = format!("127.0.0.1:{port}");
    let outcome = Person::start(&["--cert", path_again, "--server", &server])
        .ends()
        .await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(4));
    assert!(told[0].starts_with(&format!(
        "client: error: cannot reach 127.0.0.1:{port} (127.0.0.1: "
    )));

    let outcome = Person::start(&["--cert", path_again, "--server", "no-such-host.invalid"]);
    let outcome = outcome.ends().await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(4));
    assert_eq!(told[0], "client: error: cannot find no-such-host.invalid");
}

#[tokio::test]
async fn the_command_line_and_its_files_are_checked_first() {
    let room = Room::open().await;
    let bundle = room
        .authority
        .bundle(&Leaf::person("alice"), &room.authority, &[]);
    let path = room.write("alice.pem", &bundle);
    let path = path.to_str().expect("UTF-8");
    for (arguments, code, sentence) in [
        (vec!["--cert", path], 2, "no server is known: "),
        (
            vec!["--cert", path, "--server", "a:b"],
            2,
            "--server a:b: \"b\" is not a port",
        ),
        (
            vec!["--cert", "absent.pem"],
            1,
            "cannot read absent.pem: there is no such file",
        ),
        (
            vec!["absent.pem"],
            1,
            "cannot read absent.pem: there is no such file",
        ),
    ] {
        let outcome = Person::start(&arguments).ends().await;
        let (came, told) = outcome.told();
        assert_eq!(came, Some(code), "{told:?}");
        assert!(
            told[0].starts_with(&format!("client: error: {sentence}")),
            "{told:?}"
        );
    }
    for (arguments, hint) in [
        (&["--cert", path, "--bare", "--raw"][..], None),
        (&["--cert", path, "--since", "tail"], None),
        (&["--cert", path, "--sever", "chat.example"], None),
        (
            &[],
            Some("your file is the .pem that you were given; try: client alice.pem"),
        ),
        (
            &["--cert", path, "alice.pem"],
            Some("did you mean --cert alice.pem?"),
        ),
        (
            &["--cert", path, "chat.example"],
            Some("did you mean --server chat.example?"),
        ),
        (
            &["--cert", path, "--server", "localhost", "27332"],
            Some("did you mean --server localhost:27332?"),
        ),
        (
            &["--server=localhost", "27332", "--cert", path],
            Some("did you mean --server localhost:27332?"),
        ),
    ] {
        let outcome = Person::start(arguments).ends().await;
        let (code, told) = outcome.told();
        assert_eq!(code, Some(2), "{told:?}");
        assert!(told[0].starts_with("client: error: "), "{told:?}");
        let hinted = told
            .last()
            .and_then(|line| line.strip_prefix("client: hint: "));
        assert_eq!(hinted, hint, "{told:?}");
    }
    let outcome = Person::start(&["--cert", path, "--give-up-after", "x"]);
    let outcome = outcome.ends().await;
    let words =
        "invalid value 'x' for '--give-up-after <SECONDS>': write a whole number of seconds";
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(2));
}

#[tokio::test]
async fn the_mistakes_of_a_newcomer_are_told_plainly() {
    let room = Room::open().await;
    let bundle = room
        .authority
        .bundle(&Leaf::person("alice"), &room.authority, &[]);
    let alice = room.write("alice.pem", &bundle);
    let readme = room.write("README.md", "# Countersign\n\nA chat.\n");
    // The last certificate of a bundle is the CA's.
    let begin = bundle.rfind("-----BEGIN CERTIFICATE-----");
    let (_, ca) = bundle.split_at(begin.expect("a certificate"));
    let (ca, _) = ca.split_once("-----BEGIN PRIVATE KEY-----").expect("a key");
    let ca = room.write("ca.pem", ca);
    let (certificate, _) = bundle
        .split_once("-----BEGIN PRIVATE KEY-----")
        .expect("a key");
    let certificate = room.write("dave.crt", certificate);
    let browsers = certificate.with_file_name("alice.p12");
    std::fs::write(&browsers, b"\x30\x82\x05\x5a\x02\x01\x03\x30\x82").expect("written");
    let folder = certificate.with_file_name("people");
    std::fs::create_dir(&folder).expect("a folder");
    let adopt = format!(
        "if you made the key yourself, combine the two: `ca-tool adopt {} --key {}`; otherwise use the whole file that `ca-tool issue` made",
        certificate.display(),
        certificate.with_extension("key").display()
    );
    // The PEM file beside it is the one that is meant.
    let pem = format!(
        "PKCS#12 is for browsers; use the PEM file beside it: {}",
        alice.display()
    );
    let alone = certificate.with_file_name("carol.p12");
    std::fs::copy(&browsers, &alone).expect("copied");
    let converts = format!(
        "PKCS#12 is for browsers; `openssl pkcs12 -in {} -nodes -out {}` makes PEM of it",
        alone.display(),
        alone.with_extension("pem").display()
    );
    std::fs::write(folder.join("carol.pem"), &bundle).expect("written");
    let inside = format!(
        "name a file in it, for example {}",
        folder.join("carol.pem").display()
    );
    let whole = format!(
        "use the whole file that `ca-tool issue` made, for example {}",
        folder.join("carol.pem").display()
    );
    let mistyped = certificate.with_file_name("alcie.pem");
    let meant = format!("did you mean {}?", alice.display());
    let cut = room.write("cut.pem", &bundle[..bundle.len() - 50]);
    let elsewhere = format!(
        "`ca-tool issue` writes a file for each person, for example {}; pass the path of yours",
        folder.join("carol.pem").display()
    );
    let absent = certificate.with_file_name("absent.pem");
    for (cert, server, code, sentence, hint) in [
        (
            &readme,
            "chat.example",
            1,
            "README.md: it is not PEM, as certificates are: no line in it begins with '-----BEGIN'",
            whole.as_str(),
        ),
        (
            &ca,
            "chat.example",
            1,
            ", which checks others and admits nobody",
            whole.as_str(),
        ),
        (
            &certificate,
            "chat.example",
            1,
            "dave.crt: it holds a certificate but no private key",
            adopt.as_str(),
        ),
        (
            &browsers,
            "chat.example",
            1,
            "alice.p12: it is PKCS#12 (.p12 or .pfx), not PEM",
            pem.as_str(),
        ),
        (
            &alone,
            "chat.example",
            1,
            "carol.p12: it is PKCS#12 (.p12 or .pfx), not PEM",
            converts.as_str(),
        ),
        (
            &mistyped,
            "chat.example",
            1,
            "alcie.pem: there is no such file",
            meant.as_str(),
        ),
        (
            &cut,
            "chat.example",
            1,
            "cut.pem: PEM section 3 (PRIVATE KEY) in it is damaged: its line '-----END ...' is missing, so the file was cut off or badly put together",
            "copy the file again from where it was made; if that is lost, ask for a new one, or restore it from a backup",
        ),
        (
            &folder,
            "chat.example",
            1,
            "people: it is a folder",
            inside.as_str(),
        ),
        (
            &absent,
            "chat.example",
            1,
            "absent.pem: there is no such file",
            elsewhere.as_str(),
        ),
        (
            &alice,
            "http://chat.example/",
            2,
            "--server http://chat.example/: \"http://chat.example/\" is a URL; write the server's name alone: chat.example",
            "write HOST or HOST:PORT, and an IPv6 address as [::1]:27332",
        ),
    ] {
        let cert = cert.to_str().expect("UTF-8");
        let outcome = Person::start(&["--cert", cert, "--server", server])
            .ends()
            .await;
        let (came, told) = outcome.told();
        assert_eq!(came, Some(code), "{told:?}");
        assert!(told[0].ends_with(sentence), "{told:?}");
        assert_eq!(told[1], format!("client: hint: {hint}"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let room = Room::open().await;
    let bundle = room
        .authority
        .bundle(&Leaf::person("alice"), &room.authority, &[]);
    let path = room.write("alice.pem", &bundle);
    for (mode, is_warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, permissions).expect("a mode");
        let arguments = [
            "--cert",
            path.to_str().expect("UTF-8"),
            "--server",
            "127.0.0.1:1",
        ];
        let outcome = Person::start(&arguments).ends().await;
        let warning = outcome.stderr.contains("run `chmod 600 ");
        assert_eq!(warning, is_warned, "{mode:o}: {}", outcome.stderr);
    }
}
