//! What truly happened, by the number of a call: kept by the upstream, believed over everything
//! else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use crate::fault::Fault;

/// What a request asks the cloud to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Run the function and answer its result.
    Run,
    /// Queue a run.
    RunAsync,
    /// Read an activation's record.
    Read,
    /// Read a page of a list.
    List,
    /// Read a function's configuration, as a put does first on `FunctionGraph`.
    Look,
    /// Write an action, or its configuration.
    Put,
    /// Write a function's code.
    PutCode,
    /// Make a function with configuration and code; it goes into the books as both.
    Create,
    /// Delete an action.
    Delete,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The upstream met a request or connection with this.
    Met(Fault),
    /// A whole request was read; of this try, where its head tells.
    Read(Step, Option<usize>),
    /// It was carried out.
    Executed(Step, Option<usize>),
}

/// The truth about one call.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub events: Vec<(Instant, Event)>,
}

/// The books of all calls.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    calls: HashMap<u64, Truth>,
    /// What must never be, such as a body under another call's name.
    broken: Vec<String>,
}

impl Ledger {
    pub fn met(&self, call: u64, fault: Fault) {
        self.write(call, Event::Met(fault));
    }

    /// Notes a whole request of the call; how many there were before.
    pub fn read(&self, call: u64, step: Step, of: Option<usize>) -> usize {
        self.write(call, Event::Read(step, of));
        self.books()
            .calls
            .get(&call)
            .map_or(0, Truth::requests)
            .saturating_sub(1)
    }

    pub fn execute(&self, call: u64, step: Step, of: Option<usize>) {
        self.write(call, Event::Executed(step, of));
    }

    /// True when this step of the call was carried out before.
    pub fn has_executed(&self, call: u64, step: Step) -> bool {
        self.books()
            .calls
            .get(&call)
            .is_some_and(|truth| truth.count(step) > 0)
    }

    pub fn broken(&self, what: String) {
        self.books().broken.push(what);
    }

    /// Takes a call off the books.
    pub fn close(&self, call: u64) -> Truth {
        self.books().calls.remove(&call).unwrap_or_default()
    }

    /// What is left at the end: calls that something happened to after they were taken off, and
    /// what must never be.
    pub fn rest(&self) -> (Vec<u64>, Vec<String>) {
        let mut books = self.books();
        let late = books.calls.keys().copied().collect();
        (late, std::mem::take(&mut books.broken))
    }

    fn write(&self, call: u64, event: Event) {
        let mut books = self.books();
        let truth = books.calls.entry(call).or_default();
        truth.events.push((Instant::now(), event));
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }
}

impl Truth {
    pub fn count(&self, step: Step) -> usize {
        self.executions(step).count()
    }

    /// When this step was carried out, and for which try.
    pub fn executions(&self, step: Step) -> impl Iterator<Item = (Instant, Option<usize>)> {
        self.events
            .iter()
            .filter_map(move |(at, event)| match event {
                Event::Executed(done, of) if *done == step => Some((*at, *of)),
                _ => None,
            })
    }

    /// When the first request of this try was read.
    pub fn first_request(&self, of: usize) -> Option<Instant> {
        self.events
            .iter()
            .find(|(_, event)| matches!(event, Event::Read(_, by) if *by == Some(of)))
            .map(|(at, _)| *at)
    }

    /// Requests that were read to their end.
    pub fn requests(&self) -> usize {
        let read = |event: &&(Instant, Event)| matches!(event.1, Event::Read(..));
        self.events.iter().filter(read).count()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Met(fault) => write!(f, "upstream meets it with: {} {fault:?}", fault.name()),
            Self::Read(step, of) => write!(
                f,
                "upstream has read a whole request: {step:?}{}",
                of_try(*of)
            ),
            Self::Executed(step, of) => write!(f, "upstream EXECUTES {step:?}{}", of_try(*of)),
        }
    }
}

fn of_try(of: Option<usize>) -> String {
    of.map_or_else(String::new, |of| format!(" of try {}", of + 1))
}
