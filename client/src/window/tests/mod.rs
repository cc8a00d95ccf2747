//! The window as a person sees it: keys and events go in, drawn screens come out.

mod drawn;
mod entries;
mod looking_back;
mod people;
mod standing;
#[cfg(unix)]
mod terminal;
mod writing;

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
use super::background::{Depth, Ground, Rgb};
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
            ground: Ground::Dark,
            depth: Depth::Many,
            expiry: expiry(100),
        };
        let mut choices = Choices {
            theme: Theme::Dark,
            bell: Bell::Mention,
            is_short: Some(false),
            has_mouse: true,
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
        let mut screen = self.screen();
        // The tests of the status line say what it shows.
        let bar = screen
            .len()
            .checked_sub(2)
            .filter(|bar| expected.get(*bar) == Some(&"<bar>"));
        if let Some(bar) = bar {
            screen[bar] = "<bar>".to_owned();
        }
        assert_eq!(screen, expected, "\n{}\n", screen.join("\n"));
    }

    /// Returns the status line.
    fn bar(&self) -> String {
        let screen = self.screen();
        let above = screen
            .len()
            .checked_sub(2)
            .expect("a window with a status line");
        screen[above].clone()
    }

    /// The style of each cell of the first text on the screen that is this one.
    fn styles_of(&self, text: &str) -> Vec<ratatui::style::Style> {
        let buffer = self.buffer();
        for y in 0..buffer.area.height {
            for x in 0..buffer.area.width {
                let cells = (x..buffer.area.width).map(|x| &buffer[(x, y)]);
                let mut rest = text;
                let mut styles = Vec::new();
                for cell in cells {
                    let Some(after) = rest.strip_prefix(cell.symbol()) else {
                        break;
                    };
                    styles.push(cell.style());
                    rest = after;
                    if rest.is_empty() {
                        return styles;
                    }
                }
            }
        }
        panic!("{text} is not on the screen:\n{}", self.screen().join("\n"));
    }

    /// The style of the cell at which a text begins.
    fn style_of(&self, text: &str) -> ratatui::style::Style {
        self.styles_of(text)[0]
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
