//! The decisions of a link about each line it hears and each order it takes, without I/O.

use std::collections::VecDeque;

use bytes::{BufMut as _, BytesMut};
use tokio::time::Instant;
use wire::{ByeReason, Code, Line, Nonce, Overlong, Refusal, Reply, ServerLine, Timestamp};

use super::awaited::Awaited;
use super::event::Event;
use super::handle::Order;
use super::outbox::Outbox;
use crate::limits::{WARNINGS_INTERVAL, WARNINGS_MAX, WRITE_BYTES_MAX};
use crate::settings::Since;
use crate::words::Fault;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) outbox: Outbox,
    /// The bytes to write.
    pub(crate) out: BytesMut,
    /// Events that nobody has taken yet; nothing more is read while there are any.
    pub(crate) owed: VecDeque<Event>,
    /// How the connection ends, once the server has said so.
    pub(crate) farewell: Option<Farewell>,
    /// Whether `/quit` was said.
    pub(crate) is_quitting: bool,
    /// Whether the unacknowledged lines were sent again on this connection.
    has_resent: bool,
    /// Whether this connection started afresh from the head of another history.
    is_afresh: bool,
    /// Whether events are discarded, because the person leaves and nobody takes them.
    is_deaf: bool,
    awaited: Awaited,
    warnings: Warnings,
    stage: Stage,
}

/// The number of recent warnings about the server's lines. A server can send as many such lines as
/// it likes.
#[derive(Debug, Default)]
struct Warnings {
    since: Option<Instant>,
    told: u32,
}

/// The fate of one more warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Warning {
    Told,
    /// Told, as the last one for a while.
    Last,
    LeftOut,
}

impl Warnings {
    fn another(&mut self, now: Instant) -> Warning {
        let is_over = |since: Instant| now.duration_since(since) >= WARNINGS_INTERVAL;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.told = 0;
        }
        if self.told >= WARNINGS_MAX {
            return Warning::LeftOut;
        }
        self.told += 1;
        if self.told < WARNINGS_MAX {
            Warning::Told
        } else {
            Warning::Last
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The newest entries were asked for, and the later ones will follow.
    Replaying,
    /// Entries come; the first `= at` will say that none is missing.
    CatchingUp,
    /// Entries come as they are recorded.
    Following,
}

/// The end of the session: the server's last words, or an act that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// `= bye REASON words`
    Bye { reason: ByeReason, words: String },
    /// An endless line.
    Endless,
    /// An entry that does not come after the last one.
    Disorder { after: u64, came: u64 },
}

impl Course {
    /// Begins where the outbox left off, or where a fresh start is to begin.
    pub(crate) fn new(outbox: Outbox) -> Self {
        let mut course = Self {
            outbox,
            out: BytesMut::new(),
            owed: VecDeque::new(),
            farewell: None,
            is_quitting: false,
            has_resent: false,
            is_afresh: false,
            is_deaf: false,
            awaited: Awaited::default(),
            warnings: Warnings::default(),
            stage: Stage::CatchingUp,
        };
        course.start();
        course
    }

    fn start(&mut self) {
        if self.outbox.last.is_none()
            && let Some((begun_at, head)) = self.outbox.begun_at.zip(self.outbox.head)
        {
            return self.start_where_it_began(begun_at, head);
        }
        match (self.outbox.last, self.outbox.since) {
            (None, Since::Last(count)) if count > 0 => {
                self.stage = Stage::Replaying;
                self.begin_with(&format!("/history {count}"));
            }
            (None, Since::Beginning) => self.follow("0"),
            (None, Since::Head | Since::Last(_)) => self.follow("head"),
            (Some((seq, at)), _) => self.follow(&format!("{seq} {at}")),
        }
    }

    /// No entry has come yet to follow on from. So this asks for the entry that was the newest at
    /// the start, because its time is needed, and for all that were recorded since: our own lines
    /// may be among them.
    fn start_where_it_began(&mut self, begun_at: u64, head: u64) {
        if head < begun_at {
            self.outbox.forget_entries();
            self.owed.push_back(Event::OtherHistory { set_aside: 0 });
            self.outbox.begun_at = Some(head);
            self.outbox.head = Some(head);
        }
        if begun_at.min(head) == 0 {
            return self.follow("0");
        }
        self.stage = Stage::Replaying;
        let count = head.saturating_sub(begun_at) + 1;
        self.begin_with(&format!("/history {count} before {}", head + 1));
    }

    fn follow(&mut self, from: &str) {
        self.stage = Stage::CatchingUp;
        self.awaited.follow();
        self.begin_with(&format!("/follow {from}"));
        if std::mem::replace(&mut self.has_resent, true) {
            return;
        }
        // Under their old names, so that the server knows which of them it has.
        let lines: Vec<String> = self
            .outbox
            .unacknowledged()
            .map(|(nonce, line)| say(nonce, line))
            .collect();
        for line in lines {
            self.outbox.explainer.sent(&line);
            self.write(&line);
        }
    }

    /// Returns whether the server still owes an answer, to a line or to a command.
    pub(crate) fn is_owed(&self) -> bool {
        !self.awaited.is_empty() || self.outbox.unacknowledged().len() > 0
    }

    /// Returns whether another order may be taken: after the start, with fewer than 64
    /// unacknowledged lines, before the end.
    pub(crate) fn takes_orders(&self) -> bool {
        self.stage != Stage::Replaying
            && self.outbox.has_space()
            && !self.awaited.is_full()
            && self.out.len() < WRITE_BYTES_MAX
            && !self.is_quitting
            && self.farewell.is_none()
    }

    pub(crate) fn order(&mut self, order: Order) {
        match order {
            Order::Say(nonce, line) => {
                let waiting = self.outbox.unacknowledged().len();
                self.outbox.explainer.said(&nonce, &line, waiting);
                self.write(&say(&nonce, &line));
                self.outbox.keep(nonce, line);
            }
            Order::Command(command) => {
                self.awaited.command(&command);
                self.outbox.explainer.sent(command.as_str());
                self.write(command.as_str());
            }
            Order::Quit => self.quit(),
        }
    }

    pub(crate) fn quit(&mut self) {
        if !self.is_quitting {
            self.is_quitting = true;
            self.outbox.quits = true;
            self.outbox.explainer.quits();
            self.write("/quit");
        }
    }

    pub(crate) fn ping(&mut self) {
        self.awaited.ping();
        self.outbox.explainer.pinged();
        self.write("/ping");
    }

    /// Writes a line that says where to start.
    fn begin_with(&mut self, line: &str) {
        self.outbox.explainer.started(line);
        self.write(line);
    }

    fn write(&mut self, line: &str) {
        self.out.put_slice(line.as_bytes());
        self.out.put_u8(b'\n');
    }

    /// Hands over every event that can be handed over without waiting. After the person has left,
    /// the rest is discarded.
    pub(crate) fn deliver(&mut self) {
        while let Some(event) = self.owed.pop_front() {
            if self.is_deaf {
                continue;
            }
            if let Err(refused) = self.outbox.events.try_send(event) {
                if self.outbox.leave.is_cancelled() {
                    self.is_deaf = true;
                    continue;
                }
                self.owed.push_front(refused.into_inner());
                return;
            }
        }
    }

    /// Takes one line of the server.
    pub(crate) fn hear(&mut self, line: Result<BytesMut, Overlong>, now: Instant) {
        let line = match line {
            Ok(line) => line,
            Err(Overlong::Line(_)) => {
                return self.garbled(Fault::TooLong, now);
            }
            Err(Overlong::Endless) => {
                self.farewell = Some(Farewell::Endless);
                return;
            }
        };
        self.outbox.explainer.heard(&line);
        if self.outbox.wire_too {
            let text = String::from_utf8_lossy(&line).into_owned();
            self.owed.push_back(Event::Wire(text));
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            return self.garbled(Fault::NotUtf8, now);
        };
        match ServerLine::parse(text) {
            Ok(ServerLine::Entry(entry)) => {
                self.hear_entry(entry.seq, entry.at, Event::Entry(entry), now);
            }
            Ok(ServerLine::NewerEntry(entry)) => {
                self.hear_entry(entry.seq, entry.at, Event::NewerEntry(entry), now);
            }
            Ok(ServerLine::Reply(reply)) => self.hear_reply(reply, now),
            Ok(ServerLine::Refusal(refusal)) => self.hear_refusal(refusal, now),
            Ok(ServerLine::Unknown) => {}
            Err(error) => self.garbled(Fault::Malformed(error), now),
        }
    }

    fn garbled(&mut self, fault: Fault, now: Instant) {
        self.warn(Event::Garbled(fault), now);
    }

    /// Hands over a warning, unless there were too many lately.
    fn warn(&mut self, event: Event, now: Instant) {
        let warning = self.warnings.another(now);
        if warning != Warning::LeftOut {
            self.owed.push_back(event);
        }
        if warning == Warning::Last {
            self.owed.push_back(Event::WarningsLeftOut);
        }
    }

    /// Takes an entry of any kind; only its seq orders it.
    fn hear_entry(&mut self, came: u64, at: Timestamp, entry: Event, now: Instant) {
        if let Some(after) = self.entry_before() {
            if came <= after {
                // No record goes back, so nothing that this server says later can be trusted.
                self.owed.push_back(Event::Disorder { after, came });
                self.farewell = Some(Farewell::Disorder { after, came });
                return;
            }
            if came != after + 1 {
                self.warn(Event::Disorder { after, came }, now);
            }
        }
        self.outbox.last = Some((came, at));
        self.owed.push_back(entry);
    }

    /// Returns the number that the next entry follows: that of the last entry or, if none has come
    /// yet, the one where a start at head began. While we catch up, the server may send a new entry
    /// before it has said where we began.
    fn entry_before(&self) -> Option<u64> {
        let is_following = self.stage == Stage::Following;
        let began = self.outbox.begun_at.filter(|_| is_following);
        self.outbox.last.map(|(seq, _)| seq).or(began)
    }

    /// Takes an entry of the `/history` that finds the place to follow from. Entries from before our
    /// start are not shown.
    fn hear_replayed(&mut self, seq: u64, at: Timestamp, entry: Event, now: Instant) {
        let is_shown = self.outbox.begun_at.is_none_or(|begun| seq > begun);
        if is_shown || self.outbox.last.is_some() {
            self.hear_entry(seq, at, entry, now);
        } else {
            self.outbox.last = Some((seq, at));
        }
    }

    fn hear_reply(&mut self, reply: Reply, now: Instant) {
        match (reply, self.stage) {
            (Reply::Begin(_), Stage::Replaying) => {}
            (Reply::Replayed(entry), Stage::Replaying) => {
                self.hear_replayed(entry.seq, entry.at, Event::Entry(entry), now);
            }
            (Reply::ReplayedNewer(entry), Stage::Replaying) => {
                self.hear_replayed(entry.seq, entry.at, Event::NewerEntry(entry), now);
            }
            (Reply::End(_), Stage::Replaying) => self.follow_on(),
            (Reply::At(seq), Stage::CatchingUp) => {
                self.stage = Stage::Following;
                self.awaited.followed();
                if self.outbox.last.is_none() {
                    self.outbox.begun_at = Some(seq);
                }
                self.owed.push_back(Event::CaughtUp(seq));
            }
            (Reply::Ok { nonce, seq }, _) => {
                if self.outbox.answered(&nonce) {
                    self.owed.push_back(Event::Reply(Reply::Ok { nonce, seq }));
                } else {
                    self.garbled(Fault::StrayAcknowledgement, now);
                }
            }
            (Reply::Bye { reason, words }, _) => {
                self.farewell = Some(Farewell::Bye {
                    reason: reason.clone(),
                    words: words.clone(),
                });
                self.owed
                    .push_back(Event::Reply(Reply::Bye { reason, words }));
            }
            (reply, _) if self.awaited.takes(&reply) => {
                self.owed.push_back(Event::Reply(reply));
            }
            // Nobody asked for it, so nobody sees it.
            _ => {}
        }
    }

    /// Follows on after the last entry that was replayed. A transcript without entries is followed
    /// from its beginning, because everything that was said since belongs to us too.
    fn follow_on(&mut self) {
        match self.outbox.last {
            Some((seq, at)) => self.follow(&format!("{seq} {at}")),
            None => self.follow("0"),
        }
    }

    fn hear_refusal(&mut self, refusal: Refusal, now: Instant) {
        let is_of_follow = refusal.code == Code::OtherHistory && self.awaited.is_following();
        if is_of_follow && self.outbox.last.is_some() && !self.is_afresh {
            self.is_afresh = true;
            self.awaited.followed();
            // The unacknowledged lines were already sent, right after the refused /follow. That is
            // right: it is the same room, restored from a copy, which stores each of them once. To
            // show them too, we follow from the entry that was the newest before they came.
            let head = self.outbox.head;
            self.outbox.forget_entries();
            self.outbox.begun_at = head;
            self.outbox.head = head;
            self.owed.push_back(Event::OtherHistory { set_aside: 0 });
            self.start();
            return;
        }
        // A line that waits for the database is not refused, whichever line the server names.
        if refusal.code == Code::Waiting {
            return self.warn(Event::Refused(refusal.of(None)), now);
        }
        let is_of_a_line = refusal.nonce.is_some();
        if let Some(nonce) = &refusal.nonce
            && self.outbox.refused(nonce)
        {
            // The answer to our /history is still to come.
            self.owed.push_back(Event::Refused(refusal));
            return;
        }
        if self.stage == Stage::Replaying && !is_of_a_line {
            self.owed.push_back(Event::Refused(refusal));
            self.follow("head");
        } else if !is_of_a_line && self.awaited.refused() {
            self.owed.push_back(Event::Refused(refusal));
        } else {
            self.garbled(Fault::StrayRefusal(refusal), now);
        }
    }
}

/// Returns the command that says a line. The text is literal: a slash at its beginning is a slash.
fn say(nonce: &Nonce, line: &Line) -> String {
    format!("/say {nonce} {line}")
}
