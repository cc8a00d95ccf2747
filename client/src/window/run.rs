//! One thin loop around a pure [`App`]: it takes everything that happens (keys, events of the link,
//! time), lets the app decide, acts on the decision, and draws at most sixty times a second.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crossterm::event::Event as TerminalEvent;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::app::{App, Choices, Effect, Facts, Happened};
use super::screen::Screen;
use crate::config::Config;
use crate::connect::Connected;
use crate::enter::{begin, enter};
use crate::limits::KEYS_MAX;
use crate::link::{Door, End, Event, Gone, Handle, Outcome, Permit, Stay};
use crate::room::{Outgoing, Room};
use crate::words::{Exit, Expiry, Failure, report, tell, tell_unacknowledged};

/// The shortest time from one frame to the next.
const FRAME_INTERVAL: Duration = Duration::from_micros(16_667);

/// The time between two frames while something counts down.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

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
        is_short: config.is_short,
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
    let facts = facts(&door, &connected);
    let room = Room::new(
        connected.welcome.clone(),
        choices.clock.clone(),
        Instant::now(),
    );
    let mut screen = match Screen::open() {
        Ok(screen) => screen,
        Err(error) => {
            tell(&format!("error: cannot draw on this terminal: {error}"));
            tell("hint: --plain prints lines instead");
            return Exit::Other;
        }
    };
    let stay = tokio::spawn(
        Stay::new(
            door,
            outbox.explained(config.explainer),
            config.give_up_after,
        )
        .run(connected),
    );
    let window = EventLoop {
        handle,
        events,
        keys: read_keys(),
        stay: Some(stay),
        leave,
    };
    let ended = window.run(room, facts, choices, &mut screen).await;
    drop(screen);
    match ended {
        Ok((left, app)) => conclude(left.as_ref(), &app),
        Err(error) => {
            tell(&format!("error: cannot draw on this terminal: {error}"));
            Exit::Other
        }
    }
}

fn facts(door: &Door, connected: &Connected) -> Facts {
    let end = door.bundle.certificate().not_after;
    let tls = &connected.tls;
    Facts {
        server: door.target.to_string(),
        tls: format!("{} {}", tls.version, tls.key_exchange),
        expiry: Expiry::new(SystemTime::now().into(), end.into()),
    }
}

/// Reads the terminal on a thread of its own: a read cannot be cancelled, and the end of the
/// program must not wait for it.
fn read_keys() -> mpsc::Receiver<io::Result<TerminalEvent>> {
    let (send, keys) = mpsc::channel(KEYS_MAX);
    std::thread::spawn(move || {
        loop {
            let event = crossterm::event::read();
            let is_last = event.is_err();
            if send.blocking_send(event).is_err() || is_last {
                return;
            }
        }
    });
    keys
}

/// The parts that the loop needs.
struct EventLoop {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    keys: mpsc::Receiver<io::Result<TerminalEvent>>,
    stay: Option<tokio::task::JoinHandle<Outcome>>,
    leave: CancellationToken,
}

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
            mut stay,
            leave,
        } = self;
        let mut app = App::new(room, facts, choices, screen.size()?);
        // To leave at once, even while an order waits for its place.
        let at_once = handle.leave();
        let mut left = None;
        let mut tick = tokio::time::interval(TICK_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut drawn_at = None;
        let mut is_dirty = true;
        let mut is_told_to_leave = false;
        // Whether the link has no more events.
        let mut is_silent = false;
        loop {
            let now = Instant::now();
            let due = drawn_at.map_or(now, |at: Instant| at + FRAME_INTERVAL);
            if is_dirty && due <= now {
                // Asked for each frame: the news of a change may come late, or never.
                app.size = screen.size()?;
                screen.draw(&app)?;
                drawn_at = Some(Instant::now());
                is_dirty = false;
            }
            let has_out = app.room.has_out();
            // Keys come first, however much is said: a person who types must not wait.
            let happened = tokio::select! {
                biased;
                key = keys.recv() => match key.transpose()?.map(understand) {
                    Some(happened) => happened,
                    // Nobody can type any more, as after the terminal was closed.
                    None => return Ok((left, app)),
                },
                () = leave.cancelled(), if !is_told_to_leave => {
                    // Without a connection there is no farewell to wait for.
                    if stay.is_none() {
                        return Ok((left, app));
                    }
                    is_told_to_leave = true;
                    at_once.cancel();
                    None
                }
                () = tokio::time::sleep_until(due.into()), if is_dirty => None,
                ended = ended(&mut stay), if stay.is_some() && is_silent => {
                    let failure = failure_of(&ended);
                    left = Some(ended);
                    Some(Happened::Ended(failure.filter(|_| !is_told_to_leave)))
                }
                place = handle.reserve(), if has_out => {
                    send(&mut app, place);
                    is_dirty = true;
                    None
                }
                event = events.recv(), if !is_silent => {
                    let Some(event) = event else {
                        is_silent = true;
                        continue;
                    };
                    is_dirty = true;
                    let mut effects = app.update(Happened::Heard(event), now);
                    for _ in 1..EVENTS_AT_ONCE {
                        let Ok(event) = events.try_recv() else { break };
                        effects.extend(app.update(Happened::Heard(event), now));
                    }
                    effects.dedup();
                    for effect in effects {
                        if apply(effect, screen, &at_once)? {
                            return Ok((left, app));
                        }
                    }
                    None
                }
                _ = tick.tick() => Some(Happened::Tick),
            };
            let Some(happened) = happened else { continue };
            is_dirty = true;
            for effect in app.update(happened, Instant::now()) {
                if apply(effect, screen, &at_once)? {
                    return Ok((left, app));
                }
            }
        }
    }
}

/// Carries out a decision of the app. Returns whether the window closes.
fn apply(effect: Effect, screen: &mut Screen, at_once: &CancellationToken) -> io::Result<bool> {
    match effect {
        Effect::Bell => screen.ring()?,
        Effect::Suspend => screen.suspend()?,
        Effect::Redraw => screen.forget()?,
        Effect::Leave => at_once.cancel(),
        Effect::Close => return Ok(true),
    }
    Ok(false)
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

async fn ended(stay: &mut Option<tokio::task::JoinHandle<Outcome>>) -> Outcome {
    let Some(task) = stay else {
        return std::future::pending().await;
    };
    let ended = task.await;
    *stay = None;
    match ended {
        Ok(left) => left,
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
