//! One conversation in lines: the output of each event, the effect of each typed line, and the time
//! to go.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Stdout};

use crossterm::event::Event as TerminalEvent;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use wire::{Code, Refusal, Reply, Welcome};

use super::form::Printer;
use super::typed::Typed;
use super::written::Written;
use crate::limits::{CATCH_UP_TIMEOUT, EVENTS_MAX, TERMINAL_COLUMNS, TYPED_MAX};
use crate::link::{End, Event, Gone, Handle, Outcome, Permit};
use crate::settings::{Form, Since};
use crate::words::{Exit, Expiry, Readable, report, sentences, tell, tell_unacknowledged};

/// One conversation.
pub(super) struct Talk {
    printer: Printer<BufWriter<Readable<Stdout>>>,
    /// Whether standard output still accepts anything, and if not, whether that is fine.
    output: Output,
    /// The line that a person writes, where we edit it.
    written: Option<Written>,
    /// Whether some line was not sent.
    has_refused: bool,
    /// The last hint, which is not repeated for each line.
    hinted: Option<&'static str>,
    /// The lines in which nothing can be seen, between others.
    blank: u64,
    /// The same since the last other line; at the end they are none.
    blank_so_far: u64,
    /// Whether standard input may have more lines.
    is_pipe_open: bool,
    /// Whether `/quit` was read, so that every further line is one that is lost.
    counts_late: bool,
    /// The lines after `/quit`.
    late: u64,
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

/// The source of lines and commands.
pub(super) struct Input {
    /// Closed where keys are read.
    typed: mpsc::Receiver<Typed>,
    keys: Option<mpsc::Receiver<io::Result<TerminalEvent>>>,
    /// What the keys meant, in their order.
    steps: VecDeque<Typed>,
}

impl Input {
    /// Lines that are read whole.
    pub(super) fn of_lines(typed: mpsc::Receiver<Typed>) -> Self {
        Self {
            typed,
            keys: None,
            steps: VecDeque::new(),
        }
    }

    /// Keys, of which lines are made here.
    pub(super) fn of_keys(keys: mpsc::Receiver<io::Result<TerminalEvent>>) -> Self {
        Self {
            keys: Some(keys),
            ..Self::of_lines(mpsc::channel(1).1)
        }
    }
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
    pub(super) fn new(
        printer: Printer<BufWriter<Readable<Stdout>>>,
        since: Since,
        head: u64,
    ) -> Self {
        let until = match since {
            Since::Head | Since::Last(0) => 0,
            Since::Beginning | Since::Last(_) => head,
        };
        Self {
            printer,
            output: Output::Open,
            written: None,
            has_refused: false,
            hinted: None,
            blank: 0,
            blank_so_far: 0,
            is_pipe_open: true,
            counts_late: false,
            late: 0,
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
        input: Input,
    ) {
        let Input {
            mut typed,
            mut keys,
            mut steps,
        } = input;
        self.written = keys.is_some().then(Written::default);
        self.flush();
        loop {
            let done = self.is_input_over && !self.has_quit && self.waits.are_over();
            if done && self.is_offline {
                // Nothing more is expected, so nothing needs a connection.
                handle.quit();
                self.has_quit = true;
                continue;
            }
            // After `/quit`, the lines that still come are counted.
            let has_steps = match keys {
                Some(_) => !steps.is_empty() && !self.is_input_over,
                None => self.is_pipe_open && (!self.is_input_over || self.counts_late),
            };
            let patience = self.waits.by;
            let only_entries = self.is_input_over
                && !self.has_quit
                && self.waits.unanswered == 0
                && !done
                && !self.is_offline;
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else {
                        while let Ok(Typed::Late) = typed.try_recv() {
                            self.late += 1;
                        }
                        self.written = None;
                        return self.flush();
                    };
                    self.hear(event);
                    // No more at once than the channel holds: typed lines have their turn too.
                    for _ in 1..EVENTS_MAX {
                        let Ok(event) = events.try_recv() else { break };
                        self.hear(event);
                    }
                    // Nothing more is waiting, so nothing is held back either.
                    self.flush();
                }
                key = next_key(&mut keys), if keys.is_some() && !self.is_input_over && steps.len() < TYPED_MAX => {
                    self.press(key, &mut steps);
                    self.flush();
                }
                next = next_step(&mut handle, &mut typed, &mut steps, done), if done || has_steps => match next {
                    Ok((place, Step::Act(typed))) => {
                        self.act(typed, place);
                        self.flush();
                    }
                    Ok((_, Step::End)) => {
                        self.is_input_over = true;
                        self.is_pipe_open = false;
                    }
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
                    self.tell("warning: the server acknowledged everything, but did not show all of it");
                    self.waits.until = 0;
                }
            }
        }
    }

    /// Takes a key, or the end of the keys.
    fn press(&mut self, key: Option<io::Result<TerminalEvent>>, steps: &mut VecDeque<Typed>) {
        let event = match key {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                steps.push_back(Typed::Unreadable {
                    words: format!("cannot read standard input: {error}"),
                    hint: None,
                });
                return;
            }
            None => return steps.push_back(Typed::Quit { unsent: 0 }),
        };
        let Some(written) = &mut self.written else {
            return;
        };
        let effect = written.take(&event);
        if let Some(kept) = effect.kept {
            self.print(|printer| printer.typed(&kept));
        }
        for words in effect.told {
            self.tell(&words);
        }
        self.has_refused |= effect.is_refusal;
        steps.extend(effect.steps);
    }

    /// Shows everything that was printed, and the line that the person writes below it.
    fn flush(&mut self) {
        let columns = (self.printer.columns)().unwrap_or(TERMINAL_COLUMNS);
        let row = self.written.as_ref().map(|written| written.row(columns));
        self.print(|printer| printer.flush(row.as_deref()));
    }

    /// Tells the person something on standard error, which may be the same terminal.
    fn tell(&mut self, words: &str) {
        if self.written.is_some() {
            self.print(|printer| printer.flush(None));
        }
        tell(words);
    }

    fn act(&mut self, typed: Typed, place: Permit<'_>) {
        if typed != Typed::Blank {
            self.blank += std::mem::take(&mut self.blank_so_far);
        }
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
                self.counts_late = true;
                self.late += unsent as u64;
            }
            Typed::Late => self.late += 1,
            Typed::Blank => self.blank_so_far += 1,
            Typed::Told(words) => self.tell(&words),
            Typed::Refused { words, hint } => self.refuse(&words, hint),
            Typed::Unreadable { words, hint } => {
                self.refuse(&words, hint);
                self.is_input_over = true;
            }
        }
    }

    fn refuse(&mut self, words: &str, hint: Option<&'static str>) {
        self.has_refused = true;
        self.tell(&format!("error: {words}"));
        if let Some(words) = hint.filter(|_| self.hinted != hint) {
            self.tell(&format!("hint: {words}"));
            self.hinted = hint;
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
            self.tell(&words);
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
                self.tell(&format!("warning: {}", sentences::disorder(after, came)));
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
                self.tell(&format!(
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
                self.tell(&format!("connected again {}", route.describe(&welcome)));
                self.greet(&welcome, &greeting);
            }
            Event::Unanswered(since) => {
                let words = sentences::unanswered(since.elapsed());
                self.tell(&format!("warning: {words}"));
            }
            Event::Answered => self.tell("the server answers again"),
            Event::Garbled(fault) => self.tell(&format!("warning: {fault}")),
            Event::WarningsLeftOut => {
                self.tell(&format!("warning: {}", sentences::warnings_left_out()))
            }
        }
    }

    fn hear_other_history(&mut self, set_aside: usize) {
        // Entries are numbered anew, so no number of the old ones is waited for.
        self.waits.until = 0;
        self.waits.shown = 0;
        self.waits.unanswered = self.waits.unanswered.saturating_sub(set_aside as u64);
        self.tell(&format!("warning: {}", sentences::OTHER_HISTORY));
        if set_aside > 0 {
            let lines = match set_aside {
                1 => "1 line was not acknowledged before, and is not sent again".to_owned(),
                lines => {
                    format!("{lines} lines were not acknowledged before, and are not sent again")
                }
            };
            self.tell(&format!(
                "warning: {lines}, because the history is a different one"
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
                self.tell(&format!("not sent: {}", refusal.words));
            }
            (None, Code::Waiting) => self.tell(&format!(
                "the server is waiting ({}); nothing is lost",
                refusal.words
            )),
            (None, _) => self.tell(&format!("refused: {}", refusal.words)),
        }
        self.print(|printer| printer.refusal(refusal));
    }

    fn print(
        &mut self,
        what: impl FnOnce(&mut Printer<BufWriter<Readable<Stdout>>>) -> io::Result<()>,
    ) {
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
            self.tell(&format!("error: cannot write to standard output: {error}"));
        }
    }

    pub(super) fn conclude(mut self, left: &Outcome) -> Exit {
        self.print(|printer| printer.flush(None));
        // The link knows best: while a person leaves, not every event is waited for.
        let known = left.answered + in_doubt(left);
        let unsent = self.waits.said.saturating_sub(known);
        if unsent > 0 {
            let lines = match unsent {
                1 => "1 line was".to_owned(),
                lines => format!("{lines} lines were"),
            };
            tell(&format!("warning: {lines} not sent"));
        }
        if self.late > 0 {
            let lines = match self.late {
                1 => "1 line after /quit was".to_owned(),
                late => format!("{late} lines after /quit were"),
            };
            tell(&format!("error: {lines} not sent"));
        }
        if self.blank > 0 {
            let lines = match self.blank {
                1 => "1 blank line was".to_owned(),
                blank => format!("{blank} blank lines were"),
            };
            tell(&format!("note: {lines} left out: the room has none"));
        }
        let unacknowledged = in_doubt(left);
        tell_unacknowledged(unacknowledged);
        if let End::Failed(failure) = &left.end {
            return report(failure);
        }
        let refused = self.has_refused || left.refused > 0;
        if refused
            || self.late > 0
            || unsent > 0
            || unacknowledged > 0
            || self.output == Output::Failed
        {
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
    steps: &mut VecDeque<Typed>,
    done: bool,
) -> Result<(Permit<'a>, Step), Gone> {
    let place = handle.reserve().await?;
    if done {
        return Ok((place, Step::Quit));
    }
    if let Some(step) = steps.pop_front() {
        return Ok((place, Step::Act(step)));
    }
    let step = typed.recv().await.map_or(Step::End, Step::Act);
    Ok((place, step))
}

/// Returns the next key. Without keys there is none, ever.
async fn next_key(
    keys: &mut Option<mpsc::Receiver<io::Result<TerminalEvent>>>,
) -> Option<io::Result<TerminalEvent>> {
    match keys {
        Some(keys) => keys.recv().await,
        None => std::future::pending().await,
    }
}

/// Returns the lines that may or may not be in the record.
pub(super) fn in_doubt(left: &Outcome) -> u64 {
    (left.unacknowledged + left.set_aside) as u64
}
