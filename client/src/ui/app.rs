//! What the window knows, and what it does about each thing that can happen. Nothing here waits,
//! reads, writes or draws.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent, MouseEventKind};
use wire::{Code, Entry, Here, Kind, Line, Nonce, Refusal, Reply, Request, Welcome};

use super::editor::{Editor, Pasted, Pressed};
use super::layout::{self, Looks};
use super::rows::shown;
use super::theme::Theme;
use super::timeline::{Item, Look, Timeline};
use super::view;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::form::known;
use crate::limits::HERE_MAX;
use crate::outbox::Event;

/// Lines of one's own that may wait to be acknowledged.
pub(crate) const PENDING_MAX: usize = 1000;

/// Questions that a person may have open at once.
pub(crate) const QUESTIONS_MAX: usize = 64;

/// Entries that are asked for at once when one looks further back.
pub(crate) const PAGE_ENTRIES: u64 = 200;

/// Rows that a turn of the mouse's wheel moves.
const WHEEL_ROWS: usize = 3;

/// More lines than these are not sent by a paste before somebody has said so.
const PASTED_LINES_MAX: usize = 3;

/// What one is told who writes on and on.
const LINE_FULL: &str = "a line may have 4096 bytes, and with this it would have more";

/// From one question of how long the way is to the next.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// From one question of who is here to the next, however many come and go.
const WHO_INTERVAL: Duration = Duration::from_secs(1);

/// From when on one is told of the end of one's certificate, in days.
const EXPIRY_DAYS: u64 = 14;

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The connection tells something.
    Heard(Event),
    /// The connection has ended for good; why, unless we left.
    Ended(Option<Failure>),
    /// A key was pressed.
    Key(KeyEvent),
    /// Something was pasted.
    Paste(String),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// The terminal has another size.
    Resize,
    /// The person looks elsewhere.
    FocusLost,
    /// A moment has passed.
    Tick,
}

/// Everything that the loop may be asked to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ring the bell.
    Bell,
    /// Stop for a while, as C-z does.
    Suspend,
    /// Draw everything anew, whatever the terminal shows.
    Redraw,
    /// Leave, whatever still waits.
    Leave,
    /// The window closes.
    Close,
}

/// What goes out in turn, each when there is a place for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Out {
    Say(Line),
    Command(Line, Asked),
    Quit,
}

/// What an answer will be about. The server answers in the order of the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// For the list of who is here.
    Who,
    /// For the time that an answer takes.
    Ping,
    /// For what was said before the first entry that is loaded.
    Older,
    /// For what was said after the last one.
    Newer,
    /// By the person; the answer is shown.
    Typed,
}

/// When the bell rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Bell {
    /// When somebody says your name.
    #[default]
    Mention,
    /// Never.
    Off,
    /// For every line of somebody else.
    All,
}

/// What the person chose.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(crate) theme: Theme,
    pub(crate) bell: Bell,
    pub(crate) is_short: bool,
    pub(crate) clock: Clock,
}

/// Where one is.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) welcome: Welcome,
    /// `chat.example:27332`
    pub(crate) server: String,
    /// `TLS 1.3 X25519MLKEM768`
    pub(crate) tls: String,
    /// Until the certificate ends.
    pub(crate) days_left: u64,
}

/// Whether there is a connection.
#[derive(Debug)]
pub(crate) enum Connection {
    Connected,
    Lost { why: String, again_at: Instant },
    Leaving,
    Ended { why: String, hint: Option<String> },
}

/// What the keys are for at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Writing,
    /// Whether to send what was pasted.
    Asking(Vec<String>),
    Finding {
        text: String,
    },
    /// The list of commands and keys, from so many rows on.
    Help {
        first: usize,
    },
}

/// A line of one's own that is not in the timeline yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) text: String,
    line: Line,
    nonce: Option<Nonce>,
    /// Its place, once it is acknowledged.
    pub(crate) seq: Option<u64>,
}

/// The window's state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) facts: Facts,
    pub(crate) choices: Choices,
    pub(crate) connection: Connection,
    pub(crate) timeline: Timeline,
    pub(crate) here: Vec<Here>,
    pub(crate) shows_here: bool,
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) editor: Editor,
    pub(crate) mode: Mode,
    pub(crate) round_trip: Option<Duration>,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// The server cannot write at the moment.
    pub(crate) waiting: Option<String>,
    pub(crate) now: Instant,
    out: VecDeque<Out>,
    asked: VecDeque<Asked>,
    /// The entries of the answer that is coming; no more than were asked for.
    page: Vec<Entry>,
    /// Who is here, in the answer that is coming. No count of the server's is believed: more than
    /// [`HERE_MAX`] are not kept.
    counted: Vec<Here>,
    /// How many of them are still to come, as the server says.
    uncounted: u64,
    /// The lines that were given to the link.
    pub(crate) said: u64,
    is_caught_up: bool,
    wants_who: bool,
    asked_who_at: Option<Instant>,
    pinged_at: Option<Instant>,
    next_ping_at: Instant,
    is_warned_of_pending: bool,
    /// Whether the first entry that there is has been loaded.
    has_beginning: bool,
}

impl App {
    pub(crate) fn new(facts: Facts, choices: Choices, size: (u16, u16), now: Instant) -> Self {
        let mut app = Self {
            facts,
            choices,
            connection: Connection::Connected,
            timeline: Timeline::default(),
            here: Vec::new(),
            shows_here: true,
            pending: VecDeque::new(),
            editor: Editor::new(),
            mode: Mode::Writing,
            round_trip: None,
            size,
            waiting: None,
            now,
            out: VecDeque::new(),
            asked: VecDeque::new(),
            page: Vec::new(),
            counted: Vec::new(),
            uncounted: 0,
            said: 0,
            is_caught_up: false,
            wants_who: true,
            asked_who_at: None,
            pinged_at: None,
            next_ping_at: now,
            is_warned_of_pending: false,
            has_beginning: false,
        };
        if app.facts.days_left < EXPIRY_DAYS {
            let words = format!(
                "your certificate expires in {}: ask for another one",
                days(app.facts.days_left)
            );
            app.timeline.note(&words);
        }
        app
    }

    /// What follows from something that happened.
    pub(crate) fn update(&mut self, happened: Happened, now: Instant) -> Vec<Effect> {
        self.now = now;
        let effects = match happened {
            Happened::Heard(event) => self.hear(event),
            Happened::Ended(failure) => self.end(failure),
            Happened::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Happened::Key(key) => self.press(key),
            Happened::Paste(text) => self.paste(&text),
            Happened::Mouse(mouse) => {
                self.point(mouse);
                Vec::new()
            }
            Happened::FocusLost => {
                self.timeline.leave_off();
                Vec::new()
            }
            Happened::Resize | Happened::Tick => Vec::new(),
        };
        self.ask_what_is_due();
        effects
    }

    /// What goes out next; to be asked for once there is a place for it.
    pub(crate) fn next_out(&mut self) -> Option<Out> {
        let out = self.out.pop_front()?;
        if let Out::Command(_, asked) = &out {
            self.asked.push_back(*asked);
            if *asked == Asked::Ping {
                self.pinged_at = Some(self.now);
            }
        }
        Some(out)
    }

    /// Whether something is to go out.
    pub(crate) fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// The lines of which nobody knows whether they are stored.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.pending
            .iter()
            .filter(|line| line.seq.is_none())
            .count()
    }

    /// The lines that were not given to the link yet.
    pub(crate) fn unsent(&self) -> usize {
        let is_said = |out: &&Out| matches!(out, Out::Say(_));
        self.out.iter().filter(is_said).count()
    }

    /// The name that the line got which went out last.
    pub(crate) fn named(&mut self, nonce: Nonce) {
        self.said += 1;
        if let Some(pending) = self.pending.iter_mut().find(|p| p.nonce.is_none()) {
            pending.nonce = Some(nonce);
        }
    }

    /// How many things are kept because of what a server says: people, entries, questions.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> [usize; 4] {
        [
            self.here.len(),
            self.counted.len(),
            self.page.len(),
            self.questions(),
        ]
    }

    /// By which items become rows.
    pub(crate) fn looks(&self) -> Looks<'_> {
        Looks {
            columns: view::timeline_columns(self),
            me: &self.facts.welcome.id,
            theme: self.choices.theme,
            is_short: self.choices.is_short,
            clock: &self.choices.clock,
        }
    }

    // What the server tells.

    fn hear(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Entry(entry) => return self.hear_entry(&entry),
            Event::Reply(reply) => self.hear_reply(reply),
            Event::CaughtUp(_) => self.is_caught_up = true,
            Event::Refused(refusal) => self.hear_refusal(&refusal),
            Event::Disorder { after, came } => self.timeline.note(&format!(
                "the server sent entry {came} after entry {after}: what is shown is not complete or not in order"
            )),
            Event::OtherHistory { set_aside } => self.hear_other_history(set_aside),
            Event::Lost { why, pause } => self.lose(&why, pause),
            Event::Back { welcome, .. } => {
                self.facts.welcome = *welcome;
                self.connection = Connection::Connected;
                self.waiting = None;
                self.wants_who = true;
                self.next_ping_at = self.now;
            }
            Event::Garbled(words) => self.timeline.note(&words),
            Event::Wire(_) => {}
        }
        Vec::new()
    }

    fn hear_entry(&mut self, entry: &Entry) -> Vec<Effect> {
        self.timeline.push(entry);
        self.waiting = None;
        let is_own = entry.id == self.facts.welcome.id;
        match &entry.kind {
            Kind::Enter | Kind::Leave(_) => self.wants_who = true,
            Kind::Message(line) if is_own => {
                // By its place where it is known, or by what it says: an entry may come before the
                // acknowledgement.
                let is_it = |pending: &Pending| match pending.seq {
                    Some(seq) => seq == entry.seq,
                    None => pending.nonce.is_some() && pending.line == *line,
                };
                if let Some(at) = self.pending.iter().position(is_it) {
                    self.pending.remove(at);
                }
            }
            Kind::Message(line) => {
                let rings = match self.choices.bell {
                    Bell::Off => false,
                    Bell::All => true,
                    Bell::Mention => layout::mentions(line.as_str(), &self.facts.welcome.id),
                };
                if rings && self.is_caught_up {
                    return vec![Effect::Bell];
                }
            }
        }
        Vec::new()
    }

    fn hear_reply(&mut self, reply: Reply) {
        match reply {
            Reply::Ok { nonce, seq } => {
                let seen = self.timeline.newest_seq().is_some_and(|last| last >= seq);
                let named = |pending: &Pending| pending.nonce.as_ref() == Some(&nonce);
                let Some(at) = self.pending.iter().position(named) else {
                    return;
                };
                if seen {
                    self.pending.remove(at);
                } else {
                    self.pending[at].seq = Some(seq);
                }
            }
            Reply::At(seq) => match self.asked.front() {
                Some(Asked::Ping) => {
                    self.asked.pop_front();
                    self.round_trip = self.pinged_at.take().map(|at| self.now - at);
                }
                Some(Asked::Typed) => {
                    self.asked.pop_front();
                    self.timeline.note(&format!("the newest entry is {seq}"));
                }
                _ => {}
            },
            Reply::Who { seq, count } => {
                (self.counted, self.uncounted) = (Vec::new(), count);
                if self.asked.front() == Some(&Asked::Typed) {
                    let words = format!("{} here, as of entry {seq}:", people(count));
                    self.timeline.note(&words);
                }
                self.take_here();
            }
            Reply::Here(here) => {
                if self.asked.front() == Some(&Asked::Typed) {
                    let since = self.choices.clock.show(here.since);
                    let words = format!("{}@{} ({}) since {since}", here.id, here.ip, here.role);
                    self.timeline.note(&words);
                }
                self.uncounted = self.uncounted.saturating_sub(1);
                if self.counted.len() < HERE_MAX {
                    self.counted.push(here);
                }
                self.take_here();
            }
            Reply::Begin(_) => self.page.clear(),
            Reply::Replayed(entry) => {
                if self.asked.front() == Some(&Asked::Typed) {
                    self.timeline.note(&tell_entry(&entry, &self.choices.clock));
                } else if (self.page.len() as u64) < PAGE_ENTRIES {
                    self.page.push(entry);
                }
            }
            Reply::End(_) => self.take_page(),
            Reply::Other(words) => {
                // What a newer server may say besides is not for us.
                let Some(answer) = known(&words) else { return };
                self.timeline.note(answer);
                if words.starts_with("whois ") && self.asked.front() == Some(&Asked::Typed) {
                    self.asked.pop_front();
                }
            }
            Reply::Whois(whois) => {
                self.timeline.note(&whois.to_string());
                if self.asked.front() == Some(&Asked::Typed) {
                    self.asked.pop_front();
                }
            }
            Reply::Bye { words, .. } => self.timeline.note(&format!("the server says: {words}")),
            Reply::Note { words, .. } => self.timeline.note(&format!("the server notes: {words}")),
            Reply::Welcome(_) => {}
        }
    }

    /// Takes the list of who is here once it is complete.
    fn take_here(&mut self) {
        if self.uncounted > 0 {
            return;
        }
        self.here = std::mem::take(&mut self.counted);
        self.here
            .sort_by_cached_key(|here| (here.id != self.facts.welcome.id, here.id.to_string()));
        self.asked.pop_front();
    }

    fn take_page(&mut self) {
        let page = std::mem::take(&mut self.page);
        match self.asked.pop_front() {
            Some(Asked::Older) => {
                self.has_beginning = page.first().is_none_or(|first| first.seq == 1);
                self.timeline.push_older(&page);
            }
            Some(Asked::Newer) => self.timeline.push_newer(&page),
            _ => {}
        }
    }

    fn hear_refusal(&mut self, refusal: &Refusal) {
        if let Some(nonce) = &refusal.nonce {
            let named = |pending: &Pending| pending.nonce.as_ref() == Some(nonce);
            let at = self.pending.iter().position(named);
            let text = at.and_then(|at| self.pending.remove(at)).map(|p| p.text);
            let text = text.unwrap_or_default();
            return self
                .timeline
                .note(&format!("not sent ({}): {text}", refusal.words));
        }
        if refusal.code == Code::Waiting {
            self.waiting = Some(shown(&refusal.words));
            return;
        }
        // Every question has one answer, and this is it.
        if self.asked.pop_front() == Some(Asked::Typed) {
            self.timeline.note(&format!("refused: {}", refusal.words));
        }
    }

    fn hear_other_history(&mut self, set_aside: usize) {
        self.timeline.begin_afresh();
        self.has_beginning = false;
        self.timeline.note(
            "this is another history than the one that was followed before; starting afresh from its newest entry",
        );
        // They were the first to go out, so they are the first here.
        for (at, pending) in self.pending.drain(..).enumerate() {
            let why = if at < set_aside {
                "not acknowledged before, and not sent again"
            } else {
                "not sent"
            };
            self.timeline
                .note(&format!("{why} into another history: {}", pending.text));
        }
        // What never went out was said to the people of the old one too.
        self.out.retain(|out| matches!(out, Out::Quit));
        self.wants_who = true;
    }

    fn lose(&mut self, why: &str, pause: Duration) {
        let why = why.split_once(" was lost: ").map_or(why, |(_, why)| why);
        if !matches!(self.connection, Connection::Lost { .. }) {
            self.timeline.leave_off();
        }
        self.connection = Connection::Lost {
            why: shown(why),
            again_at: self.now + pause,
        };
        // What was asked on a connection is not answered on another.
        self.asked.clear();
        self.pinged_at = None;
        self.round_trip = None;
        self.out.retain(|out| !matches!(out, Out::Command(..)));
    }

    fn end(&mut self, failure: Option<Failure>) -> Vec<Effect> {
        let Some(failure) = failure else {
            return vec![Effect::Close];
        };
        if matches!(self.connection, Connection::Leaving) {
            return vec![Effect::Close];
        }
        self.out.clear();
        self.connection = Connection::Ended {
            why: shown(&failure.sentence),
            hint: failure.hint.as_deref().map(shown),
        };
        Vec::new()
    }

    // What the person does.

    fn press(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('z') {
            return vec![Effect::Suspend];
        }
        if control && key.code == KeyCode::Char('l') {
            return vec![Effect::Redraw];
        }
        if control && key.code == KeyCode::Char('c') {
            return self.leave();
        }
        match &mut self.mode {
            Mode::Help { .. } => {
                self.turn_help(key.code);
                Vec::new()
            }
            Mode::Asking(lines) => {
                match key.code {
                    KeyCode::Enter | KeyCode::Char('y') => {
                        let lines = std::mem::take(lines);
                        self.mode = Mode::Writing;
                        self.editor.sent(&lines);
                        return lines.iter().flat_map(|line| self.enter(line)).collect();
                    }
                    KeyCode::Esc | KeyCode::Char('n') => self.mode = Mode::Writing,
                    _ => {}
                }
                Vec::new()
            }
            Mode::Finding { .. } => {
                self.find(key);
                Vec::new()
            }
            Mode::Writing => self.write(key),
        }
    }

    fn write(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let page = self.page_rows();
        match key.code {
            KeyCode::Char('d')
                if control && self.editor.is_empty() && self.editor.searching().is_none() =>
            {
                return self.leave();
            }
            KeyCode::Char('f') if control => {
                self.mode = Mode::Finding {
                    text: String::new(),
                };
                self.timeline.selected = None;
            }
            KeyCode::F(1) => self.mode = Mode::Help { first: 0 },
            KeyCode::F(8) => self.shows_here = !self.shows_here,
            KeyCode::F(9) => self.choices.is_short = !self.choices.is_short,
            KeyCode::PageUp => self.scroll_up(page),
            KeyCode::PageDown => self.scroll_down(page),
            KeyCode::Home if control || self.editor.is_empty() => self.scroll_up(usize::MAX / 4),
            KeyCode::End if control || self.editor.is_empty() => self.timeline.look_at_newest(),
            KeyCode::Up if alt => self.select(true),
            KeyCode::Down if alt => self.select(false),
            KeyCode::Esc if self.editor.searching().is_none() => {
                if self.timeline.selected.take().is_none() {
                    self.timeline.look_at_newest();
                }
            }
            _ => return self.edit(key),
        }
        Vec::new()
    }

    fn edit(&mut self, key: KeyEvent) -> Vec<Effect> {
        match self.editor.press(key) {
            Pressed::Send(text) => return self.enter(&text),
            Pressed::Complete => self.complete(),
            Pressed::Full => self.timeline.note(LINE_FULL),
            Pressed::Changed | Pressed::Ignored => {}
        }
        Vec::new()
    }

    fn complete(&mut self) {
        let ids: BTreeSet<&str> = self.here.iter().map(|here| here.id.as_str()).collect();
        let numbers = self.timeline.numbers();
        let spoke = numbers
            .rev()
            .filter_map(|number| match self.timeline.item(number) {
                Some(Item::Said(said)) => Some(said.id.as_str()),
                _ => None,
            })
            .take(1000);
        let ids: BTreeSet<&str> = ids.into_iter().chain(spoke).collect();
        let me = self.facts.welcome.id.as_str();
        self.editor.complete(ids.into_iter().filter(|id| *id != me));
    }

    /// What was written is to be said, or is a command.
    fn enter(&mut self, text: &str) -> Vec<Effect> {
        self.timeline.look_at_newest();
        match Request::parse(text.as_bytes()) {
            Ok(Some(Request::Quit)) => return self.leave(),
            Ok(Some(Request::Help)) => self.mode = Mode::Help { first: 0 },
            _ => self.send(text),
        }
        Vec::new()
    }

    fn send(&mut self, text: &str) {
        if let Connection::Ended { .. } | Connection::Leaving = self.connection {
            return self
                .timeline
                .note(&format!("not sent (the connection has ended): {text}"));
        }
        let request = match Request::parse(text.as_bytes()) {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(refusal) => {
                let words = format!("not sent ({}): {text}", refusal.words);
                return self.timeline.note(&words);
            }
        };
        let typed = || Line::parse(text.as_bytes()).expect("it was read as a request already");
        match request {
            Request::Say(line) => self.say(line),
            // A second one of these from a person would take the place of the program's own.
            Request::SayOnce(..) | Request::Follow(_) => self
                .timeline
                .note("not sent: this program itself says /say and /follow"),
            _ if matches!(self.connection, Connection::Lost { .. }) => self.timeline.note(
                &format!("not asked, because there is no connection: {text}"),
            ),
            _ if self.questions() >= QUESTIONS_MAX => self.timeline.note(&format!(
                "not asked ({QUESTIONS_MAX} questions wait already): {text}"
            )),
            _ => self.out.push_back(Out::Command(typed(), Asked::Typed)),
        }
    }

    fn say(&mut self, line: Line) {
        if self.pending.len() >= PENDING_MAX {
            let words = format!("not sent ({PENDING_MAX} lines wait already): {line}");
            return self.timeline.note(&words);
        }
        self.timeline.new_from = None;
        self.pending.push_back(Pending {
            text: shown(line.as_str()),
            line: line.clone(),
            nonce: None,
            seq: None,
        });
        self.out.push_back(Out::Say(line));
    }

    /// Leaves when everything was acknowledged; asked a second time, at once.
    fn leave(&mut self) -> Vec<Effect> {
        if let Connection::Ended { .. } = self.connection {
            return vec![Effect::Close];
        }
        let waiting = self.unacknowledged();
        if waiting > 0 && !self.is_warned_of_pending {
            self.is_warned_of_pending = true;
            let lines = match waiting {
                1 => "one of your lines is".to_owned(),
                waiting => format!("{waiting} of your lines are"),
            };
            self.timeline.note(&format!(
                "{lines} not acknowledged; once more leaves all the same"
            ));
            return Vec::new();
        }
        if self.is_warned_of_pending || !matches!(self.connection, Connection::Connected) {
            self.connection = Connection::Leaving;
            return vec![Effect::Leave];
        }
        self.connection = Connection::Leaving;
        self.out.push_back(Out::Quit);
        Vec::new()
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Mode::Finding { text: sought } = &mut self.mode {
            sought.push_str(&shown(text.lines().next().unwrap_or_default()));
            return Vec::new();
        }
        if self.mode != Mode::Writing {
            return Vec::new();
        }
        match self.editor.paste(text) {
            Pasted::Lines(lines) if lines.len() > PENDING_MAX => self.timeline.note(&format!(
                "{} lines are too many for a paste; `client --plain < FILE` sends them",
                lines.len()
            )),
            Pasted::Lines(lines) if lines.len() > PASTED_LINES_MAX => {
                self.mode = Mode::Asking(lines);
            }
            Pasted::Lines(lines) => {
                self.editor.sent(&lines);
                return lines.iter().flat_map(|line| self.enter(line)).collect();
            }
            Pasted::Full => self.timeline.note(LINE_FULL),
            Pasted::Inserted | Pasted::Nothing => {}
        }
        Vec::new()
    }

    /// Shows another part of the help, where it is longer than the screen; any other key closes it.
    fn turn_help(&mut self, key: KeyCode) {
        let (rows, page) = view::help_rows(self);
        let last = rows.saturating_sub(page);
        let Mode::Help { first } = &mut self.mode else {
            return;
        };
        *first = match key {
            KeyCode::Up => first.saturating_sub(1),
            KeyCode::Down => (*first + 1).min(last),
            KeyCode::PageUp => first.saturating_sub(page),
            KeyCode::PageDown => (*first + page).min(last),
            _ => {
                self.mode = Mode::Writing;
                return;
            }
        };
    }

    fn point(&mut self, mouse: MouseEvent) {
        match mouse.kind {
            MouseEventKind::ScrollUp if matches!(self.mode, Mode::Help { .. }) => {
                self.turn_help(KeyCode::Up);
            }
            MouseEventKind::ScrollDown if matches!(self.mode, Mode::Help { .. }) => {
                self.turn_help(KeyCode::Down);
            }
            MouseEventKind::ScrollUp => self.scroll_up(WHEEL_ROWS),
            MouseEventKind::ScrollDown => self.scroll_down(WHEEL_ROWS),
            MouseEventKind::Down(_) => {
                let at = view::item_at(self, mouse.column, mouse.row);
                self.timeline.selected = at.filter(|at| self.timeline.selected != Some(*at));
            }
            _ => {}
        }
    }

    fn page_rows(&self) -> usize {
        view::timeline_rows(self).saturating_sub(2).max(1)
    }

    fn scroll_up(&mut self, by: usize) {
        let (looks, height) = (self.looks_apart(), view::timeline_rows(self));
        let looks = looks.looks();
        // Without end, but no further than what is loaded.
        let by = by.min(100_000);
        if layout::scroll_up(&mut self.timeline, &looks, by, height) {
            self.ask_older();
        }
    }

    fn scroll_down(&mut self, by: usize) {
        let looks = self.looks_apart();
        let at_end = layout::scroll_down(&mut self.timeline, &looks.looks(), by);
        if at_end && self.timeline.is_detached() {
            self.ask_newer();
        }
    }

    fn select(&mut self, is_up: bool) {
        let numbers = self.timeline.numbers();
        let start = match (self.timeline.selected, self.timeline.look) {
            (Some(at), _) => at,
            (None, Look::At { item, .. }) => item + 1,
            (None, Look::Newest) => numbers.end,
        };
        let is_said = |at: &i64| matches!(self.timeline.item(*at), Some(Item::Said(_)));
        let next = if is_up {
            (numbers.start..start).rev().find(is_said)
        } else {
            (start + 1..numbers.end).find(is_said)
        };
        match next {
            Some(next) => self.show(next),
            None if is_up => self.ask_older(),
            None => self.timeline.look_at_newest(),
        }
    }

    fn show(&mut self, item: i64) {
        let (looks, height) = (self.looks_apart(), view::timeline_rows(self));
        layout::show(&mut self.timeline, &looks.looks(), item, height);
        self.timeline.selected = Some(item);
    }

    fn find(&mut self, key: KeyEvent) {
        let Mode::Finding { text } = &mut self.mode else {
            return;
        };
        let selected = self.timeline.selected;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let (from, is_back) = match key.code {
            KeyCode::Esc => {
                self.mode = Mode::Writing;
                return;
            }
            KeyCode::Backspace => {
                text.pop();
                (None, true)
            }
            KeyCode::Char('f') if control => (selected, true),
            KeyCode::Char(c) if !control => {
                text.push(c);
                (None, true)
            }
            KeyCode::Enter | KeyCode::Up => (selected, true),
            KeyCode::Down => (selected, false),
            _ => return,
        };
        let text = text.clone();
        if text.is_empty() {
            return;
        }
        if let Some(found) = self.timeline.find(&text, from, is_back) {
            self.show(found);
        } else if from.is_none() {
            self.timeline.selected = None;
        } else if is_back {
            self.ask_older();
        }
    }

    // What is asked of the server.

    fn is_asking(&self, what: Asked) -> bool {
        self.asked.contains(&what)
            || self
                .out
                .iter()
                .any(|out| matches!(out, Out::Command(_, asked) if *asked == what))
    }

    /// How many questions have no answer yet, those among them that did not go out.
    fn questions(&self) -> usize {
        let is_question = |out: &&Out| matches!(out, Out::Command(..));
        self.asked.len() + self.out.iter().filter(is_question).count()
    }

    fn ask(&mut self, command: &str, what: Asked) {
        if matches!(self.connection, Connection::Connected) && !self.is_asking(what) {
            let line = Line::parse(command.as_bytes()).expect("a command is a line");
            self.out.push_back(Out::Command(line, what));
        }
    }

    fn ask_older(&mut self) {
        if self.has_beginning {
            return;
        }
        match self.timeline.first_seq() {
            Some(1) => {}
            Some(first) => {
                self.ask(
                    &format!("/history {PAGE_ENTRIES} before {first}"),
                    Asked::Older,
                );
            }
            None => self.ask(&format!("/history {PAGE_ENTRIES}"), Asked::Older),
        }
    }

    fn ask_newer(&mut self) {
        if let Some(last) = self.timeline.last_seq() {
            let before = last + PAGE_ENTRIES + 1;
            self.ask(
                &format!("/history {PAGE_ENTRIES} before {before}"),
                Asked::Newer,
            );
        }
    }

    fn ask_what_is_due(&mut self) {
        let due = self
            .asked_who_at
            .is_none_or(|at| self.now.duration_since(at) >= WHO_INTERVAL);
        if self.wants_who && self.is_caught_up && due && !self.is_asking(Asked::Who) {
            self.ask("/who", Asked::Who);
            self.wants_who = false;
            self.asked_who_at = Some(self.now);
        }
        if self.is_caught_up && self.now >= self.next_ping_at {
            self.ask("/ping", Asked::Ping);
            self.next_ping_at = self.now + PING_INTERVAL;
        }
    }

    /// The same as [`App::looks`], for while the timeline is changed.
    fn looks_apart(&self) -> LooksApart {
        LooksApart {
            columns: view::timeline_columns(self),
            me: self.facts.welcome.id.clone(),
            choices: self.choices.clone(),
        }
    }
}

struct LooksApart {
    columns: usize,
    me: wire::ClientId,
    choices: Choices,
}

impl LooksApart {
    fn looks(&self) -> Looks<'_> {
        Looks {
            columns: self.columns,
            me: &self.me,
            theme: self.choices.theme,
            is_short: self.choices.is_short,
            clock: &self.choices.clock,
        }
    }
}

/// `one person is`, `3 people are`
fn people(count: u64) -> String {
    match count {
        1 => "one person is".to_owned(),
        count => format!("{count} people are"),
    }
}

/// `today`, `1 day`, `9 days`
pub(crate) fn days(days: u64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn tell_entry(entry: &Entry, clock: &Clock) -> String {
    let at = clock.show(entry.at);
    let who = format!("{}@{}", entry.id, entry.ip);
    match &entry.kind {
        Kind::Message(line) => format!("{at} [{who}] {line}"),
        Kind::Enter => format!("{at} * {who} entered"),
        Kind::Leave(why) => format!("{at} * {who} left ({why})"),
    }
}
