//! Our own lines that are not in the timeline yet.

use std::collections::VecDeque;
use std::time::Instant;

use wire::{Line, Nonce};

use crate::limits::OWN_LINES_MAX;

/// A line of our own that is not in the timeline yet.
#[derive(Debug)]
pub(crate) struct OwnLine {
    pub(crate) line: Line,
    /// Whether it was pasted, and keeps its shape.
    pub(crate) is_pasted: bool,
    /// When it went out.
    sent_at: Option<Instant>,
    /// Its name, once it went out.
    nonce: Option<Nonce>,
    /// Its place, once it is acknowledged.
    seq: Option<u64>,
}

impl OwnLine {
    /// Returns whether the server has stored it.
    pub(crate) fn is_stored(&self) -> bool {
        self.seq.is_some()
    }
}

/// Our lines that are not in the timeline yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct OwnLines(VecDeque<OwnLine>);

impl OwnLines {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &OwnLine> {
        self.0.iter()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= OWN_LINES_MAX
    }

    pub(super) fn push(&mut self, line: &Line, is_pasted: bool) {
        self.0.push_back(OwnLine {
            line: line.clone(),
            is_pasted,
            sent_at: None,
            nonce: None,
            seq: None,
        });
    }

    /// Names the oldest line without a name, which has just gone out.
    pub(super) fn named(&mut self, nonce: Nonce, now: Instant) {
        if let Some(own) = self.0.iter_mut().find(|own| own.nonce.is_none()) {
            own.nonce = Some(nonce);
            own.sent_at = Some(now);
        }
    }

    /// Removes the line whose entry has come. It may come before the acknowledgement, so the line
    /// is found by its place if that is known, and otherwise by its text. Returns the line.
    pub(super) fn came(&mut self, seq: u64, line: &Line) -> Option<OwnLine> {
        let is_it = |own: &OwnLine| match own.seq {
            Some(stored) => stored == seq,
            None => own.nonce.is_some() && own.line == *line,
        };
        let at = self.0.iter().position(is_it)?;
        self.0.remove(at)
    }

    /// Notes that a line was acknowledged at `seq`. Its entry `is_shown` already, or is still to
    /// come.
    pub(super) fn stored(&mut self, nonce: &Nonce, seq: u64, is_shown: bool) {
        let Some(at) = self.position(nonce) else {
            return;
        };
        if is_shown {
            self.0.remove(at);
        } else {
            self.0[at].seq = Some(seq);
        }
    }

    /// Removes a refused line. Returns it.
    pub(super) fn refused(&mut self, nonce: &Nonce) -> Option<Line> {
        let at = self.position(nonce)?;
        self.0.remove(at).map(|own| own.line)
    }

    /// Returns how many lines may or may not be stored.
    pub(super) fn unacknowledged(&self) -> usize {
        self.0.iter().filter(|own| !own.is_stored()).count()
    }

    /// Returns when the oldest line went out that is not acknowledged.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let waiting = self.0.iter().filter(|own| !own.is_stored());
        waiting.filter_map(|own| own.sent_at).min()
    }

    /// Removes all lines. Returns them.
    pub(super) fn give_up(&mut self) -> Vec<Line> {
        self.0.drain(..).map(|own| own.line).collect()
    }

    fn position(&self, nonce: &Nonce) -> Option<usize> {
        self.0
            .iter()
            .position(|own| own.nonce.as_ref() == Some(nonce))
    }
}
