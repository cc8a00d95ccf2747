//! One conversation in lines: the output of each event, the effect of each typed line, and the time
//! to go.

use std::io::{self, BufWriter, Stdout};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use wire::{Code, Refusal, Reply, Welcome};

use super::form::Printer;
use super::typed::Typed;
use crate::limits::{CATCH_UP_TIMEOUT, EVENTS_MAX};
use crate::link::{End, Event, Gone, Handle, Outcome, Permit};
use crate::settings::{Form, Since};
use crate::words::{Exit, Expiry, report, sentences, tell, tell_unacknowledged};

/// One conversation.
pub(super) struct Talk {
    printer: Printer<BufWriter<Stdout>>,
    /// Whether standard output still accepts anything, and if not, whether that is fine.
    output: Output,
    /// Whether some line was not sent.
    has_refused: bool,
    /// Whether standard input has ended, or nobody wants to read on.
    is_input_over: bool,
    /// Whether `/quit` was said.
    has_quit: bool,
    /// Whether there is no connection now.
    is_offline: bool,
    /// The last warning about the end of the certificate.
    told_of_end: Option<String>,
    waits: Waits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Open,
    /// The reader has gone, as `head` does.
    Closed,
    Failed,
}

/// The events that must come before it is time to go.
struct Waits {
    /// The lines that were said.
    said: u64,
    /// The unanswered ones among them.
    unanswered: u64,
    /// The `/ping`s that were typed and not answered.
    pings: u64,
    /// The last entry that must be shown: our own last line, and the entries from before our start.
    until: u64,
    /// The last entry that was shown.
    shown: u64,
    /// The time until which entries are waited for.
    by: Instant,
}

impl Talk {
    pub(super) fn new(printer: Printer<BufWriter<Stdout>>, since: Since, head: u64) -> Self {
        let until = match since {
            Since::Head | Since::Last(0) => 0,
            Since::Beginning | Since::Last(_) => head,
        };
        Self {
            printer,
            output: Output::Open,
            has_refused: false,
            is_input_over: false,
            has_quit: false,
            is_offline: false,
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

    pub(super) async fn run(
        &mut self,
        mut handle: Handle,
        mut events: mpsc::Receiver<Event>,
        mut typed: mpsc::Receiver<Typed>,
    ) {
        loop {
            let done = self.is_input_over && !self.has_quit && self.waits.are_over();
            if done && self.is_offline {
                // Nothing more is expected, so nothing needs a connection.
                handle.quit();
                self.has_quit = true;
                continue;
            }
            let patience = self.waits.by;
            let only_entries = self.is_input_over
                && !self.has_quit
                && self.waits.unanswered == 0
                && !done
                && !self.is_offline;
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else {
                        return;
                    };
                    self.hear(event);
                    // No more at once than the channel holds: typed lines have their turn too.
                    for _ in 1..EVENTS_MAX {
                        let Ok(event) = events.try_recv() else { break };
                        self.hear(event);
                    }
                    // Nothing more is waiting, so nothing is held back either.
                    self.print(Printer::flush);
                }
                next = next_step(&mut handle, &mut typed, done), if done || !self.is_input_over => match next {
                    Ok((place, Step::Act(typed))) => self.act(typed, place),
                    Ok((_, Step::End)) => self.is_input_over = true,
                    Ok((place, Step::Quit)) => {
                        place.quit();
                        self.has_quit = true;
                    }
                    // The link has ended; its last events are still to come.
                    Err(Gone) => {
                        self.is_input_over = true;
                        self.has_quit = true;
                    }
                },
                () = sleep_until(patience), if only_entries => {
                    tell("warning: the server acknowledged everything, but did not show all of it");
                    self.waits.until = 0;
                }
            }
        }
    }

    fn act(&mut self, typed: Typed, place: Permit<'_>) {
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
            // The lines before it are waited for, as at the end of standard input.
            Typed::Quit { unsent } => {
                self.is_input_over = true;
                match unsent {
                    0 => {}
                    1 => {
                        tell("warning: /quit came first, so at least 1 line after it was not sent")
                    }
                    unsent => tell(&format!(
                        "warning: /quit came first, so at least {unsent} lines after it were not sent"
                    )),
                }
            }
            Typed::Refused { words, hint } => self.refuse(&words, hint),
            Typed::Unreadable { words, hint } => {
                self.refuse(&words, hint);
                self.is_input_over = true;
            }
        }
    }

    fn refuse(&mut self, words: &str, hint: Option<&str>) {
        self.has_refused = true;
        tell(&format!("error: {words}"));
        if let Some(hint) = hint {
            tell(&format!("hint: {hint}"));
        }
    }

    pub(super) fn greet(&mut self, welcome: &Welcome, text: &str) {
        self.print(|printer| printer.greeting(welcome, text));
        let words = welcome
            .expires
            // By the clock of the server, which judges the certificate.
            .map(|expires| Expiry::new(welcome.clock, expires).notice(&self.printer.clock));
        // A connection that comes and goes is no reason to repeat the warning.
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
            Event::NewerEntry(entry) => {
                self.waits.shown = self.waits.shown.max(entry.seq);
                self.print(|printer| printer.newer_entry(&entry));
            }
            Event::Reply(reply) => self.hear_reply(&reply),
            Event::CaughtUp(seq) => {
                self.waits.shown = self.waits.shown.max(seq);
                if self.printer.form == Form::Json {
                    self.print(|printer| printer.reply(&Reply::At(seq)));
                }
            }
            Event::Refused(refusal) => self.hear_refusal(&refusal),
            Event::Disorder { after, came } => {
                tell(&format!("warning: {}", sentences::disorder(after, came)));
            }
            Event::OtherHistory { set_aside } => self.hear_other_history(set_aside),
            Event::Lost { failure, pause } => {
                let state = if self.is_offline {
                    "still no connection"
                } else {
                    "connection lost"
                };
                self.is_offline = true;
                // A question that was asked on one connection is not answered on another.
                self.waits.pings = 0;
                tell(&format!(
                    "{state} ({}); {}",
                    failure.in_short(),
                    sentences::next_try(&failure, pause)
                ));
            }
            Event::Back {
                welcome,
                greeting,
                route,
            } => {
                self.is_offline = false;
                tell(&format!("connected again {}", route.describe(&welcome)));
                self.greet(&welcome, &greeting);
            }
            Event::Garbled(fault) => tell(&format!("warning: {fault}")),
            Event::WarningsLeftOut => tell(&format!("warning: {}", sentences::warnings_left_out())),
        }
    }

    fn hear_other_history(&mut self, set_aside: usize) {
        // Entries are numbered anew, so no number of the old ones is waited for.
        self.waits.until = 0;
        self.waits.shown = 0;
        self.waits.unanswered = self.waits.unanswered.saturating_sub(set_aside as u64);
        tell(&format!("warning: {}", sentences::OTHER_HISTORY));
        if set_aside > 0 {
            tell(&format!(
                "warning: {set_aside} of the lines were not acknowledged before, and are not sent again, because the history is a different one"
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
                // The link pings too, to hear whether the server is still there.
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
                self.has_refused = true;
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
        // Nobody reads on: leave when our lines are acknowledged.
        self.is_input_over = true;
        self.waits.until = 0;
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.output = Output::Closed;
        } else {
            self.output = Output::Failed;
            tell(&format!("error: cannot write to standard output: {error}"));
        }
    }

    pub(super) fn conclude(mut self, left: &Outcome) -> Exit {
        self.print(Printer::flush);
        // The link knows best: while a person leaves, not every event is waited for.
        let known = left.answered + in_doubt(left);
        let unsent = self.waits.said.saturating_sub(known);
        if unsent > 0 {
            tell(&format!("warning: {unsent} of the lines were not sent"));
        }
        let unacknowledged = in_doubt(left);
        tell_unacknowledged(unacknowledged);
        if let End::Failed(failure) = &left.end {
            return report(failure);
        }
        let refused = self.has_refused || left.refused > 0;
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

/// The request of standard input, or of its end.
enum Step {
    Act(Typed),
    End,
    Quit,
}

/// Returns the next step, once there is a place for it: with 64 unacknowledged lines nothing is
/// read. May be cancelled without any effect.
async fn next_step<'a>(
    handle: &'a mut Handle,
    typed: &mut mpsc::Receiver<Typed>,
    done: bool,
) -> Result<(Permit<'a>, Step), Gone> {
    let place = handle.reserve().await?;
    if done {
        return Ok((place, Step::Quit));
    }
    let step = typed.recv().await.map_or(Step::End, Step::Act);
    Ok((place, step))
}

/// Returns the lines that may or may not be in the record.
pub(super) fn in_doubt(left: &Outcome) -> u64 {
    (left.unacknowledged + left.set_aside) as u64
}
