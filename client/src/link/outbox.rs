//! What outlives one connection: the lines not yet acknowledged, the last entry seen, and the two
//! channels by which the rest of the program says and hears things.
//!
//! After a lost connection the same outbox goes into the next link, which sends again what was not
//! acknowledged, under the same names, and follows on from the last entry: no gap, no duplicate.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::limits::{RUN_CHARS_MAX, UNACKNOWLEDGED_LINES_MAX};
use wire::{Line, Nonce, Run, Timestamp};

use super::event::Event;
use super::handle::{Handle, Order};
use crate::limits::{EVENTS_MAX, ORDERS_MAX};
use crate::settings::Since;

/// A handle to say things, the outbox for the link, and the channel on which to hear.
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

/// The same for a run that has its name already, which must not be used twice: what was said under
/// it before would not be said again.
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
    };
    (handle, outbox, heard)
}

/// What outlives one connection.
#[derive(Debug)]
pub struct Outbox {
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) leave: CancellationToken,
    pub(crate) since: Since,
    pub(crate) wire_too: bool,
    /// Whether `/quit` was said.
    pub(crate) quits: bool,
    /// The newest entry when nothing older was wanted, while none has come.
    pub(crate) begun_at: Option<u64>,
    /// The newest entry when a lost connection was had again.
    pub(crate) head: Option<u64>,
    /// The last entry that was handed over, by which the next link follows on.
    pub(crate) last: Option<(u64, Timestamp)>,
    unacknowledged: VecDeque<(Nonce, Line)>,
    /// Our lines that the server has stored or refused.
    pub(crate) answered: u64,
    /// Those of them that it has refused.
    pub(crate) refused: u64,
}

impl Outbox {
    /// The lines of which nobody knows whether they were stored, oldest first.
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

    /// Notes the newest entry at the first greeting. Who wants nothing older wants all that comes
    /// after it, also when the connection is lost before the first entry comes.
    pub(crate) fn begin(&mut self, head: u64) {
        if matches!(self.since, Since::Head | Since::Last(0)) {
            self.begun_at = Some(head);
        }
    }

    /// Forgets what belongs to another database; the lines of which nobody there knows, and those
    /// that were said to the people of the old one and never went out.
    pub(crate) fn begin_afresh(&mut self) -> VecDeque<(Nonce, Line)> {
        self.forget_entries();
        let mut lines = std::mem::take(&mut self.unacknowledged);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Say(nonce, line) => lines.push_back((nonce, line)),
                // It was a question about the old one.
                Order::Command(_) => {}
                Order::Quit => self.leave.cancel(),
            }
        }
        lines
    }

    /// What was asked for at the start was asked of the old record.
    pub(crate) fn forget_entries(&mut self) {
        self.since = Since::Head;
        self.last = None;
        self.begun_at = None;
        self.head = None;
    }

    /// Whether the person has nothing more to say and to hear.
    pub(crate) fn is_leaving(&self) -> bool {
        self.quits || self.leave.is_cancelled() || self.events.is_closed()
    }

    /// Whether the line was waited for; it no longer is.
    pub(crate) fn answered(&mut self, nonce: &Nonce) -> bool {
        // Answers come in the order of the lines, so it is nearly always the first.
        let at = self.unacknowledged.iter().position(|(n, _)| n == nonce);
        let was_waiting = at.and_then(|at| self.unacknowledged.remove(at)).is_some();
        self.answered += u64::from(was_waiting);
        was_waiting
    }

    /// The same for an answer that is a refusal.
    pub(crate) fn refused(&mut self, nonce: &Nonce) -> bool {
        let was_waiting = self.answered(nonce);
        self.refused += u64::from(was_waiting);
        was_waiting
    }
}

/// 16 letters and digits: 2^80 and more, so no two runs of one person meet.
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
    async fn what_was_said_to_another_room_and_never_went_out_is_set_aside_too() {
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
