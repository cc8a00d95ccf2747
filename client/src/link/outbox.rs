//! The state that outlives one connection: the unacknowledged lines, the last entry seen, and the
//! two channels that lead to the rest of the program.
//!
//! After a lost connection the same outbox goes into the next link. It sends the unacknowledged
//! lines again, under the same names, and follows on from the last entry: no gap, no duplicate.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::limits::{RUN_CHARS_MAX, UNACKNOWLEDGED_LINES_MAX};
use wire::{Line, Nonce, Run, Timestamp};

use super::event::Event;
use super::handle::{Handle, Order};
use crate::explain::Explainer;
use crate::limits::{EVENTS_MAX, ORDERS_MAX};
use crate::settings::Since;

/// Returns a handle to say things, the outbox for the link, and the channel on which to hear. With
/// `wire_too`, the channel also carries each line as it came.
///
/// # Errors
///
/// When the system has no random numbers to name this run with.
pub fn open(
    since: Since,
    wire_too: bool,
) -> Result<(Handle, Outbox, mpsc::Receiver<Event>), getrandom::Error> {
    Ok(open_run(random_run()?, since, wire_too))
}

/// Does the same for a run that has its name already. A name must not be used twice: lines with the
/// numbers of earlier ones would not be stored.
pub fn open_run(run: Run, since: Since, wire_too: bool) -> (Handle, Outbox, mpsc::Receiver<Event>) {
    let (events, heard) = mpsc::channel(EVENTS_MAX);
    let (orders, taken) = mpsc::channel(ORDERS_MAX);
    let leave = CancellationToken::new();
    let handle = Handle::new(run, orders, leave.clone());
    let outbox = Outbox {
        orders: taken,
        events,
        leave,
        since,
        wire_too,
        quits: false,
        begun_at: None,
        head: None,
        last: None,
        unacknowledged: VecDeque::new(),
        answered: 0,
        refused: 0,
        explainer: Explainer::default(),
    };
    (handle, outbox, heard)
}

/// The state that outlives one connection.
#[derive(Debug)]
pub struct Outbox {
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) leave: CancellationToken,
    pub(crate) since: Since,
    pub(crate) wire_too: bool,
    /// Whether `/quit` was said.
    pub(crate) quits: bool,
    /// The newest entry at the start, if nothing older was wanted and no entry has come yet.
    pub(crate) begun_at: Option<u64>,
    /// The newest entry when we last reconnected.
    pub(crate) head: Option<u64>,
    /// The last entry that was handed over, after which the next link follows on.
    pub(crate) last: Option<(u64, Timestamp)>,
    unacknowledged: VecDeque<(Nonce, Line)>,
    /// Our lines that the server has stored or refused.
    pub(crate) answered: u64,
    /// The refused ones among them.
    pub(crate) refused: u64,
    pub(crate) explainer: Explainer,
}

impl Outbox {
    /// Returns the same outbox, whose links explain each line.
    #[must_use]
    pub fn explained(self, explainer: Explainer) -> Self {
        Self { explainer, ..self }
    }

    /// Returns the lines that may or may not be stored, oldest first.
    pub fn unacknowledged(&self) -> impl ExactSizeIterator<Item = (&Nonce, &Line)> {
        self.unacknowledged
            .iter()
            .map(|(nonce, line)| (nonce, line))
    }

    pub(crate) fn has_space(&self) -> bool {
        self.unacknowledged.len() < UNACKNOWLEDGED_LINES_MAX
    }

    pub(crate) fn keep(&mut self, nonce: Nonce, line: Line) {
        self.unacknowledged.push_back((nonce, line));
    }

    /// Notes the newest entry at the first greeting. A person who wants nothing older wants
    /// everything after it, even if the connection is lost before the first entry comes.
    pub(crate) fn begin(&mut self, head: u64) {
        if matches!(self.since, Since::Head | Since::Last(0)) {
            self.begun_at = Some(head);
        }
    }

    /// Forgets everything about the old database. Returns the lines that the new one must not get:
    /// the unacknowledged ones, and those that never went out to the people of the old one.
    pub(crate) fn begin_afresh(&mut self) -> VecDeque<(Nonce, Line)> {
        self.forget_entries();
        let mut lines = std::mem::take(&mut self.unacknowledged);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Say(nonce, line) => lines.push_back((nonce, line)),
                // It was a question about the old database.
                Order::Command(_) => {}
                Order::Quit => self.leave.cancel(),
            }
        }
        lines
    }

    /// Forgets the entries. The entries that the start asked for were those of the old record.
    pub(crate) fn forget_entries(&mut self) {
        self.since = Since::Head;
        self.last = None;
        self.begun_at = None;
        self.head = None;
    }

    /// Returns whether the person wants neither to say nor to hear anything more.
    pub(crate) fn is_leaving(&self) -> bool {
        self.quits || self.leave.is_cancelled() || self.events.is_closed()
    }

    /// Takes an answer to a line. Returns whether the line was waiting for one; it no longer is.
    pub(crate) fn answered(&mut self, nonce: &Nonce) -> bool {
        // Answers come in the order of the lines, so it is nearly always the first.
        let at = self.unacknowledged.iter().position(|(n, _)| n == nonce);
        let was_waiting = at.and_then(|at| self.unacknowledged.remove(at)).is_some();
        self.answered += u64::from(was_waiting);
        was_waiting
    }

    /// Takes a refusal as an answer to a line.
    pub(crate) fn refused(&mut self, nonce: &Nonce) -> bool {
        let was_waiting = self.answered(nonce);
        self.refused += u64::from(was_waiting);
        was_waiting
    }
}

/// Returns 16 random letters and digits: 2^80 possibilities, so no two runs of one person share a
/// name.
fn random_run() -> Result<Run, getrandom::Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    const CHARS: usize = 16;
    const { assert!(CHARS <= RUN_CHARS_MAX) }
    let mut bytes = [0; CHARS];
    getrandom::fill(&mut bytes)?;
    let text: String = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect();
    Ok(Run::parse(&text).expect("16 letters and digits are a run"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Gone;

    #[tokio::test]
    async fn lines_are_named_in_order_and_no_two_runs_alike() {
        let (mut handle, mut outbox, _heard) = open(Since::Head, false).expect("random numbers");
        let hello = Line::parse(b"hello").expect("a line");
        let first = handle.say(hello.clone()).await.expect("a link");
        let second = handle.say(hello).await.expect("a link");
        assert_eq!((first.n, second.n), (1, 2));
        assert_eq!(first.run, second.run);
        assert!(matches!(outbox.orders.recv().await, Some(Order::Say(nonce, _)) if nonce == first));
        let (mut other, _outbox, _heard) = open(Since::Head, false).expect("random numbers");
        let hello = Line::parse(b"hello").expect("a line");
        let others_first = other.say(hello).await.expect("a link");
        assert_ne!(others_first.run, first.run);
    }

    #[tokio::test]
    async fn lines_for_another_room_that_never_went_out_are_set_aside_too() {
        let (mut handle, mut outbox, _heard) = open(Since::Head, false).expect("random numbers");
        let hello = Line::parse(b"hello").expect("a line");
        let first = handle.say(hello.clone()).await.expect("a link");
        match outbox.orders.recv().await {
            Some(Order::Say(nonce, line)) => outbox.keep(nonce, line),
            other => panic!("{other:?}"),
        }
        let second = handle.say(hello.clone()).await.expect("a link");
        handle.command(hello).await.expect("a link");
        let set_aside = outbox.begin_afresh();
        let nonces: Vec<Nonce> = set_aside.into_iter().map(|(nonce, _)| nonce).collect();
        assert_eq!(nonces, [first, second]);
        assert!(outbox.orders.try_recv().is_err());
        assert!(!outbox.is_leaving());
    }

    #[tokio::test]
    async fn without_a_link_nothing_can_be_said() {
        let (mut handle, outbox, _heard) = open(Since::Head, false).expect("random numbers");
        drop(outbox);
        let hello = Line::parse(b"hello").expect("a line");
        assert_eq!(handle.say(hello).await, Err(Gone));
    }
}
