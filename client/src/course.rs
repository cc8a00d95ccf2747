//! What a link does about each line it hears and each order it takes: decided here, without I/O.

use std::collections::VecDeque;

use bytes::{BufMut as _, BytesMut};
use wire::{Code, Entry, Line, Nonce, Overlong, Refusal, Reply, ServerLine};

use crate::limits::WRITE_BYTES_MAX;
use crate::outbox::{Event, Order, Outbox, Since};

/// Where one connection stands.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) outbox: Outbox,
    /// What is to be written.
    pub(crate) out: BytesMut,
    /// Events that nobody has taken yet; nothing more is read while there are any.
    pub(crate) owed: VecDeque<Event>,
    /// How it ends, once the server has said so.
    pub(crate) farewell: Option<Farewell>,
    /// Whether `/quit` was said.
    pub(crate) quitting: bool,
    /// Whether what was not acknowledged was said again on this connection.
    resent: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The newest entries were asked for, to be followed by what comes after them.
    Replaying,
    /// Entries come, and the first `= at` says that none is missing.
    CatchingUp,
    /// Entries come as they are recorded.
    Following,
}

/// What the server said last, or did instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// `= bye REASON words`
    Bye { reason: String, words: String },
    /// A line without end.
    Endless,
}

impl Course {
    /// Begins where the outbox left off, or as a fresh start was asked to begin.
    pub(crate) fn new(outbox: Outbox) -> Self {
        let mut course = Self {
            outbox,
            out: BytesMut::new(),
            owed: VecDeque::new(),
            farewell: None,
            quitting: false,
            resent: false,
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
                self.write(&format!("/history {count}"));
            }
            (None, Since::Beginning) => self.follow("0"),
            (None, Since::Head | Since::Last(_)) => self.follow("head"),
            (Some((seq, at)), _) => self.follow(&format!("{seq} {at}")),
        }
    }

    /// No entry has come yet by which to follow on. So the one that was the newest then is asked
    /// for, because its time is needed, and with it what was recorded since: our own lines may be
    /// among that.
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
        self.write(&format!("/history {count} before {}", head + 1));
    }

    fn follow(&mut self, from: &str) {
        self.stage = Stage::CatchingUp;
        self.write(&format!("/follow {from}"));
        if std::mem::replace(&mut self.resent, true) {
            return;
        }
        // Under their old names, so that the server knows which of them it has.
        let lines: Vec<String> = self
            .outbox
            .unacknowledged()
            .map(|(nonce, line)| say(nonce, line))
            .collect();
        for line in lines {
            self.write(&line);
        }
    }

    /// Whether another order may be taken: after the start, within the window, before the end.
    pub(crate) fn takes_orders(&self) -> bool {
        self.stage != Stage::Replaying
            && self.outbox.has_room()
            && self.out.len() < WRITE_BYTES_MAX
            && !self.quitting
            && self.farewell.is_none()
    }

    pub(crate) fn order(&mut self, order: Order) {
        match order {
            Order::Say(nonce, line) => {
                self.write(&say(&nonce, &line));
                self.outbox.keep(nonce, line);
            }
            Order::Command(command) => self.write(command.as_str()),
            Order::Quit => self.quit(),
        }
    }

    pub(crate) fn quit(&mut self) {
        if !self.quitting {
            self.quitting = true;
            self.outbox.quits = true;
            self.write("/quit");
        }
    }

    pub(crate) fn ping(&mut self) {
        self.write("/ping");
    }

    fn write(&mut self, line: &str) {
        self.out.put_slice(line.as_bytes());
        self.out.put_u8(b'\n');
    }

    /// Understands one line of the server.
    pub(crate) fn hear(&mut self, line: Result<BytesMut, Overlong>) {
        let line = match line {
            Ok(line) => line,
            Err(Overlong::Line(_)) => {
                return self.garbled("the server sent a line that is too long");
            }
            Err(Overlong::Endless) => {
                self.farewell = Some(Farewell::Endless);
                return;
            }
        };
        if self.outbox.wire_too {
            let text = String::from_utf8_lossy(&line).into_owned();
            self.owed.push_back(Event::Wire(text));
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            return self.garbled("the server sent a line that is not UTF-8");
        };
        match ServerLine::parse(text) {
            Ok(ServerLine::Entry(entry)) => self.hear_entry(entry),
            Ok(ServerLine::Reply(reply)) => self.hear_reply(reply),
            Ok(ServerLine::Refusal(refusal)) => self.hear_refusal(refusal),
            Ok(ServerLine::Unknown) => {}
            // A newer server may have reasons to say goodbye that we do not know.
            Err(error) => match text.strip_prefix("= bye ") {
                Some(said) => {
                    let (reason, words) = said.split_once(' ').unwrap_or((said, ""));
                    self.farewell = Some(Farewell::Bye {
                        reason: reason.to_owned(),
                        words: words.to_owned(),
                    });
                }
                None => self.garbled(&error.to_string()),
            },
        }
    }

    fn garbled(&mut self, words: &str) {
        self.owed.push_back(Event::Garbled(words.to_owned()));
    }

    fn hear_entry(&mut self, entry: Entry) {
        let before = self.outbox.last.map(|(seq, _)| seq);
        if let Some(after) = before.filter(|before| before + 1 != entry.seq) {
            let came = entry.seq;
            self.owed.push_back(Event::Disorder { after, came });
        }
        if before.is_none_or(|before| entry.seq > before) {
            self.outbox.last = Some((entry.seq, entry.at));
        }
        self.owed.push_back(Event::Entry(entry));
    }

    /// What was there before us was not asked for to be shown, only to follow on from it.
    fn hear_replayed(&mut self, entry: Entry) {
        let is_shown = self.outbox.begun_at.is_none_or(|begun| entry.seq > begun);
        if is_shown || self.outbox.last.is_some() {
            self.hear_entry(entry);
        } else {
            self.outbox.last = Some((entry.seq, entry.at));
        }
    }

    fn hear_reply(&mut self, reply: Reply) {
        match (reply, self.stage) {
            (Reply::Begin(_), Stage::Replaying) => {}
            (Reply::Replayed(entry), Stage::Replaying) => self.hear_replayed(entry),
            (Reply::End(_), Stage::Replaying) => self.follow_on(),
            (Reply::At(seq), Stage::CatchingUp) => {
                self.stage = Stage::Following;
                if self.outbox.last.is_none() {
                    self.outbox.begun_at = Some(seq);
                }
                self.owed.push_back(Event::CaughtUp(seq));
            }
            (Reply::Ok { nonce, seq }, _) => {
                if self.outbox.answered(&nonce) {
                    self.owed.push_back(Event::Reply(Reply::Ok { nonce, seq }));
                } else {
                    self.garbled("the server acknowledged a line that does not wait for it");
                }
            }
            (Reply::Bye { reason, words }, _) => {
                self.farewell = Some(Farewell::Bye {
                    reason: reason.to_string(),
                    words: words.clone(),
                });
                self.owed
                    .push_back(Event::Reply(Reply::Bye { reason, words }));
            }
            (reply, _) => self.owed.push_back(Event::Reply(reply)),
        }
    }

    /// Follows on after the last entry that was replayed. In a transcript without entries the
    /// beginning is the head, and whatever was said since belongs to us too.
    fn follow_on(&mut self) {
        match self.outbox.last {
            Some((seq, at)) => self.follow(&format!("{seq} {at}")),
            None => self.follow("0"),
        }
    }

    fn hear_refusal(&mut self, refusal: Refusal) {
        if refusal.code == Code::OtherHistory && self.outbox.last.is_some() {
            // What was not acknowledged was sent already, right after the refused /follow. That is
            // right: it is the same room, brought back from a copy, and each is stored once in it.
            // To show those too, we follow from what was the newest before they came.
            let head = self.outbox.head;
            self.outbox.forget_entries();
            self.outbox.begun_at = head;
            self.outbox.head = head;
            self.owed.push_back(Event::OtherHistory { set_aside: 0 });
            self.start();
            return;
        }
        // A line that waits for the database is not refused, whatever it is called by.
        let is_final = refusal.code != Code::Waiting
            && refusal
                .nonce
                .as_ref()
                .is_some_and(|nonce| self.outbox.answered(nonce));
        let refusal = if is_final { refusal } else { refusal.of(None) };
        // A refusal that names a line of ours is not the answer to the history that was asked for,
        // which is still to come.
        let is_of_start =
            self.stage == Stage::Replaying && !is_final && refusal.code != Code::Waiting;
        self.owed.push_back(Event::Refused(refusal));
        if is_of_start {
            self.follow("head");
        }
    }
}

/// The text is literal: a slash at its beginning is a slash.
fn say(nonce: &Nonce, line: &Line) -> String {
    format!("/say {nonce} {line}")
}
