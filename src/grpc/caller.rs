//! Whose calls these are, and the bounds on memory as that peer sees them.

use std::sync::Arc;

use crate::memory::{Memory, Share};

/// Memory of its own that each of three kinds of questions about health has, on each thread:
/// checks, watches, and both over a Unix socket. They are asked without a token, so that they take
/// no room from calls, nor calls from them.
const FOR_HEALTH: usize = 2 << 20;

/// Bounds of the edge.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest message either way, in bytes.
    pub max_message_size: usize,
    /// Room for the messages in flight, shared with the answers of all targets.
    pub memory: Memory,
}

/// What one peer holds of each bound: calls, and the two kinds of questions about health.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// Calls.
    pub calls: Share,
    checks: Share,
    watches: Share,
}

/// All bounds of one thread.
#[derive(Debug)]
pub(super) struct MemoryBounds {
    calls: Memory,
    health_checks: Memory,
    health_watches: Memory,
    local_health: Memory,
}

/// A connection and its bounds.
#[derive(Debug)]
pub(super) struct Caller {
    /// The connection; 0 = none in particular.
    pub(super) number: u64,
    pub(super) memory: Memory,
    pub(super) health_checks: Memory,
    pub(super) health_watches: Memory,
}

impl MemoryBounds {
    /// With `calls` for all that is not about health.
    pub(super) fn new(calls: Memory) -> Self {
        let [health_checks, health_watches, local_health] =
            [(); 3].map(|()| Memory::new(FOR_HEALTH));
        Self {
            calls,
            health_checks,
            health_watches,
            local_health,
        }
    }

    /// As the peer sees them whose shares these are: one of the network, or a `local` one.
    pub(super) fn caller(&self, number: u64, shares: &Shares, local: bool) -> Arc<Caller> {
        let (checks, watches) = if local {
            (&self.local_health, &self.local_health)
        } else {
            (&self.health_checks, &self.health_watches)
        };
        Arc::new(Caller {
            number,
            memory: self.calls.shared(&shares.calls, local),
            health_checks: checks.shared(&shares.checks, local),
            health_watches: watches.shared(&shares.watches, local),
        })
    }
}
