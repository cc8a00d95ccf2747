//! The plain mode: lines in on standard input, lines out on standard output, everything else on
//! standard error. It is built on nothing but what the library gives to everybody.

use std::io::{self, BufWriter, Stdout};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use wire::{Code, Refusal, Reply, Timestamp, Welcome};

use crate::config::args::Config;
use crate::connect::connected::Connected;
use crate::limits::{
    CATCH_UP_TIMEOUT, CROWDED_TIMEOUT, EVENTS_MAX, LEAVE_PRINT_TIMEOUT, READ_BYTES_MAX,
};
use crate::link::connection::End;
use crate::link::outbox::{Event, Gone, Handle, Place, Since, open};
use crate::link::stay::{Dial as _, Door, Left, Pauses, Stay};
use crate::plain::form::{Form, Printer};
use crate::plain::typed::{self, Typed};
use crate::words::clock::Clock;
use crate::words::failure::{Exit, Failure};
use crate::words::terminal::{stdout_columns, tell};

/// Runs until standard input ends, the session ends, or `leave` is cancelled.
pub async fn run(config: Config, leave: CancellationToken) -> Exit {
    for warning in &config.warnings {
        tell(warning);
    }
    let mut door = Door {
        bundle: config.bundle,
        target: config.target,
        clock: config.clock.clone(),
    };
    let connected = tokio::select! {
        connected = enter(&mut door, config.give_up_after) => match connected {
            Ok(connected) => connected,
            Err(failure) => return report(&failure),
        },
        // Nothing was said yet, so nothing is lost.
        () = leave.cancelled() => return Exit::Done,
    };
    tell(&format!("connected {}", connected.describe()));
    let (handle, outbox, events) = match open(config.since, config.form == Form::Raw) {
        Ok(opened) => opened,
        Err(error) => {
            tell(&format!(
                "error: this system has no random numbers: {error}"
            ));
            return Exit::Other;
        }
    };
    // The link hears of it directly: it must leave also while standard output blocks.
    let leaves = handle.leave();
    let forward = tokio::spawn({
        let leave = leave.clone();
        async move {
            leave.cancelled().await;
            leaves.cancel();
        }
    });
    let printer = Printer {
        out: BufWriter::with_capacity(READ_BYTES_MAX, io::stdout()),
        form: config.form,
        clock: config.clock,
        // Only a terminal has columns, and only its number of them can change.
        columns: if stdout_columns().is_some() {
            stdout_columns
        } else {
            || None
        },
    };
    let mut talk = Talk::new(printer, config.since, connected.welcome.head);
    talk.greet(&connected.welcome, &connected.greeting);
    // With the outbox goes the sender of events, which ends the talk.
    let stay = tokio::spawn(Stay::new(door, outbox, config.give_up_after).run(connected));
    let printed = print(talk, handle, events);
    let left = match stay.await {
        Ok(ended) => ended,
        Err(error) => {
            tell(&format!("error: the connection's task failed: {error}"));
            return Exit::Other;
        }
    };
    let patience = async {
        leave.cancelled().await;
        sleep(LEAVE_PRINT_TIMEOUT).await;
    };
    let talk = tokio::select! {
        biased;
        talk = printed => talk,
        () = patience => return conclude_unprinted(&left),
    };
    forward.abort();
    match talk {
        Ok(talk) => talk.conclude(&left),
        Err(_) => {
            tell("error: the printer failed");
            Exit::Other
        }
    }
}

/// Prints on a thread of its own, which a write to standard output may hold up for ever. Gives the
/// conversation back when it is over.
fn print(mut talk: Talk, handle: Handle, events: mpsc::Receiver<Event>) -> oneshot::Receiver<Talk> {
    let (over, printed) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        runtime.block_on(talk.run(handle, events, read_stdin()));
        // Where nobody waits for it any more, the program is ending.
        let _ = over.send(talk);
    });
    printed
}

/// The end after a signal while standard output takes nothing: what is known is told, and the rest
/// is not waited for.
fn conclude_unprinted(left: &Left) -> Exit {
    tell("warning: standard output takes no more, so the newest lines are not in it");
    tell_unacknowledged(left);
    if let End::Failed(failure) = &left.end {
        return report(failure);
    }
    Exit::Other
}

fn tell_unacknowledged(left: &Left) -> usize {
    let unacknowledged = left.unacknowledged + left.set_aside;
    if unacknowledged > 0 {
        tell(&format!(
            "warning: the server did not acknowledge {unacknowledged} of the lines; they may be in the record or not"
        ));
    }
    unacknowledged
}

/// The first time in. Only a server that asks for it is waited for, and for a while one that may
/// have no room: a person who mistyped the host wants to know at once.
pub(crate) async fn enter(
    door: &mut Door,
    give_up_after: Option<Duration>,
) -> Result<Connected, Failure> {
    let begin = Instant::now();
    let mut pauses = Pauses::default();
    loop {
        let failure = match door.dial().await {
            Ok(connected) => return Ok(connected),
            Err(failure) => failure,
        };
        let is_over = give_up_after.is_some_and(|after| begin.elapsed() >= after);
        let asks_to_wait = failure.exit == Exit::NotAdmitted && failure.may_pass;
        let may_be_crowded = failure.may_be_crowded && begin.elapsed() < CROWDED_TIMEOUT;
        if !(asks_to_wait || may_be_crowded) || is_over {
            return Err(failure);
        }
        let left = give_up_after.map(|after| after.saturating_sub(begin.elapsed()));
        let pause = pauses.next();
        let pause = left.map_or(pause, |left| pause.min(left));
        tell(&format!("{failure}; trying again in {}", seconds(pause)));
        sleep(pause).await;
    }
}

/// `0.3 s`, `4 s`
fn seconds(pause: Duration) -> String {
    if pause < Duration::from_secs(1) {
        format!("{:.1} s", pause.as_secs_f32())
    } else {
        format!("{:.0} s", pause.as_secs_f32())
    }
}

/// Tells a failure and its hint.
pub fn report(failure: &Failure) -> Exit {
    tell(&format!("error: {failure}"));
    if let Some(hint) = &failure.hint {
        tell(&format!("hint: {hint}"));
    }
    failure.exit
}

/// Reads standard input on a thread of its own: a read of a terminal cannot be cancelled, and
/// nothing may wait for it when the program ends.
fn read_stdin() -> mpsc::Receiver<Typed> {
    let (send, typed) = mpsc::channel(1);
    std::thread::spawn(move || {
        let input = io::BufReader::with_capacity(READ_BYTES_MAX, io::stdin());
        typed::read(input, |typed| send.blocking_send(typed).is_ok());
    });
    typed
}

/// One conversation.
struct Talk {
    printer: Printer<BufWriter<Stdout>>,
    /// Whether standard output still takes anything, and if not, whether that is fine.
    output: Output,
    /// Whether some line was not sent.
    refused: bool,
    /// Whether standard input has ended, or nobody wants to read on.
    ended: bool,
    /// Whether `/quit` was said.
    quit: bool,
    /// Whether there is no connection now.
    offline: bool,
    /// What the person was last told of the certificate's end.
    told_of_end: Option<String>,
    waits: Waits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Open,
    /// Whoever read it has gone, as `head` does.
    Closed,
    Failed,
}

/// What must have come before it is time to go.
struct Waits {
    /// The lines that were said.
    said: u64,
    /// Those of them that were not answered.
    unanswered: u64,
    /// The `/ping`s that were typed and not answered.
    pings: u64,
    /// The last entry that must be shown: our own last line, and what was there before us.
    until: u64,
    /// The last entry that was shown.
    shown: u64,
    /// Until when entries are waited for.
    by: Instant,
}

impl Talk {
    fn new(printer: Printer<BufWriter<Stdout>>, since: Since, head: u64) -> Self {
        let until = match since {
            Since::Head | Since::Last(0) => 0,
            Since::Beginning | Since::Last(_) => head,
        };
        Self {
            printer,
            output: Output::Open,
            refused: false,
            ended: false,
            quit: false,
            offline: false,
            told_of_end: None,
            waits: Waits {
                said: 0,
                unanswered: 0,
                pings: 0,
                until,
                shown: 0,
                by: Instant::now() + CATCH_UP_TIMEOUT,
            },
        }
    }

    async fn run(
        &mut self,
        mut handle: Handle,
        mut events: mpsc::Receiver<Event>,
        mut typed: mpsc::Receiver<Typed>,
    ) {
        loop {
            let done = self.ended && !self.quit && self.waits.are_over();
            if done && self.offline {
                // Nothing is waited for, so nothing needs a connection.
                handle.quit();
                self.quit = true;
                continue;
            }
            let patience = self.waits.by;
            let only_entries =
                self.ended && !self.quit && self.waits.unanswered == 0 && !done && !self.offline;
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else {
                        return;
                    };
                    self.hear(event);
                    // No more at once than can wait: what is typed has its turn too.
                    for _ in 1..EVENTS_MAX {
                        let Ok(event) = events.try_recv() else { break };
                        self.hear(event);
                    }
                    // Nothing more is waiting, so nothing is held back either.
                    self.print(Printer::flush);
                }
                next = next_step(&mut handle, &mut typed, done), if done || !self.ended => match next {
                    Ok((place, Step::Act(typed))) => self.act(typed, place),
                    Ok((_, Step::End)) => self.ended = true,
                    Ok((place, Step::Quit)) => {
                        place.quit();
                        self.quit = true;
                    }
                    // The link has ended; what it still has to tell comes as events.
                    Err(Gone) => {
                        self.ended = true;
                        self.quit = true;
                    }
                },
                () = sleep_until(patience), if only_entries => {
                    tell("warning: the server acknowledged everything, but did not show all of it");
                    self.waits.until = 0;
                }
            }
        }
    }

    fn act(&mut self, typed: Typed, place: Place<'_>) {
        match typed {
            Typed::Say(line) => {
                place.say(line);
                self.waits.said += 1;
                self.waits.unanswered += 1;
            }
            Typed::Command(command) => place.command(command),
            Typed::Ping(command) => {
                place.command(command);
                self.waits.pings += 1;
            }
            // What was said before it is waited for, as at the end of standard input.
            Typed::Quit => self.ended = true,
            Typed::Refused { words, hint } => self.refuse(&words, hint),
            Typed::Unreadable { words, hint } => {
                self.refuse(&words, hint);
                self.ended = true;
            }
        }
    }

    fn refuse(&mut self, words: &str, hint: Option<&str>) {
        self.refused = true;
        tell(&format!("error: {words}"));
        if let Some(hint) = hint {
            tell(&format!("hint: {hint}"));
        }
    }

    fn greet(&mut self, welcome: &Welcome, text: &str) {
        self.print(|printer| printer.greeting(welcome, text));
        let words = welcome
            .expires
            .map(|expires| certificates_end(welcome.clock, expires, &self.printer.clock));
        // A connection that comes and goes is no reason to say the same again.
        if let Some(words) = words.filter(|words| self.told_of_end.as_ref() != Some(words)) {
            tell(&words);
            self.told_of_end = Some(words);
        }
    }

    fn hear(&mut self, event: Event) {
        self.waits.by = Instant::now() + CATCH_UP_TIMEOUT;
        match event {
            Event::Wire(text) => self.print(|printer| printer.wire(&text)),
            Event::Entry(entry) => {
                self.waits.shown = self.waits.shown.max(entry.seq);
                self.print(|printer| printer.entry(&entry));
            }
            Event::Reply(reply) => self.hear_reply(&reply),
            Event::CaughtUp(seq) => {
                self.waits.shown = self.waits.shown.max(seq);
                if self.printer.form == Form::Json {
                    self.print(|printer| printer.reply(&Reply::At(seq)));
                }
            }
            Event::Refused(refusal) => self.hear_refusal(&refusal),
            Event::Disorder { after, came } => tell(&format!(
                "warning: the server sent entry {came} after entry {after}; the record here is not complete or not in order"
            )),
            Event::OtherHistory { set_aside } => self.hear_other_history(set_aside),
            Event::Lost { why, pause } => {
                let state = if self.offline {
                    "still no connection"
                } else {
                    "connection lost"
                };
                self.offline = true;
                // What was asked on a connection is not answered on another.
                self.waits.pings = 0;
                // The sentence for the end of the program says once more that it was lost.
                let why = why.split_once(" was lost: ").map_or(&*why, |(_, why)| why);
                tell(&format!(
                    "{state} ({why}); trying again in {}",
                    seconds(pause)
                ));
            }
            Event::Back {
                welcome,
                greeting,
                words,
            } => {
                self.offline = false;
                tell(&format!("connected again {words}"));
                self.greet(&welcome, &greeting);
            }
            Event::Garbled(words) => tell(&format!("warning: {words}")),
        }
    }

    fn hear_other_history(&mut self, set_aside: usize) {
        // Entries are numbered anew, so no number of the old ones is waited for.
        self.waits.until = 0;
        self.waits.shown = 0;
        self.waits.unanswered = self.waits.unanswered.saturating_sub(set_aside as u64);
        tell(
            "warning: this is another history than the one that was followed before; starting afresh from its newest entry",
        );
        if set_aside > 0 {
            tell(&format!(
                "warning: {set_aside} of the lines were not acknowledged before, and are not sent again into another history"
            ));
        }
    }

    fn hear_reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Ok { seq, .. } => {
                self.waits.unanswered = self.waits.unanswered.saturating_sub(1);
                self.waits.until = self.waits.until.max(*seq);
            }
            Reply::At(seq) => {
                self.waits.shown = self.waits.shown.max(*seq);
                let is_asked = self.waits.pings > 0;
                self.waits.pings = self.waits.pings.saturating_sub(1);
                // The link asks too, to hear whether the server is still there.
                if !is_asked && self.printer.form != Form::Json {
                    return;
                }
            }
            _ => {}
        }
        self.print(|printer| printer.reply(reply));
    }

    fn hear_refusal(&mut self, refusal: &Refusal) {
        match (&refusal.nonce, refusal.code) {
            (Some(_), _) => {
                self.refused = true;
                self.waits.unanswered = self.waits.unanswered.saturating_sub(1);
                tell(&format!("not sent: {}", refusal.words));
            }
            (None, Code::Waiting) => tell(&format!(
                "the server is waiting ({}); nothing is lost",
                refusal.words
            )),
            (None, _) => tell(&format!("refused: {}", refusal.words)),
        }
        self.print(|printer| printer.refusal(refusal));
    }

    fn print(&mut self, what: impl FnOnce(&mut Printer<BufWriter<Stdout>>) -> io::Result<()>) {
        if self.output != Output::Open {
            return;
        }
        let Err(error) = what(&mut self.printer) else {
            return;
        };
        // Nobody reads on: leave, once what was said is acknowledged.
        self.ended = true;
        self.waits.until = 0;
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.output = Output::Closed;
        } else {
            self.output = Output::Failed;
            tell(&format!("error: cannot write to standard output: {error}"));
        }
    }

    fn conclude(mut self, left: &Left) -> Exit {
        self.print(Printer::flush);
        // As the link knows it: while a person leaves, not every event is waited for.
        let known = left.answered + (left.unacknowledged + left.set_aside) as u64;
        let unsent = self.waits.said.saturating_sub(known);
        if unsent > 0 {
            tell(&format!("warning: {unsent} of the lines were not sent"));
        }
        let unacknowledged = tell_unacknowledged(left);
        if let End::Failed(failure) = &left.end {
            return report(failure);
        }
        let refused = self.refused || left.refused > 0;
        if refused || unsent > 0 || unacknowledged > 0 || self.output == Output::Failed {
            return Exit::Other;
        }
        Exit::Done
    }
}

impl Waits {
    fn are_over(&self) -> bool {
        self.unanswered == 0 && self.shown >= self.until
    }
}

/// How long a certificate is still good, by the clock of the server, which judges it.
fn certificates_end(now: Timestamp, end: Timestamp, clock: &Clock) -> String {
    const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
    let left = match (end.unix_millis() - now.unix_millis()) / DAY_MILLIS {
        ..1 => format!("less than a day ({})", clock.show(end)),
        1 => format!("one day ({})", clock.show_day(end)),
        days => format!("{days} days ({})", clock.show_day(end)),
    };
    format!("your certificate expires in {left}: ask for another")
}

/// What standard input, or its end, asks for.
enum Step {
    Act(Typed),
    End,
    Quit,
}

/// The next step, once there is a place for it: with 64 lines unacknowledged nothing is read.
/// May be cancelled without any effect.
async fn next_step<'a>(
    handle: &'a mut Handle,
    typed: &mut mpsc::Receiver<Typed>,
    done: bool,
) -> Result<(Place<'a>, Step), Gone> {
    let place = handle.reserve().await?;
    if done {
        return Ok((place, Step::Quit));
    }
    let step = typed.recv().await.map_or(Step::End, Step::Act);
    Ok((place, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_how_long_their_certificate_is_still_good() {
        let time = |text| Timestamp::parse(text).expect("a time");
        let end = time("2026-12-01T00:00:00.000Z");
        for (now, left) in [
            ("2026-11-21T00:00:00.000Z", "10 days (2026-12-01)"),
            ("2026-11-21T00:00:00.001Z", "9 days (2026-12-01)"),
            ("2026-11-30T00:00:00.000Z", "one day (2026-12-01)"),
            (
                "2026-11-30T00:00:00.001Z",
                "less than a day (2026-12-01 00:00:00)",
            ),
            (
                "2026-12-01T00:00:00.500Z",
                "less than a day (2026-12-01 00:00:00)",
            ),
        ] {
            let words = certificates_end(time(now), end, &Clock::utc());
            assert_eq!(
                words,
                format!("your certificate expires in {left}: ask for another")
            );
        }
    }
}
