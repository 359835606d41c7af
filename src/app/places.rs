//! Places for callers' connections: how many there may be, and who goes first when they are short.
//!
//! TCP and Unix sockets have places of their own, so that peers of the network never lock out a
//! pod's own callers and its probes. A connection beyond the bound is heard all the same: its
//! health checks are answered, and its calls wait for a place. A few such connections may wait; the
//! one that has waited longest goes when another comes. An address of the machine itself may have
//! all places as long as no other address wants one. Where callers must show a token or a
//! certificate, the oldest connection that has shown none gives its place to the next caller.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::warn;

use crate::grpc::{Proof, Shares};

/// Connections of each kind that may wait for a place.
const MAX_WAITING: usize = 16;

/// All places, shared by all listeners and threads.
#[derive(Debug)]
pub(super) struct Places {
    /// Connections of each kind, TCP and Unix.
    max: usize,
    /// Connections of one peer address.
    max_per_peer: usize,
    /// Callers must show a token or a certificate.
    asks_proof: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tcp: Table,
    unix: Table,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Table {
    /// By arrival.
    seated: BTreeMap<u64, Guest>,
    /// The one that has waited longest first.
    waiting: VecDeque<(u64, Guest)>,
    /// All places are taken, and the log has been told.
    told: bool,
}

#[derive(Debug)]
struct Guest {
    peer: Option<IpAddr>,
    shares: Shares,
    proof: Proof,
    seat: watch::Sender<Seat>,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Its health checks are answered; its calls wait.
    Waits,
    /// Its calls are answered.
    Sits,
    /// It must end.
    Goes,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    arrival: u64,
    local: bool,
    /// What its peer holds of the bounds on memory.
    pub(super) shares: Shares,
    pub(super) proof: Proof,
    pub(super) seat: watch::Receiver<Seat>,
}

impl Places {
    pub(super) fn new(max: usize, max_per_peer: usize, asks_proof: bool) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_peer,
            asks_proof,
            state: Mutex::default(),
        })
    }

    /// Takes in a connection: of `peer`, or of a Unix socket. `None` = its peer has as many as one
    /// may have.
    pub(super) fn take(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Place> {
        let local = peer.is_none();
        let mut state = self.lock();
        state.arrivals += 1;
        let arrival = state.arrivals;
        let table = state.table(local);
        if let Some(peer) = peer
            && table.of(peer).count() >= self.max_per_peer
            // Its own oldest connection that has shown nothing goes, if there is one.
            && !(self.asks_proof && table.dismiss(|guest| guest.peer == Some(peer)))
        {
            table.tell(
                "one peer has as many connections as connections.max_per_peer allows; its next one is closed",
            );
            return None;
        }
        let shares = peer.and_then(|peer| table.shares(peer)).unwrap_or_default();
        let proof = Proof::default();
        let full = table.seated.len() >= self.max;
        let sits = !full
            || (!local && self.asks_proof && table.dismiss(|_| true))
            || peer.is_some_and(|peer| table.call_back(peer, self.max_per_peer));
        let (seat, receiver) = watch::channel(if sits { Seat::Sits } else { Seat::Waits });
        let guest = Guest {
            peer,
            shares: shares.clone(),
            proof: proof.clone(),
            seat,
        };
        if sits {
            table.seated.insert(arrival, guest);
        } else {
            table.tell("as many connections are open as connections.max allows; the calls of the next one wait until one ends");
            table.waiting.push_back((arrival, guest));
            if table.waiting.len() > MAX_WAITING
                && let Some((_, longest)) = table.waiting.pop_front()
            {
                longest.seat.send_replace(Seat::Goes);
            }
        }
        Some(Place {
            places: Arc::clone(self),
            arrival,
            local,
            shares,
            proof,
            seat: receiver,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn table(&mut self, local: bool) -> &mut Table {
        if local { &mut self.unix } else { &mut self.tcp }
    }
}

impl Table {
    /// Connections of one peer. Those of the machine itself are peers of their own: many callers
    /// share its address.
    fn of(&self, peer: IpAddr) -> impl Iterator<Item = &Guest> {
        let waiting = self.waiting.iter().map(|(_, guest)| guest);
        let all = self.seated.values().chain(waiting);
        let alone = peer.to_canonical().is_loopback();
        all.filter(move |guest| !alone && guest.peer == Some(peer))
    }

    /// What that peer holds already.
    fn shares(&self, peer: IpAddr) -> Option<Shares> {
        self.of(peer).next().map(|guest| guest.shares.clone())
    }

    /// Sends away the oldest of these connections that has shown nothing; false when there is none.
    fn dismiss(&mut self, among: impl Fn(&Guest) -> bool) -> bool {
        let oldest = self
            .seated
            .iter()
            .find(|(_, guest)| !guest.proof.shown() && among(guest));
        let Some(arrival) = oldest.map(|(arrival, _)| *arrival) else {
            return false;
        };
        self.send_away(arrival);
        true
    }

    /// Sends away the youngest connection of an address that has more than one may have, which the
    /// machine's own can, for one of an address that has fewer; false when there is none.
    fn call_back(&mut self, newcomer: IpAddr, most: usize) -> bool {
        let mut counts = HashMap::<_, usize>::new();
        for guest in self.seated.values() {
            *counts.entry(guest.peer).or_default() += 1;
        }
        let many = |peer| counts.get(&peer).is_some_and(|count| *count > most);
        let youngest = self.seated.iter().rev().find(|(_, guest)| many(guest.peer));
        let Some(arrival) = youngest
            .map(|(arrival, _)| *arrival)
            .filter(|_| !many(Some(newcomer)))
        else {
            return false;
        };
        self.send_away(arrival);
        true
    }

    fn send_away(&mut self, arrival: u64) {
        if let Some(guest) = self.seated.remove(&arrival) {
            guest.seat.send_replace(Seat::Goes);
        }
    }

    fn leave(&mut self, arrival: u64, max: usize) {
        self.seated.remove(&arrival);
        self.waiting.retain(|(other, _)| *other != arrival);
        while self.seated.len() < max {
            let Some((arrival, guest)) = self.waiting.pop_front() else {
                self.told = false;
                return;
            };
            guest.seat.send_replace(Seat::Sits);
            self.seated.insert(arrival, guest);
        }
    }

    fn tell(&mut self, what: &str) {
        if !std::mem::replace(&mut self.told, true) {
            warn!("{what}");
        }
    }
}

impl Place {
    /// Its number, which no other connection has.
    pub(super) fn number(&self) -> u64 {
        self.arrival
    }

    /// Whether the connection must show a token or a certificate soon after it has come.
    pub(super) fn asks_proof(&self) -> bool {
        self.places.asks_proof && !self.local
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.table(self.local).leave(self.arrival, self.places.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const OTHER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));
    const SELF: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn seat(place: &Place) -> Seat {
        *place.seat.borrow()
    }

    #[test]
    fn the_network_takes_no_place_of_a_unix_socket() {
        let places = Places::new(2, 2, false);
        let held: Vec<_> = (0..4).map(|_| places.take(SELF).unwrap()).collect();
        assert_eq!(seat(&held[1]), Seat::Sits);
        assert_eq!(seat(&held[2]), Seat::Waits);
        assert_eq!(seat(&places.take(None).unwrap()), Seat::Sits);
    }

    #[test]
    fn an_address_of_the_machine_gives_back_what_it_has_beyond_its_share() {
        let other = Some(IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2)));
        let places = Places::new(4, 2, false);
        let held: Vec<_> = (0..4).map(|_| places.take(SELF).unwrap()).collect();
        assert_eq!(seat(&places.take(SELF).unwrap()), Seat::Waits);
        let others: Vec<_> = (0..3).map(|_| places.take(other).unwrap()).collect();
        let seats: Vec<_> = held.iter().chain(&others).map(seat).collect();
        assert_eq!(seats[..4], [Seat::Sits, Seat::Sits, Seat::Goes, Seat::Goes]);
        assert_eq!(seats[4..], [Seat::Sits, Seat::Sits, Seat::Waits]);
    }

    #[test]
    fn connections_of_one_address_share_what_they_may_hold_and_those_of_the_machine_do_not() {
        let memory = crate::memory::Memory::new(1 << 20);
        let room = |(place, size): (&Place, usize)| {
            let mut held = crate::memory::Held::default();
            held.take(&memory.shared(&place.shares.calls, true), size)
                .is_ok()
                .then_some(held)
        };
        for (peer, both) in [(PEER, false), (SELF, true), (None, true)] {
            let places = Places::new(4, 4, false);
            let held = [places.take(peer).unwrap(), places.take(peer).unwrap()];
            let rooms = [(&held[0], (1 << 20) + (8 << 10)), (&held[1], 10 << 10)].map(room);
            assert!(rooms[0].is_some());
            assert_eq!(rooms[1].is_some(), both, "{peer:?}");
        }
    }

    #[test]
    fn who_waits_gets_the_next_place_and_the_longest_waiting_goes_for_the_newest() {
        let places = Places::new(1, 1, false);
        let first = places.take(SELF).unwrap();
        let waiting: Vec<_> = (0..=MAX_WAITING)
            .map(|_| places.take(SELF).unwrap())
            .collect();
        assert_eq!(seat(&waiting[0]), Seat::Goes);
        assert!(waiting[1..].iter().all(|place| seat(place) == Seat::Waits));
        drop(first);
        assert_eq!(
            (seat(&waiting[1]), seat(&waiting[2])),
            (Seat::Sits, Seat::Waits)
        );
        drop(waiting);
        let state = places.lock();
        assert_eq!((state.tcp.seated.len(), state.tcp.waiting.len()), (0, 0));
    }

    #[test]
    fn who_has_shown_nothing_gives_its_place_to_the_next() {
        let places = Places::new(2, 2, true);
        let shown = places.take(SELF).unwrap();
        shown.proof.show();
        let silent = places.take(SELF).unwrap();
        let next = places.take(SELF).unwrap();
        assert_eq!((seat(&silent), seat(&next)), (Seat::Goes, Seat::Sits));
        next.proof.show();
        drop(silent);
        assert_eq!(seat(&places.take(SELF).unwrap()), Seat::Waits);
        assert_eq!(seat(&shown), Seat::Sits);
    }

    #[test]
    fn one_peer_has_no_more_than_its_share() {
        let places = Places::new(10, 2, false);
        let held = [places.take(PEER).unwrap(), places.take(PEER).unwrap()];
        assert!(places.take(PEER).is_none());
        assert!(places.take(OTHER).is_some());
        let others: Vec<_> = (0..5).map(|_| places.take(SELF).unwrap()).collect();
        assert!(others.iter().all(|place| seat(place) == Seat::Sits));
        drop(held);
        assert!(places.take(PEER).is_some());
        // Where proof is asked for, the silent ones among its own give way.
        let places = Places::new(10, 2, true);
        let held = [places.take(PEER).unwrap(), places.take(PEER).unwrap()];
        assert!(places.take(PEER).is_some());
        assert_eq!((seat(&held[0]), seat(&held[1])), (Seat::Goes, Seat::Sits));
    }
}
