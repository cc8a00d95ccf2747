//! A hostile or broken server can do nothing that the person does not see.

use crate::room::{GREETING, Room, entry};

#[tokio::test]
async fn a_server_that_gives_us_another_name_is_not_believed() {
    let room = Room::open().await;
    let alice = room.alice(&[]);
    let mut session = room.accept().await;
    session
        .send(&GREETING.replace("id=alice", "id=mallory"))
        .await;
    let outcome = alice.ends_by_itself().await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(5));
    assert!(
        told[0].ends_with("calls you \"mallory\", but your certificate says \"alice\""),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|line| line.contains("connected as")),
        "{told:?}"
    );
}

#[tokio::test]
async fn gaps_are_told_and_a_server_that_goes_back_is_left() {
    for (came, form) in [(43, "--bare"), (44, "--plain"), (1, "--json")] {
        let room = Room::open().await;
        let alice = room.alice(&[form]);
        let mut session = room.enter().await;
        for seq in [42, 44, came, 45] {
            session.send(&entry(seq, "x")).await;
        }
        // It comes back to no such server, and warns of it once.
        session.closed().await;
        let outcome = alice.ends_by_itself().await;
        let port = room.port;
        assert_eq!(
            outcome.told(),
            (
                Some(1),
                vec![
                    "client: warning: the server sent entry 44 after entry 42; the lines shown here are incomplete or out of order",
                    &format!(
                        "client: warning: the server sent entry {came} after entry 44; the lines shown here are incomplete or out of order"
                    ),
                    &format!(
                        "client: error: 127.0.0.1:{port} sent entry {came} after entry 44, so the connection was closed: the numbers of entries never go down"
                    ),
                    "client: hint: that server is broken or hostile; tell whoever runs it",
                ]
            )
        );
        let shown = outcome.stdout.lines().filter(|line| line.contains("bob"));
        assert_eq!(shown.count(), 2, "{}", outcome.stdout);
    }
}

#[tokio::test]
async fn a_server_that_goes_on_and_on_is_warned_of_a_few_times() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let mut session = room.enter().await;
    let mut lines = String::new();
    for n in 0..5000 {
        let seq = 42 + 2 * n;
        lines.push_str(&format!(
            "{}\n= ok k3v9q2a7-1 5\n! moon-phase - wrong\n! waiting - full\n= \x1b\n! other-history - x\n4 x\n",
            entry(seq, "x")
        ));
    }
    let ((), lines) = tokio::join!(session.send_bytes(lines.as_bytes()), async {
        let mut count = 0;
        while count < 5000 {
            assert_eq!(alice.shows().await, "[bob@192.0.2.9] x");
            count += 1;
        }
        count
    });
    assert_eq!(lines, 5000);
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(0));
    // Eight warnings and a word about the rest, for each minute that it took.
    assert!((9..40).contains(&told.len()), "{}: {told:?}", told.len());
    assert!(told[8].ends_with("are left out"));
}

#[tokio::test]
async fn nothing_that_no_text_may_have_reaches_a_pipe_but_as_raw() {
    const EVIL: &str = "\x1b]52;c;b3duZWQ=\x07\x1b[2J\u{9b}6n\u{9d}2;owned\u{9c}\0\u{202e}evil\u{2066}\u{2028}\u{e0041}";
    for form in ["--plain", "--bare", "--json", "--raw"] {
        let room = Room::open().await;
        let mut alice = room.alice(&[form, "--commands"]);
        alice.types("/who\n/help\n/whois bob\n/nick\n").await;
        let mut session = room.enter().await;
        for asked in ["/who", "/help", "/whois bob", "/nick"] {
            assert_eq!(session.next().await, asked);
        }
        let answers = [
            format!("= note stale-list {EVIL}"),
            format!("= note {EVIL} old"),
            format!("= who 41 count=1 moon=\"{EVIL}\""),
            "= who 41 count=1".to_owned(),
            format!(
                "= here bob role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1 x={EVIL}"
            ),
            "= here bob role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1".to_owned(),
            format!("= begin help {EVIL}"),
            "= begin help".to_owned(),
            format!("= help {EVIL}"),
            "= end help".to_owned(),
            format!("= whois bob {EVIL}"),
            "= whois bob role=bot".to_owned(),
            format!("! name-from-certificate - {EVIL}"),
            "! name-from-certificate - no".to_owned(),
            format!("= moon {EVIL}"),
            entry(42, EVIL),
            format!("= bye kicked {EVIL}"),
            format!("= bye goodbye {EVIL}"),
        ];
        for answer in &answers {
            session.send(answer).await;
        }
        alice.stops_typing();
        session.goodbye().await;
        let outcome = alice.ends().await;
        let is_forbidden = |c: char| c != '\n' && wire::is_forbidden(c);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(is_forbidden), "{}", outcome.stderr);
        if form == "--raw" {
            for answer in &answers {
                assert!(outcome.stdout.contains(answer), "{answer:?}");
            }
        } else {
            assert!(!outcome.stdout.contains(is_forbidden), "{}", outcome.stdout);
            assert!(!outcome.stdout.contains("evil"), "{}", outcome.stdout);
            assert!(outcome.stdout.contains("role=bot"), "{}", outcome.stdout);
        }
    }
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_shown_to_nobody() {
    for form in ["--plain", "--json"] {
        let room = Room::open().await;
        let mut alice = room.alice(&[form, "--commands"]);
        let mut session = room.enter().await;
        let here = "= here eve role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1";
        for unasked in [
            "= who 10 count=9007199254740992",
            here,
            here,
            "= begin history",
            &format!("= {}", entry(7, "eve")),
            "= end history",
            "= begin help",
            "= help eve",
            "= whois eve role=bot",
            "= note eve eve",
            "= moon eve",
            "= at 999999",
            &GREETING.replace("Networks 101", "eve"),
        ] {
            session.send(unasked).await;
        }
        session.send(&entry(42, "fine")).await;
        while !alice.shows().await.contains("fine") {}
        // And each answer is shown once.
        alice.types("/who\n").await;
        assert_eq!(session.next().await, "/who");
        session.send("= who 42 count=1").await;
        session.send(&here.replace("eve", "bob")).await;
        session.send(here).await;
        alice.stops_typing();
        session.goodbye().await;
        let outcome = alice.ends().await;
        assert_eq!(outcome.told(), (Some(0), vec![]));
        assert!(outcome.stdout.contains("bob"), "{}", outcome.stdout);
        assert!(!outcome.stdout.contains("eve"), "{}", outcome.stdout);
    }
}

/// Sends entries for as long as somebody takes them.
#[cfg(unix)]
async fn flood(mut session: crate::room::Session) {
    let text = "x".repeat(1000);
    for seq in 42.. {
        let line = entry(seq, &text) + "\n";
        if session.try_send_bytes(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_at_once_however_much_is_sent_and_whoever_reads() {
    for is_read in [false, true] {
        let room = Room::open().await;
        let mut alice = room.alice(&["--bare"]);
        alice.types("hi\n").await;
        let mut session = room.enter().await;
        let (nonce, _) = session.said().await;
        session.send(&format!("= ok {nonce} 43")).await;
        let server = tokio::spawn(flood(session));
        // The acknowledgement has been read before this is shown.
        assert!(alice.shows().await.ends_with('x'));
        let mut stdout = alice.child.stdout.take().expect("standard output is open");
        let unread = if is_read {
            tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
            None
        } else {
            Some(stdout)
        };
        alice.signal("INT").await;
        let outcome = alice.ends_by_itself().await;
        // Had it been ended by force, two seconds after the signal, the code would be 130.
        assert_eq!(
            outcome.code,
            Some(i32::from(!is_read)),
            "{}",
            outcome.stderr
        );
        let told = outcome.told().1;
        let doubt = told.iter().any(|line| line.contains("did not acknowledge"));
        assert!(!doubt, "{told:?}");
        assert_eq!(
            told.iter()
                .any(|line| line.contains("standard output takes no more")),
            !is_read,
            "{told:?}"
        );
        drop(unread);
        server.await.expect("the flood ends with the client");
    }
}

#[tokio::test]
async fn a_line_without_end_is_not_kept() {
    let room = Room::open().await;
    let alice = room.alice(&[]);
    let mut session = room.enter().await;
    // More than is thrown away before the sender counts as hostile, and never a line end.
    session.send_bytes(&vec![b'x'; 80 * 1024]).await;
    let outcome = alice.ends_by_itself().await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(1));
    assert_eq!(
        told[0],
        "client: warning: the server sent a line that is too long; it was ignored"
    );
    assert!(told[1].ends_with("sent an endless line, so the connection was closed"));
}

#[tokio::test]
async fn lines_that_mean_nothing_are_told_and_ignored() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let mut session = room.enter().await;
    session.send("42 hello").await;
    session.send_bytes(b"= \xff\xfe\n\n~\n= moon full\n").await;
    session.send("= ok k3v9q2a7-1 5").await;
    session
        .send("! moon-phase - \x1b[2Jwrong \u{202e}moon")
        .await;
    session.send("! moon-phase - wrong moon").await;
    session.send(&entry(42, "a\x1b[2J")).await;
    session.send(&entry(42, "fine")).await;
    alice.stops_typing();
    assert_eq!(alice.shows().await, "[bob@192.0.2.9] fine");
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(
        outcome.told(),
        (
            Some(0),
            vec![
                "client: warning: the server sent a malformed entry; it was ignored",
                "client: warning: the server sent a line that is not UTF-8; it was ignored",
                "client: warning: the server acknowledged a line that was not waiting for it; it was ignored",
                "client: warning: the server sent a line with U+001B, which no text may have; it was ignored",
                "client: warning: the server refused something that nobody asked for (wrong moon); it was ignored",
                "client: warning: the server sent a line with U+001B, which no text may have; it was ignored",
            ]
        )
    );
}

/// On a terminal of 40 columns.
#[cfg(unix)]
#[tokio::test]
async fn a_terminal_is_shown_no_escape_and_no_false_stamp() {
    use kit::Terminal;
    use pty_process::blocking::Command;

    use crate::room::{Leaf, without_our_sequences};

    let room = Room::open().await;
    let server = format!("127.0.0.1:{}", room.port);
    let leaf = Leaf::person("alice");
    let bundle = room
        .authority
        .bundle(&leaf, &room.authority, &[("server", &server)]);
    let path = room.write("alice.pem", &bundle);
    let command = Command::new(env!("CARGO_BIN_EXE_client"))
        .arg("--cert")
        .arg(path)
        .args(["--raw", "--give-up-after", "0"]);
    let mut terminal = Terminal::open(40, 24, command);
    let mut session = room.enter().await;
    session.send("= help \x1b[2J\u{202e}x").await;
    session
        .send(&entry(
            42,
            "x 43 2026-11-21T10:00:00.123Z [eve@192.0.2.66] I did it",
        ))
        .await;
    session.send("= bye shutting-down").await;
    session.closed().await;
    let code = terminal.ends().code();
    let shown = without_our_sequences(terminal.written());
    assert_eq!(code, Some(6), "{shown}");
    assert!(!shown.contains('\x1b'));
    assert!(shown.contains("= help \u{fffd}[2J\u{fffd}x\r\n"));
    let evil: Vec<&str> = shown
        .lines()
        .map(|line| line.trim_start_matches("> \r"))
        .skip_while(|line| !line.starts_with("42 "))
        .collect();
    assert!(evil[0].chars().count() <= 40, "{evil:?}");
    assert!(evil[1].starts_with("    "), "{evil:?}");
}
