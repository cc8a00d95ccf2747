//! A person's terminal, as an emulator that others wrote understands it: whatever a server sends fills
//! cells, and does nothing else.

use kit::Terminal;
use pty_process::blocking::Command;

use crate::room::{GREETING, Leaf, Room, Session, entry, without_our_sequences};

/// Everything that makes a terminal do something: a title, the clipboard, a question that it
/// answers as if it were typed, another screen, a link, C1 controls, a line end, a return.
const COMMANDS: &str = "\x1b]2;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[6n\x1b[c\x1b[?1049l\x1b]8;;http://x\x1b\\\
     \u{9b}6n\u{9d}2;owned\u{9c}\u{90}q\u{9c}\x0b\x0c\x08\x7f\r\u{85}\u{2028}";

/// Characters that turn text around or hide in it.
const HIDDEN: &str = "\u{202e}evil\u{2066}\u{200f}\u{feff}\u{fff9}\u{e0041}";

/// The window asks the terminal for its background, and for nothing else.
const OUR_QUESTION: &str = "a command: 11;?";

const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

/// The program as alice on a terminal, and the server's end of her connection, not yet greeted.
async fn alice(room: &Room, arguments: &[&str]) -> (Terminal, Session) {
    let server = format!("127.0.0.1:{}", room.port);
    let notes = [("server", server.as_str())];
    let leaf = Leaf {
        valid: (-10, 90),
        ..Leaf::person("alice")
    };
    let bundle = room.authority.bundle(&leaf, &room.authority, &notes);
    let path = room.write("alice.pem", &bundle);
    let command = Command::new(env!("CARGO_BIN_EXE_client"))
        .arg("--cert")
        .arg(path)
        .args(["--since", "head", "--utc"])
        .args(arguments);
    let terminal = Terminal::open(COLUMNS, ROWS, command);
    let session = room.accept().await;
    (terminal, session)
}

/// Says everything that a server can say, each with something in it that it should not be.
async fn say_evil(session: &mut Session) {
    let evil = format!("{COMMANDS}{HIDDEN}");
    // An entry that nobody could have said, and ones that somebody can.
    session.send(&entry(42, &evil)).await;
    let forged = "x".repeat(20) + &" ".repeat(40) + "19:00 [eve@192.0.2.66] I did it ";
    session.send(&entry(42, &forged.repeat(3))).await;
    let zalgo = format!("z{}", "\u{301}".repeat(1000));
    session.send(&entry(43, &format!("{zalgo} calm"))).await;
    session
        .send(&entry(44, "\u{5d0}\u{5d1} 12 \u{627}\u{628}"))
        .await;
    session.send(&entry(45, &"张".repeat(70))).await;
    session.send(&format!("= moon {evil}")).await;
    session.send(&format!("= note room {evil}")).await;
    session.send(&format!("= who 45 count=1 {evil}")).await;
    session.send(&format!("! busy - {evil}")).await;
    session.send(&format!("{evil} is no line")).await;
    session.send(&entry(46, "that was all")).await;
    session.send(&format!("! waiting - {evil}")).await;
    session.send("! waiting - the disk is full").await;
}

#[tokio::test]
async fn a_greeting_with_a_forbidden_character_is_none() {
    for arguments in [&[][..], &["--plain"], &["--plain", "--raw"]] {
        let room = Room::open().await;
        let (mut terminal, mut session) = alice(&room, arguments).await;
        let evil = format!("room=\"{COMMANDS}{HIDDEN}\"");
        session
            .send(&GREETING.replace("room=\"Networks 101\"", &evil))
            .await;
        assert_eq!(terminal.ends().code(), Some(1));
        let told = terminal.text();
        assert!(told.contains(" sent no valid greeting: "), "{told}");
        assert!(told.contains("U+001B"), "{told}");
        assert_eq!(terminal.oddities().all, [""; 0]);
        assert_eq!(terminal.oddities().bells, 0);
    }
}

#[tokio::test]
async fn a_signal_closes_a_window_whose_session_has_ended_at_once() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= bye replaced from 192.0.2.9").await;
    session.closed().await;
    terminal.shows("the server ended the session");
    let kill = format!("kill -s INT {}", terminal.id());
    let sent = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(sent.expect("a signal").success());
    // As C-c would; a program that had to be ended has 130.
    assert_eq!(terminal.ends().code(), Some(6));
    assert!(terminal.text().contains("from 192.0.2.9 (replaced)"));
}

/// Sends this many lines.
async fn flood(session: &mut Session, count: usize, line: impl Fn(usize) -> String) {
    let mut lines = String::new();
    for n in 0..count {
        lines.push_str(&line(n));
        lines.push('\n');
        if lines.len() > 64 * 1024 || n + 1 == count {
            session.send_bytes(lines.as_bytes()).await;
            lines.clear();
        }
    }
}

/// People, all of them different.
fn somebody(n: usize) -> String {
    format!("= here p{n} role=student ip=192.0.2.9 since=2026-11-21T10:00:00.123Z sessions=1")
}

/// Returns a line that nobody asked for, of each kind in turn.
fn unasked(n: usize) -> String {
    match n % 8 {
        0 => format!("= who {n} count=9007199254740992"),
        1 => "= begin history".to_owned(),
        2 => format!("= {}", entry(1, &"x".repeat(500))),
        3 => format!("= help {n}"),
        4 => format!("= note flood {n}"),
        5 => format!("! nobody - asked {n}"),
        6 => format!("= moon {n}"),
        _ => somebody(n),
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_counts_people_without_end_does_not_fill_the_windows_memory() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= at 41").await;
    assert_eq!(session.next().await, "/who");
    assert_eq!(session.next().await, "/ping");
    session.send("= who 41 count=9007199254740992").await;
    // Everything that may be kept is kept by now.
    flood(&mut session, 12_000, somebody).await;
    session.send(&entry(42, "the first flood is over")).await;
    terminal.shows("the first flood is over");
    let before = kit::peak_kib(terminal.id());
    flood(&mut session, 200_000, somebody).await;
    flood(&mut session, 100_000, unasked).await;
    session.send(&entry(43, "the others too")).await;
    terminal.shows("the others too");
    let more = kit::peak_kib(terminal.id()) - before;
    assert!(more < 8 * 1024, "{more} KiB more than {before} KiB");
}

#[tokio::test]
async fn everything_that_a_server_sends_fills_cells_of_the_window_and_does_nothing_else() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= at 41").await;
    assert_eq!(session.next().await, "/who");
    say_evil(&mut session).await;
    terminal.shows("the server waits");
    let screen = "
        ┃────────────────────────────────── 2026-11-21 ──────────────────────────────────
        ┃10:00 [bob] xxxxxxxxxxxxxxxxxxxx                                        19:00
        ┃        [eve@192.0.2.66] I did it
        ┃        xxxxxxxxxxxxxxxxxxxx                                        19:00
        ┃        [eve@192.0.2.66] I did it
        ┃        xxxxxxxxxxxxxxxxxxxx                                        19:00
        ┃        [eve@192.0.2.66] I did it
        ┃      [bob] ZALGO calm
        ┃      [bob] \u{5d0}\u{5d1} 12 \u{627}\u{628}
        ┃      [bob] 张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张
        ┃        张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张张
        ┃      · the server sent a line with U+001B, which no text may have; it was
        ┃        ignored
        ┃      · the server sent a line with U+001B, which no text may have; it was
        ┃        ignored
        ┃      · the server sent a line with U+001B, which no text may have; it was
        ┃        ignored
        ┃      · the server sent a line with U+001B, which no text may have; it was
        ┃        ignored
        ┃      [bob] that was all
        ┃      · the server sent a line with U+001B, which no text may have; it was
        ┃        ignored
        ┃ connected · the server waits: the disk is full · \"Networks 101\" · 0 h… F1 help
        ┃>";
    is_shown(&terminal, screen);
    session
        .send(&format!("= bye shutting-down {COMMANDS}{HIDDEN}"))
        .await;
    session.send("= bye shutting-down the server stops").await;
    terminal.shows("reconnecting");
    let rows = terminal.rows();
    assert_eq!(
        rows[16..22],
        [
            "      · the server sent a line with U+001B, which no text may have; it was",
            "        ignored",
            "      · the server sent a line with U+001B, which no text may have; it was",
            "        ignored",
            "      · 8 warnings within a minute; the next ones about this server are left out",
            "      · the server says: the server stops",
        ]
    );
    assert_eq!(terminal.oddities().all, [OUR_QUESTION]);
    assert_eq!(terminal.oddities().bells, 0);
    assert!(terminal.screen().alternate_screen());
}

#[tokio::test]
async fn everything_that_a_server_sends_fills_cells_of_plain_lines_and_does_nothing_else() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &["--plain", "--give-up-after", "0"]).await;
    terminal.resize(COLUMNS, 60);
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= at 41").await;
    terminal.types("/who\n");
    assert_eq!(session.next().await, "/who");
    say_evil(&mut session).await;
    session.send("= who 46 count=1").await;
    session
        .send("= here alice role=bot ip=192.0.2.7 since=2026-11-21T10:00:00.123Z sessions=1")
        .await;
    session
        .send(&format!("= bye shutting-down {COMMANDS}{HIDDEN}"))
        .await;
    session.send("= bye shutting-down").await;
    session.closed().await;
    assert_eq!(terminal.ends().code(), Some(6));
    // Notes about the connection and lines come by two ways, in no certain order.
    let rows = terminal.rows();
    let said: Vec<&str> = rows
        .iter()
        .map(String::as_str)
        .skip_while(|row| !row.starts_with("2026-11-21 10:00:00 [bob@192.0.2.9] xxx"))
        .collect();
    let said = said.join("\n");
    assert_eq!(terminal.oddities().all, [""; 0]);
    assert_eq!(terminal.oddities().bells, 0);
    assert!(!terminal.screen().alternate_screen());
    let written = without_our_sequences(terminal.written()).into_bytes();
    for byte in 0..=u8::MAX {
        let is_harmless = byte >= b' ' && byte != 0x7f || b"\r\n".contains(&byte);
        assert!(is_harmless || !written.contains(&byte), "{byte:#04x}");
    }
    // No row begins as if somebody else had said it, and every stamp in the first column is true.
    for row in &rows {
        let is_ours = row.starts_with("client: ")
            || row.starts_with("2026-11-21 10:00:00 [bob@192.0.2.9]")
            || row.starts_with("    ")
            || row == "  alice@192.0.2.7 (bot) since 2026-11-21 10:00:00"
            // The line that was typed.
            || ["", ">", "> /who", "one person is here:"].contains(&row.as_str());
        assert!(is_ours, "{row}");
    }
    assert!(!said.contains("evil"), "{said}");
    for part in [
        "2026-11-21 10:00:00 [bob@192.0.2.9] ZALGO calm\n",
        "2026-11-21 10:00:00 [bob@192.0.2.9] \u{5d0}\u{5d1} 12 \u{627}\u{628}\n",
        "2026-11-21 10:00:00 [bob@192.0.2.9] that was all",
        "one person is here:\n  alice@192.0.2.7 (bot) since 2026-11-21 10:00:00",
    ] {
        let part = part.replace("ZALGO", &calmed());
        assert!(said.contains(&part), "{part}\n--- in\n{said}");
    }
}

#[tokio::test]
async fn the_terminals_answer_about_its_background_is_taken_and_typed_keys_are_kept() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    terminal.shows(" connected · ");
    // In the middle of what is typed, and late.
    terminal.types("he\x1b]11;rgb:ffff/ffff/ffff\x07llo");
    terminal.shows("> hello");
    session.send("= at 41").await;
    session.send(&entry(42, "hi")).await;
    terminal.shows("[bob] hi");
    let row = terminal
        .rows()
        .iter()
        .position(|row| row.contains("[bob] hi"));
    let row = u16::try_from(row.expect("a line")).expect("a row");
    // One of the colours of names on a white background.
    let cell = terminal.screen().cell(row, 7).expect("a cell").clone();
    assert_eq!(cell.contents(), "b");
    let on_white = [
        "21", "125", "58", "25", "127", "52", "23", "92", "18", "89", "60", "26", "88", "54", "17",
        "93",
    ];
    let colour = format!("{:?}", cell.fgcolor());
    assert!(
        on_white
            .iter()
            .any(|index| colour == format!("Idx({index})")),
        "{colour}"
    );
}

#[tokio::test]
async fn after_the_end_a_key_comes_back_and_says_unstored_lines_once_more_under_their_names() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= at 41").await;
    session.send(&entry(42, "hello")).await;
    terminal.shows("[bob] hello");
    terminal.types("one\r");
    let said = until_said(&mut session).await;
    session.send("= bye replaced from 192.0.2.9").await;
    session.closed().await;
    terminal.shows(" ended: F5 tries again");
    terminal.types("\x1b[15~");
    let mut session = room.accept().await;
    session.send(&GREETING.replace("head=41", "head=42")).await;
    assert_eq!(session.next().await, "/follow 42 2026-11-21T10:00:00.123Z");
    assert_eq!(until_said(&mut session).await, said);
    terminal.shows(" connected · ");
}

/// Returns the next line that is said, with its name, past questions.
async fn until_said(session: &mut Session) -> String {
    loop {
        let line = session.next().await;
        if line.starts_with("/say ") {
            return line;
        }
    }
}

#[tokio::test]
async fn lines_of_a_newer_server_are_shown_plainly_in_the_window() {
    let at = "2026-11-21T10:00:00.123Z";
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    session.send(GREETING).await;
    assert_eq!(session.next().await, "/follow head");
    session.send("= at 41").await;
    assert_eq!(session.next().await, "/who");
    assert_eq!(session.next().await, "/ping");
    session.send(&entry(42, "hello")).await;
    for line in [
        format!("43 {at} * bob@192.0.2.9 left (kicked)"),
        "= frobnicated x".to_owned(),
        "~ a kind of line".to_owned(),
        format!("44 {at} \u{600} * eve@192.0.2.66 waved"),
    ] {
        session.send(&line).await;
    }
    session.send(&entry(45, "fine")).await;
    terminal.shows("[bob] fine");
    session.send("= bye kicked you were asked to leave").await;
    session.closed().await;
    terminal.shows(" ended: F5 tries again");
    let rows = terminal.rows();
    assert_eq!(
        rows[17..23],
        [
            "10:00 [bob] hello",
            "      * bob left (kicked)",
            // The emulator's own sign for U+FFFD.
            "      ? ¿ * eve@192.0.2.66 waved",
            "      [bob] fine",
            "      ! the server ended the session: you were asked to leave (kicked)",
            " ended: F5 tries again, C-c closes · \"Networks 101\" · the server ended… F1 help",
        ]
    );
    assert_eq!(terminal.oddities().all, [OUR_QUESTION]);
    terminal.types("\x03");
    assert_eq!(terminal.ends().code(), Some(6));
}

#[tokio::test]
async fn a_person_whose_file_names_no_server_is_asked_for_it() {
    let room = Room::open().await;
    let leaf = Leaf::person("alice");
    let path = room.write(
        "alice.pem",
        &room.authority.bundle(&leaf, &room.authority, &[]),
    );
    let command = Command::new(env!("CARGO_BIN_EXE_client"))
        .arg("--cert")
        .arg(path)
        .args(["--since", "head"]);
    let mut terminal = Terminal::open(COLUMNS, ROWS, command);
    terminal.shows("which server, HOST or HOST:PORT? ");
    terminal.types("not a server\n");
    terminal.shows("\"not a server\" is neither a host name nor an address\nwhich server");
    terminal.types(format!("127.0.0.1:{}\n", room.port));
    let mut session = room.accept().await;
    session.send(GREETING).await;
    terminal.shows(" connected · ");
    assert_eq!(session.next().await, "/follow head");
}

/// A character with as many marks as are shown.
fn calmed() -> String {
    format!("z{}", "\u{301}".repeat(8))
}

/// The screen must be this, where each row is margined by a bar.
#[track_caller]
fn is_shown(terminal: &Terminal, expected: &str) {
    let expected: Vec<String> = expected
        .trim_matches('\n')
        .lines()
        .map(|line| line.trim_start().trim_start_matches('┃').trim_end())
        .map(|line| line.replace("ZALGO", &calmed()))
        .collect();
    assert_eq!(terminal.text(), expected.join("\n"));
}
