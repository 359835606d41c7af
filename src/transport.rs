//! The outbound stack of one target: slot → retry budget → loop of (learnt rate → circuit → sign →
//! send → classify) while verdict, attempts, budget and deadline allow.
//!
//! Knows no cloud: a provider hands in a [`Protocol`]. Signing and classification stand inside the
//! loop, because an old signature is refused and the retry decision needs a classified error, not
//! an HTTP status.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::call::{Call, Why};
use crate::error::{Error, Execution, Result};
use crate::telemetry::metrics::TargetMetrics;

mod attempt;
mod breaker;
mod client;
mod limit;
mod proof;
mod retry;
mod settings;
mod skew;
mod stats;
pub mod survey;
mod throttle;
mod tls;

pub use breaker::CircuitState;
pub use client::{Client, Resolver};
pub use proof::{execution_by, server_failed};
pub(crate) use settings::within_request;
pub use settings::{Breaker as BreakerSettings, Budget, Limits, Retry, Settings, Timeouts};
pub(crate) use skew::date;
pub use stats::Stats;
pub use tls::{ClientFiles, Tls, TlsFiles};

use breaker::{Breaker, Pass, Sign};
use limit::{Limiter, Slot};
use retry::{Next, Policy};
use skew::Skew;
use throttle::Throttle;

/// One HTTP request as a provider builds it, once a call. What is signed is this very URL.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Absolute URL; the client sends its path and query byte for byte.
    pub url: Url,
    /// Body; empty sends none.
    pub body: Bytes,
    /// Headers beside those of the signature.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// A second run does no harm.
    pub idempotent: bool,
    /// Bound of one attempt; absent = the target's own.
    pub attempt_timeout: Option<Duration>,
}

/// One HTTP answer, read to its end.
#[derive(Debug)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Whole body.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON text begins: without the byte order mark that some writers put before it
    /// (RFC 8259 §8.1).
    #[must_use]
    pub fn json(&self) -> &[u8] {
        self.body
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.body)
    }
}

/// What the transport must ask the provider.
pub trait Protocol: Send + Sync {
    /// Headers that authenticate `request` when sent at `now`. Must not change the request.
    ///
    /// # Errors
    /// When there are no credentials; nothing is sent then.
    fn sign(&self, request: &Request, now: SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>>;

    /// The request as it must be for a call with so much time `left`; `None` = as it is. Asked
    /// before each attempt.
    ///
    /// # Errors
    /// When no request makes sense any more; nothing is sent then.
    fn refit(&self, _request: &Request, _left: Duration) -> Result<Option<Request>> {
        Ok(None)
    }

    /// Accepts an answer as a success, or says what it means.
    ///
    /// # Errors
    /// The classified failure: code table first, HTTP status second.
    fn classify(&self, request: &Request, response: &Response) -> Result<()>;

    /// True when the head of an answer proves by itself that the request was carried out, whatever
    /// becomes of the body. A good status alone proves nothing: an error, or a proxy's page, may
    /// stand under it.
    fn proves_execution(&self, _status: StatusCode, _headers: &HeaderMap) -> bool {
        false
    }

    /// The upstream's own id of a request, from its answer's headers.
    fn request_id(&self, headers: &HeaderMap) -> Option<String>;

    /// Whether a wrong time in the signature may be why `error` was answered, and how far off it
    /// must have been for that; `None` = no other time would have helped.
    fn clock_fault(&self, error: &Error) -> Option<Duration>;
}

/// One target's way to its upstream, on one thread: connections belong to the thread that made
/// them.
#[derive(Debug)]
pub struct Transport {
    client: Client,
    shared: Arc<Shared>,
    timeouts: Timeouts,
    metrics: Arc<TargetMetrics>,
}

/// What one target's transports share across threads: slots, retry budget, circuit, learnt rate and
/// the upstream's clock.
#[derive(Debug)]
pub struct Shared {
    limiter: Limiter,
    policy: Policy,
    breaker: Breaker,
    throttle: Throttle,
    skew: Skew,
}

impl Shared {
    /// Everything as the settings say, with nothing learnt yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            limiter: Limiter::new(&settings.limits).telling(settings.metrics.queue_waits.clone()),
            policy: Policy::new(&settings.retry),
            breaker: Breaker::new(&settings.breaker),
            throttle: Throttle::new(settings.limits.adaptive_rate),
            skew: Skew::new(settings.max_clock_correction),
        })
    }

    /// How far the machine's clock is ahead of the upstream's, in milliseconds (negative: behind);
    /// `None` until an answer has shown it. Signatures are corrected by it.
    #[must_use]
    pub fn skew_ms(&self) -> Option<i64> {
        self.skew.machine_ahead_ms()
    }

    /// How things stand now, for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::read(self)
    }

    /// Leave for a request: a slot and the first attempt's leave.
    async fn admit(&self, call: &mut Call, request: &Request) -> Result<(Slot, Pass<'_>)> {
        // Asked before the queue too: nobody should wait there for a refusal.
        self.breaker.check()?;
        let arrived = call.request_begins();
        let slot = self.limiter.enter(call, request.url.path()).await?;
        call.queued(arrived);
        self.policy.admit(call)?;
        Ok((slot, self.pass(call).await?))
    }

    /// Leave for one attempt: the learnt rate's, then the circuit's.
    async fn pass(&self, call: &Call) -> Result<Pass<'_>> {
        // A token that comes when the call's time is nearly over is of no use: the call is refused
        // at once instead.
        let patience = self.limiter.patience(call).min(call.remaining() * 9 / 10);
        self.throttle.take(patience)?.wait().await;
        self.breaker.pass()
    }
}

impl Transport {
    /// Builds the stack from checked settings; opens no connection.
    #[must_use]
    pub fn new(settings: &Settings, shared: Arc<Shared>) -> Self {
        Self {
            client: Client::new(settings),
            shared,
            timeouts: settings.timeouts,
            metrics: Arc::clone(&settings.metrics),
        }
    }

    /// What is counted for the target.
    #[must_use]
    pub fn metrics(&self) -> &TargetMetrics {
        &self.metrics
    }

    /// Sends `request` until it succeeds, surely fails, or may not be repeated.
    ///
    /// # Errors
    /// The last attempt's classified error; `call` holds how many attempts were made. Or what the
    /// load rules refuse.
    pub async fn send(
        &self,
        call: &mut Call,
        request: &Request,
        protocol: &dyn Protocol,
    ) -> Result<Response> {
        call.idempotent = request.idempotent;
        let shared = &*self.shared;
        // A read of several requests was begun with the first of them.
        let reads = request.method == Method::GET;
        let mut execution = if reads {
            call.reads
        } else {
            Execution::NotStarted
        };
        self.in_time(call)
            .map_err(|error| after(error, execution))?;
        let (_slot, mut pass) = match shared.admit(call, request).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                shared.policy.unsent.note(call);
                return Err(after(refusal, execution));
            }
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match self.attempt(call, request, protocol).await {
                Ok(response) => {
                    pass.record(Sign::Good);
                    if reads {
                        call.reads = Execution::Unknown;
                    }
                    return Ok(response);
                }
                Err(error) => error,
            };
            shared.throttle.learn(&error, pass.began);
            pass.record(Sign::of(&error));
            execution = execution.max(error.execution);
            let error = after(error, execution);
            if error.may_retry(request.idempotent)
                && let Err(refusal) = shared.breaker.check()
            {
                return Err(not_before(error, &refusal));
            }
            let left = call.remaining();
            match shared
                .policy
                .next(attempt, request.idempotent, &error, left)
            {
                Next::Retry(pause) => {
                    call.pauses(Why::BackOff, Instant::now(), pause);
                    tokio::time::sleep(pause).await;
                }
                Next::Stop => return Err(error),
                Next::Spent => return Err(error.with(|facts| facts.retries_spent = true)),
            }
            pass = match shared.pass(call).await {
                Ok(pass) => pass,
                Err(refusal) => return Err(not_before(error, &refusal)),
            };
        }
    }

    /// The longest that one attempt may take, unless its request says otherwise.
    #[must_use]
    pub fn attempt_timeout(&self) -> Duration {
        self.timeouts.attempt
    }

    /// How far the machine's clock is ahead of that of `url`'s host, in milliseconds, by the `Date`
    /// of one unsigned answer, whatever else it says; `None` when it shows no usable one. True to a
    /// second or two.
    ///
    /// # Errors
    /// When the host cannot be reached `within` this time.
    pub async fn ask_clock(&self, url: Url, within: Duration) -> Result<Option<i64>> {
        let request = Request {
            method: Method::GET,
            url,
            body: Bytes::new(),
            headers: Vec::new(),
            idempotent: true,
            attempt_timeout: None,
        };
        let call = Call::new(Instant::now() + within);
        let at = self.shared.skew.read();
        let answer = self.client.send(&call, &request, &[], within).await;
        let (response, _) = answer.map_err(|(error, _)| error)?;
        Ok(self.shared.skew.measure(&at, &response.headers))
    }

    /// The upstream's time, as far as its answers have shown it; the machine's own until then.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.shared.skew.read().upstream()
    }
}

/// How far the time of a signature made for `signed` was from the upstream's, by the `Date` of its
/// answer.
#[must_use]
pub fn signed_off_by(signed: SystemTime, headers: &HeaderMap) -> Option<Duration> {
    skew::off_by(signed, headers)
}

/// A retry that the load rules refuse: the last error stays the truth, and their pause holds for
/// the caller, too.
fn not_before(error: Error, refusal: &Error) -> Error {
    error.with(|facts| facts.retry_after = facts.retry_after.max(refusal.retry_after))
}

/// What an earlier attempt may have done stays true when a later one is refused, and the message
/// must not deny it.
fn after(error: Error, execution: Execution) -> Error {
    if error.execution == execution {
        return error;
    }
    error.with(|facts| {
        facts.execution = execution;
        facts.message.push_str(match execution {
            Execution::Completed => " An earlier attempt was carried out.",
            _ => " An earlier attempt may have been carried out.",
        });
    })
}

/// `Retry-After` as seconds or as a date (RFC 9110 §10.2.3); nonsense is as if it were absent. A
/// date counts from the answer's own `Date`, since the machine's clock may be wrong; `now` stands
/// in for one that is missing.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = date(headers).unwrap_or(now);
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests;
