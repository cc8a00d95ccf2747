//! The window as a person sees it: keys and events go in, drawn screens come out.

use std::time::{Duration, Instant};

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use wire::{Code, Entry, Nonce, Refusal, Reply, ServerLine, Timestamp};

use super::app::{App, Choices, Effect, Facts, Happened, Mode};
use super::view;
use crate::connect::{Route, TlsFacts};
use crate::link::Event;
use crate::room::{Asked, Outgoing, Room, Standing};
use crate::settings::{Bell, Target, Theme};
use crate::words::{Clock, Exit, Expiry, Failure, Fault};

/// 2026-11-21 19:00:00 UTC.
const EVENING: i64 = 1_795_287_600_000;

const GREETING: &str = "= welcome id=alice role=student ip=192.0.2.7 room=\"Networks 101\" head=0 \
                        epoch=9f86 clock=2026-11-21T19:00:00.000Z version=0.1.0";

/// A window in the room, and everything that it sends.
struct Window {
    app: App,
    now: Instant,
    seq: u64,
    minute: i64,
    /// The lines that went out.
    out: Vec<String>,
    effects: Vec<Effect>,
    said: u64,
}

impl Window {
    fn open() -> Self {
        Self::with(|_, _| {})
    }

    fn with(change: impl FnOnce(&mut Choices, &mut Facts)) -> Self {
        let Ok(ServerLine::Reply(Reply::Welcome(welcome))) = ServerLine::parse(GREETING) else {
            panic!("a greeting");
        };
        let mut facts = Facts {
            server: "chat.example:27332".to_owned(),
            tls: "TLS 1.3 X25519MLKEM768".to_owned(),
            expiry: expiry(100),
        };
        let mut choices = Choices {
            theme: Theme::Dark,
            bell: Bell::Mention,
            is_short: false,
            clock: Clock::utc(),
        };
        change(&mut choices, &mut facts);
        let now = Instant::now();
        let room = Room::new(welcome, choices.clock.clone(), now);
        let mut window = Self {
            app: App::new(room, facts, choices, (80, 24)),
            now,
            seq: 0,
            minute: 0,
            out: Vec::new(),
            effects: Vec::new(),
            said: 0,
        };
        window.hears(Event::CaughtUp(0));
        window.out.clear();
        window.answers("= who 0 count=1");
        window.answers(
            "= here alice role=student ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1",
        );
        window.passes(Duration::from_millis(12));
        window.answers("= at 0");
        window
    }

    fn happens(&mut self, happened: Happened) {
        self.effects = self.app.update(happened, self.now);
        // There is a place for everything at once.
        while let Some(out) = self.app.room.next_out() {
            match out {
                Outgoing::Say(line) => {
                    self.said += 1;
                    self.app.room.named(nonce(self.said));
                    self.out.push(line.to_string());
                }
                Outgoing::Command(line, _) => self.out.push(line.to_string()),
                Outgoing::Quit => self.out.push("(quit)".to_owned()),
            }
        }
    }

    fn hears(&mut self, event: Event) {
        self.happens(Happened::Heard(event));
    }

    /// A line of the server's that is no entry.
    fn answers(&mut self, line: &str) {
        match ServerLine::parse(line) {
            Ok(ServerLine::Reply(reply)) => self.hears(Event::Reply(reply)),
            Ok(ServerLine::Refusal(refusal)) => self.hears(Event::Refused(refusal)),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn entry(&mut self, rest: &str) {
        self.seq += 1;
        let entry = entry(self.seq, self.minute, rest);
        self.hears(Event::Entry(entry));
    }

    /// An entry that only a newer server writes.
    fn newer(&mut self, rest: &str) {
        self.seq += 1;
        let line = entry_line(self.seq, self.minute, rest);
        match ServerLine::parse(&line) {
            Ok(ServerLine::NewerEntry(entry)) => self.hears(Event::NewerEntry(entry)),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn says(&mut self, id: &str, text: &str) {
        let ip = if id == "alice" { 7 } else { 9 };
        self.entry(&format!("[{id}@192.0.2.{ip}] {text}"));
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
    }

    fn key(&mut self, code: KeyCode) {
        self.chord(KeyModifiers::NONE, code);
    }

    fn chord(&mut self, modifiers: KeyModifiers, code: KeyCode) {
        self.happens(Happened::Key(KeyEvent::new(code, modifiers)));
    }

    fn control(&mut self, key: char) {
        self.chord(KeyModifiers::CONTROL, KeyCode::Char(key));
    }

    fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    fn enters(&mut self, text: &str) {
        self.types(text);
        self.key(KeyCode::Enter);
    }

    fn wheel(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        self.happens(Happened::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }));
    }

    fn size(&mut self, columns: u16, rows: u16) {
        self.app.size = (columns, rows);
        self.happens(Happened::Resize);
    }

    fn buffer(&self) -> Buffer {
        let (columns, rows) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
        terminal
            .draw(|frame| view::draw(frame, &self.app))
            .expect("drawn");
        terminal.backend().buffer().clone()
    }

    /// Returns the screen as text, without the empty ends of rows and the empty rows at the top.
    fn screen(&self) -> Vec<String> {
        let buffer = self.buffer();
        let rows = (0..buffer.area.height).map(|y| {
            let mut row = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skip == 0 {
                    row.push_str(symbol);
                    skip = super::rows::width(symbol).saturating_sub(1);
                } else {
                    skip -= 1;
                }
            }
            row.trim_end().to_owned()
        });
        rows.skip_while(String::is_empty).collect()
    }

    /// The screen must be this, where each row is margined by a bar.
    #[track_caller]
    fn shows(&self, expected: &str) {
        let expected: Vec<&str> = expected
            .trim_matches('\n')
            .lines()
            .map(|line| line.trim_start().trim_start_matches('┃').trim_end())
            .collect();
        let screen = self.screen();
        assert_eq!(screen, expected, "\n{}\n", screen.join("\n"));
    }

    /// The style of the cell at which a text begins.
    fn style_of(&self, text: &str) -> ratatui::style::Style {
        let buffer = self.buffer();
        for y in 0..buffer.area.height {
            let row: Vec<&str> = (0..buffer.area.width)
                .map(|x| buffer[(x, y)].symbol())
                .collect();
            for x in 0..row.len() {
                if row[x..].concat().starts_with(text) {
                    return buffer[(u16::try_from(x).expect("a column"), y)].style();
                }
            }
        }
        panic!("{text} is not on the screen:\n{}", self.screen().join("\n"));
    }
}

/// Returns the end of a certificate in so many days.
fn expiry(days: i64) -> Expiry {
    let end = EVENING + days * 24 * 60 * 60 * 1000;
    Expiry::new(
        Timestamp::from_unix_millis(EVENING),
        Timestamp::from_unix_millis(end),
    )
}

fn nonce(n: u64) -> Nonce {
    Nonce::parse(&format!("k3v9q2a7-{n}")).expect("a nonce")
}

fn entry(seq: u64, minute: i64, rest: &str) -> Entry {
    Entry::parse(&entry_line(seq, minute, rest)).expect("an entry")
}

fn entry_line(seq: u64, minute: i64, rest: &str) -> String {
    let at = Timestamp::from_unix_millis(EVENING + minute * 60_000);
    format!("{seq} {at} {rest}")
}

#[test]
fn lines_of_others_stand_on_the_left_and_our_own_on_the_right() {
    let mut w = Window::open();
    w.size(80, 12);
    w.says("bob", "hello there");
    w.says("alice", "hi bob");
    w.minute = 1;
    w.says("张三", "你好 👨‍👩‍👧");
    w.shows(
        "
        ┃                                                        │ 1 here
        ┃                                                        │ alice (you)
        ┃                                                        │
        ┃                                                        │
        ┃                                                        │
        ┃                                                        │
        ┃───────────────────── 2026-11-21 ────────────────────── │
        ┃19:00 [bob@192.0.2.9] hello there                       │
        ┃                               [alice@192.0.2.7] hi bob │
        ┃19:01 [张三@192.0.2.9] 你好 👨‍👩‍👧                          │
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here · 12 ms · TLS 1.3 X2…
        ┃>",
    );
    assert_eq!(w.style_of("hi bob").fg, Some(Color::Green));
    assert_eq!(w.style_of("hello there").fg, Some(Color::Reset));
    let (bob, zhang) = (w.style_of("bob@"), w.style_of("张"));
    assert!(bob.fg != Some(Color::Reset) && bob.fg != zhang.fg);
}

/// Everything that the window shows at once, on the page that shows it.
#[test]
fn the_window_in_the_readme_is_the_one_that_is_drawn() {
    let mut w = Window::open();
    w.size(100, 14);
    w.answers("= who 3 count=4");
    for (id, role) in [
        ("alice", "student"),
        ("bob", "student"),
        ("dr.okafor", "instructor"),
        ("张三", "student"),
    ] {
        w.answers(&format!(
            "= here {id} role={role} ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    w.entry("* dr.okafor@192.0.2.9 entered");
    w.entry("* bob@192.0.2.9 entered");
    w.entry("* 张三@192.0.2.9 entered");
    w.says(
        "dr.okafor",
        "good evening! who has a certificate that OpenSSL believes?",
    );
    w.minute = 1;
    w.says("alice", "mine verifies with -x509_strict");
    w.says(
        "张三",
        "我的也可以 🎉 alice, how did you get the CRL's number to go up?",
    );
    w.types("ca-tool does it at each");
    let readme = include_str!("../../../README.md");
    let shown = readme
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let drawn = w.screen().join("\n") + "\n";
    assert!(shown == Some(drawn.as_str()), "put this there:\n{drawn}");
}

#[test]
fn a_large_terminal_shows_everything_at_once() {
    let mut w = Window::open();
    w.size(200, 50);
    w.says("bob", &"好 ".repeat(90));
    w.says("alice", &"ok ".repeat(60));
    let screen = w.screen();
    assert_eq!(screen.len(), 50);
    let said: Vec<&str> = screen[44..48]
        .iter()
        .map(|row| row.split('│').next().unwrap_or_default().trim_end())
        .collect();
    assert_eq!(
        said,
        [
            format!("19:00 [bob@192.0.2.9] {}", "好 ".repeat(51).trim_end()),
            format!("        {}", "好 ".repeat(39).trim_end()),
            format!(
                "{}[alice@192.0.2.7] {}",
                " ".repeat(41),
                "ok ".repeat(39).trim_end()
            ),
            format!("{}{}", " ".repeat(43), "ok ".repeat(21).trim_end()),
        ]
    );
    assert!(
        screen[48].ends_with("TLS 1.3 X25519MLKEM768"),
        "{}",
        screen[48]
    );
}

#[test]
fn the_classic_theme_has_own_lines_green_and_those_of_others_red() {
    assert_eq!(Theme::Classic.mention().fg, Some(Color::Red));
    let mut w = Window::with(|choices, _| choices.theme = Theme::Classic);
    w.says("bob", "hello there");
    w.says("alice", "hi bob");
    assert_eq!(w.style_of("hi bob").fg, Some(Color::Green));
    assert_eq!(w.style_of("hello").fg, Some(Color::Red));
}

#[test]
fn a_narrow_terminal_has_no_list_and_a_tiny_one_no_times() {
    let mut w = Window::open();
    w.says("bob", "a longer text that has to go on in the next row");
    w.says("alice", "mine");
    w.size(40, 12);
    w.shows(
        "
        ┃────────────── 2026-11-21 ──────────────
        ┃19:00 [bob@192.0.2.9] a longer text that
        ┃        has to go on in the next row
        ┃                  [alice@192.0.2.7] mine
        ┃ connected · \"Networks 101\" at chat.exa…
        ┃>",
    );
    w.size(20, 8);
    w.shows(
        "
        ┃[bob@192.0.2.9] a
        ┃  longer text that
        ┃  has to go on in
        ┃  the next row
        ┃   [alice@192.0.2.7]
        ┃     mine
        ┃ connected · \"Netwo…
        ┃>",
    );
}

#[test]
fn nothing_breaks_on_a_terminal_of_any_size() {
    let mut w = Window::open();
    for n in 1..30 {
        w.says("bob", &"x张👨‍👩‍👧 ".repeat(n));
        w.says("alice", "hello");
    }
    w.types("some 张三 👨‍👩‍👧 text");
    for columns in 0..90 {
        for rows in [0, 1, 2, 3, 4, 5, 24] {
            w.size(columns, rows);
            if columns > 0 && rows > 0 {
                w.buffer();
            }
            w.key(KeyCode::PageUp);
            w.key(KeyCode::PageDown);
            w.wheel(MouseEventKind::Down(MouseButton::Left), 3, 0);
        }
    }
    for mode in [
        Mode::Help { first: 3 },
        Mode::Asking(vec!["one".to_owned(); 20]),
    ] {
        w.app.mode = mode;
        for columns in 1..90 {
            for rows in 1..12 {
                w.size(columns, rows);
                w.buffer();
            }
        }
    }
}

#[test]
fn no_continuation_begins_where_a_stamp_begins() {
    let mut w = Window::open();
    let forged = "[carol@192.0.2.8] I did it";
    // At some widths, one of these would wrap so that the forged stamp begins a row.
    for pad in 0..80 {
        w.says("eve", &format!("{} {forged}", "x".repeat(pad)));
    }
    for columns in 30..90 {
        w.size(columns, 400);
        for row in w.screen() {
            let row: String = row.chars().collect();
            assert!(!row.starts_with("      [carol"), "{columns}: {row}");
            assert!(!row.starts_with("[carol"), "{columns}: {row}");
        }
    }
}

#[test]
fn enters_and_leaves_take_one_dim_line() {
    let mut w = Window::open();
    w.size(60, 8);
    for name in ["bob", "carol", "dave", "erin", "frank"] {
        w.entry(&format!("* {name}@192.0.2.9 entered"));
    }
    w.entry("* bob@192.0.2.9 left (goodbye)");
    w.says("carol", "hi");
    w.entry("* carol@192.0.2.9 left (lost)");
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 * carol, dave, erin and 1 more entered; bob came and
        ┃        went
        ┃      [carol@192.0.2.9] hi
        ┃      * carol@192.0.2.9 left (lost)
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
        ┃>",
    );
    assert!(w.style_of("* carol").add_modifier.contains(Modifier::DIM));
    // The people here are asked for, but not for each arrival.
    assert_eq!(w.out, [""; 0]);
    w.passes(Duration::from_secs(1));
    w.happens(Happened::Tick);
    assert_eq!(w.out, ["/who"]);
}

#[test]
fn an_entry_of_a_newer_server_keeps_its_place_and_is_shown_plainly() {
    let mut w = Window::open();
    w.size(60, 8);
    w.says("bob", "hello");
    w.out.clear();
    w.passes(Duration::from_secs(2));
    w.newer("* bob@192.0.2.9 left (kicked)");
    // It counts as a leave: the people here are asked for again.
    assert_eq!(w.out, ["/who"]);
    w.answers("= who 2 count=1 away=1");
    w.answers("= here alice mood=good role=student ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1");
    w.newer("topic: \u{600} what we do today");
    w.says("bob", "fine");
    w.answers("= frobnicated x");
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [bob@192.0.2.9] hello
        ┃      * bob@192.0.2.9 left (kicked)
        ┃      ? topic: \u{fffd} what we do today
        ┃      [bob@192.0.2.9] fine
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
        ┃>",
    );
    // Asked for by the person, the same is shown as an answer.
    w.size(80, 24);
    w.enters("/history");
    w.answers("= begin history");
    w.answers("= 1 2026-11-21T19:00:00.000Z * bob@192.0.2.9 left (kicked)");
    w.answers("= 2 2026-11-21T19:00:00.000Z topic: x");
    w.answers("= end history");
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· 2026-11-21 19:00:00 * bob@192.0.2.9 left"),
        "{screen}"
    );
    assert!(
        screen.contains("· 2026-11-21 19:00:00 ? topic: x"),
        "{screen}"
    );
    w.answers("= bye kicked you were asked to leave");
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· the server says: you were asked to leave"),
        "{screen}"
    );
}

#[test]
fn older_entries_of_a_newer_server_are_loaded_without_a_gap() {
    let mut w = Window::open();
    w.size(60, 8);
    w.seq = 4;
    w.says("bob", "the newest");
    w.key(KeyCode::PageUp);
    w.key(KeyCode::End);
    assert_eq!(
        w.out.last().map(String::as_str),
        Some("/history 200 before 5")
    );
    w.answers("= begin history");
    let older = [
        "[bob@192.0.2.9] the oldest",
        "* bob@192.0.2.9 left (kicked)",
        "a poll was opened",
        "* bob@192.0.2.9 entered",
    ];
    for (seq, rest) in (1..).zip(older) {
        w.answers(&format!("= {seq} 2026-11-21T19:00:00.000Z {rest}"));
    }
    w.answers("= end history");
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [bob@192.0.2.9] the oldest
        ┃      * bob@192.0.2.9 left (kicked)
        ┃      ? a poll was opened
        ┃      * bob@192.0.2.9 entered
        ┃      [bob@192.0.2.9] the newest
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
        ┃>",
    );
}

#[test]
fn days_are_set_apart() {
    let mut w = Window::open();
    w.size(40, 10);
    w.says("bob", "good night");
    w.minute = 600;
    w.says("bob", "good morning");
    w.shows(
        "
        ┃────────────── 2026-11-21 ──────────────
        ┃19:00 [bob@192.0.2.9] good night
        ┃────────────── 2026-11-22 ──────────────
        ┃05:00 [bob@192.0.2.9] good morning
        ┃ connected · \"Networks 101\" at chat.exa…
        ┃>",
    );
}

#[test]
fn a_line_is_dim_until_it_is_acknowledged_and_is_shown_once() {
    let mut w = Window::open();
    w.size(60, 8);
    w.enters("hello");
    assert_eq!(w.out, ["hello"]);
    assert!(w.style_of("hello").add_modifier.contains(Modifier::DIM));
    w.answers("= ok k3v9q2a7-1 1");
    assert!(!w.style_of("hello").add_modifier.contains(Modifier::DIM));
    w.says("alice", "hello");
    let shown = |w: &Window| w.screen().concat().matches("hello").count();
    assert_eq!(shown(&w), 1);
    // The entry may come first.
    w.enters("again");
    w.says("alice", "again");
    assert_eq!(w.screen().concat().matches("again").count(), 1);
    w.answers("= ok k3v9q2a7-2 2");
    assert_eq!(w.screen().concat().matches("again").count(), 1);
    assert!(w.app.room.own.iter().next().is_none());
}

#[test]
fn a_refused_line_is_told_with_the_reason() {
    let mut w = Window::open();
    w.enters("hello");
    w.answers("! disk-low k3v9q2a7-1 the disk is nearly full");
    assert!(w.app.room.own.iter().next().is_none());
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· not sent (the disk is nearly full): hello"),
        "{screen}"
    );
}

#[test]
fn text_that_may_not_be_said_is_not_sent_and_slashes_are_commands() {
    let mut w = Window::open();
    w.enters("/hsitory");
    w.enters("/say k3v9q2a7-1 hi");
    w.enters("/whois bob");
    w.enters("//slash");
    w.enters("history");
    assert_eq!(w.out, ["/whois bob", "/slash", "history"]);
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("there is no /hsitory; did you mean"),
        "{screen}"
    );
    w.enters("/help");
    assert_eq!(w.app.mode, Mode::Help { first: 0 });
    assert!(w.screen().join("\n").contains("/whois ID"));
    w.types("x");
    assert_eq!(w.app.mode, Mode::Writing);
}

#[test]
fn all_of_the_help_can_be_read_on_any_terminal() {
    let mut w = Window::open();
    let all = |w: &mut Window| {
        w.key(KeyCode::F(1));
        let mut seen = w.screen().join("\n");
        let mut before = String::new();
        while before != w.screen().join("\n") {
            before = w.screen().join("\n");
            w.key(KeyCode::Down);
            seen += &w.screen().join("\n");
        }
        w.key(KeyCode::Enter);
        assert_eq!(w.app.mode, Mode::Writing);
        seen
    };
    for (columns, rows) in [(80, 24), (40, 12), (200, 50), (60, 5)] {
        w.size(columns, rows);
        let seen = all(&mut w);
        for part in [
            "/whois ID",
            "show or hide the people here",
            "N [before SEQ]",
            "C-c, C-d, /quit",
        ] {
            assert!(seen.contains(part), "{columns}x{rows}: {part}");
        }
        for (row, _) in seen.lines().filter_map(|row| row.rsplit_once('│')) {
            assert!(!row.contains('…'), "{columns}x{rows}: {row}");
        }
    }
    w.size(40, 12);
    w.key(KeyCode::F(1));
    w.key(KeyCode::PageDown);
    w.key(KeyCode::PageUp);
    w.shows(
        "
        ┃┌ help: PgDn goes on, Enter ends ──────┐
        ┃│ /help                                │
        ┃│   list the commands                  │
        ┃│ /who                                 │
        ┃│   list the people here               │
        ┃│ /whois ID                            │
        ┃│   show a person's role, address and  │
        ┃│   sessions                           │
        ┃│ /history [N [before SEQ]]            │
        ┃│   show entries: all, the last N, or  │
        ┃│   the N before entry SEQ             │
        ┃└──────────────────────────────────────┘",
    );
}

#[test]
fn answers_to_commands_are_shown() {
    let mut w = Window::open();
    w.size(60, 9);
    w.enters("/whois bob");
    w.answers("= whois bob role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1");
    w.answers("= moon full");
    w.enters("/nick carol");
    w.answers("! name-from-certificate - your certificate says so");
    w.enters("/history 1");
    w.answers("= begin history");
    w.answers("= 1 2026-11-21T19:00:00.000Z [bob@192.0.2.9] hello");
    w.answers("= end history");
    w.shows(
        "
        ┃      · bob role=student ip=192.0.2.9
        ┃        since=2026-11-21T19:00:00.000Z sessions=1
        ┃      · refused: your certificate says so
        ┃      · 2026-11-21 19:00:00 [bob@192.0.2.9] hello
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
        ┃>",
    );
}

#[test]
fn a_mention_rings_and_is_marked_unless_it_is_old_or_the_bell_is_off() {
    let mut w = Window::open();
    w.says("bob", "hi Alice!");
    assert_eq!(w.effects, [Effect::Bell]);
    assert!(
        w.style_of("hi Alice")
            .add_modifier
            .contains(Modifier::UNDERLINED)
    );
    w.says("bob", "hi carol");
    assert_eq!(w.effects, []);
    w.app.choices.bell = Bell::Off;
    w.says("bob", "alice?");
    assert_eq!(w.effects, []);
    w.app.choices.bell = Bell::All;
    w.says("bob", "hi carol");
    assert_eq!(w.effects, [Effect::Bell]);
    w.says("alice", "it was me, alice");
    assert_eq!(w.effects, []);
}

#[test]
fn looking_back_keeps_its_place_counts_new_lines_and_asks_for_more() {
    let mut w = Window::open();
    w.size(60, 8);
    w.seq = 100;
    for n in 1..=20 {
        w.says("bob", &format!("line {n}"));
    }
    w.key(KeyCode::PageUp);
    w.says("bob", "line 21");
    w.says("bob", "line 22");
    w.shows(
        "
        ┃      [bob@192.0.2.9] line 11
        ┃      [bob@192.0.2.9] line 12
        ┃      [bob@192.0.2.9] line 13
        ┃      [bob@192.0.2.9] line 14
        ┃      [bob@192.0.2.9] line 15
        ┃      [bob@192.0.2.9] line 16
        ┃ 2 new lines below · connected · \"Networks 101\" at chat.exa…
        ┃>",
    );
    w.key(KeyCode::Home);
    assert_eq!(w.out, ["/history 200 before 101"]);
    let before = w.screen();
    w.answers("= begin history");
    for seq in 91..=100 {
        w.answers(&format!(
            "= {seq} 2026-11-21T19:00:00.000Z [bob@192.0.2.9] older {seq}"
        ));
    }
    w.answers("= end history");
    // The visible lines stay in place, except the day, which stands above its first line.
    assert_eq!(w.screen()[2..], before[2..]);
    w.wheel(MouseEventKind::ScrollUp, 0, 0);
    assert!(w.screen().join("\n").contains("older 98"));
    w.key(KeyCode::End);
    w.shows(
        "
        ┃      [bob@192.0.2.9] line 18
        ┃      [bob@192.0.2.9] line 19
        ┃      [bob@192.0.2.9] line 20
        ┃─────────────────────────── new ────────────────────────────
        ┃      [bob@192.0.2.9] line 21
        ┃      [bob@192.0.2.9] line 22
        ┃ connected · \"Networks 101\" at chat.example:27332 · 1 here …
        ┃>",
    );
}

#[test]
fn the_beginning_is_not_asked_for_twice() {
    let mut w = Window::open();
    w.seq = 100;
    w.says("bob", "line");
    w.key(KeyCode::Home);
    w.answers("= begin history");
    w.answers("= 1 2026-11-21T19:00:00.000Z [bob@192.0.2.9] first");
    w.answers("= end history");
    w.out.clear();
    w.key(KeyCode::Home);
    w.key(KeyCode::PageUp);
    assert_eq!(w.out, [""; 0]);
}

#[test]
fn lines_since_the_person_looked_away_are_below_a_rule() {
    let mut w = Window::open();
    w.size(40, 8);
    w.says("bob", "seen");
    w.happens(Happened::FocusLost);
    w.says("bob", "unseen");
    w.shows(
        "
        ┃────────────── 2026-11-21 ──────────────
        ┃19:00 [bob@192.0.2.9] seen
        ┃───────────────── new ──────────────────
        ┃      [bob@192.0.2.9] unseen
        ┃ connected · \"Networks 101\" at chat.exa…
        ┃>",
    );
}

#[test]
fn without_addresses_the_selected_line_still_has_its_whole_stamp() {
    let mut w = Window::open();
    w.size(60, 8);
    w.says("bob", "one");
    w.says("bob", "two");
    w.key(KeyCode::F(9));
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    w.shows(
        "
        ┃──────────────────────── 2026-11-21 ────────────────────────
        ┃19:00 [bob] one
        ┃      [bob] two
        ┃ 1 2026-11-21 19:00:00 [bob@192.0.2.9] · \"Networks 101\" at …
        ┃>",
    );
    assert!(
        w.style_of("[bob] one")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    // A click selects too, and a second one lets go.
    w.wheel(MouseEventKind::Down(MouseButton::Left), 10, 5);
    assert!(w.screen().join("\n").contains(" 2 2026-11-21"));
    w.wheel(MouseEventKind::Down(MouseButton::Left), 10, 5);
    w.key(KeyCode::F(9));
    assert!(w.screen().join("\n").contains("[bob@192.0.2.9] two"));
}

#[test]
fn the_people_here_are_listed_with_roles_ourselves_first() {
    let mut w = Window::open();
    w.size(80, 8);
    w.passes(Duration::from_secs(2));
    w.entry("* bob@192.0.2.9 entered");
    assert_eq!(w.out, ["/who"]);
    w.answers("= who 1 count=8");
    let since = "since=2026-11-21T19:00:00.000Z";
    for (id, role) in [
        ("bob", "student"),
        ("alice", "student"),
        ("helper", "bot"),
        ("prof", "instructor"),
        ("a-very-long-name-that-does-n.fit", "assistant"),
        ("s1", "student"),
        ("s2", "student"),
        ("s3", "student"),
    ] {
        w.answers(&format!(
            "= here {id} role={role} ip=192.0.2.9 {since} sessions=1"
        ));
    }
    w.shows(
        "
        ┃                                                        │ 8 here
        ┃                                                        │ alice (you)
        ┃                                                        │ a-very-long… assistant
        ┃                                                        │ bob
        ┃───────────────────── 2026-11-21 ────────────────────── │ helper bot
        ┃19:00 * bob@192.0.2.9 entered                           │ and 4 more
        ┃ connected · \"Networks 101\" at chat.example:27332 · 8 here · 12 ms · TLS 1.3 X2…
        ┃>",
    );
    w.key(KeyCode::F(8));
    assert!(!w.screen().join("\n").contains("helper"));
}

#[test]
fn full_names_stand_in_quotes_after_the_ids_and_take_no_row_of_their_own() {
    let mut w = Window::open();
    w.size(80, 14);
    w.passes(Duration::from_secs(2));
    w.entry("* bob@192.0.2.9 entered");
    let since = "since=2026-11-21T19:00:00.000Z";
    let cjk = "張".repeat(64);
    let marks = "q\u{323}\u{302}x\u{331} ".repeat(10);
    let people = [
        ("bob", "student", "Bob Li"),
        // Another person's ID, as a name.
        ("mallory", "student", "bob"),
        ("prof", "instructor", "Prof. Dr. Eve Okafor-Adeyemi"),
        ("s1", "student", cjk.as_str()),
        ("s2", "student", "محمد بن عبد الله"),
        ("s3", "student", marks.trim()),
        (
            "a-very-long-name-that-does-n.fit",
            "assistant",
            "Nobody Sees This",
        ),
        // Names that break the rules, from a server that does not keep them.
        ("t1", "student", "😀"),
        ("t2", "student", "bob\\\" (instructor"),
    ];
    w.answers(&format!("= who 1 count={}", people.len()));
    for (id, role, name) in people {
        w.answers(&format!(
            "= here {id} role={role} ip=192.0.2.9 {since} sessions=1 name=\"{name}\""
        ));
    }
    let list: Vec<String> = w
        .screen()
        .iter()
        .filter_map(|row| Some(row.split_once("│ ")?.1.trim_end().to_owned()))
        .collect();
    let s3 = list.iter().find(|row| row.starts_with("s3 ")).cloned();
    let s3 = s3.expect("s3 is here");
    assert!(s3.starts_with("s3 \"q\u{323}\u{302}x\u{331} "), "{s3:?}");
    assert_eq!(
        list.iter().filter(|row| **row != s3).collect::<Vec<_>>(),
        [
            "9 here",
            "a-very-long… assistant",
            "bob \"Bob Li\"",
            "mallory \"bob\"",
            "prof instructor \"Prof…",
            "s1 \"張張張張張張張張…",
            "s2 \"محمد بن عبد الله\"",
            "t1",
            "t2",
        ]
    );
    assert!(
        w.style_of("\"Bob Li\"")
            .add_modifier
            .contains(Modifier::DIM)
    );
}

#[test]
fn a_lost_connection_counts_down_and_typed_lines_wait() {
    let mut w = Window::open();
    w.size(60, 8);
    w.says("bob", "hello");
    w.hears(Event::Lost {
        failure: Failure::new(Exit::Network, "no route"),
        pause: Duration::from_millis(4000),
    });
    assert!(
        w.screen()
            .join("\n")
            .contains(" reconnecting in 4 s · no route")
    );
    w.passes(Duration::from_secs(3));
    w.happens(Happened::Tick);
    assert!(
        w.screen()
            .join("\n")
            .contains(" reconnecting in 1 s · no route")
    );
    w.enters("are you there?");
    assert!(
        w.style_of("are you there?")
            .add_modifier
            .contains(Modifier::DIM)
    );
    w.enters("/who");
    assert!(
        w.screen()
            .join("\n")
            .contains("not asked, because there is no connection")
    );
    let Ok(ServerLine::Reply(Reply::Welcome(welcome))) = ServerLine::parse(GREETING) else {
        panic!("a greeting");
    };
    w.hears(Event::Back {
        welcome: Box::new(welcome),
        greeting: GREETING.to_owned(),
        route: Route {
            interface: None,
            target: Target::parse("chat.example").expect("a target"),
            tls: TlsFacts::none(),
        },
    });
    assert!(matches!(w.app.room.standing, Standing::Connected));
    assert!(w.screen().join("\n").contains(" connected"));
}

#[test]
fn a_final_end_is_shown_and_the_window_stays_until_the_person_leaves() {
    let mut w = Window::open();
    let failure = Failure::new(
        Exit::Ended,
        "another session of yours took this one's place",
    )
    .hint("two terminals need --same-id allow");
    w.happens(Happened::Ended(Some(failure)));
    assert_eq!(w.effects, []);
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" ended, C-c closes: another session of yours took this one's place"),
        "{screen}"
    );
    w.enters("hello?");
    assert!(
        w.screen()
            .join("\n")
            .contains("not sent (the connection has ended): hello?")
    );
    w.control('c');
    assert_eq!(w.effects, [Effect::Close]);
}

#[test]
fn the_end_is_shown_while_a_line_is_selected_and_nobody_counts_as_here() {
    let mut w = Window::open();
    w.says("bob", "hello");
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    assert!(w.screen().join("\n").contains("\n 1 2026-11-21"));
    assert!(w.screen().join("\n").contains(" 1 here"));
    let lost = Failure::new(Exit::Network, "the server closed it");
    w.hears(Event::Lost {
        failure: lost,
        pause: Duration::from_secs(4),
    });
    let screen = w.screen().join("\n");
    assert!(screen.contains("\n reconnecting in 4 s"), "{screen}");
    let failure = Failure::new(Exit::Ended, "you were replaced");
    w.happens(Happened::Ended(Some(failure)));
    for finds in [false, true] {
        if finds {
            w.control('f');
            w.types("hel");
            w.key(KeyCode::Enter);
            w.key(KeyCode::Esc);
        }
        let screen = w.screen().join("\n");
        assert!(
            screen.contains("\n ended, C-c closes: you were replaced"),
            "{screen}"
        );
        assert!(!screen.contains(" here"), "{screen}");
        assert!(!screen.contains("alice (you)"), "{screen}");
    }
}

#[test]
fn a_person_leaves_when_everything_is_acknowledged_or_by_asking_again() {
    let mut w = Window::open();
    w.control('d');
    assert_eq!(w.out, ["(quit)"]);
    w.happens(Happened::Ended(None));
    assert_eq!(w.effects, [Effect::Close]);

    let mut w = Window::open();
    w.size(120, 12);
    w.enters("hello");
    w.control('c');
    assert_eq!(w.effects, []);
    assert!(
        w.screen()
            .join("\n")
            .contains("one of your lines is not acknowledged; press C-c again to leave anyway")
    );
    w.control('c');
    assert_eq!(w.effects, [Effect::Leave]);
    assert_eq!(w.app.room.unacknowledged(), 1);
}

#[test]
fn more_than_three_pasted_lines_are_asked_about() {
    let mut w = Window::open();
    w.size(60, 10);
    w.happens(Happened::Paste("one\r\ntwo\rthree".to_owned()));
    assert_eq!(w.out, ["one", "two", "three"]);
    w.out.clear();
    w.types("x");
    let pasted = (1..=12)
        .map(|n| format!("pasted {n}\n"))
        .collect::<String>();
    w.happens(Happened::Paste(pasted.clone()));
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" send these 12 lines? Enter yes, Esc no "),
        "{screen}"
    );
    assert!(screen.contains("│ xpasted 1 "), "{screen}");
    w.key(KeyCode::Esc);
    assert_eq!((w.out.len(), w.app.editor.text()), (0, "x"));
    w.happens(Happened::Paste(pasted));
    w.key(KeyCode::Enter);
    assert_eq!(w.out.len(), 12);
    assert_eq!(w.out[0], "xpasted 1");
    assert!(w.app.editor.is_empty());
}

#[test]
fn a_box_has_its_edge_also_where_it_cuts_a_wide_character() {
    let mut w = Window::open();
    for text in ["张".repeat(30), format!("x{}", "张".repeat(30))] {
        w.says("bob", &text);
        w.says("bob", &text);
    }
    w.size(70, 9);
    w.happens(Happened::Paste("1\n2\n3\n4".to_owned()));
    let screen = w.screen();
    let edges = screen
        .iter()
        .filter(|row| row.contains("│ ") && row.ends_with(|c| c != '┐'));
    assert_eq!(edges.count(), 4, "{}", screen.join("\n"));
}

#[test]
fn the_loaded_lines_can_be_searched() {
    let mut w = Window::open();
    w.size(60, 8);
    for n in 1..=30 {
        w.says("bob", &format!("line {n}"));
    }
    w.control('f');
    w.types("LINE 1");
    assert!(
        w.style_of("[bob@192.0.2.9] line 19")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    w.key(KeyCode::Enter);
    assert!(
        w.style_of("[bob@192.0.2.9] line 18")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    w.key(KeyCode::Down);
    assert!(
        w.style_of("[bob@192.0.2.9] line 19")
            .add_modifier
            .contains(Modifier::REVERSED)
    );
    assert!(w.screen().join("\n").contains("find: LINE 1"));
    w.key(KeyCode::Esc);
    assert_eq!(w.app.mode, Mode::Writing);
    w.key(KeyCode::Esc);
    w.key(KeyCode::Esc);
    assert!(w.screen().join("\n").contains("line 30"));
}

#[test]
fn the_input_grows_and_tells_how_much_is_left() {
    let mut w = Window::open();
    w.size(20, 12);
    w.types("张三张三张三张三张三 and on");
    assert_eq!(
        w.screen()[w.screen().len() - 2..],
        ["> 张三张三张三张三", "  张三 and on"]
    );
    w.size(80, 12);
    w.happens(Happened::Paste("x".repeat(3990)));
    assert!(
        w.screen().join("\n").contains("bytes left"),
        "{:?}",
        w.screen()
    );
}

#[test]
fn a_tab_completes_people_here_and_people_who_spoke() {
    let mut w = Window::open();
    w.says("barbara", "hi");
    w.types("ba");
    w.key(KeyCode::Tab);
    assert_eq!(w.app.editor.text(), "barbara: ");
}

#[test]
fn a_key_counts_when_it_goes_down_and_not_when_it_comes_up() {
    let mut w = Window::open();
    for kind in [KeyEventKind::Press, KeyEventKind::Release] {
        let key = KeyEvent::new_with_kind(KeyCode::Char('a'), KeyModifiers::NONE, kind);
        w.happens(Happened::Key(key));
    }
    assert_eq!(w.app.editor.text(), "a");
}

#[test]
fn the_end_of_our_certificate_is_shown_when_it_is_near() {
    let w = Window::with(|_, facts| facts.expiry = expiry(3));
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· your certificate expires in 3 days"),
        "{screen}"
    );
    assert!(screen.contains("certificate: 3 days left"), "{screen}");
    let w = Window::open();
    assert!(!w.screen().join("\n").contains("certificate"));
}

#[test]
fn another_history_starts_afresh_and_says_so() {
    let mut w = Window::open();
    w.size(150, 12);
    w.says("bob", "from the old one");
    w.enters("unacknowledged");
    w.hears(Event::OtherHistory { set_aside: 1 });
    let screen = w.screen().join("\n");
    assert!(!screen.contains("from the old one"), "{screen}");
    assert!(screen.contains("this is a different history"), "{screen}");
    assert!(
        screen.contains("because the history is a different one: unacknowledged"),
        "{screen}"
    );
    assert!(w.app.room.own.iter().next().is_none());
}

#[test]
fn the_way_is_timed_now_and_then() {
    let mut w = Window::open();
    w.out.clear();
    w.passes(Duration::from_secs(16));
    w.happens(Happened::Tick);
    assert_eq!(w.out, ["/ping"]);
    w.passes(Duration::from_millis(345));
    w.answers("= at 0");
    assert!(w.screen().join("\n").contains("345 ms"));
    // A reply to a ping of the link's own is not taken for one of ours.
    w.answers("= at 0");
    assert_eq!(w.app.room.round_trip, Some(Duration::from_millis(345)));
    assert_ne!(Asked::Ping, Asked::Typed);
}

#[test]
fn the_text_of_others_moves_no_cursor() {
    let mut w = Window::open();
    let evil = "whois \u{1b}]52;c;aGk=\u{7} \u{1b}[2J \u{202e}evil";
    // The parser refuses it, and the window does not rely on that.
    assert!(ServerLine::parse(&format!("= {evil}")).is_err());
    w.hears(Event::Reply(Reply::Other(evil.to_owned())));
    assert!(w.screen().join("\n").contains("evil"));
    for row in w.screen() {
        assert!(!row.chars().any(wire::is_forbidden), "{row:?}");
    }
}

/// The test is two programs: on a terminal it is the one that panics.
#[cfg(unix)]
#[test]
fn a_panic_is_told_on_a_terminal_that_is_as_it_was() {
    const PANICS: &str = "COUNTERSIGN_TEST_PANICS";
    if std::env::var_os(PANICS).is_some() {
        let mut screen = super::screen::Screen::open().expect("a terminal");
        let w = Window::open();
        screen.draw(&w.app).expect("drawn");
        panic!("on purpose");
    }
    let test = std::env::current_exe().expect("a test knows its own program");
    let (_, module) = module_path!()
        .split_once("::")
        .expect("a module of a crate");
    let name = format!("{module}::a_panic_is_told_on_a_terminal_that_is_as_it_was");
    let command = pty_process::blocking::Command::new(test)
        .args(["--exact", &name, "--nocapture"])
        .env(PANICS, "1");
    let mut terminal = kit::Terminal::open(80, 24, command);
    assert!(!terminal.ends().success());
    let written = String::from_utf8_lossy(terminal.written()).into_owned();
    let taken = written
        .find("\x1b[?1049h")
        .expect("the terminal was taken over");
    let told = written.find("on purpose").expect("the panic is told");
    let given_back = written
        .find("\x1b[?1049l")
        .expect("the terminal was given back");
    assert!(taken < given_back && given_back < told, "{written:?}");
    let screen = terminal.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), kit::MouseProtocolMode::None);
    let settings = terminal.settings();
    assert!(
        settings.contains(" icanon ") && settings.contains(" echo "),
        "{settings}"
    );
}

#[test]
fn no_server_makes_a_list_of_the_window_grow_without_end() {
    use crate::limits::HERE_MAX;
    use crate::limits::{PAGE_ENTRIES, QUESTIONS_MAX};
    let mut w = Window::open();
    w.answers("= who 10 count=9007199254740992");
    for n in 0..HERE_MAX + 100 {
        w.answers(&format!(
            "= here p{n} role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    assert_eq!(w.app.room.kept(), [1, HERE_MAX, 0, 0]);
    // The next answer takes its place.
    w.answers("= who 10 count=1");
    w.answers("= here alice role=student ip=192.0.2.7 since=2026-11-21T19:00:00.000Z sessions=1");
    assert_eq!(w.app.room.kept(), [1, 0, 0, 0]);
    // So many people are no lie, and the list of them is still cut.
    w.answers(&format!("= who 10 count={}", HERE_MAX + 100));
    for n in 0..HERE_MAX + 100 {
        w.answers(&format!(
            "= here p{n} role=student ip=192.0.2.9 since=2026-11-21T19:00:00.000Z sessions=1"
        ));
    }
    assert_eq!(w.app.room.kept(), [HERE_MAX, 0, 0, 0]);

    w.answers("= begin history");
    for seq in 1..=2 * PAGE_ENTRIES {
        w.answers(&format!(
            "= {seq} 2026-11-21T19:00:00.000Z [bob@192.0.2.9] x"
        ));
    }
    let page = usize::try_from(PAGE_ENTRIES).expect("a small number");
    assert_eq!(w.app.room.kept(), [HERE_MAX, 0, page, 0]);
    w.answers("= end history");

    for _ in 0..2 * QUESTIONS_MAX {
        w.enters("/who");
    }
    assert_eq!(w.app.room.kept()[3], QUESTIONS_MAX);
    let words = "not asked (64 questions wait already): /who";
    assert!(w.screen().join("\n").contains(words));
    // The notes of the program are bounded as the lines of people are.
    let long = Refusal::new(Code::TryLater, "x".repeat(4000));
    for _ in 0..2100 {
        w.hears(Event::Garbled(Fault::StrayRefusal(long.clone())));
    }
    assert!(w.app.room.timeline.bytes() <= 8 * 1024 * 1024);
}
