//! What goes out, in its turn, and which questions wait for their answers.

use std::collections::VecDeque;

use wire::Line;

/// Questions that may be open at once.
pub(crate) const QUESTIONS_MAX: usize = 64;

/// Something for the server; each goes out when the link has a place for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// A line to say.
    Say(Line),
    /// A command, and what its answer is for.
    Command(Line, Asked),
    /// The wish to leave once everything before it was sent.
    Quit,
}

/// What an answer is for. The server answers in the order of the questions.
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
    /// The person, who typed the question and is shown the answer.
    Typed,
}

/// The queue of what goes out, and the questions that went.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    out: VecDeque<Outgoing>,
    asked: VecDeque<Asked>,
}

impl Asking {
    pub(super) fn push(&mut self, out: Outgoing) {
        self.out.push_back(out);
    }

    /// Returns what goes out next. A question counts as asked from here on.
    pub(super) fn next_out(&mut self) -> Option<Outgoing> {
        let out = self.out.pop_front()?;
        if let Outgoing::Command(_, asked) = &out {
            self.asked.push_back(*asked);
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
        self.asked.contains(&what) || self.out.iter().any(is_it)
    }

    /// Returns how many questions have no answer yet; those count too that did not go out.
    pub(super) fn questions(&self) -> usize {
        let is_question = |out: &&Outgoing| matches!(out, Outgoing::Command(..));
        self.asked.len() + self.out.iter().filter(is_question).count()
    }

    /// Returns what the next answer is for.
    pub(super) fn awaited(&self) -> Option<Asked> {
        self.asked.front().copied()
    }

    /// The oldest question has its answer. Returns what the answer was for.
    pub(super) fn answered(&mut self) -> Option<Asked> {
        self.asked.pop_front()
    }

    /// The connection was lost. A question that was asked on it is not answered on another.
    pub(super) fn lose(&mut self) {
        self.asked.clear();
        self.out.retain(|out| !matches!(out, Outgoing::Command(..)));
    }

    /// Another room has taken the place of this one, and what did not go out was meant for this one.
    pub(super) fn begin_afresh(&mut self) {
        self.out.retain(|out| matches!(out, Outgoing::Quit));
    }

    /// There is no server any more.
    pub(super) fn end(&mut self) {
        self.out.clear();
    }
}
