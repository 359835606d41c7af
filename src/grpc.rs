//! The gRPC edge: the table of RPCs, and what all calls share.
//!
//! Picks the target, sets the deadline, reads the trace context, turns an
//! [`Error`](crate::error::Error) into a status with details. Knows neither HTTP upstreams nor
//! signatures nor clouds.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::call::Unsent;
use crate::target::Targets;

mod answer;
mod auth;
mod authorize;
mod caller;
mod deadline;
mod deadline_body;
mod dedup;
mod detached;
mod early;
mod edge;
mod headers;
mod health;
mod intake;
mod messages;
mod methods;
mod observe;
mod one_message;
mod protocol;
mod reflection;
mod router;
mod serve;
mod status;
mod trace;

pub use answer::PIECE;
pub use auth::{Proof, Tokens};
pub use caller::{Limits, Shares};
pub use dedup::{Dedup, Running, Window};
pub use early::{Answered, Pending};
pub use health::Health;
pub use router::Router;
pub use status::{DOMAIN, code_name};

/// The services of `faas.v1` over the configured targets.
#[derive(Clone, Debug)]
pub struct Services {
    /// Read once a call, so that a call sees one configuration from beginning to end.
    targets: Arc<ArcSwap<Targets>>,
    dedup: Arc<Dedup>,
    /// Calls that were refused before any target saw them.
    unsent: Arc<Unsent>,
}

impl Services {
    /// Serves what `targets` holds when a call begins; `dedup` is shared by all listeners and
    /// threads.
    #[must_use]
    pub fn new(targets: Arc<ArcSwap<Targets>>, dedup: Arc<Dedup>) -> Self {
        Self {
            targets,
            dedup,
            unsent: Arc::default(),
        }
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_timeout(text: &str) -> Option<std::time::Duration> {
    deadline::parse(text)
}
