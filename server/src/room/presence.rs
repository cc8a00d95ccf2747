//! Tracks the people who are here. Enters and leaves are about people, sessions are about
//! connections.
//!
//! A person enters when the first session begins, and leaves when the last one said goodbye, or
//! when there has been none for a while: a connection that breaks and comes back is no event.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use wire::{ClientId, Code, FullName, Here, Reason, Refusal, Timestamp};

use crate::config::{Limits, SameId};
use crate::room::facts::Member;
use crate::room::pace::PaceRules;
use crate::room::quota::Quota;
use crate::room::stamp;

/// The rules for entering and leaving.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) same_id: SameId,
    pub(crate) sessions_per_minute: u32,
    /// Sessions of one ID at once, where several are allowed.
    pub(crate) sessions_per_id: usize,
    pub(crate) pace: PaceRules,
    pub(crate) quota: Quota,
    /// How long a person may be without a session before the leave is written.
    pub(crate) absence_max: Duration,
}

impl Rules {
    pub(crate) fn new(same_id: SameId, limits: &Limits) -> Self {
        Self {
            same_id,
            sessions_per_minute: limits.sessions_per_minute_max,
            sessions_per_id: limits.sessions_per_id_max,
            pace: PaceRules::new(limits),
            quota: Quota {
                bytes: limits.daily_bytes_max,
                runs: limits.daily_runs_max,
            },
            absence_max: limits.absence_max,
        }
    }
}

/// Everyone who is here, and everyone who was here a moment ago.
#[derive(Debug)]
pub(crate) struct Presence {
    rules: Rules,
    people: BTreeMap<ClientId, Person>,
    /// No absence becomes a leave before this moment.
    due: Option<Instant>,
    /// When everybody was last checked.
    looked_at: Option<Instant>,
}

/// A session that is here.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) session: u64,
    pub(crate) member: Member,
    pub(crate) ip: IpAddr,
    pub(crate) since: Timestamp,
    /// `since` on the monotonic clock.
    pub(crate) began: Instant,
}

/// The consequences of a session that begins.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The sessions that it replaces.
    pub(crate) replaced: Vec<Live>,
    /// Whether the person was not here before, so that an enter has to be written.
    pub(crate) is_new: bool,
}

/// A person who has left, so that a leave has to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    pub(crate) id: ClientId,
    pub(crate) ip: IpAddr,
    /// The last session.
    pub(crate) session: u64,
    pub(crate) reason: Reason,
}

#[derive(Debug)]
struct Person {
    /// Oldest first.
    sessions: Vec<Live>,
    /// Set while the person counts as here without a session.
    absent: Option<Absent>,
    /// When sessions began within the last minute.
    began: VecDeque<Instant>,
    /// When the last session ended.
    ended: Option<Instant>,
    role: wire::Role,
    name: Option<FullName>,
}

#[derive(Debug)]
struct Absent {
    until: Instant,
    since: Timestamp,
    left: Left,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Presence {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            people: BTreeMap::new(),
            due: None,
            looked_at: None,
        }
    }

    /// Notes a person who was here when the server stopped, and may come back until `until`.
    pub(crate) fn remember(
        &mut self,
        left: Left,
        since: Timestamp,
        (role, name): (wire::Role, Option<FullName>),
        until: Instant,
    ) {
        let mut person = Person::new(role);
        person.name = name;
        let id = left.id.clone();
        person.absent = Some(Absent { until, since, left });
        self.people.insert(id, person);
        self.note_due(until);
    }

    /// Checks that a session may begin, before it gets a number.
    ///
    /// # Errors
    ///
    /// The refusal for the client.
    pub(crate) fn may_enter(&mut self, id: &ClientId, now: Instant) -> Result<(), Refusal> {
        let limit = self.rules.sessions_per_minute;
        let Some(person) = self.people.get_mut(id) else {
            return Ok(());
        };
        person.forget_began(now);
        if limit > 0 && person.began.len() >= limit as usize {
            let oldest = person.began.front().copied().unwrap_or(now);
            let wait = MINUTE.saturating_sub(now.duration_since(oldest)).as_secs() + 1;
            let words = format!("you may begin {limit} sessions a minute; try again in {wait} s");
            return Err(Refusal::new(Code::TooManySessions, words));
        }
        if self.rules.same_id == SameId::Refuse
            && let Some(live) = person.sessions.last()
        {
            let words = format!(
                "{id} is already here, since {} from {}",
                live.since, live.ip
            );
            return Err(Refusal::new(Code::AlreadyHere, words));
        }
        let sessions = self.rules.sessions_per_id;
        if self.rules.same_id == SameId::Allow && person.sessions.len() >= sessions {
            let words =
                format!("{id} already has {sessions} sessions here, the maximum; end one first");
            return Err(Refusal::new(Code::TooManySessions, words));
        }
        Ok(())
    }

    /// Notes that a session begins.
    pub(crate) fn enter(&mut self, live: Live, now: Instant) -> Arrival {
        let id = live.member.id.clone();
        let rules = &self.rules;
        let person = self
            .people
            .entry(id)
            .or_insert_with(|| Person::new(live.member.role));
        let is_new = person.sessions.is_empty() && person.absent.is_none();
        let replaced = match rules.same_id {
            SameId::Replace => std::mem::take(&mut person.sessions),
            SameId::Refuse | SameId::Allow => Vec::new(),
        };
        person.absent = None;
        person.began.push_back(now);
        person.role = live.member.role;
        person.name = live.member.name.clone();
        // Usually there is one session; without this the vector would have room for four.
        person.sessions.reserve_exact(1);
        person.sessions.push(live);
        Arrival { replaced, is_new }
    }

    /// Notes that a session has ended. Returns the leave if the person left with it.
    pub(crate) fn end(
        &mut self,
        id: &ClientId,
        session: u64,
        reason: Reason,
        now: Instant,
        at: Timestamp,
    ) -> Option<Left> {
        let person = self.people.get_mut(id)?;
        let index = person
            .sessions
            .iter()
            .position(|live| live.session == session)?;
        let live = person.sessions.remove(index);
        person.ended = Some(now);
        if !person.sessions.is_empty() {
            return None;
        }
        let left = Left {
            id: id.clone(),
            ip: live.ip,
            session,
            reason,
        };
        // A person who says goodbye, or may not come back, has left; anyone else may only have a
        // bad connection.
        let is_over = matches!(
            reason,
            Reason::Goodbye | Reason::Revoked | Reason::OnHold | Reason::Expired
        );
        if is_over {
            return Some(left);
        }
        let until = now + self.rules.absence_max;
        person.absent = Some(Absent {
            until,
            since: at,
            left,
        });
        self.note_due(until);
        None
    }

    /// Returns the people whose absence has become a leave. Adds to `forgotten` the people about
    /// whom nothing is known from now on.
    pub(crate) fn overdue(&mut self, now: Instant, forgotten: &mut Vec<ClientId>) -> Vec<Left> {
        // Asked before each batch: a large room is not searched for every line.
        let is_due = self.due.is_some_and(|due| due <= now);
        let is_recent = |at| now.duration_since(at) < MINUTE;
        if !is_due && self.looked_at.is_some_and(is_recent) {
            return Vec::new();
        }
        self.looked_at = Some(now);
        let mut left = Vec::new();
        let rest = self.rules.pace.rest();
        self.people.retain(|id, person| {
            if person
                .absent
                .as_ref()
                .is_some_and(|absent| absent.until <= now)
            {
                left.extend(person.absent.take().map(|absent| absent.left));
            }
            person.forget_began(now);
            let is_known = person.is_known(now, rest);
            if !is_known {
                forgotten.push(id.clone());
            }
            is_known
        });
        self.due = self
            .people
            .values()
            .filter_map(|p| Some(p.absent.as_ref()?.until))
            .min();
        left
    }

    /// Returns when [`Presence::overdue`] should be called next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due
    }

    fn note_due(&mut self, until: Instant) {
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
    }

    /// Returns the session if it is here and was not replaced.
    pub(crate) fn live(&self, id: &ClientId, session: u64) -> Option<&Live> {
        self.people
            .get(id)?
            .sessions
            .iter()
            .find(|live| live.session == session)
    }

    /// Returns the sessions that are here.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Live> {
        self.people.values().flat_map(|person| &person.sessions)
    }

    /// Returns everyone who is here, for `/who`.
    pub(crate) fn here(&self) -> Vec<Here> {
        let people = self.people.iter();
        people.filter_map(|(id, person)| person.here(id)).collect()
    }

    /// Updates the list that [`Presence::here`] returned with one person: in a large room this
    /// costs much less than a new list.
    pub(crate) fn note_here(&self, id: &ClientId, here: &mut Vec<Here>) {
        let now = self.people.get(id).and_then(|person| person.here(id));
        let place = here.binary_search_by(|known| known.id.cmp(id));
        match (now, place) {
            (Some(now), Ok(at)) => here[at] = now,
            (Some(now), Err(at)) => here.insert(at, now),
            (None, Ok(at)) => {
                here.remove(at);
            }
            (None, Err(_)) => {}
        }
    }
}

impl Live {
    /// Returns the end of this session for its row.
    pub(crate) fn end(&self, at: Timestamp, now: Instant) -> Timestamp {
        stamp::end(at, self.since, now.saturating_duration_since(self.began))
    }
}

impl Person {
    fn new(role: wire::Role) -> Self {
        Self {
            sessions: Vec::new(),
            absent: None,
            began: VecDeque::new(),
            ended: None,
            role,
            name: None,
        }
    }

    fn forget_began(&mut self, now: Instant) {
        while self
            .began
            .front()
            .is_some_and(|began| now.duration_since(*began) >= MINUTE)
        {
            self.began.pop_front();
        }
    }

    /// Returns whether the person is still remembered: for a minute or two after leaving, to count
    /// the sessions that they began, and until their pace has recovered, so that nobody gets a new
    /// one by coming back.
    fn is_known(&self, now: Instant, rest: Duration) -> bool {
        let is_tired = |ended| now.duration_since(ended) < rest;
        !self.sessions.is_empty()
            || self.absent.is_some()
            || !self.began.is_empty()
            || self.ended.is_some_and(is_tired)
    }

    fn here(&self, id: &ClientId) -> Option<Here> {
        let (ip, since) = match (self.sessions.first(), self.sessions.last(), &self.absent) {
            (Some(oldest), Some(newest), _) => (newest.ip, oldest.since),
            (_, _, Some(absent)) => (absent.left.ip, absent.since),
            _ => return None,
        };
        let sessions = self.sessions.len() as u64;
        Some(Here {
            id: id.clone(),
            role: self.role,
            ip,
            since,
            sessions,
            name: self.name.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_until_their_pace_is_as_new() {
        let limits = Limits {
            byte_rate: 128,
            byte_burst: 65536,
            ..Limits::default()
        };
        let rules = Rules::new(SameId::default(), &limits);
        let rest = rules.pace.rest();
        assert_eq!(rest, Duration::from_secs(512));
        let start = Instant::now();
        let mut presence: Presence = Presence::new(rules);
        let mut person = Person::new(wire::Role::default());
        person.ended = Some(start);
        let id = ClientId::parse("alice").expect("a name");
        presence.people.insert(id.clone(), person);
        let mut forgotten = Vec::new();
        presence.overdue(start + rest - Duration::from_secs(1), &mut forgotten);
        assert_eq!(forgotten, []);
        presence.overdue(start + rest + MINUTE, &mut forgotten);
        assert_eq!(forgotten, [id]);

        let unlimited = Limits {
            line_rate: 0,
            byte_rate: 0,
            ..limits
        };
        let rules = Rules::new(SameId::default(), &unlimited);
        assert_eq!(rules.pace.rest(), Duration::ZERO);
    }

    #[test]
    fn an_absence_becomes_a_leave_when_it_is_due_and_not_before() {
        let rules = Rules::new(SameId::default(), &Limits::default());
        let mut presence: Presence = Presence::new(rules);
        let (start, since) = (
            Instant::now(),
            Timestamp::from(std::time::SystemTime::UNIX_EPOCH),
        );
        let after = |seconds| start + Duration::from_secs(seconds);
        for (name, until) in [
            ("alice", after(15)),
            ("bob", after(30)),
            ("carol", after(200)),
        ] {
            let left = Left {
                id: ClientId::parse(name).expect("a name"),
                ip: "192.0.2.7".parse().expect("an address"),
                session: 1,
                reason: Reason::Lost,
            };
            presence.remember(left, since, (wire::Role::default(), None), until);
        }
        let mut here = Vec::new();
        for name in ["carol", "alice", "bob"] {
            presence.note_here(&ClientId::parse(name).expect("a name"), &mut here);
        }
        assert_eq!(here, presence.here());
        let mut left_at = |seconds| -> Vec<String> {
            let left = presence.overdue(after(seconds), &mut Vec::new());
            for left in &left {
                presence.note_here(&left.id, &mut here);
            }
            assert_eq!(here, presence.here());
            left.iter().map(|left| left.id.to_string()).collect()
        };
        assert!(left_at(0).is_empty());
        assert!(left_at(14).is_empty());
        assert_eq!(left_at(15), ["alice"]);
        assert!(left_at(29).is_empty());
        assert_eq!(left_at(30), ["bob"]);
        assert!(left_at(199).is_empty());
        assert_eq!(left_at(200), ["carol"]);
        assert_eq!(presence.people.len(), 0);
    }
}
