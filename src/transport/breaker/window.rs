//! Good and bad outcomes of the last while, forgotten a tenth at a time.

use std::time::Duration;

use tokio::time::Instant;

/// Slots of a window: what is forgotten at once is at most a tenth of it.
const SLOTS: usize = 10;

/// Counts over a rolling window.
#[derive(Debug)]
pub(super) struct Window {
    slot: Duration,
    began: Instant,
    counts: [Counts; SLOTS],
    /// Index of the newest slot.
    newest: usize,
}

/// Outcomes counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) good: u32,
    pub(super) bad: u32,
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        Self {
            slot: (length / 10).max(Duration::from_millis(1)),
            began: now,
            counts: [Counts::default(); SLOTS],
            newest: 0,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.counts = [Counts::default(); SLOTS];
    }

    /// The slot of this moment.
    pub(super) fn now(&mut self, now: Instant) -> &mut Counts {
        let passed = now.saturating_duration_since(self.began);
        if passed >= self.slot {
            self.turn(passed);
        }
        &mut self.counts[self.newest]
    }

    /// All outcomes still remembered.
    pub(super) fn sum(&self) -> Counts {
        self.counts
            .iter()
            .fold(Counts::default(), |sum, slot| Counts {
                good: sum.good.saturating_add(slot.good),
                bad: sum.bad.saturating_add(slot.bad),
            })
    }

    fn turn(&mut self, passed: Duration) {
        let slots = passed.as_nanos() / self.slot.as_nanos();
        let Some(slots) = usize::try_from(slots).ok().filter(|slots| *slots < SLOTS) else {
            self.clear();
            self.began += passed;
            return;
        };
        for _ in 0..slots {
            self.newest = (self.newest + 1) % SLOTS;
            self.counts[self.newest] = Counts::default();
            self.began += self.slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_older_than_the_window_is_forgotten_slot_by_slot() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new(Duration::from_secs(10), start);
        for second in 0..10 {
            window.now(at(second)).bad += 1;
        }
        assert_eq!(window.sum().bad, 10);
        window.now(at(10)).good += 1;
        assert_eq!((window.sum().good, window.sum().bad), (1, 9));
        window.now(at(14));
        assert_eq!((window.sum().good, window.sum().bad), (1, 5));
        window.now(at(1000));
        assert_eq!((window.sum().good, window.sum().bad), (0, 0));
        // A moment before the newest slot, as another thread may bring it, counts there.
        window.now(at(500)).good += 1;
        assert_eq!(window.sum().good, 1);
    }
}
