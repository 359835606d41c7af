//! What a target's configuration says about its transport; checked by the configuration room.

use std::sync::Arc;
use std::time::Duration;

use super::client::Resolver;
use super::tls::Tls;
use crate::memory::Memory;
use crate::telemetry::metrics::TargetMetrics;

/// All of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom to trust and who to be; `None` = the upstream is reached over plain HTTP.
    pub tls: Option<Tls>,
    /// Retry rules.
    pub retry: Retry,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// Bounds in number and size.
    pub limits: Limits,
    /// When calls are refused because the upstream is sick.
    pub breaker: Breaker,
    /// How far the time of a signature may be from this machine's clock.
    pub max_clock_correction: Duration,
    /// Room for the bodies of answers, shared with all targets.
    pub memory: Memory,
    /// What is counted for the target.
    pub metrics: Arc<TargetMetrics>,
    /// Names and addresses, shared with all targets.
    pub resolver: Resolver,
}

/// Retry rules.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Attempts a request may take in all, 1–10.
    pub max_attempts: u32,
    /// Upper bound of the first random pause.
    pub initial_backoff: Duration,
    /// Upper bound of any random pause.
    pub max_backoff: Duration,
    /// Retries allowed for each call, as a share; 0–1.
    pub budget_ratio: f32,
    /// Retries a second allowed whatever the share; 0–1000.
    pub budget_min_per_second: u32,
}

/// Bounds in time.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP and TLS set-up.
    pub connect: Duration,
    /// One attempt, from signing to the last byte of the answer.
    pub attempt: Duration,
    /// An idle connection is closed after this; keep it under the server's own.
    pub idle: Duration,
    /// A connection is replaced by a fresh one after about this, so that changes in DNS are
    /// followed.
    pub max_connection_age: Duration,
}

/// Bounds in number and size.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests in flight to this target.
    pub max_in_flight: usize,
    /// Calls that may wait for a slot.
    pub max_queue: usize,
    /// How long one may wait; `None` = as long as its own deadline allows.
    pub queue_timeout: Option<Duration>,
    /// Largest answer body accepted, in bytes.
    pub max_response_size: usize,
    /// Whether the rate that the cloud allows is learnt from its refusals.
    pub adaptive_rate: bool,
}

/// When calls are refused because the upstream is sick.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    /// False = never.
    pub enabled: bool,
    /// Failures in a row that open the circuit; 0 turns this signal off.
    pub consecutive_failures: u32,
    /// Opens when fewer than this share of the window's requests went well; 0–1, 0 turns this
    /// signal off.
    pub success_rate: f64,
    /// Requests that the window must hold before that share counts; at least 1.
    pub min_requests: u32,
    /// Length of the window.
    pub window: Duration,
    /// Upper bound of the first pause before a probe; each further one doubles.
    pub open: Duration,
    /// Upper bound of any pause.
    pub max_open: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tls: None,
            retry: Retry {
                max_attempts: 3,
                initial_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(5),
                budget_ratio: 0.1,
                budget_min_per_second: 1,
            },
            timeouts: Timeouts {
                connect: Duration::from_secs(3),
                attempt: Duration::from_secs(75),
                idle: Duration::from_secs(50),
                max_connection_age: Duration::from_secs(300),
            },
            limits: Limits {
                max_in_flight: 100,
                max_queue: 2000,
                queue_timeout: None,
                max_response_size: 64 << 20,
                adaptive_rate: true,
            },
            breaker: Breaker {
                enabled: true,
                consecutive_failures: 10,
                success_rate: 0.5,
                min_requests: 20,
                window: Duration::from_secs(10),
                open: Duration::from_secs(1),
                max_open: Duration::from_secs(30),
            },
            max_clock_correction: Duration::from_hours(24),
            memory: Memory::new(256 << 20),
            metrics: TargetMetrics::unread(),
            resolver: Resolver::default(),
        }
    }
}
