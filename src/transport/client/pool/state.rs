//! What a pool holds, and the rules of who gets it.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Delivered, Lease, Pool, Waiter};
use crate::transport::client::connect::ConnectFault;
use crate::transport::client::http1::Http1;
use crate::transport::client::http2::{Health, Http2};

/// HTTP/1.1 connections that are made at once.
const MAX_DIALS: usize = 64;
/// HTTP/2 connections at once; each serves as many calls as the server allows, a hundred or more.
const MAX_SHARED: usize = 16;
/// Connections whose server allows no stream at all, beyond which no further one is tried.
const MAX_UNWILLING: usize = 2;
/// Where another connection serves, a failed attempt to make one is not repeated sooner.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct State {
    pub(super) this: Weak<Pool>,
    /// Longest idle first.
    pub(super) free: Vec<Http1>,
    pub(super) shared: Vec<Http2>,
    /// The server chose HTTP/1.1: connections may be made side by side.
    pub(super) http1: bool,
    pub(super) waiting: VecDeque<Waiter>,
    /// Connections being made.
    pub(super) dials: usize,
    /// When the youngest connection was there.
    pub(super) made: Option<Instant>,
    /// When one could not be made, unless one could be since.
    pub(super) failed: Option<Instant>,
    /// An old connection had to serve.
    pub(super) replace: bool,
    pub(super) sweeping: bool,
    /// The row of those who wait is looked after.
    pub(super) kept: bool,
    /// End with the pool.
    pub(super) tasks: JoinSet<()>,
}

impl State {
    pub(super) fn new(this: Weak<Pool>, http1: bool) -> Self {
        Self {
            this,
            free: Vec::new(),
            shared: Vec::new(),
            http1,
            waiting: VecDeque::new(),
            dials: 0,
            made: None,
            failed: None,
            replace: false,
            sweeping: false,
            kept: false,
            tasks: JoinSet::new(),
        }
    }

    /// Forgets calls that are gone.
    pub(super) fn nobody_waits(&mut self) -> bool {
        if !self.waiting.is_empty() {
            self.waiting.retain(|waiter| !waiter.is_closed());
        }
        self.waiting.is_empty()
    }

    /// True when a connection that retires then is old, and one was made since.
    pub(super) fn outlived(&self, retires: Instant, now: Instant) -> bool {
        now >= retires && self.made.is_some_and(|made| made > retires)
    }

    /// A connection that may serve now; an old one only when there is no younger.
    pub(super) fn take(&mut self, now: Instant) -> Option<Lease> {
        if let Some(lease) = self.take_shared(now) {
            return Some(lease);
        }
        // The most recently used is the likeliest to be alive, and lets the others grow old.
        let usable = |connection: &Http1| connection.usable(now);
        let young = |connection: &Http1| usable(connection) && now < connection.retires;
        if let Some(at) = self.free.iter().rposition(young) {
            return Some(Lease::Http1(self.free.remove(at)));
        }
        let made = self.made;
        self.free.retain(|connection| {
            usable(connection) && made.is_none_or(|made| made <= connection.retires)
        });
        let old = self.free.pop()?;
        self.replace = true;
        Some(Lease::Http1(old))
    }

    fn take_shared(&mut self, now: Instant) -> Option<Lease> {
        if self.shared.is_empty() {
            return None;
        }
        let made = self.made;
        let outlived =
            |old: &Http2| now >= old.retires && made.is_some_and(|made| made > old.retires);
        self.shared.retain(|one| one.lives() && !outlived(one));
        let mut young = self.shared.iter().filter(|one| now < one.retires);
        if let Some(permit) = young.find_map(Http2::permit) {
            return Some(Lease::Http2(permit));
        }
        let mut old = self.shared.iter().filter(|one| now >= one.retires);
        let permit = old.find_map(Http2::permit)?;
        self.replace = true;
        Some(Lease::Http2(permit))
    }

    /// Gives what there is to those who wait, in their order.
    pub(super) fn serve(&mut self, now: Instant) {
        while !self.nobody_waits() {
            let Some(lease) = self.take(now) else { return };
            let delivered = Delivered {
                lease: Some(lease),
                pool: Weak::clone(&self.this),
            };
            let Some(waiter) = self.waiting.pop_front() else {
                return;
            };
            // Gone just now: the next one gets it. A permit gives itself back.
            if let Err(Ok(mut back)) = waiter.send(Ok(delivered))
                && let Some(Lease::Http1(connection)) = back.lease.take()
            {
                self.free.push(connection);
            }
        }
    }

    /// Tells a failed attempt to those who have nothing else to hope for.
    pub(super) fn fail(&mut self, fault: &ConnectFault) {
        if self.http1 {
            // Each of the others has an attempt of its own.
            if let Some(waiter) = self.waiting.pop_front() {
                drop(waiter.send(Err(fault.clone())));
            }
        } else if !self.shared.iter().any(Http2::lives) {
            for waiter in self.waiting.drain(..) {
                drop(waiter.send(Err(fault.clone())));
            }
        }
    }

    /// How many more connections should be made.
    pub(super) fn missing(&self, now: Instant) -> usize {
        let waiting = self.waiting.len();
        if self.http1 && waiting > 0 {
            return waiting.min(MAX_DIALS).saturating_sub(self.dials);
        }
        if self.dials > 0 || waiting == 0 && !self.replace {
            return 0;
        }
        let serve = self.shared.iter().filter(|one| one.lives());
        let another_serves = waiting == 0 || serve.count() > 0;
        let just_failed = self.failed.is_some_and(|failed| now - failed < PAUSE);
        if another_serves && just_failed {
            return 0;
        }
        let unwilling = self
            .shared
            .iter()
            .filter(|one| one.state.allowed() == 0)
            .count();
        let full = self.shared.len() >= MAX_SHARED || unwilling >= MAX_UNWILLING;
        // Its answer is a round trip away, which is less than a new connection takes.
        let asked =
            |one: &Http2| one.state.health() == Health::Asked || one.state.awaits_greeting();
        let asked = self.shared.iter().any(asked);
        usize::from(waiting == 0 || !full && !asked)
    }
}
