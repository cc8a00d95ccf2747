//! The places of all connections. Those that have no session yet are guests; when there is no room
//! for another connection, one of them may end for it.
//!
//! Anybody can open a connection and stay silent. So when there is no room, the oldest silent
//! connection of the address that has most makes room; the newest is refused only if none can be
//! ended.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::door::prefix::neighbourhood;
use crate::lock::lock;
use crate::room::desk::try_later;

/// The bounds on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LobbyBounds {
    /// Connections with and without a session.
    pub(crate) connections_max: usize,
    /// Connections without a session from one address; an IPv6 /64 counts as one.
    pub(crate) guests_per_address_max: usize,
}

/// The places of all connections.
#[derive(Debug)]
pub(crate) struct Lobby(Arc<Shared>);

/// A connection's place in the lobby. Dropping it gives the place back.
// Named for its first part: when its session begins, the connection is no longer a guest, and only
// counts.
#[derive(Debug)]
pub(crate) struct Guest {
    lobby: Arc<Shared>,
    address: IpAddr,
    number: u64,
    told: Arc<Notify>,
}

/// The reason why there is no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoom {
    /// Every connection is a session or is in the middle of a handshake.
    #[error("there is no room for more connections")]
    Connections,
    /// This address has as many connections without a session as it may.
    #[error("too many connections without a session from this address")]
    Address,
    /// It had not sent a ClientHello, and another connection needed its place.
    #[error("this connection said nothing, and another one needs its place")]
    Silent,
    /// Its handshake waited too long, or another connection needed its place.
    #[error("there are too many handshakes at once")]
    Handshakes,
}

impl NoRoom {
    /// Returns the line that is sent to a connection before TLS has begun, in plain text.
    pub(crate) fn line(self) -> String {
        format!("{}\n", try_later(self))
    }
}

#[derive(Debug)]
struct Shared {
    bounds: LobbyBounds,
    // A lock, because connections of all threads meet here; nothing waits while it is held.
    state: Mutex<State>,
    /// A connection has gone, or has begun a session.
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    next_number: u64,
    sessions: usize,
    /// Oldest first.
    guests: BTreeMap<u64, Signal>,
    addresses: HashMap<IpAddr, Crowd>,
    /// The addresses by their number of guests, those with most last; among equals, the address
    /// whose silent guest is oldest comes last.
    by_rank: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

/// The connections of one address, oldest first.
#[derive(Debug, Default)]
struct Crowd {
    guests: BTreeSet<u64>,
    /// The connections that may be ended before all others.
    silent: BTreeSet<u64>,
}

/// Tells a connection, once, that it has to end.
#[derive(Debug)]
struct Signal {
    told: Arc<Notify>,
    is_told: bool,
}

impl Lobby {
    pub(crate) fn new(bounds: LobbyBounds) -> Self {
        Self(Arc::new(Shared {
            bounds,
            state: Mutex::default(),
            stirred: Notify::new(),
        }))
    }

    /// Returns a place for one more connection. If another one must end for it, this waits until
    /// that one has gone, so that the bound is never exceeded.
    ///
    /// # Errors
    ///
    /// When no connection can be ended.
    pub(crate) async fn enter(&self, ip: IpAddr) -> Result<Guest, NoRoom> {
        let address = neighbourhood(ip);
        loop {
            if let Some(guest) = self.try_enter(address)? {
                return Ok(guest);
            }
            // `Notify` keeps one wake-up that came before this.
            self.0.stirred.notified().await;
        }
    }

    /// Returns `None` when another connection was told to end.
    fn try_enter(&self, address: IpAddr) -> Result<Option<Guest>, NoRoom> {
        let LobbyBounds {
            connections_max,
            guests_per_address_max,
        } = self.0.bounds;
        let mut state = self.0.lock();
        let own = state.addresses.get(&address);
        let held = own.map_or(0, |own| own.guests.len());
        if held >= guests_per_address_max {
            let oldest = own.and_then(|own| own.silent.first().copied());
            state.tell(oldest.ok_or(NoRoom::Address)?);
            return Ok(None);
        }
        if state.sessions + state.guests.len() >= connections_max {
            let victim = state.victim(own).ok_or(NoRoom::Connections)?;
            state.tell(victim);
            return Ok(None);
        }
        let (number, told) = (state.next_number, Arc::<Notify>::default());
        state.next_number += 1;
        state.insert(address, number, told.clone());
        state.set_silent(address, number, true);
        drop(state);
        Ok(Some(Guest {
            lobby: self.0.clone(),
            address,
            number,
            told,
        }))
    }
}

impl Guest {
    /// Waits until this connection has to end because another one needs its place.
    pub(crate) async fn told_to_end(&self) {
        self.told.notified().await;
    }

    /// Notes that it has sent a ClientHello.
    pub(crate) fn note_hello(&self) {
        self.lobby
            .lock()
            .set_silent(self.address, self.number, false);
    }

    /// Notes that its handshake is slow: from now on it may be ended like a silent one.
    pub(crate) fn mark_slow(&self) {
        self.lobby
            .lock()
            .set_silent(self.address, self.number, true);
    }

    /// Notes that its handshake is complete: it is no longer ended for others.
    pub(crate) fn begin_session(&self) {
        let mut state = self.lobby.lock();
        if state.remove(self.address, self.number) {
            state.sessions += 1;
        }
        drop(state);
        self.lobby.stirred.notify_one();
    }

    /// Notes that it was refused: while it receives the refusal, it may be ended like a silent one.
    pub(crate) fn mark_refused(&self) {
        let mut state = self.lobby.lock();
        if !state.guests.contains_key(&self.number) {
            state.sessions -= 1;
            state.insert(self.address, self.number, self.told.clone());
        }
        state.set_silent(self.address, self.number, true);
        drop(state);
        self.lobby.stirred.notify_one();
    }

    /// Returns whether silence costs others their place: half of the room is taken by connections
    /// without a session, over all addresses or for this one.
    pub(crate) fn is_crowded(&self) -> bool {
        let state = self.lobby.lock();
        let own = state.addresses.get(&self.address);
        let held = own.map_or(0, |own| own.guests.len());
        let LobbyBounds {
            connections_max,
            guests_per_address_max,
        } = self.lobby.bounds;
        let left = connections_max.saturating_sub(state.sessions);
        state.guests.len() > left / 2 || held > guests_per_address_max / 2
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.lobby.lock();
        if !state.remove(self.address, self.number) {
            state.sessions -= 1;
        }
        drop(state);
        self.lobby.stirred.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Returns the connection that ends to make room for one more from an address that has `own`.
    /// No connection ends for an address that would then have more than its own address has now.
    fn victim(&self, own: Option<&Crowd>) -> Option<u64> {
        let held = own.map_or(0, |own| own.guests.len());
        let (count, _, address) = *self.by_rank.last()?;
        let crowd = self.addresses.get(&address)?;
        let silent = crowd.silent.first().filter(|_| count > held);
        let own_silent = || own.and_then(|own| own.silent.first());
        let spoken = || crowd.guests.first().filter(|_| count > held + 1);
        silent.or_else(own_silent).or_else(spoken).copied()
    }

    fn insert(&mut self, address: IpAddr, number: u64, told: Arc<Notify>) {
        let signal = Signal {
            told,
            is_told: false,
        };
        self.guests.insert(number, signal);
        self.change(address, |own| {
            own.guests.insert(number);
        });
    }

    fn tell(&mut self, number: u64) {
        let Some(signal) = self.guests.get_mut(&number) else {
            return;
        };
        if !std::mem::replace(&mut signal.is_told, true) {
            signal.told.notify_one();
        }
    }

    fn set_silent(&mut self, address: IpAddr, number: u64, is_silent: bool) {
        if !self.guests.contains_key(&number) {
            return;
        }
        self.change(address, |own| {
            if is_silent {
                own.silent.insert(number);
            } else {
                own.silent.remove(&number);
            }
        });
    }

    /// Removes a guest. Returns whether it was one.
    fn remove(&mut self, address: IpAddr, number: u64) -> bool {
        if self.guests.remove(&number).is_none() {
            return false;
        }
        self.change(address, |own| {
            own.guests.remove(&number);
            own.silent.remove(&number);
        });
        true
    }

    /// Changes an address and keeps all addresses ordered by rank.
    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Crowd)) {
        let own = self.addresses.entry(address).or_default();
        let before = own.rank(address);
        change(own);
        let after = own.rank(address);
        if own.guests.is_empty() {
            self.addresses.remove(&address);
        }
        if before != after {
            self.by_rank.remove(&before);
            if after.0 > 0 {
                self.by_rank.insert(after);
            }
        }
    }
}

impl Crowd {
    fn rank(&self, address: IpAddr) -> (usize, Reverse<u64>, IpAddr) {
        let oldest = self.silent.first().copied().unwrap_or(u64::MAX);
        (self.guests.len(), Reverse(oldest), address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lobby(connections_max: usize, guests_per_address_max: usize) -> Lobby {
        Lobby::new(LobbyBounds {
            connections_max,
            guests_per_address_max,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn enter(lobby: &Lobby, address: &str) -> Guest {
        let entered = lobby.try_enter(neighbourhood(ip(address)));
        entered.expect("no refusal").expect("room")
    }

    /// Returns whether it was told to end since the last call.
    fn is_told(guest: &Guest) -> bool {
        let told = std::pin::pin!(guest.told_to_end());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        told.poll(&mut cx).is_ready()
    }

    #[test]
    fn the_oldest_silent_connection_of_the_largest_crowd_makes_room() {
        let lobby = lobby(5, 100);
        let oldest = enter(&lobby, "192.0.2.1");
        let crowd = [(); 3].map(|()| enter(&lobby, "192.0.2.2"));
        let member = enter(&lobby, "192.0.2.3");
        member.begin_session();
        let newcomer = lobby.try_enter(ip("192.0.2.4")).expect("no refusal");
        assert!(newcomer.is_none(), "it waits until another has gone");
        assert!(!is_told(&oldest), "its address has one connection");
        let told = crowd.each_ref().map(is_told);
        assert_eq!(told, [true, false, false], "the oldest of the crowd");
        let [first, ..] = crowd;
        drop(first);
        enter(&lobby, "192.0.2.4");
    }

    #[test]
    fn a_connection_that_has_spoken_ends_only_for_an_address_that_has_fewer() {
        let lobby = lobby(3, 100);
        let crowd = [(); 2].map(|()| enter(&lobby, "192.0.2.1"));
        let other = enter(&lobby, "192.0.2.2");
        crowd.iter().chain([&other]).for_each(Guest::note_hello);
        let refused = lobby.try_enter(ip("192.0.2.1")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections));
        let refused = lobby.try_enter(ip("192.0.2.2")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections), "it would have as many");
        let newcomer = lobby.try_enter(ip("192.0.2.3")).expect("no refusal");
        assert!(newcomer.is_none());
        assert_eq!(crowd.each_ref().map(is_told), [true, false]);
    }

    #[test]
    fn among_equals_the_oldest_silent_connection_ends_whatever_its_address() {
        let lobby = lobby(3, 100);
        // The newest guest has the address that sorts last.
        let guests = ["192.0.2.9", "192.0.2.1", "2001:db8::1"].map(|ip| enter(&lobby, ip));
        assert!(
            lobby
                .try_enter(ip("192.0.2.5"))
                .expect("no refusal")
                .is_none()
        );
        assert_eq!(guests.each_ref().map(is_told), [true, false, false]);
    }

    #[test]
    fn a_slow_handshake_ends_for_an_address_that_has_as_few() {
        let lobby = lobby(2, 100);
        let guests = ["192.0.2.1", "192.0.2.2"].map(|ip| enter(&lobby, ip));
        guests.iter().for_each(Guest::note_hello);
        let refused = lobby.try_enter(ip("192.0.2.3")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections));
        guests[1].mark_slow();
        assert!(
            lobby
                .try_enter(ip("192.0.2.3"))
                .expect("no refusal")
                .is_none()
        );
        assert_eq!(guests.each_ref().map(is_told), [false, true]);
    }

    #[test]
    fn a_silent_newcomer_does_not_end_for_an_address_that_has_more() {
        let lobby = lobby(6, 100);
        let crowds = ["192.0.2.1", "192.0.2.2"].map(|ip| [enter(&lobby, ip), enter(&lobby, ip)]);
        crowds.iter().flatten().for_each(Guest::note_hello);
        let newcomer = enter(&lobby, "203.0.113.7");
        let third = enter(&lobby, "192.0.2.1");
        third.note_hello();
        let refused = lobby.try_enter(ip("192.0.2.2")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections));
        assert!(!is_told(&newcomer));
    }

    #[test]
    fn a_refused_connection_ends_before_one_that_is_shaking_hands_and_a_session_never() {
        let lobby = lobby(3, 100);
        let [session, shaking, refused] = [(); 3].map(|()| enter(&lobby, "192.0.2.1"));
        for guest in [&session, &shaking, &refused] {
            guest.note_hello();
        }
        session.begin_session();
        refused.mark_refused();
        let newcomer = lobby.try_enter(ip("192.0.2.1")).expect("no refusal");
        assert!(newcomer.is_none());
        let told = [&session, &shaking, &refused].map(is_told);
        assert_eq!(told, [false, false, true]);

        drop(refused);
        shaking.begin_session();
        let third = enter(&lobby, "192.0.2.1");
        third.begin_session();
        let fourth = lobby.try_enter(ip("192.0.2.2")).map(|_| ());
        assert_eq!(fourth, Err(NoRoom::Connections));
        drop(session);
        enter(&lobby, "192.0.2.2");
    }

    #[test]
    fn an_address_makes_its_own_room() {
        let lobby = lobby(100, 2);
        let [first, second] = [(); 2].map(|()| enter(&lobby, "2001:db8::1"));
        first.note_hello();
        let third = lobby.try_enter(neighbourhood(ip("2001:db8::2")));
        assert!(third.expect("no refusal").is_none());
        assert_eq!([&first, &second].map(is_told), [false, true]);
        enter(&lobby, "2001:db8:0:1::1");

        second.note_hello();
        let third = lobby
            .try_enter(neighbourhood(ip("2001:db8::2")))
            .map(|_| ());
        assert_eq!(third, Err(NoRoom::Address));
    }

    #[test]
    fn a_lobby_without_guests_has_no_counts_left() {
        let lobby = lobby(10, 10);
        for round in 0..3 {
            let guests = [(); 5].map(|()| enter(&lobby, "192.0.2.1"));
            guests[0].begin_session();
            guests[1].note_hello();
            guests[2].mark_refused();
            guests[3].begin_session();
            guests[3].mark_refused();
            drop(guests);
            let state = lobby.0.lock();
            assert_eq!((state.sessions, state.guests.len()), (0, 0), "{round}");
            assert!(state.addresses.is_empty() && state.by_rank.is_empty());
        }
    }

    #[test]
    fn it_is_crowded_when_half_of_the_room_is_taken() {
        let lobby = lobby(8, 6);
        let guests = [(); 3].map(|()| enter(&lobby, "192.0.2.1"));
        assert!(!guests[0].is_crowded());
        let fourth = enter(&lobby, "192.0.2.1");
        assert!(guests[0].is_crowded(), "for this address");
        let other = enter(&lobby, "192.0.2.2");
        assert!(other.is_crowded(), "for all");
        drop(fourth);
        assert!(!other.is_crowded());
    }
}
