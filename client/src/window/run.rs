//! One thin loop around a pure [`App`]: it takes everything that happens (keys, events of the link,
//! time), lets the app decide, acts on the decision, and draws at most sixty times a second.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crossterm::event::Event as TerminalEvent;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::app::{App, Choices, Effect, Facts, Happened};
use super::background::{self, Answers, Depth, Ground, Sorted};
use super::screen::Screen;
use crate::config::Config;
use crate::enter::{begin, enter};
use crate::keys::{Keys, read_keys};
use crate::link::{Door, End, Event, Gone, Handle, Outcome, Permit, Stay};
use crate::room::{Outgoing, Room};
use crate::settings::{Mouse, Theme};
use crate::words::{Exit, Expiry, Failure, plainly, report, tell, tell_unacknowledged};

/// The shortest time from one frame to the next.
const FRAME_INTERVAL: Duration = Duration::from_micros(16_667);

/// The time between two frames while something counts down.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// The first frame waits no longer than this for the terminal to tell its background, so that it has
/// the right colours. A later answer is obeyed all the same.
const BACKGROUND_TIMEOUT: Duration = Duration::from_millis(100);

/// At the end, for an answer that is still on its way: it would be typed into the shell. After this
/// time since the question, none will come.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// The events of the link that are taken between two looks at the keys.
const EVENTS_AT_ONCE: usize = 256;

/// Runs until the person leaves, or `leave` is cancelled.
pub async fn run(config: Config, leave: CancellationToken) -> Exit {
    for warning in &config.warnings {
        tell(warning);
    }
    let choices = Choices {
        theme: config.theme,
        bell: config.bell,
        is_short: config.is_short.then_some(true),
        has_mouse: config.mouse == Mouse::On,
        clock: config.clock.clone(),
    };
    let mut door = Door {
        bundle: config.bundle,
        target: config.target,
        clock: config.clock,
        explainer: config.explainer.clone(),
    };
    let connected = match enter(&mut door, config.give_up_after, &leave).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    let (handle, outbox, events) = match begin(config.since, false) {
        Ok(begun) => begun,
        Err(exit) => return exit,
    };
    let facts = facts(&door);
    let room = Room::new(
        connected.welcome.clone(),
        choices.clock.clone(),
        Instant::now(),
    );
    let mut screen = match Screen::open(choices.has_mouse) {
        Ok(screen) => screen,
        Err(error) => {
            tell(&format!(
                "error: cannot draw on this terminal: {}",
                plainly(&error)
            ));
            tell("hint: --plain prints lines instead");
            return Exit::Other;
        }
    };
    let explainer = config.explainer.clone();
    let stay = tokio::spawn(
        Stay::new(
            door,
            outbox.explained(config.explainer),
            config.give_up_after,
        )
        .stay(connected),
    );
    let window = EventLoop {
        handle,
        events,
        keys: read_keys().1,
        answers: Answers::default(),
        may_ask: choices.theme == Theme::Auto && background::may_be_asked(&env("TERM")),
        stay: Some(stay),
        leave,
    };
    let ended = window.run(room, facts, choices, &mut screen).await;
    drop(screen);
    explainer.flush();
    match ended {
        Ok((left, app)) => conclude(left.as_ref(), &app),
        Err(error) => {
            tell(&format!(
                "error: cannot draw on this terminal: {}",
                plainly(&error)
            ));
            Exit::Other
        }
    }
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn facts(door: &Door) -> Facts {
    let end = door.bundle.certificate().not_after;
    let term = env("TERM");
    let told = |name| std::env::var(name).ok();
    Facts {
        server: door.target.to_string(),
        ground: Ground::guess(&term, told("COLORFGBG").as_deref()),
        depth: Depth::of(&term, told("COLORTERM").as_deref()),
        expiry: Expiry::new(SystemTime::now().into(), end.into()),
    }
}

/// The parts that the loop needs.
struct EventLoop {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    keys: Keys,
    answers: Answers,
    /// Whether the terminal is asked for its background.
    may_ask: bool,
    stay: Option<Staying>,
    leave: CancellationToken,
}

/// The task that stays in the room; at its end it can be begun again.
type Staying = tokio::task::JoinHandle<(Outcome, Stay<Door>)>;

impl EventLoop {
    async fn run(
        self,
        room: Room,
        facts: Facts,
        choices: Choices,
        screen: &mut Screen,
    ) -> io::Result<(Option<Outcome>, App)> {
        let Self {
            mut handle,
            mut events,
            mut keys,
            mut answers,
            may_ask,
            mut stay,
            leave,
        } = self;
        let mut app = App::new(room, facts, choices, screen.size()?);
        // To leave at once, even while an order waits for its place.
        let at_once = handle.leave();
        let mut left = None;
        // The task between two stays.
        let mut ended_stay = None;
        let mut tick = tokio::time::interval(TICK_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut due = Instant::now();
        if may_ask {
            screen.ask_background()?;
            answers.asked(due);
            due += BACKGROUND_TIMEOUT;
        }
        let mut is_dirty = true;
        let mut is_told_to_leave = false;
        'window: loop {
            let now = Instant::now();
            if is_dirty && due <= now {
                // Asked for each frame: the news of a change may come late, or never.
                app.size = screen.size()?;
                screen.draw(&app)?;
                due = Instant::now() + FRAME_INTERVAL;
                is_dirty = false;
            }
            let has_out = app.room.has_out();
            let mut happened = Vec::new();
            // Keys come first, however much is said: a person who types must not wait.
            tokio::select! {
                biased;
                key = keys.recv() => match key.transpose()? {
                    Some(event) => match answers.take(event, now) {
                        Sorted::Typed(typed) => happened.extend(typed.into_iter().filter_map(understand)),
                        Sorted::Held => {}
                        Sorted::Answered(rgb) => {
                            due = now;
                            happened.push(Happened::Background(rgb));
                        }
                    },
                    // Nobody can type any more, as after the terminal was closed.
                    None => break 'window,
                },
                () = leave.cancelled(), if !is_told_to_leave => {
                    // Without a connection there is no farewell to wait for.
                    if stay.is_none() {
                        break 'window;
                    }
                    is_told_to_leave = true;
                    at_once.cancel();
                }
                () = tokio::time::sleep_until(due.into()), if is_dirty => {}
                place = handle.reserve(), if has_out => {
                    send(&mut app, place);
                    is_dirty = true;
                }
                // A stay keeps its end of the channel for the next one, so this never ends.
                Some(event) = events.recv() => {
                    happened.push(Happened::Heard(event));
                    let more = std::iter::from_fn(|| events.try_recv().ok());
                    happened.extend(more.take(EVENTS_AT_ONCE - 1).map(Happened::Heard));
                }
                // After the events: the last ones were sent before it.
                (ended, again) = ended(&mut stay), if stay.is_some() => {
                    let failure = failure_of(&ended);
                    left = Some(ended);
                    ended_stay = Some(again);
                    happened.push(Happened::Ended(failure.filter(|_| !is_told_to_leave)));
                }
                _ = tick.tick() => {
                    happened.extend(answers.overdue(now).into_iter().filter_map(understand));
                    happened.push(Happened::Tick);
                }
            }
            is_dirty |= !happened.is_empty();
            let mut effects: Vec<Effect> = Vec::new();
            for happened in happened {
                effects.extend(app.update(happened, Instant::now()));
            }
            effects.dedup();
            for effect in effects {
                match effect {
                    Effect::Bell => screen.ring()?,
                    Effect::Suspend => {
                        screen.suspend()?;
                        if may_ask {
                            screen.ask_background()?;
                            answers.asked(Instant::now());
                        }
                    }
                    Effect::Redraw => screen.forget()?,
                    Effect::Mouse(has_mouse) => screen.take_mouse(has_mouse)?,
                    Effect::TryAgain => {
                        if let Some(again) = ended_stay.take() {
                            left = None;
                            stay = Some(tokio::spawn(Stay::again(again)));
                        }
                    }
                    Effect::Leave => at_once.cancel(),
                    Effect::Close => break 'window,
                }
            }
        }
        wait_for_answer(&mut keys, &mut answers).await;
        Ok((left, app))
    }
}

/// Waits for the terminal's answer to the last question, if it can still come.
async fn wait_for_answer(keys: &mut Keys, answers: &mut Answers) {
    while let Some(asked_at) = answers.open_since() {
        let by = asked_at + ANSWER_TIMEOUT;
        let Ok(Some(Ok(event))) = tokio::time::timeout_at(by.into(), keys.recv()).await else {
            return;
        };
        // Nobody is left for whom a key could be meant.
        answers.take(event, Instant::now());
    }
}

fn send(app: &mut App, place: Result<Permit<'_>, Gone>) {
    // The link has ended; its last events are still to come.
    let Ok(place) = place else { return };
    match app.room.next_out() {
        Some(Outgoing::Say(line)) => app.room.named(place.say(line)),
        Some(Outgoing::Command(line, _)) => place.command(line),
        Some(Outgoing::Quit) => place.quit(),
        None => {}
    }
}

async fn ended(stay: &mut Option<Staying>) -> (Outcome, Stay<Door>) {
    let Some(task) = stay else {
        return std::future::pending().await;
    };
    let ended = task.await;
    *stay = None;
    match ended {
        Ok(ended) => ended,
        // The panic explains itself once the terminal is restored.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn failure_of(left: &Outcome) -> Option<Failure> {
    match &left.end {
        End::Goodbye => None,
        End::Failed(failure) => Some(failure.clone()),
    }
}

fn understand(event: TerminalEvent) -> Option<Happened> {
    Some(match event {
        TerminalEvent::Key(key) => Happened::Key(key),
        TerminalEvent::Paste(text) => Happened::Paste(text),
        TerminalEvent::Mouse(mouse) => Happened::Mouse(mouse),
        TerminalEvent::Resize(..) => Happened::Resize,
        TerminalEvent::FocusLost => Happened::FocusLost,
        TerminalEvent::FocusGained => return None,
    })
}

/// Says the last words on the restored terminal. Returns the exit code.
fn conclude(left: Option<&Outcome>, app: &App) -> Exit {
    let unacknowledged = match left {
        // The link knows best: while a person leaves, not every event is waited for.
        Some(left) => app.room.unsent() as u64 + app.room.said().saturating_sub(left.answered),
        None => app.room.unacknowledged() as u64,
    };
    tell_unacknowledged(unacknowledged);
    match left.map(|left| &left.end) {
        Some(End::Failed(failure)) => report(failure),
        _ if unacknowledged > 0 => Exit::Other,
        _ => Exit::Done,
    }
}
