//! The state of the room and its decisions: asks become rows, and outcomes for the time when they
//! are committed. Nothing here waits, reads or writes, and a session is only a number.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use tracing::{error, info, warn};
use wire::{ClientId, Code, Entry, Here, Kind, Line, Nonce, Reason, Refusal, Timestamp};

use crate::log::BOUNDED;
use crate::room::ask::{Ask, Said};
use crate::room::batch::{Batch, Join, Leave, Newest, Recorded, SessionEnd};
use crate::room::facts::ConnectionFacts;
use crate::room::found::{Found, WasHere};
use crate::room::mailbox::End;
use crate::room::presence::{Left, Live, Presence, Rules};
use crate::room::quota::{Quotas, Space};
use crate::room::senders::{self, Judgement, Known, Sender, Senders, Stored};
use crate::room::stamp::{Step, stamp};

/// The state from which batches are made.
#[derive(Debug)]
pub(crate) struct Room {
    head: u64,
    last_at: Timestamp,
    last_session: u64,
    presence: Presence,
    senders: Senders,
    /// Every ID ever admitted, by its confusable skeleton (UTS #39).
    skeletons: HashMap<String, ClientId>,
    quotas: Quotas,
}

/// The time at which a batch is decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// By a clock that only goes forward, for absences and paces.
    pub(crate) now: Instant,
    /// By the clock that people read, which may be set back.
    pub(crate) clock: Timestamp,
}

/// A batch, and its consequences once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) rows: Batch,
    pub(crate) outcomes: Vec<Outcome>,
    /// The people whose presence changed.
    pub(crate) moved: Vec<ClientId>,
}

/// A consequence of a committed batch. Asks are named by their number in the batch, sessions by
/// their number in `joins`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The session that asked has begun.
    Entered {
        ask: usize,
        id: ClientId,
        session: u64,
    },
    /// The enter or the line is refused.
    Refused { ask: usize, refusal: Refusal },
    /// The line is in the transcript, now or since it was first sent.
    Stored {
        ask: usize,
        nonce: Option<Nonce>,
        seq: u64,
    },
    /// A line added nothing to the record; its bytes do not count against its author's pace.
    GivenBack { id: ClientId, bytes: usize },
    /// A session is over; `end` is the reason for a session that does not know it.
    Ended { session: u64, end: Option<End> },
    /// The room knows nothing more about this person.
    Forgotten(ClientId),
}

impl Room {
    /// Begins with the state found in the database. People who were here may come back until
    /// `until`.
    pub(crate) fn new(found: Found, rules: Rules, until: Instant) -> Self {
        let quotas = Quotas::new(rules.quota, found.last_at, found.used);
        let mut presence = Presence::new(rules);
        for person in found.here {
            let WasHere {
                left,
                since,
                role,
                name,
            } = person;
            presence.remember(left, since, (role, name), until);
        }
        let ids = found.ids.iter().filter_map(|id| ClientId::parse(id).ok());
        let skeletons = ids.flat_map(|id| id.skeletons().map(|skeleton| (skeleton, id.clone())));
        Self {
            head: found.head,
            last_at: found.last_at,
            last_session: found.last_session,
            presence,
            senders: Senders::default(),
            skeletons: skeletons.collect(),
            quotas,
        }
    }

    /// Returns the newest entry's seq, including the batch being made.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Returns everyone who is here.
    pub(crate) fn here(&self) -> Vec<Here> {
        self.presence.here()
    }

    /// Updates the list that [`Room::here`] returned.
    pub(crate) fn note_here(&self, moved: &[ClientId], here: &mut Vec<Here>) {
        // Each update moves the entries after it. When a whole network disconnects, a new list is
        // cheaper.
        const FEW: usize = 32;
        if moved.len() > FEW {
            *here = self.here();
        } else {
            moved
                .iter()
                .for_each(|id| self.presence.note_here(id, here));
        }
    }

    /// Returns when the next absence becomes a leave.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.presence.next_due()
    }

    /// Writes a leave for everyone whose absence has lasted too long.
    pub(crate) fn note_absences(&mut self, moment: Moment, work: &mut Work) {
        let mut forgotten = Vec::new();
        for left in self.presence.overdue(moment.now, &mut forgotten) {
            self.leave(left, moment, work);
        }
        let forgotten = forgotten.into_iter().map(Outcome::Forgotten);
        work.outcomes.extend(forgotten);
    }

    /// Takes the database's knowledge of a run.
    pub(crate) fn learn(&mut self, sender: Sender, known: Known) {
        self.senders.learn(sender, known);
    }

    /// Forgets runs that the database still knows.
    pub(crate) fn forget_old(&mut self) {
        self.senders.forget_old();
    }

    /// Returns the ends of sessions that never reported their end.
    pub(crate) fn end_all(&self, moment: Moment) -> Batch {
        let ends = self.presence.sessions().map(|live| SessionEnd {
            session: live.session,
            at: live.end(moment.clock, moment.now),
            reason: Reason::ShuttingDown,
        });
        Batch {
            ends: ends.collect(),
            ..Batch::default()
        }
    }

    /// Turns one ask into rows, and into outcomes for the time when they are committed. `number` is
    /// the ask's place in its batch, and `space` the free space on the disk. Every decision is made
    /// here.
    pub(crate) fn apply(
        &mut self,
        number: usize,
        ask: Ask,
        moment: Moment,
        space: Space,
        work: &mut Work,
    ) {
        match ask {
            Ask::Enter(facts) => self.enter(number, *facts, moment, work),
            Ask::Say(said) => self.say(number, said, moment, space, work),
            Ask::Spend { id, session, nonce } => {
                // A replaced session must not spend an N that its successor may still use.
                if self.presence.live(&id, session).is_some() {
                    self.senders.spend(&(id, nonce.run.clone()), &nonce);
                }
            }
            Ask::Leave {
                id,
                session,
                reason,
            } => self.end(&id, session, reason, moment, work),
            Ask::ListSeen(number) => {
                let newest = work
                    .rows
                    .crl_number
                    .take()
                    .map_or(number.clone(), |n| n.max(number));
                work.rows.crl_number = Some(newest);
            }
        }
    }

    fn enter(&mut self, ask: usize, facts: ConnectionFacts, moment: Moment, work: &mut Work) {
        let now = moment.now;
        let id = facts.member.id.clone();
        if let Err(refusal) = self.presence.may_enter(&id, now) {
            work.outcomes.push(Outcome::Refused { ask, refusal });
            return;
        }
        self.warn_of_look_alike(&id);
        self.last_session += 1;
        let session = self.last_session;
        let at = self.stamp(moment);
        let live = Live {
            session,
            member: facts.member.clone(),
            ip: facts.ip,
            since: at,
            began: now,
        };
        let arrival = self.presence.enter(live, now);
        for old in arrival.replaced {
            // At most once for each session that enters.
            info!(
                target: BOUNDED,
                %id, old_serial = %old.member.serial, serial = %facts.member.serial,
                old_ip = %old.ip, ip = %facts.ip, "replaced by a newer session"
            );
            let words = format!(
                "{id} connected again from {} at {at}; two sessions at once need a server with --same-id allow",
                facts.ip
            );
            work.rows.ends.push(SessionEnd {
                session: old.session,
                at: old.end(at, now),
                reason: Reason::Replaced,
            });
            let end = End {
                reason: Reason::Replaced,
                words,
            };
            work.outcomes.push(Outcome::Ended {
                session: old.session,
                end: Some(end),
            });
        }
        let ip = facts.ip;
        work.rows.joins.push(Join { session, at, facts });
        work.moved.push(id.clone());
        if arrival.is_new {
            self.write(at, id.clone(), ip, Kind::Enter, session, work);
        }
        work.outcomes.push(Outcome::Entered { ask, id, session });
    }

    fn say(&mut self, ask: usize, said: Said, moment: Moment, space: Space, work: &mut Work) {
        let Said {
            id,
            session,
            nonce,
            line,
        } = said;
        // A session that was replaced can say nothing after its successor entered.
        let Some(live) = self.presence.live(&id, session) else {
            // Its client sends this line again, and is charged for it then.
            work.outcomes.push(given_back(id, &line));
            return;
        };
        let ip = live.ip;
        let hash = senders::hash(line.as_str());
        let sender = nonce.as_ref().map(|nonce| (id.clone(), nonce.run.clone()));
        let judgement = match nonce.as_ref().zip(sender.as_ref()) {
            Some((nonce, sender)) => self.senders.judge(sender, nonce, hash),
            None => Judgement::New { begins_run: false },
        };
        match judgement {
            Judgement::Repeated(seq) => {
                // It was charged when it was stored.
                work.outcomes.push(given_back(id, &line));
                work.outcomes.push(Outcome::Stored { ask, nonce, seq });
            }
            Judgement::Refused(refusal) => work.outcomes.push(Outcome::Refused { ask, refusal }),
            Judgement::New { begins_run } => {
                let at = self.stamp(moment);
                if let Err(refusal) = self.charge(&id, &line, begins_run, at, space) {
                    if let Some((nonce, sender)) = nonce.as_ref().zip(sender) {
                        self.senders.spend(&sender, nonce);
                    }
                    let refusal = refusal.of(nonce);
                    work.outcomes.push(Outcome::Refused { ask, refusal });
                    return;
                }
                let seq = self.write(at, id, ip, Kind::Message(line), session, work);
                if let Some((nonce, sender)) = nonce.as_ref().zip(sender) {
                    let n = nonce.n;
                    self.link(nonce, sender, Stored { n, seq, hash }, work);
                }
                work.outcomes.push(Outcome::Stored { ask, nonce, seq });
            }
        }
    }

    /// Charges a new line to the person's daily quota, or refuses it when that or the disk has too
    /// little left.
    fn charge(
        &mut self,
        id: &ClientId,
        line: &Line,
        begins_run: bool,
        at: Timestamp,
        space: Space,
    ) -> Result<(), Refusal> {
        if space == Space::Low {
            let words = "the server's disk is nearly full; no line is stored until there is room";
            return Err(Refusal::new(Code::DiskLow, words));
        }
        let bytes = line.as_str().len();
        self.quotas.take(id, bytes, begins_run, at, space)
    }

    /// Links the newest entry to the other lines of its run, so that it is recognised when it is
    /// sent again.
    fn link(&mut self, nonce: &Nonce, sender: Sender, stored: Stored, work: &mut Work) {
        let Stored { n, seq, .. } = stored;
        let place = self.senders.store(&sender, stored);
        if let Some(recorded) = work.rows.entries.last_mut() {
            recorded.nonce = Some(nonce.clone());
            recorded.prev = place.prev;
        }
        let begun = place.first.is_none().then_some(sender);
        let run = work.rows.runs.entry(place.first.unwrap_or(seq));
        let newest = run.or_insert(Newest { begun, seq, n });
        (newest.seq, newest.n) = (seq, n);
    }

    fn end(
        &mut self,
        id: &ClientId,
        session: u64,
        reason: Reason,
        moment: Moment,
        work: &mut Work,
    ) {
        // A replaced session's row was closed when its successor entered.
        if self.presence.live(id, session).is_none() {
            return;
        }
        let (at, now) = (self.stamp(moment), moment.now);
        let live = self.presence.live(id, session);
        work.rows.ends.extend(live.map(|live| SessionEnd {
            session,
            at: live.end(at, now),
            reason,
        }));
        work.moved.push(id.clone());
        work.outcomes.push(Outcome::Ended { session, end: None });
        if let Some(left) = self.presence.end(id, session, reason, now, at) {
            self.leave(left, moment, work);
        }
    }

    fn leave(&mut self, left: Left, moment: Moment, work: &mut Work) {
        let Left {
            id,
            ip,
            session,
            reason,
        } = left;
        let at = self.stamp(moment);
        let seq = self.write(at, id.clone(), ip, Kind::Leave(reason), session, work);
        work.moved.push(id.clone());
        work.rows.leaves.push(Leave {
            id,
            seq,
            // Every session so far: with several at once, the last to end need not be the newest.
            newest_session: self.last_session,
        });
    }

    /// Writes an entry and returns its seq, the next one. A gap would look like a lost line, so a
    /// seq is used only for an entry that the same commit stores.
    fn write(
        &mut self,
        at: Timestamp,
        id: ClientId,
        ip: IpAddr,
        kind: Kind,
        session: u64,
        work: &mut Work,
    ) -> u64 {
        self.head += 1;
        work.rows.entries.push(Recorded {
            entry: Entry {
                seq: self.head,
                at,
                id,
                ip,
                kind,
            },
            session,
            nonce: None,
            prev: None,
        });
        self.head
    }

    fn stamp(&mut self, moment: Moment) -> Timestamp {
        let (at, step) = stamp(moment.clock, self.last_at);
        if let Step::Back(behind) = step {
            error!(
                ?behind,
                "the clock is far behind the last entry; new entries get the clock's time"
            );
        }
        self.last_at = at;
        at
    }

    /// Returns the runs that the database must be asked about before these lines are judged.
    pub(crate) fn unknown_senders(&self, asks: &[Ask]) -> Vec<Sender> {
        let mut unknown: Vec<Sender> = Vec::new();
        for ask in asks {
            let (id, nonce) = match ask {
                Ask::Say(Said {
                    id,
                    nonce: Some(nonce),
                    ..
                })
                | Ask::Spend { id, nonce, .. } => (id, nonce),
                _ => continue,
            };
            let sender = (id.clone(), nonce.run.clone());
            if self.senders.is_unknown(&sender) && !unknown.contains(&sender) {
                unknown.push(sender);
            }
        }
        unknown
    }

    fn warn_of_look_alike(&mut self, id: &ClientId) {
        let mut other = None;
        for skeleton in id.skeletons() {
            let known = self.skeletons.entry(skeleton).or_insert_with(|| id.clone());
            if known != id {
                other = Some(known.clone());
            }
        }
        if let Some(other) = other {
            // At most once for each session that enters.
            warn!(target: BOUNDED, %id, %other, "this name looks like another one that was here");
        }
    }
}

/// Returns the bytes that a line used of its author's pace, because it adds nothing to the record.
fn given_back(id: ClientId, line: &Line) -> Outcome {
    let bytes = line.as_str().len();
    Outcome::GivenBack { id, bytes }
}
