//! Saying and hearing: the lines on standard output, and the end of the program.

use crate::room::{Room, entry};

#[tokio::test]
async fn a_line_is_said_and_shown_and_the_program_ends() {
    let room = Room::open().await;
    let mut alice = room.alice(&[]);
    alice.types("hi").await;
    alice.stops_typing();
    let mut session = room.enter().await;
    session.send(&entry(42, "hello")).await;
    assert_eq!(session.take(43).await, "hi");
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(
        outcome.stdout,
        "2026-11-21 18:00:00 [bob@192.0.2.9] hello\n2026-11-21 18:00:00 [bob@192.0.2.9] hi\n"
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let port = room.port;
    let connected = format!(
        "client: connected as alice from 192.0.2.7 via lo to \"Networks 101\" at 127.0.0.1:{port} (TLS 1.3, X25519MLKEM768, AES-128-GCM)\n"
    );
    assert_eq!(outcome.stderr, connected);
}

#[tokio::test]
async fn nothing_is_claimed_or_sent_before_the_greeting() {
    let room = Room::open().await;
    let mut alice = room.alice(&[]);
    alice.types("hi\n").await;
    let session = room.accept().await;
    session.close().await;
    let outcome = alice.ends().await;
    let port = room.port;
    let closed =
        format!("client: error: 127.0.0.1:{port} closed the connection before its greeting");
    let hint = "client: hint: is this a room's port? the server's log may say why";
    assert_eq!(outcome.stderr, format!("{closed}\n{hint}\n"));
    assert_eq!(outcome.code, Some(4));
}

#[tokio::test]
async fn slashes_commands_and_replies_find_their_way() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--utc", "--commands"]);
    alice.types("//who\n/who\n/ping\n/history 1\n").await;
    let mut session = room.enter().await;
    assert_eq!(session.take(42).await, "/who");
    assert_eq!(session.next().await, "/who");
    session.send("= who 42 count=1").await;
    session
        .send("= here alice role=bot ip=192.0.2.7 since=2026-11-21T10:00:00.123Z sessions=1")
        .await;
    assert_eq!(session.next().await, "/ping");
    session.send("= at 42").await;
    assert_eq!(session.next().await, "/history 1");
    session.send("= begin history").await;
    session.send(&format!("= {}", entry(42, "/who"))).await;
    session.send("= end history").await;
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(
        outcome.stdout,
        "2026-11-21 10:00:00 [bob@192.0.2.9] /who\n\
         one person is here:\n  \
           alice@192.0.2.7 (bot) since 2026-11-21 10:00:00\n\
         the newest entry is 42\n\
         2026-11-21 10:00:00 [bob@192.0.2.9] /who\n"
    );
    assert_eq!(outcome.told(), (Some(0), vec![]));
}

#[tokio::test]
async fn the_65th_line_waits_for_an_acknowledgement() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let lines: String = (1..=65).map(|n| format!("line {n}\n")).collect();
    alice.types(lines).await;
    let mut session = room.enter().await;
    let mut nonces = Vec::new();
    for n in 1..=64 {
        let (nonce, text) = session.said().await;
        assert_eq!(text, format!("line {n}"));
        nonces.push(nonce);
    }
    session.send("! waiting - disk full").await;
    session.send(&format!("= ok {} 42", nonces[0])).await;
    let (nonce, text) = session.said().await;
    assert_eq!(text, "line 65");
    nonces.push(nonce);
    for (n, nonce) in nonces.iter().enumerate().skip(1) {
        session.send(&format!("= ok {nonce} {}", n + 42)).await;
    }
    for n in 1..=65 {
        session.send(&entry(n + 41, &format!("line {n}"))).await;
    }
    alice.stops_typing();
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.stdout.lines().count(), 65);
    assert_eq!(
        outcome.told(),
        (
            Some(0),
            vec!["client: the server is waiting (disk full); nothing is lost"]
        )
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_window_sends_nothing_but_the_farewell() {
    let room = Room::open().await;
    let mut alice = room.alice(&[]);
    let lines: String = (1..=200).map(|n| format!("line {n}\n")).collect();
    alice.types(lines).await;
    let mut session = room.enter().await;
    for n in 1..=64 {
        assert_eq!(session.said().await.1, format!("line {n}"));
    }
    alice.signal("TERM").await;
    assert_eq!(session.next().await, "/quit");
    session.send("= bye goodbye").await;
    let outcome = alice.ends().await;
    let (code, told) = outcome.told();
    assert_eq!(code, Some(1));
    // How many more were read by then depends on the moment.
    let (warning, unsent) = told.split_last().expect("a warning");
    assert_eq!(
        *warning,
        "client: warning: the server did not acknowledge 64 lines; they may or may not be in the record"
    );
    let is_unsent = |line: &&str| line.ends_with(" lines were not sent");
    assert!(unsent.iter().all(is_unsent), "{unsent:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_leaves_properly_and_a_second_one_at_once() {
    for name in ["INT", "TERM"] {
        let room = Room::open().await;
        let alice = room.alice(&[]);
        let session = room.enter().await;
        alice.signal(name).await;
        session.goodbye().await;
        assert_eq!(alice.ends_by_itself().await.code, Some(0), "{name}");
    }
    let room = Room::open().await;
    let alice = room.alice(&[]);
    let mut session = room.enter().await;
    alice.signal("INT").await;
    assert_eq!(session.next().await, "/quit");
    alice.signal("INT").await;
    assert_eq!(alice.ends_by_itself().await.code, Some(130));
}

#[tokio::test]
async fn a_refused_line_is_told_and_counts_in_the_exit_code() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--commands"]);
    alice.types("one\n\x1b\ntwo\n/frobnicate\n").await;
    alice.stops_typing();
    let mut session = room.enter().await;
    let (nonce, text) = session.said().await;
    assert_eq!(text, "one");
    session
        .send(&format!("! disk-low {nonce} the disk is nearly full"))
        .await;
    assert_eq!(session.take(42).await, "two");
    session.goodbye().await;
    let outcome = alice.ends().await;
    let (code, mut told) = outcome.told();
    told.sort_unstable();
    assert_eq!(code, Some(1));
    assert_eq!(
        told,
        [
            "client: error: line 2 not sent: a line may not contain U+001B",
            "client: error: line 4 not sent: there is no /frobnicate; /help lists the commands; begin with // to say a line that starts with a slash",
            "client: not sent: the disk is nearly full",
        ]
    );
    assert_eq!(outcome.stdout.lines().count(), 1);
}

#[tokio::test]
async fn a_line_that_only_the_server_refuses_counts_too() {
    for code in ["disk-low", "quota"] {
        let room = Room::open().await;
        let mut alice = room.alice(&[]);
        alice.types("one\n").await;
        alice.stops_typing();
        let mut session = room.enter().await;
        let (nonce, _) = session.said().await;
        session.send(&format!("! {code} {nonce} full")).await;
        session.goodbye().await;
        let outcome = alice.ends().await;
        assert_eq!(outcome.told(), (Some(1), vec!["client: not sent: full"]));
    }
}

#[tokio::test]
async fn nobody_leaves_before_the_own_line_is_acknowledged_and_shown() {
    for is_acknowledged in [false, true] {
        let room = Room::open().await;
        let mut alice = room.alice(&["--bare", "--give-up-after", "0"]);
        alice.types("one\n").await;
        alice.stops_typing();
        let mut session = room.enter().await;
        let (nonce, _) = session.said().await;
        if is_acknowledged {
            session.send(&format!("= ok {nonce} 43")).await;
        }
        session.send(&entry(42, "meanwhile")).await;
        assert_eq!(alice.shows().await, "[bob@192.0.2.9] meanwhile");
        // Nothing came since, so there was no /quit.
        session.hang_up().await;
        let outcome = alice.ends().await;
        let doubt = "client: warning: the server did not acknowledge 1 line; it may or may not be in the record";
        let (code, told) = outcome.told();
        assert_eq!(code, Some(4));
        assert_eq!(told.contains(&doubt), !is_acknowledged, "{told:?}");
    }
}

#[tokio::test]
async fn other_encodings_are_named_and_not_sent() {
    let room = Room::open().await;
    let mut alice = room.alice(&[]);
    alice.types(b"\xc4\xe3\nok\n").await;
    alice.stops_typing();
    let mut session = room.enter().await;
    assert_eq!(session.take(42).await, "ok");
    session.goodbye().await;
    assert_eq!(alice.ends().await.code, Some(1));

    let mut alice = room.alice(&[]);
    alice.types(b"\xff\xfeh\0i\0\r\0\n\0").await;
    let session = room.enter().await;
    session.goodbye().await;
    let outcome = alice.ends_by_itself().await;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("UTF-16 (Windows PowerShell"));
}

#[tokio::test]
async fn old_entries_come_first_and_without_a_gap() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--since", "2", "--bare"]);
    alice.types("hi\n").await;
    alice.stops_typing();
    let mut session = room.greet().await;
    assert_eq!(session.next().await, "/history 2");
    session.send("= begin history").await;
    session.send(&format!("= {}", entry(40, "a"))).await;
    session.send(&format!("= {}", entry(41, "b"))).await;
    session.send("= end history").await;
    assert_eq!(session.next().await, "/follow 41 2026-11-21T10:00:00.123Z");
    session.send(&entry(42, "meanwhile")).await;
    session.take(43).await;
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.told(), (Some(0), vec![]));
    let shown: Vec<&str> = outcome.stdout.lines().collect();
    let said = ["a", "b", "meanwhile", "hi"].map(|text| format!("[bob@192.0.2.9] {text}"));
    assert_eq!(shown, said);
}

#[tokio::test]
async fn everything_is_shown_before_an_empty_input_ends_the_program() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--since", "all", "--bare"]);
    alice.stops_typing();
    let mut session = room.greet().await;
    assert_eq!(session.next().await, "/follow 0");
    // A hundred entries in one record, the last of them torn apart.
    let all: String = (1..=40).map(|n| entry(n, "x") + "\n").collect();
    session.send_bytes(all.as_bytes()).await;
    let last = entry(41, "y") + "\n";
    for byte in last.as_bytes() {
        session.send_bytes(&[*byte]).await;
    }
    session.goodbye().await;
    let outcome = alice.ends().await;
    assert_eq!(outcome.told(), (Some(0), vec![]));
    assert_eq!(outcome.stdout.lines().count(), 41);
    assert!(outcome.stdout.ends_with("y\n"));
}

#[tokio::test]
async fn each_form_shows_what_it_should() {
    for (form, shown) in [
        (
            "--json",
            concat!(
                r#"{"kind":"welcome","at":"2026-11-21T10:00:00.123Z","id":"alice","role":"student","ip":"192.0.2.7","room":"Networks 101","head":41}"#,
                "\n",
                r#"{"kind":"at","seq":41}"#,
                "\n",
                r#"{"kind":"message","seq":42,"at":"2026-11-21T10:00:00.123Z","id":"bob","ip":"192.0.2.9","text":"hi"}"#,
                "\n",
                r#"{"kind":"enter","seq":43,"at":"2026-11-21T10:00:00.123Z","id":"eve","ip":"::1"}"#,
                "\n",
                r#"{"kind":"bye","reason":"goodbye","words":""}"#,
                "\n",
            ),
        ),
        (
            "--raw",
            concat!(
                "= welcome id=alice role=student ip=192.0.2.7 room=\"Networks 101\" head=41 epoch=9f86 clock=2026-11-21T10:00:00.123Z version=0.1.0 moon=full\n",
                "= at 41\n",
                "42 2026-11-21T10:00:00.123Z [bob@192.0.2.9] hi\n",
                "43 2026-11-21T10:00:00.123Z * eve@::1 entered\n",
                "~ a kind of line from the future\n",
                "= bye goodbye\n",
            ),
        ),
        ("--bare", "[bob@192.0.2.9] hi\n"),
        (
            "--plain",
            "2026-11-21 18:00:00 [bob@192.0.2.9] hi\n2026-11-21 18:00:00 * eve@::1 entered\n",
        ),
    ] {
        let room = Room::open().await;
        let mut alice = room.alice(&[form]);
        let mut session = room.enter().await;
        session.send(&entry(42, "hi")).await;
        session
            .send("43 2026-11-21T10:00:00.123Z * eve@::1 entered")
            .await;
        session.send("~ a kind of line from the future").await;
        alice.stops_typing();
        session.goodbye().await;
        let outcome = alice.ends().await;
        assert_eq!(outcome.stdout, shown);
        assert_eq!(outcome.told(), (Some(0), vec![]));
    }
}

#[tokio::test]
async fn each_entry_is_shown_at_once() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let mut session = room.enter().await;
    for n in 42..45 {
        session.send(&entry(n, "now")).await;
        assert_eq!(alice.shows().await, "[bob@192.0.2.9] now");
    }
    alice.stops_typing();
    session.goodbye().await;
    assert_eq!(alice.ends().await.code, Some(0));
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_is_no_failure() {
    let room = Room::open().await;
    let mut alice = room.alice(&[]);
    let mut session = room.enter().await;
    alice.closes_stdout();
    session.send(&entry(42, "unseen")).await;
    session.goodbye().await;
    let outcome = alice.ends_by_itself().await;
    assert_eq!(outcome.told(), (Some(0), vec![]));
}

#[tokio::test]
async fn a_reader_who_stops_reading_stops_the_server_and_loses_nothing() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let mut session = room.enter().await;
    let text = "x".repeat(4000);
    let count = 5000;
    let sender = tokio::spawn(async move {
        for n in 0..count {
            session.send(&entry(42 + n, &text)).await;
        }
        session
    });
    alice.types("hi\n").await;
    alice.stops_typing();
    let first = alice.shows().await;
    assert!(first.ends_with('x'));
    let (outcome, ()) = tokio::join!(alice.ends(), async {
        let mut session = sender.await.expect("all was sent");
        session.take(42 + count).await;
        session.goodbye().await;
    });
    assert_eq!(outcome.told(), (Some(0), vec![]));
    assert_eq!(outcome.stdout.lines().count() as u64, count);
}

#[tokio::test]
async fn lines_after_a_quit_are_not_sent_and_that_is_told() {
    for (after, told) in [
        ("", None),
        ("\n", None),
        (
            "two\n\nthree",
            Some("client: error: 2 lines after /quit were not sent"),
        ),
    ] {
        let room = Room::open().await;
        let mut alice = room.alice(&["--bare", "--commands"]);
        alice.types(format!("one\n/quit\n{after}")).await;
        let mut session = room.enter().await;
        assert_eq!(session.take(42).await, "one");
        session.goodbye().await;
        let outcome = alice.ends().await;
        let code = i32::from(told.is_some());
        assert_eq!(outcome.told(), (Some(code), told.into_iter().collect()));
    }
}

#[tokio::test]
async fn a_pipe_is_said_as_it_is_and_what_is_not_said_is_an_exit_code() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    let text = "see these paths:\n/usr/bin/env\n\n/who\n/quit\n//x\nhelp\nlast\n";
    alice.types(text).await;
    alice.stops_typing();
    let mut session = room.enter().await;
    let said = ["see these paths:", "/usr/bin/env", "//x", "help", "last"];
    for (at, text) in said.into_iter().enumerate() {
        assert_eq!(session.take(42 + at as u64).await, text);
    }
    session.goodbye().await;
    let outcome = alice.ends().await;
    let hint = "client: hint: pass --commands to give commands in a pipe; there, a line that begins with two slashes says one";
    assert_eq!(
        outcome.told(),
        (
            Some(1),
            vec![
                "client: error: line 4 not sent: /who is a command, and a pipe is read as text",
                hint,
                "client: error: line 5 not sent: /quit is a command, and a pipe is read as text",
                "client: note: 1 blank line was left out: the room has none",
            ]
        )
    );
}
