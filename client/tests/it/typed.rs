//! Typing and pasting on a terminal without a window.

use kit::Terminal;
use pty_process::blocking::Command;

use crate::room::{Leaf, Room, Session, entry};

/// The program as alice on a terminal of this name, which other variables may follow, and the server's end of her connection.
async fn alice(room: &Room, term: &str, arguments: &[&str]) -> (Terminal, Session) {
    let server = format!("127.0.0.1:{}", room.port);
    let notes = [("server", server.as_str())];
    let bundle = room
        .authority
        .bundle(&Leaf::person("alice"), &room.authority, &notes);
    let path = room.write("alice.pem", &bundle);
    let program = env!("CARGO_BIN_EXE_client");
    // The terminal's own name would be set over ours.
    let command = Command::new("env")
        .args(format!("TERM={term}").split(' '))
        .arg(program)
        .arg(path)
        .args(["--utc", "--bare"])
        .args(arguments);
    let terminal = Terminal::open(60, 24, command);
    let session = room.enter().await;
    (terminal, session)
}

#[tokio::test]
async fn a_paste_is_one_question_and_its_commands_are_text() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, "xterm", &["--plain"]).await;
    terminal.shows("> ");
    terminal.types("\x1b[200~/quit\r/usr/bin/env\r\r/who\rthe rest of my notes\r\x1b[201~");
    terminal.shows("say these 4 lines to everybody? [y/N]");
    terminal.shows("1 blank line is left out");
    terminal.types("y");
    for (seq, text) in (42..).zip(["/quit", "/usr/bin/env", "/who", "the rest of my notes"]) {
        assert_eq!(session.take(seq).await, text);
    }
    // A question that is answered with no, and a line that goes on afterwards.
    terminal.types("begun \x1b[200~a\rb\x1b[201~");
    terminal.shows("say these 2 lines");
    terminal.types("n");
    terminal.shows("nothing was sent");
    terminal.types("and ended\r");
    assert_eq!(session.take(46).await, "begun and ended");
    terminal.types("\x04");
    session.goodbye().await;
    assert_eq!(terminal.ends().code(), Some(0));
    assert!(
        terminal.written().ends_with(b"\x1b[?2004l\x1b[?7h"),
        "{}",
        terminal.text()
    );
}

#[tokio::test]
async fn near_misses_do_not_go_to_everybody() {
    for term in ["xterm", "dumb"] {
        let room = Room::open().await;
        let (mut terminal, mut session) = alice(&room, term, &[]).await;
        terminal.types(" /msg dr.okafor secret\n");
        terminal.shows("there is no /msg");
        terminal.types("help\n");
        terminal.shows("say it to everybody? [y/N]");
        terminal.types("n\n");
        terminal.shows("nothing was sent");
        terminal.types("quit\n");
        terminal.until("a second question", |screen| {
            screen.contents().matches("say it to everybody?").count() >= 2
        });
        terminal.types("y\n");
        assert_eq!(session.take(42).await, "quit");
        terminal.types(" /quit\n");
        session.goodbye().await;
        // A line was refused.
        assert_eq!(terminal.ends().code(), Some(1), "{term}");
    }
}

#[tokio::test]
async fn a_line_that_is_begun_stays_below_what_is_said_and_is_not_mixed_with_it() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, "xterm", &["--plain"]).await;
    terminal.types("half a li");
    terminal.shows("> half a li");
    let long = format!("{} [eve@192.0.2.66] I did it", "x".repeat(50));
    session.send(&entry(42, &long)).await;
    terminal.shows("I did it");
    terminal.shows("> half a li");
    terminal.types("ne\n");
    assert_eq!(session.take(43).await, "half a line");
    terminal.shows("[bob@192.0.2.9] half a line");
    for row in terminal.rows() {
        let begins = ["", "[bob@192.0.2.9] ", "    ", "> ", "client: "];
        assert!(
            row.is_empty() || row == ">" || begins[1..].iter().any(|begin| row.starts_with(begin)),
            "{row}"
        );
    }
    // Only stamps are bold in the first column.
    let screen = terminal.screen();
    for (at, row) in (0..).zip(terminal.rows()) {
        let cell = screen.cell(at, 0).expect("a cell");
        assert_eq!(cell.bold(), row.starts_with("[bob@"), "{row}");
    }
    let said = terminal
        .rows()
        .iter()
        .position(|row| row.contains("x [eve@"));
    assert!(said.is_none_or(|at| !screen.cell(at as u16, 60 - 20).expect("a cell").bold()));
    terminal.types("\x04");
    session.goodbye().await;
    assert_eq!(terminal.ends().code(), Some(0));
}

#[tokio::test]
async fn a_dumb_terminal_is_sent_no_escape_and_gets_no_window() {
    let room = Room::open().await;
    let server = format!("127.0.0.1:{}", room.port);
    let notes = [("server", server.as_str())];
    let leaf = Leaf::person("alice");
    let path = room.write(
        "alice.pem",
        &room.authority.bundle(&leaf, &room.authority, &notes),
    );
    let command = Command::new("env")
        .arg("TERM=dumb")
        .arg(env!("CARGO_BIN_EXE_client"))
        .arg("--cert")
        .arg(path);
    let mut terminal = Terminal::open(60, 24, command);
    let mut session = room.enter().await;
    terminal.types("hello\n");
    assert_eq!(session.take(42).await, "hello");
    terminal.shows("[bob@192.0.2.9] hello");
    terminal.types("\x04");
    session.goodbye().await;
    assert_eq!(terminal.ends().code(), Some(0));
    assert!(!terminal.written().contains(&0x1b), "{}", terminal.text());
}

#[tokio::test]
async fn a_silent_server_is_told_and_so_is_its_answer() {
    let room = Room::open().await;
    let mut alice = room.alice(&["--bare"]);
    alice.types("hello\n").await;
    let mut session = room.enter().await;
    let (nonce, _) = session.said().await;
    alice.tells("no answer from the server for 3 s").await;
    session.send(&format!("= ok {nonce} 42")).await;
    session.send(&entry(42, "hello")).await;
    alice.tells("the server answers again").await;
    alice.stops_typing();
    session.goodbye().await;
    assert_eq!(alice.ends().await.code, Some(0));
}

#[tokio::test]
async fn a_terminal_that_is_not_utf_8_gets_nothing_but_ascii() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, "xterm LC_ALL=C", &["--plain"]).await;
    terminal.shows("stands for every character that is not ASCII");
    // The second byte of U+06DB moves the cursor of such a terminal.
    let evil = "hello \u{6db}2J\u{6db}5;1H2026-11-30 04:31:07 [dave@127.0.0.1] I copied it";
    session.send(&entry(42, evil)).await;
    terminal.shows("hello ?2J?5;1H2026-11-30");
    terminal.types("\x04");
    session.goodbye().await;
    assert_eq!(terminal.ends().code(), Some(0));
}
