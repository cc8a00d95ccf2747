//! The connections that have no session yet, and which of them ends when there is no room for
//! another.
//!
//! Anybody can open a connection and say nothing. So where there is no room, the oldest silent one
//! makes it, of the address that has most; the newest is refused only if none can be ended.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use wire::{Code, Refusal};

use crate::door::prefix::neighbourhood;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// With and without a session.
    pub(crate) connections_max: usize,
    /// Without a session, of one address; an IPv6 /64 is one.
    pub(crate) guests_per_address_max: usize,
}

/// Everybody who is connected.
#[derive(Debug)]
pub(crate) struct Lobby(Arc<Shared>);

/// A connection's place: without a session at first, and then with one. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Guest {
    lobby: Arc<Shared>,
    address: IpAddr,
    number: u64,
    told: Arc<Notify>,
}

/// Why there is no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoom {
    /// All connections are sessions, or are in the middle of a handshake.
    #[error("there is no room for more connections")]
    Connections,
    /// The same, of one address.
    #[error("too many connections without a session from this address")]
    Address,
    /// It had not said hello, and another connection needed its place.
    #[error("nothing was said, and another connection needs this place")]
    Silent,
    /// Its handshake had to wait for too long, or another connection needed its place.
    #[error("there are too many handshakes at once")]
    Handshakes,
}

impl NoRoom {
    /// The line that a connection is told before TLS has begun.
    pub(crate) fn line(self) -> String {
        try_later(&self.to_string())
    }
}

/// What a connection that is not kept is told. TLS has not begun, so it is plain text.
pub(crate) fn try_later(cause: &str) -> String {
    let words = format!("{cause}; try again later");
    format!("{}\n", Refusal::new(Code::TryLater, words))
}

#[derive(Debug)]
struct Shared {
    room: Room,
    // A lock, because connections of all threads meet here; nothing waits while it is held.
    state: Mutex<State>,
    /// Some connection has gone, or has begun a session.
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    next_number: u64,
    sessions: usize,
    /// Oldest first.
    guests: BTreeMap<u64, Entry>,
    addresses: HashMap<IpAddr, Address>,
    /// The addresses by how many guests they have, those with most last; of equals, the one whose silent
    /// guest is the oldest.
    by_rank: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

/// The connections of one address, oldest first.
#[derive(Debug, Default)]
struct Address {
    guests: BTreeSet<u64>,
    /// Those that may be ended before all others.
    silent: BTreeSet<u64>,
}

#[derive(Debug)]
struct Entry {
    told: Arc<Notify>,
    is_told: bool,
}

impl Lobby {
    pub(crate) fn new(room: Room) -> Self {
        Self(Arc::new(Shared {
            room,
            state: Mutex::default(),
            stirred: Notify::new(),
        }))
    }

    /// A place for one more connection. Where another one must end for it, this waits until that one
    /// has gone, so that there are never more than there may be.
    ///
    /// # Errors
    ///
    /// When none can be ended.
    pub(crate) async fn enter(&self, ip: IpAddr) -> Result<Guest, NoRoom> {
        let address = neighbourhood(ip);
        loop {
            if let Some(guest) = self.try_enter(address)? {
                return Ok(guest);
            }
            // It keeps one wake-up that came before this.
            self.0.stirred.notified().await;
        }
    }

    /// `None` when another connection was told to end.
    fn try_enter(&self, address: IpAddr) -> Result<Option<Guest>, NoRoom> {
        let Room {
            connections_max,
            guests_per_address_max,
        } = self.0.room;
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
    /// Waits until this connection is to end, because another one needs its place.
    pub(crate) async fn told_to_end(&self) {
        self.told.notified().await;
    }

    /// It has said hello.
    pub(crate) fn spoke(&self) {
        self.lobby
            .lock()
            .set_silent(self.address, self.number, false);
    }

    /// Its handshake takes long: from now on it may be ended like a silent one.
    pub(crate) fn is_slow(&self) {
        self.lobby
            .lock()
            .set_silent(self.address, self.number, true);
    }

    /// Its handshake is over: it is not ended for others any more.
    pub(crate) fn has_session(&self) {
        let mut state = self.lobby.lock();
        if state.remove(self.address, self.number) {
            state.sessions += 1;
        }
        drop(state);
        self.lobby.stirred.notify_one();
    }

    /// It was refused, and hears why: from now on it may be ended like a silent one.
    pub(crate) fn was_refused(&self) {
        let mut state = self.lobby.lock();
        if !state.guests.contains_key(&self.number) {
            state.sessions -= 1;
            state.insert(self.address, self.number, self.told.clone());
        }
        state.set_silent(self.address, self.number, true);
        drop(state);
        self.lobby.stirred.notify_one();
    }

    /// Whether silence costs others their place: half of the room is taken by connections without
    /// a session, of all addresses or of this one.
    pub(crate) fn is_crowded(&self) -> bool {
        let state = self.lobby.lock();
        let own = state.addresses.get(&self.address);
        let held = own.map_or(0, |own| own.guests.len());
        let Room {
            connections_max,
            guests_per_address_max,
        } = self.lobby.room;
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
        self.state.lock().expect("nobody panics with it")
    }
}

impl State {
    /// The connection that ends for one more of this address, which has so many. Nobody ends for an
    /// address that would then have more than theirs.
    fn victim(&self, own: Option<&Address>) -> Option<u64> {
        let held = own.map_or(0, |own| own.guests.len());
        let (count, _, address) = *self.by_rank.last()?;
        let crowd = self.addresses.get(&address)?;
        let silent = crowd.silent.first().filter(|_| count > held);
        let own_silent = || own.and_then(|own| own.silent.first());
        let spoken = || crowd.guests.first().filter(|_| count > held + 1);
        silent.or_else(own_silent).or_else(spoken).copied()
    }

    fn insert(&mut self, address: IpAddr, number: u64, told: Arc<Notify>) {
        let entry = Entry {
            told,
            is_told: false,
        };
        self.guests.insert(number, entry);
        self.change(address, |own| {
            own.guests.insert(number);
        });
    }

    fn tell(&mut self, number: u64) {
        let Some(entry) = self.guests.get_mut(&number) else {
            return;
        };
        if !std::mem::replace(&mut entry.is_told, true) {
            entry.told.notify_one();
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

    /// Whether it was a guest.
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

    /// Changes an address, and keeps all of them in the order of their ranks.
    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Address)) {
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

impl Address {
    fn rank(&self, address: IpAddr) -> (usize, Reverse<u64>, IpAddr) {
        let oldest = self.silent.first().copied().unwrap_or(u64::MAX);
        (self.guests.len(), Reverse(oldest), address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lobby(connections_max: usize, guests_per_address_max: usize) -> Lobby {
        Lobby::new(Room {
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

    /// Whether it was told since this was asked last.
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
        member.has_session();
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
    fn one_that_has_spoken_ends_only_for_an_address_that_has_fewer() {
        let lobby = lobby(3, 100);
        let crowd = [(); 2].map(|()| enter(&lobby, "192.0.2.1"));
        let other = enter(&lobby, "192.0.2.2");
        crowd.iter().chain([&other]).for_each(Guest::spoke);
        let refused = lobby.try_enter(ip("192.0.2.1")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections));
        let refused = lobby.try_enter(ip("192.0.2.2")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections), "it would have as many");
        let newcomer = lobby.try_enter(ip("192.0.2.3")).expect("no refusal");
        assert!(newcomer.is_none());
        assert_eq!(crowd.each_ref().map(is_told), [true, false]);
    }

    #[test]
    fn of_equals_the_oldest_silent_one_ends_whatever_its_address() {
        let lobby = lobby(3, 100);
        // The newest has the address that sorts last.
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
        guests.iter().for_each(Guest::spoke);
        let refused = lobby.try_enter(ip("192.0.2.3")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections));
        guests[1].is_slow();
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
        crowds.iter().flatten().for_each(Guest::spoke);
        let newcomer = enter(&lobby, "203.0.113.7");
        let third = enter(&lobby, "192.0.2.1");
        third.spoke();
        let refused = lobby.try_enter(ip("192.0.2.2")).map(|_| ());
        assert_eq!(refused, Err(NoRoom::Connections));
        assert!(!is_told(&newcomer));
    }

    #[test]
    fn a_refused_connection_ends_before_one_that_is_shaking_hands_and_a_session_never() {
        let lobby = lobby(3, 100);
        let [session, shaking, refused] = [(); 3].map(|()| enter(&lobby, "192.0.2.1"));
        for guest in [&session, &shaking, &refused] {
            guest.spoke();
        }
        session.has_session();
        refused.was_refused();
        let newcomer = lobby.try_enter(ip("192.0.2.1")).expect("no refusal");
        assert!(newcomer.is_none());
        let told = [&session, &shaking, &refused].map(is_told);
        assert_eq!(told, [false, false, true]);

        drop(refused);
        shaking.has_session();
        let third = enter(&lobby, "192.0.2.1");
        third.has_session();
        let fourth = lobby.try_enter(ip("192.0.2.2")).map(|_| ());
        assert_eq!(fourth, Err(NoRoom::Connections));
        drop(session);
        enter(&lobby, "192.0.2.2");
    }

    #[test]
    fn an_address_makes_its_own_room() {
        let lobby = lobby(100, 2);
        let [first, second] = [(); 2].map(|()| enter(&lobby, "2001:db8::1"));
        first.spoke();
        let third = lobby.try_enter(neighbourhood(ip("2001:db8::2")));
        assert!(third.expect("no refusal").is_none());
        assert_eq!([&first, &second].map(is_told), [false, true]);
        enter(&lobby, "2001:db8:0:1::1");

        second.spoke();
        let third = lobby
            .try_enter(neighbourhood(ip("2001:db8::2")))
            .map(|_| ());
        assert_eq!(third, Err(NoRoom::Address));
    }

    #[test]
    fn what_was_counted_is_given_back() {
        let lobby = lobby(10, 10);
        for round in 0..3 {
            let guests = [(); 5].map(|()| enter(&lobby, "192.0.2.1"));
            guests[0].has_session();
            guests[1].spoke();
            guests[2].was_refused();
            guests[3].has_session();
            guests[3].was_refused();
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
