//! The log of one run, bounded: what does not fit is dropped and leaves a mark.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::clock::Clock;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub time: DateTime<Utc>,
    /// Written to standard error, not to standard output.
    pub is_error: bool,
    /// The text without its line end.
    pub text: String,
}

/// Collects lines. Clones write to the same log.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    lines: Vec<LogLine>,
    left: usize,
    cut: bool,
}

impl Logs {
    pub(super) fn new(max_bytes: usize, clock: &Clock) -> Self {
        let state = State {
            lines: Vec::new(),
            left: max_bytes,
            cut: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            clock: clock.clone(),
        }
    }

    /// Adds a text; each line of it becomes a line of the log, as a container's log driver does it.
    pub(super) fn write(&self, is_error: bool, text: &str) {
        let time = self.clock.now();
        let mut state = self.lock();
        for line in text.split('\n') {
            if state.cut || line.len() + 1 > state.left {
                state.cut = true;
                return;
            }
            state.left -= line.len() + 1;
            state.lines.push(LogLine {
                time,
                is_error,
                text: line.trim_end_matches('\r').to_owned(),
            });
        }
    }

    /// Takes what has been collected: the lines, and whether some were dropped.
    pub(super) fn take(&self) -> (Vec<LogLine>, bool) {
        let mut state = self.lock();
        (std::mem::take(&mut state.lines), state.cut)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_lines_and_stops_when_full() {
        let logs = Logs::new(8, &Clock::default());
        logs.write(false, "a\nb");
        logs.write(true, "cc");
        logs.write(false, "dddd");
        logs.write(false, "e");
        let (lines, cut) = logs.take();
        let lines: Vec<_> = lines
            .into_iter()
            .map(|line| (line.is_error, line.text))
            .collect();
        assert_eq!(
            lines,
            [
                (false, "a".into()),
                (false, "b".into()),
                (true, "cc".into())
            ]
        );
        assert!(cut);
    }
}
