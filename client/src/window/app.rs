//! The state of the window besides the room, and its reaction to each thing that can happen.
//! Nothing here waits, reads, writes or draws.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use wire::limits::TEXT_BYTES_MAX;
use wire::{Kind, Line, Reply, Request};

use super::background::{Depth, Ground, Rgb};
use super::editor::{Editor, Pasted, Pressed};
use super::geometry::{Areas, COLUMNS_WITH_HERE_MIN, areas};
use super::help;
use super::items::Looks;
use super::layout;
use super::names::Names;
use super::theme::Colours;
use super::viewport::{Scroll, Viewport};
use crate::limits::OWN_LINES_MAX;
use crate::link::Event;
use crate::room::meaning::{self, Doubt, Meaning};
use crate::room::{Item, News, Parting, Progress, Room};
use crate::settings::{Bell, Theme};
use crate::words::{Clock, Expiry, Failure};

/// Rows that a turn of the mouse's wheel moves.
const WHEEL_ROWS: usize = 3;

/// Something happens at least each second. After this time without anything, the program itself did
/// not run.
const STOPPED_MIN: Duration = Duration::from_millis(2500);

/// Returns how items become rows. Not a function, so that the timeline can be changed while it lives.
macro_rules! looks {
    ($app:expr) => {
        Looks {
            columns: $app.areas().timeline.width.into(),
            me: &$app.room.welcome.id,
            colours: $app.colours,
            names: &$app.names,
            people: &$app.room.people,
            is_short: $app.is_short(),
            clock: &$app.choices.clock,
            sought: match &$app.mode {
                Mode::Finding { text, .. } => Some(text),
                _ => None,
            },
        }
    };
}

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The link has an event.
    Heard(Event),
    /// The connection has ended for good; the failure says why, unless we left.
    Ended(Option<Failure>),
    /// A key was pressed.
    Key(KeyEvent),
    /// Something was pasted.
    Paste(String),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// The terminal has another size.
    Resize,
    /// The terminal has told its background.
    Background(Rgb),
    /// The person looks elsewhere.
    FocusLost,
    /// A moment has passed.
    Tick,
}

/// Everything that the loop may have to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ring the bell.
    Bell,
    /// Stop the program, as C-z does.
    Suspend,
    /// Draw everything anew, whatever the terminal shows now.
    Redraw,
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Connect again after the end.
    TryAgain,
    /// Leave now, whatever still waits.
    Leave,
    /// Close the window.
    Close,
}

/// The choices of the person.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(crate) theme: Theme,
    pub(crate) bell: Bell,
    /// Whether stamps leave out addresses; without a choice, the columns decide.
    pub(crate) is_short: Option<bool>,
    /// Whether the window has the mouse, rather than the terminal.
    pub(crate) has_mouse: bool,
    pub(crate) clock: Clock,
}

/// The facts about the connection that do not change.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// `chat.example:27332`
    pub(crate) server: String,
    /// The guess at the terminal's background, for the time until it tells it.
    pub(crate) ground: Ground,
    /// How many colours the terminal has.
    pub(crate) depth: Depth,
    /// The end of our certificate, as seen when the window opens.
    pub(crate) expiry: Expiry,
}

/// The current purpose of the keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Writing,
    /// Answering whether to send the lines of a paste.
    Asking(Vec<String>),
    /// Answering whether to say a line that may have been meant as a command.
    Doubting(Doubt),
    Finding {
        text: String,
        /// The place in view before anything was found.
        began: Scroll,
    },
    /// Reading the list of commands and keys, from row `first` on.
    Help {
        first: usize,
    },
}

/// The window's state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) room: Room,
    pub(crate) viewport: Viewport,
    pub(crate) facts: Facts,
    pub(crate) choices: Choices,
    pub(crate) colours: Colours,
    pub(crate) names: Names,
    pub(crate) shows_here: bool,
    pub(crate) editor: Editor,
    pub(crate) mode: Mode,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
}

impl App {
    pub(crate) fn new(room: Room, facts: Facts, choices: Choices, size: (u16, u16)) -> Self {
        let colours = Colours::of(choices.theme, facts.ground, facts.depth);
        let mut app = Self {
            room,
            viewport: Viewport::default(),
            colours,
            names: Names::new(colours.names()),
            facts,
            choices,
            shows_here: true,
            editor: Editor::new(),
            mode: Mode::Writing,
            size,
        };
        let role = app.room.welcome.role;
        app.room.learn_own_role(role);
        if app.facts.expiry.is_near() {
            app.room.note(&app.facts.expiry.notice(&app.choices.clock));
        }
        app
    }

    /// Reacts to something that happened. Returns the effects that the loop has to carry out.
    pub(crate) fn update(&mut self, happened: Happened, now: Instant) -> Vec<Effect> {
        let has_stopped = now.saturating_duration_since(self.room.now) >= STOPPED_MIN;
        self.room.now = now;
        if has_stopped {
            self.room.looked_away();
        }
        let effects = match happened {
            Happened::Heard(event) => self.hear(event),
            Happened::Background(rgb) => {
                self.colours = Colours::of(self.choices.theme, Ground::of(rgb), self.facts.depth);
                self.names.recolour(self.colours.names());
                Vec::new()
            }
            Happened::Ended(failure) => match self.room.end(failure) {
                true => vec![Effect::Close],
                false => Vec::new(),
            },
            Happened::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Happened::Key(key) => self.press(key),
            Happened::Paste(text) => self.paste(&text),
            Happened::Mouse(mouse) => {
                self.point(mouse);
                Vec::new()
            }
            Happened::FocusLost => {
                self.room.timeline.leave_off();
                Vec::new()
            }
            Happened::Resize | Happened::Tick => Vec::new(),
        };
        self.room.ask_what_is_due();
        effects
    }

    fn hear(&mut self, event: Event) -> Vec<Effect> {
        match &event {
            Event::OtherHistory { .. } => self.viewport.selected = None,
            Event::Entry(entry) if matches!(entry.kind, Kind::Message(_)) => {
                self.names.meet(&entry.id)
            }
            Event::Reply(Reply::Replayed(entry)) => self.names.meet(&entry.id),
            Event::Reply(Reply::Here(here)) => self.names.meet(&here.id),
            _ => {}
        }
        let rings = match (self.room.hear(event), self.choices.bell) {
            (News::Nothing, _) | (_, Bell::Off) => false,
            (News::Said { .. }, Bell::All) => true,
            (News::Said { mentions_us }, Bell::Mention) => mentions_us,
        };
        if let Some(found) = self.room.take_found() {
            self.show(found);
        }
        if rings {
            vec![Effect::Bell]
        } else {
            Vec::new()
        }
    }

    /// Returns the parts of the screen.
    pub(crate) fn areas(&self) -> Areas {
        areas(self.size, self.shows_here, &self.editor)
    }

    /// Returns whether stamps leave out addresses.
    pub(crate) fn is_short(&self) -> bool {
        let is_narrow = self.size.0 < COLUMNS_WITH_HERE_MIN;
        self.choices.is_short.unwrap_or(is_narrow)
    }

    /// Returns how items become rows.
    pub(crate) fn looks(&self) -> Looks<'_> {
        looks!(self)
    }

    fn timeline_rows(&self) -> usize {
        self.areas().timeline.height.into()
    }

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
            Mode::Asking(_) | Mode::Doubting(_) => {
                match key.code {
                    KeyCode::Enter | KeyCode::Char('y') => self.say_what_was_asked_about(),
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
                    began: self.viewport.scroll(&self.room.timeline),
                };
                self.viewport.selected = None;
            }
            KeyCode::F(1) => self.mode = Mode::Help { first: 0 },
            KeyCode::F(5) if self.room.has_ended() => {
                self.room.try_again();
                return vec![Effect::TryAgain];
            }
            KeyCode::F(7) => {
                self.choices.has_mouse = !self.choices.has_mouse;
                self.room.note(if self.choices.has_mouse {
                    "the mouse scrolls and selects lines here; F7 leaves it to the terminal"
                } else {
                    "the mouse is left to the terminal, which can select and copy; F7 takes it back"
                });
                return vec![Effect::Mouse(self.choices.has_mouse)];
            }
            KeyCode::F(8) => self.shows_here = !self.shows_here,
            KeyCode::F(9) => self.choices.is_short = Some(!self.is_short()),
            KeyCode::PageUp => self.scroll_up(page),
            KeyCode::PageDown => self.scroll_down(page),
            KeyCode::Home if control || self.editor.is_empty() => self.scroll_up(usize::MAX / 4),
            KeyCode::End if control || self.editor.is_empty() => self.look_at_newest(),
            KeyCode::Up if alt => self.select(true),
            KeyCode::Down if alt => self.select(false),
            KeyCode::Esc if self.editor.searching().is_none() => {
                if self.viewport.selected.take().is_none() {
                    self.look_at_newest();
                }
            }
            _ => return self.edit(key),
        }
        Vec::new()
    }

    fn edit(&mut self, key: KeyEvent) -> Vec<Effect> {
        match self.editor.press(key) {
            Pressed::Send(text) => return self.enter(meaning::of_typed(&text), &text),
            Pressed::SendAsItIs(text, share) => {
                return self.enter(meaning::of_pasted_line(&text, share), &text);
            }
            Pressed::Complete => self.complete(),
            Pressed::Full => self.note_full(),
            Pressed::Changed | Pressed::Ignored => {}
        }
        Vec::new()
    }

    fn complete(&mut self) {
        let ids: BTreeSet<&str> = self
            .room
            .people
            .here()
            .iter()
            .map(|here| here.id.as_str())
            .collect();
        let numbers = self.room.timeline.numbers();
        let spoke = numbers
            .rev()
            .filter_map(|number| match self.room.timeline.item(number) {
                Some(Item::Said(said)) => Some(said.id.as_str()),
                _ => None,
            })
            .take(1000);
        let ids: BTreeSet<&str> = ids.into_iter().chain(spoke).collect();
        let me = self.room.welcome.id.as_str();
        self.editor.complete(ids.into_iter().filter(|id| *id != me));
    }

    /// Says a written line, or obeys it if it is a command.
    fn enter(&mut self, meaning: Meaning, text: &str) -> Vec<Effect> {
        self.look_at_newest();
        match meaning {
            Meaning::Nothing => {}
            Meaning::Say(line) => self.say(line, false),
            Meaning::Ask(doubt) => self.mode = Mode::Doubting(doubt),
            Meaning::Command(Request::Quit, _) => return self.leave(),
            Meaning::Command(Request::Help, _) => self.mode = Mode::Help { first: 0 },
            Meaning::Command(_, command) if self.is_over(&command) => {}
            Meaning::Command(_, command) => self.room.ask_typed(command),
            Meaning::Refused(why) => self.room.fail(&format!("not sent ({why}): {text}")),
        }
        Vec::new()
    }

    fn say(&mut self, line: Line, is_pasted: bool) {
        if !self.is_over(&line) {
            self.room.say(line, is_pasted);
        }
    }

    /// Returns whether the session has ended, and says how to go on with a line that was written.
    fn is_over(&mut self, line: &Line) -> bool {
        let is_over = self.room.has_ended();
        if is_over {
            self.room.fail(&format!(
                "not sent (the session has ended; F5 tries again): {line}"
            ));
        }
        is_over
    }

    fn leave(&mut self) -> Vec<Effect> {
        match self.room.leave() {
            // The status line tells it, and counts.
            Parting::WhenStored | Parting::Soon => Vec::new(),
            Parting::AtOnce => vec![Effect::Leave],
            Parting::Over => vec![Effect::Close],
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Mode::Finding { text: sought, .. } = &mut self.mode {
            sought.push_str(text.lines().next().unwrap_or_default());
            return Vec::new();
        }
        match self.mode {
            Mode::Asking(_) | Mode::Doubting(_) => {
                self.room
                    .fail("the paste was dropped: answer the question with y or n first");
                return Vec::new();
            }
            Mode::Help { .. } => {
                self.room
                    .fail("the paste was dropped: close the help first");
                return Vec::new();
            }
            Mode::Writing | Mode::Finding { .. } => {}
        }
        match self.editor.paste(text) {
            Pasted::Lines(lines) if lines.len() > OWN_LINES_MAX => self.room.fail(&format!(
                "{} lines are too many for a paste; `client --plain < FILE` sends them",
                lines.len()
            )),
            Pasted::Lines(lines) => self.mode = Mode::Asking(lines),
            Pasted::Full => self.note_full(),
            Pasted::Inserted | Pasted::Nothing => {}
        }
        Vec::new()
    }

    /// Says the lines of a paste as they are, or the line in doubt.
    fn say_what_was_asked_about(&mut self) {
        self.look_at_newest();
        match std::mem::replace(&mut self.mode, Mode::Writing) {
            Mode::Asking(lines) => {
                self.editor.sent(&lines);
                // The room has no blank lines.
                for text in lines.iter().filter(|line| !wire::is_blank(line)) {
                    match Line::parse(text.as_bytes()) {
                        Ok(line) => self.say(line, true),
                        Err(error) => self.room.fail(&format!("not sent ({error}): {text}")),
                    }
                }
            }
            Mode::Doubting(doubt) => self.say(doubt.line, false),
            Mode::Writing | Mode::Finding { .. } | Mode::Help { .. } => {}
        }
    }

    /// Shows another part of the help, if it is longer than the screen; any other key closes it.
    fn turn_help(&mut self, key: KeyCode) {
        let (rows, page) = help::rows(self.areas().help());
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
                let at = self.item_at(mouse.column, mouse.row);
                self.viewport.selected = at.filter(|at| self.viewport.selected != Some(*at));
            }
            _ => {}
        }
    }

    /// Returns the item that is drawn there.
    fn item_at(&self, column: u16, row: u16) -> Option<i64> {
        let area = self.areas().timeline;
        if !area.contains(Position::new(column, row)) {
            return None;
        }
        let bottom = layout::bottom(
            &self.room,
            &self.viewport,
            &self.looks(),
            area.height.into(),
        );
        let index = usize::from(row - area.y).checked_sub(bottom.empty_rows)?;
        bottom.items.get(index).map(|row| row.item)
    }

    fn look_at_newest(&mut self) {
        self.viewport.look_at_newest(&mut self.room.timeline);
    }

    fn page_rows(&self) -> usize {
        self.timeline_rows().saturating_sub(2).max(1)
    }

    fn scroll_up(&mut self, by: usize) {
        let area = self.areas().timeline;
        let looks = looks!(self);
        // As far as the person likes, but no further than the loaded entries.
        let by = by.min(100_000);
        let (timeline, view) = (&mut self.room.timeline, &mut self.viewport);
        if layout::scroll_up(timeline, view, &looks, by, area.height.into()) {
            self.room.ask_older();
        }
    }

    fn scroll_down(&mut self, by: usize) {
        let looks = looks!(self);
        let at_end = layout::scroll_down(&mut self.room.timeline, &mut self.viewport, &looks, by);
        if at_end && self.room.timeline.is_detached() {
            self.room.ask_newer();
        }
    }

    fn select(&mut self, is_up: bool) {
        let numbers = self.room.timeline.numbers();
        let start = match (
            self.viewport.selected,
            self.viewport.scroll(&self.room.timeline),
        ) {
            (Some(at), _) => at,
            (None, Scroll::At { item, .. }) => item + 1,
            (None, Scroll::Newest) => numbers.end,
        };
        let is_said = |at: &i64| matches!(self.room.timeline.item(*at), Some(Item::Said(_)));
        let next = if is_up {
            (numbers.start..start).rev().find(is_said)
        } else {
            (start + 1..numbers.end).find(is_said)
        };
        match next {
            Some(next) => self.show(next),
            None if is_up => self.room.ask_older(),
            None => self.look_at_newest(),
        }
    }

    fn show(&mut self, item: i64) {
        let area = self.areas().timeline;
        let looks = looks!(self);
        let (timeline, view) = (&mut self.room.timeline, &mut self.viewport);
        layout::show(timeline, view, &looks, item, area.height.into());
        self.viewport.selected = Some(item);
    }

    fn find(&mut self, key: KeyEvent) {
        let is_searching = self.is_searching();
        let Mode::Finding { text, began } = &mut self.mode else {
            return;
        };
        let began = *began;
        let selected = self.viewport.selected;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let (from, is_back) = match key.code {
            KeyCode::Esc if is_searching => return self.room.stop_search(),
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
        let is_typing = matches!(key.code, KeyCode::Backspace | KeyCode::Char(_)) && !control;
        if is_typing {
            self.room.forget_search();
        }
        if text.is_empty() {
            // Nothing is sought any more, so nothing is found.
            if is_typing {
                self.look_again_at(began);
            }
            return;
        }
        if let Some(found) = self.room.timeline.find(&text, from, is_back) {
            self.show(found);
        } else if is_typing {
            self.look_again_at(began);
        } else if is_back {
            self.room.search(&text);
        } else if self.room.timeline.is_detached() {
            self.room.ask_newer();
        }
    }

    /// Goes back to a place, if it is still loaded, and selects nothing.
    fn look_again_at(&mut self, place: Scroll) {
        let timeline = &mut self.room.timeline;
        match place {
            Scroll::Newest => self.viewport.look_at_newest(timeline),
            Scroll::At { item, below } if timeline.item(item).is_some() => {
                self.viewport.look_at(timeline, item, below);
            }
            Scroll::At { .. } => {}
        }
        self.viewport.selected = None;
    }

    /// Returns whether the record is being searched.
    pub(crate) fn is_searching(&self) -> bool {
        let search = self.room.search.as_ref();
        search.is_some_and(|search| search.progress == Progress::Going)
    }

    /// Shows a note that the line is full.
    fn note_full(&mut self) {
        self.room.fail(&format!(
            "a line may have at most {TEXT_BYTES_MAX} bytes, and with this it would have more"
        ));
    }
}
