//! Waiting calls in fair order: callers take turns, and so do the actions of each caller.
//!
//! One caller, or one action of a caller, that has hundreds of calls waiting gets every second slot
//! beside another that has one. Calls of the same caller and action keep their order.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Waiting calls. Adding one and giving a turn take the same time however many wait.
#[derive(Debug)]
pub(super) struct Turns<T> {
    callers: Ring<Ring<BTreeMap<u64, T>>>,
    waiting: usize,
    /// Numbers the calls in the order of their arrival.
    arrivals: u64,
}

/// Where a call waits, so that it can be taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    caller: u64,
    action: u64,
    arrival: u64,
}

/// Lines of which the first to be served is the one that was served longest ago. No line in it is
/// empty.
#[derive(Debug)]
struct Ring<L> {
    lines: HashMap<u64, L>,
    order: VecDeque<u64>,
}

impl<T> Turns<T> {
    pub(super) fn new() -> Self {
        Self {
            callers: Ring::default(),
            waiting: 0,
            arrivals: 0,
        }
    }

    /// How many calls wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Puts a call at the end of its line.
    pub(super) fn add(&mut self, caller: u64, action: u64, call: T) -> Place {
        self.arrivals += 1;
        self.waiting += 1;
        let arrival = self.arrivals;
        let actions = self.callers.line(caller);
        actions.line(action).insert(arrival, call);
        Place {
            caller,
            action,
            arrival,
        }
    }

    /// Takes the call out whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let call = self.callers.turn(
            |actions| {
                actions.turn(
                    |line| line.pop_first().map(|(_, call)| call),
                    BTreeMap::is_empty,
                )
            },
            Ring::is_empty,
        )?;
        self.waiting -= 1;
        Some(call)
    }

    /// Takes out a call that waits no longer; nothing when its turn has come already.
    pub(super) fn remove(&mut self, place: Place) {
        let Place {
            caller,
            action,
            arrival,
        } = place;
        let Some(actions) = self.callers.lines.get_mut(&caller) else {
            return;
        };
        let Some(line) = actions.lines.get_mut(&action) else {
            return;
        };
        if line.remove(&arrival).is_none() {
            return;
        }
        self.waiting -= 1;
        if line.is_empty() {
            actions.close(action);
            if actions.is_empty() {
                self.callers.close(caller);
            }
        }
    }
}

impl<L> Default for Ring<L> {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<L> Ring<L> {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn line(&mut self, key: u64) -> &mut L
    where
        L: Default,
    {
        self.lines.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            L::default()
        })
    }

    /// Serves the first line, which goes to the end.
    fn turn<T>(
        &mut self,
        take: impl FnOnce(&mut L) -> Option<T>,
        is_empty: impl FnOnce(&L) -> bool,
    ) -> Option<T> {
        let key = self.order.pop_front()?;
        let line = self.lines.get_mut(&key)?;
        let taken = take(line);
        if is_empty(line) {
            self.lines.remove(&key);
        } else {
            self.order.push_back(key);
        }
        taken
    }

    /// Takes an empty line away.
    fn close(&mut self, key: u64) {
        self.lines.remove(&key);
        self.order.retain(|other| *other != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(turns: &mut Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.next()).collect()
    }

    #[test]
    fn callers_take_turns_and_so_do_their_actions() {
        let mut turns = Turns::new();
        for call in ["b-slow-1", "b-slow-2", "b-slow-3"] {
            turns.add(2, 1, call);
        }
        turns.add(2, 2, "b-fast");
        turns.add(1, 2, "a-fast");
        assert_eq!(turns.len(), 5);
        assert_eq!(
            all(&mut turns),
            ["b-slow-1", "a-fast", "b-fast", "b-slow-2", "b-slow-3"]
        );
        assert_eq!(turns.len(), 0);
    }

    #[test]
    fn a_call_that_waits_no_longer_leaves_nothing_behind() {
        let mut turns = Turns::new();
        let places: Vec<_> = (0..1000_u64)
            .map(|n| turns.add(n % 10, n, "gone"))
            .collect();
        let stays = turns.add(5, 5, "stays");
        for place in places {
            turns.remove(place);
            turns.remove(place);
        }
        assert_eq!((turns.len(), turns.callers.order.len()), (1, 1));
        assert_eq!(all(&mut turns), ["stays"]);
        turns.remove(stays);
        assert_eq!((turns.len(), turns.callers.lines.len()), (0, 0));
    }
}
