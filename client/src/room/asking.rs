//! The queue of everything that goes out, and the questions that wait for their answers.

use std::collections::VecDeque;
use std::time::Instant;

use wire::Line;

/// Something for the server; each goes out when the link has a place for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// A line to say.
    Say(Line),
    /// A command, and the purpose of its answer.
    Command(Line, Asked),
    /// The wish to leave once everything before it was sent.
    Quit,
}

/// The purpose of an answer. The server answers in the order of the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The list of the people here.
    Who,
    /// The time that an answer takes.
    Ping,
    /// The entries before the first one that is loaded.
    Older,
    /// The entries after the last one that is loaded.
    Newer,
    /// The entries before those that were searched.
    Sought,
    /// The person, who typed the question and is shown the answer.
    Typed,
}

/// The queue of everything that goes out, and the questions that went.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    out: VecDeque<Outgoing>,
    asked: VecDeque<Question>,
}

/// A question that went out.
#[derive(Debug)]
struct Question {
    command: Line,
    asked: Asked,
    at: Instant,
}

impl Asking {
    pub(super) fn push(&mut self, out: Outgoing) {
        self.out.push_back(out);
    }

    /// Returns the next thing to send. A question counts as asked from here on.
    pub(super) fn next_out(&mut self, now: Instant) -> Option<Outgoing> {
        let out = self.out.pop_front()?;
        if let Outgoing::Command(command, asked) = &out {
            self.asked.push_back(Question {
                command: command.clone(),
                asked: *asked,
                at: now,
            });
        }
        Some(out)
    }

    /// Returns whether something is to go out.
    pub(super) fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// Returns how many lines did not go out yet.
    pub(super) fn unsent(&self) -> usize {
        let is_said = |out: &&Outgoing| matches!(out, Outgoing::Say(_));
        self.out.iter().filter(is_said).count()
    }

    /// Returns whether this question waits: for its turn, or for its answer.
    pub(super) fn contains(&self, what: Asked) -> bool {
        let is_it = |out: &Outgoing| matches!(out, Outgoing::Command(_, asked) if *asked == what);
        self.asked.iter().any(|question| question.asked == what) || self.out.iter().any(is_it)
    }

    /// Returns how many questions have no answer yet, including those that did not go out.
    pub(super) fn questions(&self) -> usize {
        let is_question = |out: &&Outgoing| matches!(out, Outgoing::Command(..));
        self.asked.len() + self.out.iter().filter(is_question).count()
    }

    /// Returns the purpose of the next answer.
    pub(super) fn awaited(&self) -> Option<Asked> {
        self.asked.front().map(|question| question.asked)
    }

    /// Returns the question that is answered next, if a person typed it.
    pub(super) fn awaited_typed(&self) -> Option<&Line> {
        let question = self.asked.front()?;
        (question.asked == Asked::Typed).then_some(&question.command)
    }

    /// Returns when the oldest question went out that has no answer yet.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.asked.front().map(|question| question.at)
    }

    /// Removes the oldest question, which has its answer. Returns the purpose of the answer.
    pub(super) fn answered(&mut self) -> Option<Asked> {
        self.asked.pop_front().map(|question| question.asked)
    }

    /// Forgets the questions: those that were asked on a lost connection are not answered on
    /// another.
    pub(super) fn lose(&mut self) {
        self.asked.clear();
        self.out.retain(|out| !matches!(out, Outgoing::Command(..)));
    }

    /// Forgets everything that was meant for the old room.
    pub(super) fn begin_afresh(&mut self) {
        self.out.retain(|out| matches!(out, Outgoing::Quit));
    }

    /// Forgets everything but the lines to say: no server is left to send it to, but the person may
    /// find one again.
    pub(super) fn end(&mut self) {
        self.asked.clear();
        self.out.retain(|out| matches!(out, Outgoing::Say(_)));
    }
}
