//! How much may run at the same time: in all, and of each function.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Running counts. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    total: usize,
    functions: HashMap<String, i64>,
}

/// Gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    function: String,
}

impl Slots {
    /// A place for a run; `None` when all are taken. A function's limit of −1 is none.
    pub(super) fn take(
        &self,
        function: &str,
        function_limit: i64,
        total_limit: usize,
    ) -> Option<Slot> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let own = running.functions.get(function).copied().unwrap_or_default();
        if running.total >= total_limit || (function_limit >= 0 && own >= function_limit) {
            return None;
        }
        running.total += 1;
        *running.functions.entry(function.to_owned()).or_default() += 1;
        Some(Slot {
            slots: self.clone(),
            function: function.to_owned(),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut running = self
            .slots
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.total -= 1;
        if let Some(own) = running.functions.get_mut(&self.function) {
            *own -= 1;
            if *own == 0 {
                running.functions.remove(&self.function);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_places_come_back() {
        let slots = Slots::default();
        let first = slots.take("a", 1, 2).unwrap();
        assert!(slots.take("a", 1, 2).is_none());
        let second = slots.take("b", -1, 2).unwrap();
        assert!(slots.take("c", -1, 2).is_none() && slots.take("d", 0, 9).is_none());
        drop((first, second));
        assert!(slots.take("a", 1, 1).is_some());
    }
}
