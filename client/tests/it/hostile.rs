//! What a hostile or broken server can do: nothing that the person does not see.

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
        told[0].ends_with("calls us \"mallory\", but our certificate says \"alice\""),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|line| line.contains("connected as")),
        "{told:?}"
    );
}

#[tokio::test]
async fn gaps_and_steps_back_are_told() {
    let room = Room::open().await;
    let alice = room.alice(&["--bare", "--give-up-after", "0"]);
    let mut session = room.enter().await;
    for seq in [42, 44, 43, 45] {
        session.send(&entry(seq, "x")).await;
    }
    session
        .send("= bye shutting-down the server is being stopped")
        .await;
    session.closed().await;
    let outcome = alice.ends_by_itself().await;
    assert_eq!(
        outcome.told(),
        (
            Some(6),
            vec![
                "client: warning: the server sent entry 44 after entry 42; the record here is not complete or not in order",
                "client: warning: the server sent entry 43 after entry 44; the record here is not complete or not in order",
                "client: error: the server ended the session: the server is being stopped (shutting-down)",
                "client: hint: connect again when the server is back",
            ]
        )
    );
    assert_eq!(outcome.stdout.lines().count(), 4);
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
    assert!(told[1].ends_with("sent a line without end, so the connection was closed"));
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
                "client: warning: the server sent a line that is no entry; it was ignored",
                "client: warning: the server sent a line that is not UTF-8; it was ignored",
                "client: warning: the server acknowledged a line that does not wait for it; it was ignored",
                "client: refused: \u{fffd}[2Jwrong \u{fffd}moon",
                "client: warning: the server sent a line that is no entry; it was ignored",
            ]
        )
    );
}

/// `script` gives the program a terminal of 40 columns.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_is_shown_no_escape_and_no_false_stamp() {
    use crate::room::{Leaf, Person};
    let room = Room::open().await;
    let server = format!("127.0.0.1:{}", room.port);
    let leaf = Leaf::person("alice");
    let bundle = room
        .authority
        .bundle(&leaf, &room.authority, &[("server", &server)]);
    let path = room.write("alice.pem", &bundle);
    let run = format!(
        "stty rows 24 cols 40 -echo; exec '{}' --cert '{}' --raw --give-up-after 0",
        env!("CARGO_BIN_EXE_client"),
        path.display()
    );
    let mut script = tokio::process::Command::new("script");
    let person = Person::start_by(script.args(["-qec", &run, "/dev/null"]));
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
    let outcome = person.ends_by_itself().await;
    assert_eq!(outcome.code, Some(6), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains('\x1b'));
    assert!(outcome.stdout.contains("= help \u{fffd}[2J\u{fffd}x\r\n"));
    let evil: Vec<&str> = outcome
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("42 "))
        .collect();
    assert!(evil[0].chars().count() <= 40, "{evil:?}");
    assert!(evil[1].starts_with("    "), "{evil:?}");
}
