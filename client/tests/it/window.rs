//! What a person's terminal shows, as an emulator that others wrote understands it: whatever a
//! server sends fills cells, and does nothing else.

use pty_process::blocking::Command;

use crate::room::{GREETING, Leaf, Room, Session, entry};
use crate::terminal::Terminal;

/// Everything that makes a terminal do something: a title, the clipboard, a question that it
/// answers as if it were typed, another screen, a link, C1 controls, a line end, a return.
const COMMANDS: &str = "\x1b]2;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[6n\x1b[c\x1b[?1049l\x1b]8;;http://x\x1b\\\
     \u{9b}6n\u{9d}2;owned\u{9c}\u{90}q\u{9c}\x0b\x0c\x08\x7f\r\u{85}\u{2028}";

/// What turns text around or hides in it.
const HIDDEN: &str = "\u{202e}evil\u{2066}\u{200f}\u{feff}\u{fff9}\u{e0041}";

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
    session.send("= at 41").await;
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
}

#[tokio::test]
async fn whatever_a_server_sends_fills_cells_of_the_window_and_does_nothing_else() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &[]).await;
    let evil = format!("room=\"{COMMANDS}{HIDDEN}\"");
    session
        .send(&GREETING.replace("room=\"Networks 101\"", &evil))
        .await;
    assert_eq!(session.next().await, "/follow head");
    say_evil(&mut session).await;
    terminal.shows("the server waits");
    is_shown(
        &terminal,
        "
        ┃                                                        │ 0 here
        ┃      · the server sent a line that is no entry; it was │
        ┃        ignored                                         │
        ┃───────────────────── 2026-11-21 ────────────────────── │
        ┃10:00 [bob@192.0.2.9] xxxxxxxxxxxxxxxxxxxx              │
        ┃                                  19:00                 │
        ┃        [eve@192.0.2.66] I did it xxxxxxxxxxxxxxxxxxxx  │
        ┃                                              19:00     │
        ┃        [eve@192.0.2.66] I did it xxxxxxxxxxxxxxxxxxxx  │
        ┃                                              19:00     │
        ┃        [eve@192.0.2.66] I did it                       │
        ┃      [bob@192.0.2.9] ZALGO calm                            │
        ┃      [bob@192.0.2.9] \u{5d0}\u{5d1} 12 \u{627}\u{628}                          │
        ┃      [bob@192.0.2.9]                                   │
        ┃        张张张张张张张张张张张张张张张张张张张张张张张  │
        ┃        张张张张张张张张张张张张张张张张张张张张张张张  │
        ┃        张张张张张张张张张张张张张张张张张张张张张张张  │
        ┃        张                                              │
        ┃      · the server notes:                               │
        ┃        ¿]2;owned¿¿]52;c;b3duZWQ=¿¿[6n¿[c¿[?1049l¿]8;;h │
        ┃        ttp://x¿\\¿6n¿2;owned¿¿q¿¿¿¿¿¿¿¿¿evil¿¿¿¿¿       │
        ┃      [bob@192.0.2.9] that was all                      │
        ┃ connected · the server waits: ¿]2;owned¿¿]52;c;b3duZWQ=¿¿[6n¿[c¿[?1049l¿]8;;ht…
        ┃>",
    );
    // The room's name, with so much room that it is seen.
    terminal.resize(200, 8);
    let name = "\"¿]2;owned¿¿]52;c;b3duZWQ=¿¿[6n¿[c";
    terminal.until("the room's name", |screen| {
        let status = screen.rows(0, 200).nth(6).unwrap_or_default();
        status.contains(name)
    });
    terminal.resize(COLUMNS, ROWS);
    session
        .send(&format!("= bye shutting-down {COMMANDS}{HIDDEN}"))
        .await;
    terminal.shows("reconnecting");
    let rows = terminal.rows();
    let told: Vec<&str> = rows[18..22]
        .iter()
        .map(|row| row.trim_end_matches('│').trim_end())
        .collect();
    assert_eq!(
        told,
        [
            "      [bob@192.0.2.9] that was all",
            "      · the server says:",
            "        ¿]2;owned¿¿]52;c;b3duZWQ=¿¿[6n¿[c¿[?1049l¿]8;;h",
            "        ttp://x¿\\¿6n¿2;owned¿¿q¿¿¿¿¿¿¿¿¿evil¿¿¿¿¿",
        ]
    );
    assert_eq!(terminal.oddities().all, [""; 0]);
    assert_eq!(terminal.oddities().bells, 0);
    assert!(terminal.screen().alternate_screen());
}

#[tokio::test]
async fn whatever_a_server_sends_fills_cells_of_plain_lines_and_does_nothing_else() {
    let room = Room::open().await;
    let (mut terminal, mut session) = alice(&room, &["--plain", "--give-up-after", "0"]).await;
    terminal.resize(COLUMNS, 60);
    let evil = format!("room=\"{COMMANDS}{HIDDEN}\"");
    session
        .send(&GREETING.replace("room=\"Networks 101\"", &evil))
        .await;
    assert_eq!(session.next().await, "/follow head");
    say_evil(&mut session).await;
    session
        .send(&format!("= bye shutting-down {COMMANDS}{HIDDEN}"))
        .await;
    session.closed().await;
    assert_eq!(terminal.ends().code(), Some(6));
    // What is told of the connection and what is said come by two ways, in no certain order.
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
    for byte in 0..=u8::MAX {
        let is_harmless = byte >= b' ' && byte != 0x7f || b"\r\n".contains(&byte);
        assert!(
            is_harmless || !terminal.written().contains(&byte),
            "{byte:#04x}"
        );
    }
    // No row begins as if somebody else had said it, and every stamp in the first column is true.
    for row in &rows {
        let is_ours = row.starts_with("client: ")
            || row.starts_with("2026-11-21 10:00:00 [bob@192.0.2.9]")
            || row.starts_with("    ")
            || ["", "note:", "one person is here, as of entry 45:"].contains(&row.as_str());
        assert!(is_ours, "{row}");
    }
    for part in [
        "2026-11-21 10:00:00 [bob@192.0.2.9] ZALGO calm\n",
        "2026-11-21 10:00:00 [bob@192.0.2.9] \u{5d0}\u{5d1} 12 \u{627}\u{628}\n",
        "note:\n    ¿]2;owned¿¿]52;c;b3duZWQ=¿¿[6n¿[c¿[?1049l¿]8;;http://x¿\\¿6n¿2;ow\n    ned¿¿q¿¿¿¿¿¿¿¿¿evil¿¿¿¿¿\n",
        "2026-11-21 10:00:00 [bob@192.0.2.9] that was all",
    ] {
        let part = part.replace("ZALGO", &calmed());
        assert!(said.contains(&part), "{part}\n--- in\n{said}");
    }
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
