//! The log's way out: lines gather in a bounded buffer, and one thread writes them to standard
//! error.
//!
//! A call never waits for a slow reader of the log: what does not fit is dropped and counted, and
//! the log says how many lines are missing. Access lines of the same few milliseconds leave in one
//! system call.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait; a reader that stands still for longer than this lasts loses lines.
const MAX_WAITING: usize = 1 << 20;
/// Lines gather for this long before they leave: one wake-up and one system call for all of them.
const GATHER: Duration = Duration::from_millis(5);

/// Takes lines; cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// The thread is writing what it took.
    busy: bool,
    /// Something among the lines is to leave at once.
    urgent: bool,
}

impl Writer {
    /// Starts the thread that writes to `out`; without a thread lines are dropped.
    pub(super) fn start(out: impl Write + Send + 'static) -> Self {
        let writer = Self(Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
            dropped: AtomicU64::new(0),
        }));
        let shared = Arc::clone(&writer.0);
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.run(out));
        writer
    }

    /// Takes one whole line, its end included, which leaves with those that follow it soon.
    pub fn line(&self, line: &[u8]) {
        self.take(line, false);
    }

    fn take(&self, line: &[u8], urgent: bool) {
        let mut waiting = self.0.waiting();
        if waiting.lines.len() + line.len() > MAX_WAITING {
            drop(waiting);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        waiting.urgent |= urgent;
        drop(waiting);
        if first || urgent {
            self.0.wake.notify_one();
        }
    }

    /// Lines lost so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything taken so far is written, but no longer than `bound`.
    pub fn flush(&self, bound: Duration) {
        let mut waiting = self.0.waiting();
        waiting.urgent = true;
        self.0.wake.notify_one();
        let unwritten = |waiting: &mut Waiting| waiting.busy || !waiting.lines.is_empty();
        drop(self.0.written.wait_timeout_while(waiting, bound, unwritten));
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        let mut reported = 0;
        loop {
            let mut waiting = self.waiting();
            while waiting.lines.is_empty() {
                self.written.notify_all();
                waiting = self
                    .wake
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if !waiting.urgent {
                // A flush or an urgent line ends it early; another line does not, since the buffer
                // is not empty.
                let gathered = self.wake.wait_timeout(waiting, GATHER);
                waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
            }
            waiting.urgent = false;
            mem::swap(&mut waiting.lines, &mut taken);
            waiting.busy = true;
            drop(waiting);
            // Standard error that is gone cannot be complained about.
            let _ = out.write_all(&taken);
            taken.clear();
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped > reported {
                let _ = writeln!(out, "{}", missing(dropped - reported));
                reported = dropped;
            }
            let _ = out.flush();
            self.waiting().busy = false;
        }
    }
}

/// A line that both formats' readers understand.
fn missing(lines: u64) -> String {
    format!(
        r#"{{"level":"WARN","message":"log lines were dropped: their reader is too slow","lines":{lines}}}"#
    )
}

/// One line of `tracing`'s formatter.
#[derive(Debug)]
pub struct Line(Writer);

impl Write for Line {
    /// The formatter hands over one event at once, with its end of line. Events are rare, and
    /// someone may wait for one.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.take(bytes, true);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that stands still until it is let go.
    struct Slow {
        gate: Receiver<()>,
        seen: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.gate.recv();
            self.seen.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Writer, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let (open, gate) = channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer::start(Slow {
            gate,
            seen: Arc::clone(&seen),
        });
        (writer, open, seen)
    }

    #[test]
    fn lines_come_out_in_order_and_a_flush_waits_for_them() {
        let (writer, open, seen) = slow();
        drop(open);
        for number in 0..1000 {
            writer.line(format!("{number}\n").as_bytes());
        }
        writer.flush(Duration::from_secs(20));
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(
            String::from_utf8(seen.lock().unwrap().clone()).unwrap(),
            expected
        );
        assert_eq!(writer.dropped(), 0);
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_no_time() {
        let (writer, open, seen) = slow();
        let line = [b'x'; 1023]
            .iter()
            .chain(b"\n")
            .copied()
            .collect::<Vec<_>>();
        for _ in 0..4096 {
            writer.line(&line);
        }
        let dropped = writer.dropped();
        // One buffer may be with the thread, one waits.
        assert!((2048..=3072).contains(&dropped), "{dropped}");
        writer.flush(Duration::from_millis(20));
        assert!(seen.lock().unwrap().is_empty());
        drop(open);
        writer.flush(Duration::from_secs(20));
        let text = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
        assert!(
            text.contains("log lines were dropped"),
            "the loss is not reported"
        );
    }
}
