//! Decides whose handshake goes on next.
//!
//! Answering a ClientHello costs processor time, so few are answered at once, and prefixes take
//! turns. A handshake that waits for its client costs only memory: it gives its permit back, and a
//! separate bound limits how many are half done.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::door::prefix::{neighbourhood, prefixes};
use crate::lock::lock;

/// The bounds on handshakes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PermitBounds {
    /// ClientHellos that are being answered.
    pub(crate) answering_max: usize,
    /// Handshakes that are being answered or were answered, and are not complete.
    pub(crate) half_done_max: usize,
    /// Half-done handshakes from one address; an IPv6 /64 counts as one.
    pub(crate) half_done_per_address_max: usize,
    /// The age from which a half-done handshake may be ended for any other.
    pub(crate) patience: Duration,
}

/// Hands out permits to answer a ClientHello.
#[derive(Debug, Clone)]
pub(crate) struct HandshakePermits(Arc<Shared>);

/// A permit to answer one ClientHello.
#[derive(Debug)]
pub(crate) struct Permit(HalfDone);

/// A handshake that is not complete.
#[derive(Debug)]
pub(crate) struct HalfDone {
    permits: HandshakePermits,
    address: IpAddr,
    number: u64,
    is_answering: bool,
    end: Arc<Notify>,
}

#[derive(Debug)]
struct Shared {
    bounds: PermitBounds,
    // A lock, because connections of all threads meet here; nothing waits while it is held.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answering: usize,
    half_done_count: usize,
    /// By address, oldest first.
    half_done: HashMap<IpAddr, VecDeque<Slot>>,
    /// One for each [`Lane`].
    waiting: [Rotation; 2],
    waiting_count: usize,
    /// Counts the permits that were handed out.
    turn: usize,
    next_number: u64,
    acquaintances: Acquaintances,
}

/// A half-done handshake as the others see it.
#[derive(Debug)]
struct Slot {
    number: u64,
    since: Instant,
    end: Arc<Notify>,
}

/// A handshake that waits for a permit.
#[derive(Debug)]
struct Waiter {
    number: u64,
    address: IpAddr,
    granted: oneshot::Sender<Permit>,
}

/// Addresses that recently completed a handshake go first.
#[derive(Debug, Clone, Copy)]
enum Lane {
    Known = 0,
    New = 1,
}

/// Every fourth permit goes to new addresses first: a member's address must not keep newcomers out.
const NEW_FIRST_EVERY: usize = 4;

impl HandshakePermits {
    pub(crate) fn new(bounds: PermitBounds) -> Self {
        Self(Arc::new(Shared {
            bounds,
            state: Mutex::default(),
        }))
    }

    /// Waits for a permit. Addresses and their prefixes take turns; within an address the first
    /// come are served first.
    pub(crate) async fn permit(&self, ip: IpAddr) -> Permit {
        let address = neighbourhood(ip);
        let (number, granted) = self.ask(address);
        // If the wait is cancelled, the request is withdrawn.
        let mut asked = Asked {
            permits: self,
            address,
            number,
            is_granted: false,
        };
        let permit = granted.await;
        asked.is_granted = true;
        permit.expect("a waiter leaves the rotation only with its permit or without its connection")
    }

    fn ask(&self, address: IpAddr) -> (u64, oneshot::Receiver<Permit>) {
        let (granted, receiver) = oneshot::channel();
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        let lane = state.lane(address);
        let waiter = Waiter {
            number,
            address,
            granted,
        };
        state.waiting[lane as usize].push(&prefixes(address), waiter);
        state.waiting_count += 1;
        drop(state);
        self.grant();
        (number, receiver)
    }

    /// Hands out every permit that is available now.
    fn grant(&self) {
        loop {
            let mut state = self.lock();
            let Some((waiter, slot)) = state.next(&self.0.bounds, Instant::now()) else {
                return;
            };
            let permit = Permit(HalfDone {
                permits: self.clone(),
                address: waiter.address,
                number: slot.0,
                is_answering: true,
                end: slot.1,
            });
            drop(state);
            // A waiter that is gone returns the permit, which takes the lock again.
            drop(waiter.granted.send(permit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// A request for a permit. Dropping it withdraws the request if nobody waits any more.
struct Asked<'a> {
    permits: &'a HandshakePermits,
    address: IpAddr,
    number: u64,
    is_granted: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_granted {
            self.permits.lock().forget(self.address, self.number);
        }
    }
}

impl Permit {
    /// Returns the permit because the ClientHello was answered; the handshake stays among the
    /// half-done.
    pub(crate) fn answered(self) -> HalfDone {
        let mut half_done = self.0;
        half_done.is_answering = false;
        half_done.permits.lock().answering -= 1;
        half_done.permits.grant();
        half_done
    }
}

impl HalfDone {
    /// Waits until this handshake has to end because another one waits for its place.
    pub(crate) async fn ended(&self) {
        self.end.notified().await;
    }

    /// Notes that its patience is over. If another handshake waits for its place, this one is told
    /// to end.
    pub(crate) fn mark_slow(&self) {
        self.permits.grant();
    }

    /// Notes that the handshake is complete and its client was admitted: its address goes first for
    /// some time.
    pub(crate) fn finished(self) {
        let mut state = self.permits.lock();
        state.acquaintances.note(self.address, Instant::now());
    }
}

impl Drop for HalfDone {
    fn drop(&mut self) {
        let mut state = self.permits.lock();
        state.end(self.address, self.number);
        state.answering -= usize::from(self.is_answering);
        drop(state);
        self.permits.grant();
    }
}

impl State {
    fn lane(&self, address: IpAddr) -> Lane {
        if self.acquaintances.knows(address) {
            Lane::Known
        } else {
            Lane::New
        }
    }

    /// Returns the next waiter that there is room for, and its slot.
    fn next(
        &mut self,
        bounds: &PermitBounds,
        now: Instant,
    ) -> Option<(Waiter, (u64, Arc<Notify>))> {
        if self.waiting_count == 0 || self.answering >= bounds.answering_max {
            return None;
        }
        let vacancy = self.vacancy(bounds, now);
        if vacancy.is_full() {
            return None;
        }
        let mut lanes = [Lane::Known, Lane::New];
        if self.turn % NEW_FIRST_EVERY == NEW_FIRST_EVERY - 1 {
            lanes.reverse();
        }
        let half_done = &self.half_done;
        let (waiter, victim) = lanes.into_iter().find_map(|lane| {
            self.waiting[lane as usize].take(&mut |address| vacancy.victim(half_done.get(&address)))
        })?;
        self.waiting_count -= 1;
        self.turn += 1;
        if let Some((address, number)) = victim.end(waiter.address) {
            // It is told after it left the list: its room is already free for this one.
            if let Some(slot) = self.end(address, number) {
                slot.end.notify_one();
            }
        }
        let slot = Slot {
            number: waiter.number,
            since: now,
            end: Arc::default(),
        };
        let given = (slot.number, slot.end.clone());
        let own = self.half_done.entry(waiter.address).or_default();
        own.push_back(slot);
        self.half_done_count += 1;
        self.answering += 1;
        Some((waiter, given))
    }

    /// Collects the facts that decide whether there is room for a handshake of an address.
    fn vacancy(&self, bounds: &PermitBounds, now: Instant) -> Vacancy {
        let ripe_since = now.checked_sub(bounds.patience);
        let mut vacancy = Vacancy {
            per_address_max: bounds.half_done_per_address_max,
            ripe_since,
            is_free: self.half_done_count < bounds.half_done_max,
            most: None,
            oldest: None,
        };
        if !vacancy.is_free {
            for (address, slots) in &self.half_done {
                let Some(Slot { number, since, .. }) = slots.front() else {
                    continue;
                };
                let oldest = Oldest {
                    count: slots.len(),
                    since: *since,
                    address: *address,
                    number: *number,
                };
                // The number decides between equal times, so that the map's order never matters.
                let age = |of: &Oldest| Reverse((of.since, of.number));
                vacancy.most = vacancy
                    .most
                    .into_iter()
                    .chain([oldest])
                    .max_by_key(|of| (of.count, age(of)));
                vacancy.oldest = vacancy.oldest.into_iter().chain([oldest]).max_by_key(age);
            }
        }
        vacancy
    }

    fn end(&mut self, address: IpAddr, number: u64) -> Option<Slot> {
        let slots = self.half_done.get_mut(&address)?;
        let at = slots.iter().position(|slot| slot.number == number)?;
        let slot = slots.remove(at);
        if slots.is_empty() {
            self.half_done.remove(&address);
        }
        self.half_done_count -= 1;
        slot
    }

    /// Removes a waiter from the rotation, if it is there.
    fn forget(&mut self, address: IpAddr, number: u64) {
        // Its lane may have changed since it arrived.
        for lane in &mut self.waiting {
            if lane.remove(&prefixes(address), number) {
                self.waiting_count -= 1;
                return;
            }
        }
    }
}

/// Decides whether there is room for one more half-done handshake, and which one makes room.
struct Vacancy {
    per_address_max: usize,
    /// Half-done handshakes that began by then may be ended for any other.
    ripe_since: Option<Instant>,
    is_free: bool,
    /// The oldest of the address that has most.
    most: Option<Oldest>,
    /// The oldest of all.
    oldest: Option<Oldest>,
}

/// The oldest half-done handshake of an address, and the number of handshakes of that address.
#[derive(Debug, Clone, Copy)]
struct Oldest {
    count: usize,
    since: Instant,
    address: IpAddr,
    number: u64,
}

/// The half-done handshake that is ended for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    None,
    /// The oldest of the same address.
    Own(u64),
    Other(IpAddr, u64),
}

impl Victim {
    fn end(self, own: IpAddr) -> Option<(IpAddr, u64)> {
        match self {
            Self::None => None,
            Self::Own(number) => Some((own, number)),
            Self::Other(address, number) => Some((address, number)),
        }
    }
}

impl Vacancy {
    /// Returns whether there is no room for any address, which saves looking at each waiter.
    fn is_full(&self) -> bool {
        !self.is_free
            && self.most.is_none_or(|most| most.count < 2)
            && !self.oldest.is_some_and(|oldest| self.is_ripe(oldest.since))
    }

    fn is_ripe(&self, since: Instant) -> bool {
        self.ripe_since.is_some_and(|ripe| since <= ripe)
    }

    /// Returns the handshake that makes room for one from an address that has `own`; `None` if
    /// there is no room.
    fn victim(&self, own: Option<&VecDeque<Slot>>) -> Option<Victim> {
        let held = own.map_or(0, VecDeque::len);
        if held >= self.per_address_max {
            let oldest = own.and_then(VecDeque::front)?;
            return self
                .is_ripe(oldest.since)
                .then_some(Victim::Own(oldest.number));
        }
        if self.is_free {
            return Some(Victim::None);
        }
        // An address with at least two fewer gets its share at once. Between equals only age
        // decides; otherwise they would keep ending each other's handshakes.
        let most = self.most?;
        if held + 1 < most.count {
            return Some(Victim::Other(most.address, most.number));
        }
        let oldest = self.oldest?;
        self.is_ripe(oldest.since)
            .then_some(Victim::Other(oldest.address, oldest.number))
    }
}

/// Waiters by prefix: at each level the prefixes take turns.
#[derive(Debug, Default)]
struct Rotation {
    /// The prefixes below this one, in the order of their turns.
    order: VecDeque<u128>,
    below: HashMap<u128, Rotation>,
    /// At the longest prefix: the waiters, first come first served.
    waiters: VecDeque<Waiter>,
}

impl Rotation {
    fn push(&mut self, path: &[u128], waiter: Waiter) {
        let Some((prefix, longer)) = path.split_first() else {
            self.waiters.push_back(waiter);
            return;
        };
        let order = &mut self.order;
        let below = self.below.entry(*prefix).or_insert_with(|| {
            order.push_back(*prefix);
            Self::default()
        });
        below.push(longer, waiter);
    }

    /// Returns the next waiter for whose address `room` returns a value, with that value.
    fn take<V>(&mut self, room: &mut impl FnMut(IpAddr) -> Option<V>) -> Option<(Waiter, V)> {
        if let Some(first) = self.waiters.front() {
            let found = room(first.address)?;
            return self.waiters.pop_front().map(|waiter| (waiter, found));
        }
        for _ in 0..self.order.len() {
            let prefix = self.order.pop_front()?;
            let below = self.below.get_mut(&prefix)?;
            let taken = below.take(room);
            if below.is_empty() {
                self.below.remove(&prefix);
            } else {
                self.order.push_back(prefix);
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    fn remove(&mut self, path: &[u128], number: u64) -> bool {
        let Some((prefix, longer)) = path.split_first() else {
            let before = self.waiters.len();
            self.waiters.retain(|waiter| waiter.number != number);
            return self.waiters.len() < before;
        };
        let Some(below) = self.below.get_mut(prefix) else {
            return false;
        };
        let is_removed = below.remove(longer, number);
        if below.is_empty() {
            self.below.remove(prefix);
            self.order.retain(|other| other != prefix);
        }
        is_removed
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty() && self.waiters.is_empty()
    }
}

/// The addresses that recently completed a handshake.
#[derive(Debug, Default)]
struct Acquaintances {
    current: HashSet<IpAddr>,
    last: HashSet<IpAddr>,
    since: Option<Instant>,
}

/// A generation ends after 12 hours or 2,048 addresses. Then the generation before it is forgotten.
const GENERATION: Duration = Duration::from_secs(12 * 60 * 60);
const GENERATION_MAX: usize = 2048;

impl Acquaintances {
    fn note(&mut self, address: IpAddr, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let is_over = self.current.len() >= GENERATION_MAX || now - since > GENERATION;
        if is_over && !self.current.contains(&address) {
            self.last = mem::take(&mut self.current);
            self.since = Some(now);
        }
        self.current.insert(address);
    }

    fn knows(&self, address: IpAddr) -> bool {
        self.current.contains(&address) || self.last.contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    const BOUNDS: PermitBounds = PermitBounds {
        answering_max: 1,
        half_done_max: 4,
        half_done_per_address_max: 3,
        patience: Duration::from_secs(2),
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    /// Begins a handshake from this address that is answered at once.
    fn begin(permits: &HandshakePermits, address: &str) -> HalfDone {
        let permit = poll(pin!(permits.permit(ip(address))));
        permit.expect("a permit").answered()
    }

    fn is_told(half_done: &HalfDone) -> bool {
        poll(pin!(half_done.ended())).is_some()
    }

    /// Returns the order in which these addresses get permits, each of which is returned at once.
    fn order(permits: &HandshakePermits, addresses: &[&str]) -> Vec<String> {
        let busy = poll(pin!(permits.permit(ip("198.51.100.1")))).expect("a permit");
        let mut waiting: Vec<_> = addresses
            .iter()
            .map(|address| (address, Box::pin(permits.permit(ip(address)))))
            .collect();
        for (_, one) in &mut waiting {
            assert!(poll(one.as_mut()).is_none(), "there is one permit");
        }
        drop(busy);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let granted = waiting
                .iter_mut()
                .position(|(_, one)| poll(one.as_mut()).is_some());
            let (address, _) = waiting.remove(granted.expect("somebody's turn comes"));
            order.push((*address).to_owned());
        }
        order
    }

    #[tokio::test]
    async fn a_permit_is_given_back_when_the_hello_was_answered() {
        let permits = HandshakePermits::new(BOUNDS);
        let first = poll(pin!(permits.permit(ip("192.0.2.1")))).expect("a permit");
        let mut second = pin!(permits.permit(ip("192.0.2.2")));
        assert!(poll(second.as_mut()).is_none());
        let half_done = first.answered();
        assert!(poll(second.as_mut()).is_some());
        drop(half_done);
    }

    #[tokio::test]
    async fn a_wait_that_is_broken_off_leaves_nothing_behind() {
        let permits = HandshakePermits::new(BOUNDS);
        let busy = poll(pin!(permits.permit(ip("192.0.2.1")))).expect("a permit");
        for _ in 0..3 {
            let mut waiting = Box::pin(permits.permit(ip("192.0.2.2")));
            assert!(poll(waiting.as_mut()).is_none());
            drop(waiting);
        }
        assert_eq!(permits.lock().waiting_count, 0);
        // The same for a request that was granted before its waiter saw the permit.
        let mut granted = Box::pin(permits.permit(ip("192.0.2.3")));
        assert!(poll(granted.as_mut()).is_none());
        drop(busy);
        drop(granted);
        let state = permits.lock();
        let counts = (state.answering, state.half_done_count, state.waiting_count);
        assert_eq!(counts, (0, 0, 0));
        assert!(state.half_done.is_empty());
        assert!(
            state
                .waiting
                .iter()
                .all(|lane| lane.is_empty() && lane.below.is_empty())
        );
    }

    #[tokio::test]
    async fn prefixes_take_turns_and_then_addresses() {
        let permits = HandshakePermits::new(PermitBounds {
            half_done_per_address_max: 100,
            half_done_max: 100,
            ..BOUNDS
        });
        let crowd = [
            "192.0.2.1",
            "192.0.2.2",
            "192.0.2.3",
            "192.0.2.4",
            "203.0.113.9",
        ];
        let expected = [
            "192.0.2.1",
            "203.0.113.9",
            "192.0.2.2",
            "192.0.2.3",
            "192.0.2.4",
        ];
        assert_eq!(order(&permits, &crowd), expected);

        // Somebody with a /48 has one turn, whatever is below it.
        let crowd = [
            "2001:db8:1:1::1",
            "2001:db8:1:2::1",
            "2001:db8:1:101::1",
            "2001:db8:2:1::1",
        ];
        let expected = [
            "2001:db8:1:1::1",
            "2001:db8:2:1::1",
            "2001:db8:1:101::1",
            "2001:db8:1:2::1",
        ];
        assert_eq!(order(&permits, &crowd), expected);
    }

    #[tokio::test]
    async fn an_address_that_lately_finished_goes_first_and_keeps_nobody_out() {
        let permits = HandshakePermits::new(PermitBounds {
            half_done_per_address_max: 100,
            half_done_max: 100,
            ..BOUNDS
        });
        begin(&permits, "192.0.2.9").finished();
        let crowd = ["192.0.2.1", "192.0.2.9"];
        assert_eq!(order(&permits, &crowd), ["192.0.2.9", "192.0.2.1"]);

        let known: Vec<_> = (0..8).map(|_| permits.permit(ip("192.0.2.9"))).collect();
        let busy = poll(pin!(permits.permit(ip("192.0.2.9")))).expect("a permit");
        let mut known: Vec<_> = known.into_iter().map(Box::pin).collect();
        let mut new = pin!(permits.permit(ip("192.0.2.1")));
        known
            .iter_mut()
            .for_each(|one| assert!(poll(one.as_mut()).is_none()));
        assert!(poll(new.as_mut()).is_none());
        drop(busy);
        let mut passed = 0;
        while poll(new.as_mut()).is_none() {
            let granted = known
                .iter_mut()
                .position(|one| poll(one.as_mut()).is_some());
            drop(known.remove(granted.expect("a known one is next")));
            passed += 1;
        }
        assert!(passed < NEW_FIRST_EVERY, "{passed}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_with_less_than_its_share_ends_the_oldest_of_the_one_with_most() {
        let permits = HandshakePermits::new(BOUNDS);
        let crowd = [(); 3].map(|()| begin(&permits, "192.0.2.1"));
        let other = begin(&permits, "192.0.2.2");
        let newcomer = begin(&permits, "203.0.113.7");
        assert_eq!(crowd.each_ref().map(is_told), [true, false, false]);
        assert!(!is_told(&other) && !is_told(&newcomer));
    }

    #[tokio::test(start_paused = true)]
    async fn between_equals_the_slowest_ends_when_its_patience_is_over() {
        let permits = HandshakePermits::new(BOUNDS);
        let crowd = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
        let crowd = crowd.map(|address| begin(&permits, address));
        let mut newcomer = pin!(permits.permit(ip("192.0.2.5")));
        assert!(poll(newcomer.as_mut()).is_none());
        tokio::time::advance(BOUNDS.patience - Duration::from_millis(1)).await;
        crowd[0].mark_slow();
        assert!(poll(newcomer.as_mut()).is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        crowd[0].mark_slow();
        assert!(poll(newcomer.as_mut()).is_some());
        assert_eq!(crowd.each_ref().map(is_told), [true, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_at_its_bound_waits_for_its_own() {
        let permits = HandshakePermits::new(BOUNDS);
        let own = [(); 3].map(|()| begin(&permits, "192.0.2.1"));
        let mut fourth = pin!(permits.permit(ip("192.0.2.1")));
        assert!(poll(fourth.as_mut()).is_none());
        let other = begin(&permits, "192.0.2.2");
        tokio::time::advance(BOUNDS.patience).await;
        own[0].mark_slow();
        assert!(poll(fourth.as_mut()).is_some());
        assert_eq!(own.each_ref().map(is_told), [true, false, false]);
        assert!(!is_told(&other));
        drop(own);
    }

    #[test]
    fn acquaintances_are_bounded_and_the_newest_stay() {
        let mut acquaintances = Acquaintances::default();
        let address = |n: usize| IpAddr::from(u32::try_from(n).expect("small").to_be_bytes());
        let now = Instant::now();
        for n in 0..10 * GENERATION_MAX {
            acquaintances.note(address(n), now);
        }
        assert!(acquaintances.current.len() + acquaintances.last.len() <= 2 * GENERATION_MAX);
        assert!(acquaintances.knows(address(10 * GENERATION_MAX - 1)));
        assert!(!acquaintances.knows(address(0)));
    }
}
