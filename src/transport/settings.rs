//! What can be set of a target's transport.

use std::sync::Arc;
use std::time::Duration;

use super::client::Resolver;
use super::tls::Tls;
use crate::memory::Memory;
use crate::settings::units::format_duration;
use crate::settings::{Reader, TypedKey, settings};
use crate::telemetry::metrics::TargetMetrics;

/// All of it, with what a target shares.
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

settings! {
    /// Retry rules.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Retry in "targets.*.retry.", then check {
        /// The most attempts of one call, the first included; 1 turns retries off.
        max_attempts: u32 = integer(1, 10), Is("3");
        /// The upper bound of the first random pause; it doubles with each attempt.
        initial_backoff: Duration = millis(1, 60_000), Is("100ms");
        /// The upper bound of any pause.
        max_backoff: Duration = millis(1, 300_000), Is("5s");
        /// A limit on all retries of the target together, so that they cannot add to an outage.
        budget: Budget;
    }
}

settings! {
    /// A limit on all retries of a target together.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Budget in "targets.*.retry.budget." {
        /// Retries allowed for each call.
        ratio: f64 = number(0.0, 1.0), Is("0.1");
        /// Retries a second that are allowed in any case.
        min_per_second: u32 = integer(0, 1000), Is("1");
    }
}

settings! {
    /// Bounds in time. None is zero.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Timeouts in "targets.*.timeouts." {
        /// Connecting, with TLS.
        connect: Duration = millis(1, 300_000), Is("3s");
        /// One HTTP request, to the last byte of its answer. NCP is asked to hold a run for less
        /// than this, and its record is asked for then; a FunctionGraph run that takes longer is
        /// given up.
        attempt: Duration = millis(1, DAY), Depends("75s, on functiongraph 105s, or timeouts.request if that is shorter") => attempt;
        /// One gRPC call in all: queue, attempts, pauses and polling. A shorter deadline of the
        /// caller wins.
        request: Duration = millis(1, DAY), Is("310s");
        /// How long an unused connection is kept; keep it below the server's own limit. A shorter
        /// one that the server tells (Keep-Alive: timeout) wins.
        idle: Duration = millis(1, 3_600_000), Is("50s");
        /// Age from which a connection is replaced by a fresh one, which looks the name up again,
        /// so that changes in DNS are followed; until that one is there the old one serves. Up to a
        /// tenth more or less, at random.
        max_connection_age: Duration = millis(100, DAY), Is("5m");
    }
}

settings! {
    /// Bounds in number and size.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Limits in "targets.*.limits." {
        /// Calls of the target that run at once.
        max_in_flight: usize = integer(1, 100_000), Is("100");
        /// Calls that may wait for their turn; the next one is refused at once. Callers take turns,
        /// and so do the actions of each caller.
        max_queue: usize = integer(0, 100_000), Is("2000");
        /// How long a call waits for its turn.
        queue_timeout: Option<Duration> = millis(0, 3_600_000), Depends("none: as long as the call's deadline allows");
        /// The largest answer that is read from the cloud; a larger one than max_message_size
        /// cannot be passed on.
        max_response_size: usize = size(1 << 10, 1 << 30), Depends("max_message_size") => largest_message;
        /// Learns from the cloud's 429s how many requests a second it takes, and sends no more
        /// until it takes more; off until the first 429.
        adaptive_rate: bool = flag(), Is("true");
    }
}

settings! {
    /// When calls are refused because the upstream is sick.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Breaker in "targets.*.breaker.", then check {
        /// false lets every call try.
        enabled: bool = flag(), Is("true");
        /// Failed requests in a row, retries included, after which calls are refused; those in
        /// flight together count once. 0 turns this signal off.
        consecutive_failures: u32 = integer(0, 100_000), Is("10");
        /// Calls are refused when a smaller share of the window's requests went well. 0 turns this
        /// signal off.
        success_rate: f64 = number(0.0, 1.0), Is("0.5");
        /// Requests that the window must hold before their share counts: few calls never trip it.
        min_requests: u32 = integer(1, 100_000), Is("20");
        /// How far back the share of successes looks.
        window: Duration = millis(100, 3_600_000), Is("10s");
        /// The upper bound of the first pause before one call is let through to probe; it doubles
        /// with each probe that fails.
        open: Duration = millis(1, 3_600_000), Is("1s");
        /// The upper bound of any such pause.
        max_open: Duration = millis(1, 3_600_000), Is("30s");
    }
}

impl Retry {
    fn check(&mut self, reader: &mut Reader<'_>) {
        reader.ordered(
            (Self::initial_backoff, self.initial_backoff),
            (Self::max_backoff, self.max_backoff),
        );
    }
}

impl Breaker {
    fn check(&mut self, reader: &mut Reader<'_>) {
        reader.ordered((Self::open, self.open), (Self::max_open, self.max_open));
    }
}

fn attempt(reader: &mut Reader<'_>, key: TypedKey<Duration>) -> Option<Duration> {
    within_request(reader, key, reader.scope.attempt)
}

fn largest_message(reader: &mut Reader<'_>, key: TypedKey<usize>) -> Option<usize> {
    Some(reader.given(key).unwrap_or(reader.scope.largest))
}

/// A duration that cannot be longer than the whole call: a default is cut, a given one is refused.
pub(crate) fn within_request(
    reader: &mut Reader<'_>,
    key: TypedKey<Duration>,
    default: Duration,
) -> Option<Duration> {
    let request = reader.get(Timeouts::request)?;
    let Some(given) = reader.given(key) else {
        return Some(default.min(request));
    };
    if given > request {
        let (given, request) = (format_duration(given), format_duration(request));
        reader.fault(
            key,
            format!(
                "{given} is longer than timeouts.request ({request}); shorten it or raise that one"
            ),
        );
    }
    Some(given)
}

impl Default for Settings {
    /// Those of a target that sets nothing, counted nowhere: for tests.
    #[allow(clippy::expect_used, reason = "the defaults fit their rows")]
    fn default() -> Self {
        const FIT: &str = "defaults fit their rows";
        Self {
            tls: None,
            retry: Reader::defaults().expect(FIT),
            timeouts: Reader::defaults().expect(FIT),
            limits: Reader::defaults().expect(FIT),
            breaker: Reader::defaults().expect(FIT),
            max_clock_correction: Duration::from_hours(24),
            memory: Memory::new(256 << 20),
            metrics: TargetMetrics::unread(),
            resolver: Resolver::default(),
        }
    }
}
