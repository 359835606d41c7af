//! Calls with a `request_id`: how many were a call of their own, and how many a repetition of one.

use super::Metrics;
use super::names::DEDUP;
use super::value::Counter;

/// What became of calls with a `request_id`.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    /// First calls, which started work.
    pub started: Counter,
    /// Repeated ones that joined a call in flight.
    pub joined: Counter,
    /// Repeated ones that got the stored answer.
    pub answered: Counter,
    /// Refused: another request under a used id, or no room for more ids.
    pub refused: Counter,
}

impl Repeats {
    /// Those of the process; the default is counted for nobody.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let counter = |outcome| metrics.family(&DEDUP).counter(&[outcome]);
        Self {
            started: counter("started"),
            joined: counter("joined"),
            answered: counter("answered"),
            refused: counter("refused"),
        }
    }
}
