//! The cells that hold numbers: atomics only, so that a call never waits for another thread or for
//! a scrape.
//!
//! Whole numbers inside: nanoseconds for durations, bytes for sizes. The family's unit says what
//! they are when read.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A sum that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

/// How observations spread over fixed bounds.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// Upper bounds, inclusive, rising.
    bounds: &'static [u64],
    /// One for each bound, and one for what is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram as read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Upper bounds, in the cell's own unit.
    pub bounds: &'static [u64],
    /// Observations in each bucket, not cumulative; one more than bounds.
    pub counts: Vec<u64>,
    /// Sum of all observations, in the cell's own unit.
    pub sum: u64,
}

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// More of a time, for families in seconds.
    pub fn add_time(&self, more: Duration) {
        self.add(nanos(more));
    }

    /// The sum so far, in the cell's own unit.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// This many.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Histogram {
    /// Empty, over rising `bounds`.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        Self(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }))
    }

    /// One observation, in the cell's own unit.
    pub fn observe(&self, value: u64) {
        let Buckets {
            bounds,
            counts,
            sum,
        } = &*self.0;
        // At most twenty bounds, and most observations are small: walking beats halving.
        let bucket = bounds.iter().take_while(|bound| value > **bound).count();
        counts[bucket].fetch_add(1, Ordering::Relaxed);
        sum.fetch_add(value, Ordering::Relaxed);
    }

    /// One duration, for families in seconds.
    pub fn observe_time(&self, took: Duration) {
        self.observe(nanos(took));
    }

    /// What was observed so far. Observations that happen meanwhile may be in the counts and not
    /// yet in the sum.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let Buckets {
            bounds,
            counts,
            sum,
        } = &*self.0;
        Spread {
            bounds,
            counts: counts
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect(),
            sum: sum.load(Ordering::Relaxed),
        }
    }
}

impl Spread {
    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Takes away what was observed before.
    pub fn subtract(&mut self, before: &Self) {
        for (count, before) in self.counts.iter_mut().zip(&before.counts) {
            *count = count.saturating_sub(*before);
        }
        self.sum = self.sum.saturating_sub(before.sum);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_nothing_is_lost_above_the_last() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, 1_000] {
            histogram.observe(value);
        }
        let spread = histogram.spread();
        assert_eq!(spread.counts, [2, 2, 2]);
        assert_eq!((spread.count(), spread.sum), (6, 1_062));
    }

    #[test]
    fn threads_lose_no_observation() {
        let histogram = Histogram::new(&[10]);
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for value in 0..10_000 {
                        histogram.observe(value % 20);
                        counter.inc();
                    }
                });
            }
        });
        assert_eq!(histogram.spread().count(), 40_000);
        assert_eq!(histogram.spread().sum, 4 * 500 * 190);
        assert_eq!(counter.get(), 40_000);
    }
}
