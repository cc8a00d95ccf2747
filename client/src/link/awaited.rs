//! The answers that are awaited. A server may send an answer that nobody asked for, and never stop;
//! a reply counts as an answer only if it was asked for.
//!
//! A server answers one command after the other. So an answer to a later command shows that the
//! earlier ones have been answered.

use std::collections::VecDeque;

use wire::{Line, Reply, Request};

use crate::limits::{COMMANDS_MAX, NOTES_MAX};

/// The commands that are not answered yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    commands: VecDeque<Unanswered>,
    /// The number of notes that came since the last list of people.
    notes: usize,
}

/// A command, and how far its answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unanswered {
    Follow,
    Ping,
    /// The lines that are still to come, after the server has said how many.
    Who {
        left: Option<u64>,
    },
    Whois,
    History {
        has_begun: bool,
    },
    Help {
        has_begun: bool,
    },
    /// A command that this version does not know, and `/nick`: only a refusal answers it.
    Other,
}

impl Awaited {
    /// Notes that a `/follow` was sent.
    pub(crate) fn follow(&mut self) {
        self.push(Unanswered::Follow);
    }

    /// Notes that a `/ping` was sent.
    pub(crate) fn ping(&mut self) {
        self.push(Unanswered::Ping);
    }

    /// Notes that a command was sent as it was typed.
    pub(crate) fn command(&mut self, command: &Line) {
        let asked = match Request::parse(command.as_str().as_bytes()) {
            // These get no answer of the kind that commands get.
            Ok(None | Some(Request::Say(_) | Request::SayOnce(..) | Request::Quit)) => return,
            Ok(Some(Request::Ping)) => Unanswered::Ping,
            Ok(Some(Request::Who)) => Unanswered::Who { left: None },
            Ok(Some(Request::Whois(_))) => Unanswered::Whois,
            Ok(Some(Request::History { .. })) => Unanswered::History { has_begun: false },
            Ok(Some(Request::Help)) => Unanswered::Help { has_begun: false },
            Ok(Some(Request::Nick | Request::Follow(_))) | Err(_) => Unanswered::Other,
        };
        self.push(asked);
    }

    // Twice as many as the commands of a person, because the link itself pings even when it takes
    // no more orders. A command beyond that is not kept, and its answer is dropped.
    fn push(&mut self, asked: Unanswered) {
        if self.commands.len() < 2 * COMMANDS_MAX {
            self.commands.push_back(asked);
        }
    }

    /// Returns whether every command has its answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Returns whether so many commands wait that the next one has to wait too.
    pub(crate) fn is_full(&self) -> bool {
        self.commands.len() >= COMMANDS_MAX
    }

    /// Returns whether a `/follow` is not answered yet.
    pub(crate) fn is_following(&self) -> bool {
        self.commands.contains(&Unanswered::Follow)
    }

    /// Notes that every entry up to the head has come.
    pub(crate) fn followed(&mut self) {
        self.commands.retain(|asked| *asked != Unanswered::Follow);
    }

    /// Returns whether a refusal of no line answers a command; that command is then answered.
    pub(crate) fn refused(&mut self) -> bool {
        self.commands.pop_front().is_some()
    }

    /// Returns whether a reply is a part of an answer that is awaited.
    pub(crate) fn takes(&mut self, reply: &Reply) -> bool {
        match reply {
            Reply::At(_) => self.answer(|asked| asked == Unanswered::Ping),
            Reply::Note { .. } => self.note(),
            Reply::Who { count, .. } => {
                let begins = self.begin(
                    Unanswered::Who { left: None },
                    Unanswered::Who { left: Some(*count) },
                );
                if begins {
                    self.notes = 0;
                }
                if begins && *count == 0 {
                    self.commands.pop_front();
                }
                begins
            }
            Reply::Here(_) => self.count_down(),
            Reply::Begin(topic) => match topic.as_str() {
                "history" => self.begin(
                    Unanswered::History { has_begun: false },
                    Unanswered::History { has_begun: true },
                ),
                "help" => self.begin(
                    Unanswered::Help { has_begun: false },
                    Unanswered::Help { has_begun: true },
                ),
                _ => self.commands.contains(&Unanswered::Other),
            },
            Reply::Replayed(_) | Reply::ReplayedNewer(_) => {
                self.is_next(Unanswered::History { has_begun: true })
            }
            Reply::End(topic) => match topic.as_str() {
                "history" => self.end(Unanswered::History { has_begun: true }),
                "help" => self.end(Unanswered::Help { has_begun: true }),
                _ => self.commands.contains(&Unanswered::Other),
            },
            Reply::Other(text) => match text.split(' ').next() {
                Some("help") => self.is_next(Unanswered::Help { has_begun: true }),
                Some("whois") => self.answer(|asked| asked == Unanswered::Whois),
                _ => self.commands.contains(&Unanswered::Other),
            },
            Reply::Whois(_) => self.answer(|asked| asked == Unanswered::Whois),
            // A greeting comes once, and the others do not answer commands.
            Reply::Welcome(_) | Reply::Ok { .. } | Reply::Bye { .. } => false,
        }
    }

    /// Takes a note, which stands before a list of people.
    fn note(&mut self) -> bool {
        self.notes += 1;
        self.notes <= NOTES_MAX && self.commands.contains(&Unanswered::Who { left: None })
    }

    /// Takes a whole answer to the first command that `is_it`.
    fn answer(&mut self, is_it: impl Fn(Unanswered) -> bool) -> bool {
        let at = self.commands.iter().position(|asked| is_it(*asked));
        if let Some(at) = at {
            self.commands.drain(..=at);
        }
        at.is_some()
    }

    fn begin(&mut self, command: Unanswered, begun: Unanswered) -> bool {
        let begins = self.answer(|asked| asked == command);
        if begins {
            self.commands.push_front(begun);
        }
        begins
    }

    fn is_next(&self, asked: Unanswered) -> bool {
        self.commands.front() == Some(&asked)
    }

    fn end(&mut self, asked: Unanswered) -> bool {
        let is_next = self.is_next(asked);
        if is_next {
            self.commands.pop_front();
        }
        is_next
    }

    /// Takes one of the lines that the server announced. Nothing is kept because of its count.
    fn count_down(&mut self) -> bool {
        let Some(Unanswered::Who { left: Some(left) }) = self.commands.front_mut() else {
            return false;
        };
        *left -= 1;
        if *left == 0 {
            self.commands.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use wire::ServerLine;

    use super::*;

    const HERE: &str = "= here bob role=bot ip=::1 since=2026-11-21T10:00:00.123Z sessions=1";
    const ENTRY: &str = "= 12 2026-11-21T10:00:00.123Z [bob@192.0.2.9] hi";

    fn awaiting(commands: &[&str]) -> Awaited {
        let mut awaited = Awaited::default();
        for command in commands {
            awaited.command(&Line::parse(command.as_bytes()).expect("a line"));
        }
        awaited
    }

    #[track_caller]
    fn check(awaited: &mut Awaited, lines: &[(&str, bool)]) {
        for (line, is_taken) in lines {
            let Ok(ServerLine::Reply(reply)) = ServerLine::parse(line) else {
                panic!("{line}");
            };
            assert_eq!(awaited.takes(&reply), *is_taken, "{line}");
        }
    }

    #[test]
    fn notes_come_before_a_list_of_people_and_not_without_end() {
        let note = "= note stale-list the revocation list is out of date";
        let mut awaited = awaiting(&["/who"]);
        for _ in 0..NOTES_MAX {
            check(&mut awaited, &[(note, true)]);
        }
        check(
            &mut awaited,
            &[(note, false), ("= who 9 count=0", true), (note, false)],
        );
        assert!(awaited.is_empty());
        awaited.command(&Line::parse(b"/who").expect("a line"));
        check(&mut awaited, &[(note, true)]);
    }

    #[test]
    fn an_answer_is_taken_once_and_in_its_order() {
        let mut awaited = awaiting(&["/who", "/help", "/history 1", "/whois bob", "/ping"]);
        check(
            &mut awaited,
            &[
                ("= at 1", true),
                ("= at 1", false),
                ("= who 1 count=1", false),
            ],
        );
        let mut awaited = awaiting(&["/who", "/help", "/history 1", "/whois bob", "/ping"]);
        check(
            &mut awaited,
            &[
                (HERE, false),
                (ENTRY, false),
                ("= help /who", false),
                ("= note stale-list it is old", true),
                ("= who 1 count=2", true),
                ("= note stale-list it is old", false),
                (HERE, true),
                (HERE, true),
                (HERE, false),
                ("= begin help", true),
                ("= help /who", true),
                (ENTRY, false),
                ("= end history", false),
                ("= end help", true),
                ("= help /who", false),
                ("= begin history", true),
                (ENTRY, true),
                ("= end history", true),
                (ENTRY, false),
                ("= whois bob role=bot", true),
                ("= whois bob role=bot", false),
                ("= at 1", true),
                ("= at 1", false),
            ],
        );
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_not_taken() {
        let all = [
            "= at 1",
            "= who 1 count=1",
            HERE,
            "= begin history",
            ENTRY,
            "= end history",
            "= begin moon",
            "= help /who",
            "= whois bob role=bot",
            "= note moon it is full",
            "= moon full",
            "= welcome id=alice role=student ip=::1 room=x head=0 epoch=9f86 \
             clock=2026-11-21T10:00:00.123Z version=0.1.0",
        ];
        check(&mut Awaited::default(), &all.map(|line| (line, false)));
        assert!(!Awaited::default().refused());
        // Lines to say, not questions.
        let mut said = awaiting(&["hello", "/quit", "//who"]);
        check(&mut said, &all.map(|line| (line, false)));
        assert!(!said.refused());
    }

    #[test]
    fn a_refusal_answers_one_command() {
        let mut awaited = awaiting(&["/nick", "/frobnicate"]);
        // The answer to a command that only a newer server knows is for programs.
        check(&mut awaited, &[("= moon full", true)]);
        assert!(awaited.refused());
        assert!(awaited.refused());
        assert!(!awaited.refused());
        check(&mut awaited, &[("= moon full", false)]);
    }

    #[test]
    fn a_server_that_never_answers_costs_no_memory() {
        let mut awaited = Awaited::default();
        for n in 1..10_000 {
            awaited.command(&Line::parse(b"/who").expect("a line"));
            awaited.ping();
            assert_eq!(awaited.is_full(), n * 2 >= COMMANDS_MAX);
        }
        assert_eq!(awaited.commands.len(), 2 * COMMANDS_MAX);
    }
}
