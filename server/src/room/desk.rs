//! The connection between the room and the sessions of this process: the waiter for the answer to
//! each ask, and the mailbox of each session.
//!
//! The room decides by data alone, and names sessions and asks by number. The desk turns its
//! outcomes into messages in the mailboxes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use wire::{ClientId, Code, Refusal, Reply};

use crate::room::ask::Ask;
use crate::room::decide::Outcome;
use crate::room::mailbox::{Admission, Mailbox, Owed, Told};
use crate::room::pace::{PaceRules, Paces};

/// The channel to the recorder.
pub(crate) type Asks = mpsc::Sender<Posted>;

/// An ask, with the waiter for its answer.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) ask: Ask,
    pub(crate) waiter: Waiter,
}

/// The waiter for the answer to an ask.
#[derive(Debug, Default)]
pub(crate) enum Waiter {
    /// Nobody.
    #[default]
    Nobody,
    /// The session that wants to begin.
    Entering(Entering),
    /// The session that said a line, with one of its 64 permits for lines under way.
    Line(Arc<Mailbox>, OwnedSemaphorePermit),
}

/// The mailbox of a session that wants to begin. If it is dropped unanswered, the session learns
/// that there will be no answer.
#[derive(Debug)]
pub(crate) struct Entering(Arc<Mailbox>);

/// The mailbox of every session of this process, and the pace of every person.
#[derive(Debug)]
pub(crate) struct Desk {
    rules: PaceRules,
    /// By the session's number in `joins`.
    sessions: HashMap<u64, Arc<Mailbox>>,
    paces: HashMap<ClientId, Arc<Paces>>,
}

/// Returns the refusal of a newcomer for a cause that will pass.
pub(crate) fn try_later(cause: impl fmt::Display) -> Refusal {
    Refusal::new(Code::TryLater, format!("{cause}; try again later"))
}

/// Returns the refusal of newcomers while nothing can be recorded.
pub(crate) fn cannot_record(cause: &str) -> Refusal {
    try_later(format_args!("nothing can be recorded now ({cause})"))
}

impl From<Ask> for Posted {
    /// Makes an ask that nobody waits for.
    fn from(ask: Ask) -> Self {
        Self {
            ask,
            waiter: Waiter::Nobody,
        }
    }
}

impl Waiter {
    /// Returns a waiter for a session that wants to begin.
    pub(crate) fn entering(mailbox: Arc<Mailbox>) -> Self {
        Waiter::Entering(Entering(mailbox))
    }

    /// Refuses the ask.
    pub(crate) fn refuse(self, refusal: Refusal) {
        match self {
            Waiter::Nobody => {}
            Waiter::Entering(entering) => entering.0.admit(Err(refusal)),
            Waiter::Line(mailbox, permit) => {
                mailbox.add(Owed::Answer(Some(Told::Refusal(refusal)), permit));
            }
        }
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Desk {
    /// Returns a desk without sessions.
    pub(crate) fn new(rules: PaceRules) -> Self {
        Self {
            rules,
            sessions: HashMap::new(),
            paces: HashMap::new(),
        }
    }

    /// Delivers the outcomes of a committed batch. The waiters are those of its asks, in the same
    /// order. A session that has ended meanwhile receives nothing.
    pub(crate) fn tell(&mut self, outcomes: Vec<Outcome>, waiters: &mut [Waiter]) {
        for outcome in outcomes {
            match outcome {
                Outcome::Entered { ask, id, session } => {
                    if let Waiter::Entering(entering) = take(waiters, ask) {
                        self.enter(id, session, &entering.0);
                    }
                }
                Outcome::Refused { ask, refusal } => take(waiters, ask).refuse(refusal),
                Outcome::Stored { ask, nonce, seq } => {
                    if let Waiter::Line(mailbox, permit) = take(waiters, ask) {
                        let ok = nonce.map(|nonce| Told::Reply(Reply::Ok { nonce, seq }));
                        mailbox.add(Owed::Answer(ok, permit));
                    }
                }
                Outcome::GivenBack { id, bytes } => {
                    if let Some(pace) = self.paces.get(&id) {
                        pace.give_back(bytes);
                    }
                }
                Outcome::Ended { session, end } => {
                    if let Some((mailbox, end)) = self.sessions.remove(&session).zip(end) {
                        mailbox.end(end);
                    }
                }
                Outcome::Forgotten(id) => {
                    self.paces.remove(&id);
                }
            }
        }
    }

    /// Several sessions of one person share a pace, and a person who comes back keeps the old one.
    fn enter(&mut self, id: ClientId, session: u64, mailbox: &Arc<Mailbox>) {
        let rules = self.rules;
        let pace = self.paces.entry(id);
        let pace = pace.or_insert_with(|| Arc::new(rules.paces())).clone();
        self.sessions.insert(session, mailbox.clone());
        mailbox.admit(Ok(Admission { session, pace }));
    }
}

/// Takes the waiter of an ask, which is answered once.
fn take(waiters: &mut [Waiter], ask: usize) -> Waiter {
    waiters.get_mut(ask).map(std::mem::take).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use wire::Reason;

    use super::*;
    use crate::room::mailbox::End;

    fn alice() -> ClientId {
        ClientId::parse("alice").expect("a name")
    }

    async fn enter(desk: &mut Desk, session: u64) -> (Arc<Mailbox>, Arc<Paces>) {
        let mailbox = Arc::<Mailbox>::default();
        let entered = Outcome::Entered {
            ask: 0,
            id: alice(),
            session,
        };
        desk.tell(vec![entered], &mut [Waiter::entering(mailbox.clone())]);
        let admission = mailbox.admission().await.expect("an answer");
        (mailbox, admission.expect("admitted").pace)
    }

    #[tokio::test]
    async fn a_person_keeps_their_pace_until_the_room_forgets_them() {
        let mut desk = Desk::new(PaceRules::default());
        let (_, first) = enter(&mut desk, 1).await;
        let left = Outcome::Ended {
            session: 1,
            end: None,
        };
        desk.tell(vec![left], &mut []);
        let (_, again) = enter(&mut desk, 2).await;
        assert!(Arc::ptr_eq(&first, &again));
        desk.tell(vec![Outcome::Forgotten(alice())], &mut []);
        let (_, new) = enter(&mut desk, 3).await;
        assert!(!Arc::ptr_eq(&first, &new));
    }

    #[tokio::test]
    async fn a_session_that_is_replaced_hears_why_and_is_reached_no_more() {
        let mut desk = Desk::new(PaceRules::default());
        let (mailbox, _) = enter(&mut desk, 1).await;
        let end = End {
            reason: Reason::Replaced,
            words: "alice connected again".to_owned(),
        };
        let ended = Outcome::Ended {
            session: 1,
            end: Some(end.clone()),
        };
        desk.tell(vec![ended], &mut []);
        assert_eq!(mailbox.ended().await, end);
        assert!(desk.sessions.is_empty());
    }

    #[tokio::test]
    async fn an_ask_that_is_dropped_is_known_to_have_no_answer() {
        let mailbox = Arc::<Mailbox>::default();
        drop(Waiter::entering(mailbox.clone()));
        assert!(mailbox.admission().await.is_none());
    }
}
