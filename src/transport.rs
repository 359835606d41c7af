//! The outbound stack of one target: slot → loop of (sign → send → classify) while verdict, attempts, budget and
//! deadline allow.
//!
//! Knows no cloud: a provider hands in a [`Protocol`]. Signing and classification stand inside the loop, because an old
//! signature is refused and the retry decision needs a classified error, not an HTTP status.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use url::Url;

use crate::call::Call;
use crate::error::{Error, Execution, Result};

mod client;
mod limit;
mod retry;
mod settings;
mod skew;
pub mod survey;
mod tls;

pub use client::Client;
pub use settings::{Limits, Retry, Settings, Timeouts};
pub use tls::{ClientFiles, Tls, TlsFiles};

use limit::Limiter;
use retry::Policy;
use skew::{Reading, Skew};

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

/// What the transport must ask the provider.
pub trait Protocol: Send + Sync {
    /// Headers that authenticate `request` when sent at `now`. Must not change the request.
    ///
    /// # Errors
    /// When there are no credentials; nothing is sent then.
    fn sign(&self, request: &Request, now: SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>>;

    /// Accepts an answer as a success, or says what it means.
    ///
    /// # Errors
    /// The classified failure: code table first, HTTP status second.
    fn classify(&self, request: &Request, response: &Response) -> Result<()>;

    /// The upstream's own id of a request, from its answer's headers.
    fn request_id(&self, headers: &HeaderMap) -> Option<String>;

    /// Whether a wrong time in the signature may be why `error` was answered, and how far off it must have been for
    /// that; `None` = no other time would have helped.
    fn clock_fault(&self, error: &Error) -> Option<Duration>;
}

/// One target's way to its upstream, on one thread: connections belong to the thread that made them.
#[derive(Debug)]
pub struct Transport {
    client: Client,
    shared: Arc<Shared>,
    timeouts: Timeouts,
}

/// What one target's transports share across threads: the slots, the retry budget and the upstream's clock.
#[derive(Debug)]
pub struct Shared {
    limiter: Limiter,
    policy: Policy,
    skew: Skew,
}

impl Shared {
    /// Slots and budget as the settings say.
    #[must_use]
    pub fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            limiter: Limiter::new(&settings.limits),
            policy: Policy::new(&settings.retry),
            skew: Skew::new(),
        })
    }

    /// How far the machine's clock is ahead of the upstream's, in milliseconds (negative: behind); `None` until an answer
    /// has shown it. Signatures are corrected by it.
    #[must_use]
    pub fn skew_ms(&self) -> Option<i64> {
        self.skew.machine_ahead_ms()
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
        }
    }

    /// Sends `request` until it succeeds, surely fails, or may not be repeated.
    ///
    /// # Errors
    /// The last attempt's classified error; `call` holds how many attempts were made.
    pub async fn send(
        &self,
        call: &mut Call,
        request: &Request,
        protocol: &dyn Protocol,
    ) -> Result<Response> {
        call.idempotent = request.idempotent;
        let _slot = self.shared.limiter.enter(call).await?;
        self.shared.policy.deposit();
        let mut attempt = 0;
        let mut execution = Execution::NotStarted;
        loop {
            attempt += 1;
            let error = match self.attempt(call, request, protocol).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // What an earlier attempt may have done stays true when a later one is refused.
            execution = execution.max(error.execution);
            let error = error.execution(execution);
            match self
                .shared
                .policy
                .next(attempt, request.idempotent, &error, call.remaining())
            {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// The upstream's time, as far as its answers have shown it; the machine's own until then.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.shared.skew.read().upstream()
    }

    /// One attempt; and at once one more, signed with the corrected time, when the first was refused for a wrong one.
    /// Nothing was carried out then, so that it is no retry and costs no budget.
    async fn attempt(&self, call: &mut Call, request: &Request, protocol: &dyn Protocol) -> Result<Response> {
        let skew = &self.shared.skew;
        let at = skew.read();
        let refused = match self.exchange(call, request, protocol, &at).await {
            Ok(response) => return Ok(response),
            Err(refused) => refused,
        };
        let least = protocol.clock_fault(&refused.error);
        let Some(correction) = least.and_then(|least| skew.refused(&at, &refused.headers, least)) else {
            return Err(refused.error);
        };
        let again = self.exchange(call, request, protocol, &skew.read()).await;
        again.map_err(|refused| {
            if protocol.clock_fault(&refused.error).is_some() {
                skew.refute(correction);
            }
            refused.error
        })
    }

    /// One signed HTTP exchange.
    async fn exchange(
        &self,
        call: &mut Call,
        request: &Request,
        protocol: &dyn Protocol,
        at: &Reading,
    ) -> std::result::Result<Response, Refused> {
        let bound = request.attempt_timeout.unwrap_or(self.timeouts.attempt);
        if call.remaining().is_zero() {
            return Err(Call::out_of_time(Execution::NotStarted).into());
        }
        let signature = protocol.sign(request, at.upstream())?;
        call.attempts += 1;
        let sent = self.client.send(call, request, &signature, bound).await;
        let response = sent.map_err(|(failure, headers)| {
            call.upstream_request_id = protocol.request_id(&headers).or(call.upstream_request_id.take());
            failure
        })?;
        if let Some(id) = protocol.request_id(&response.headers) {
            call.upstream_request_id = Some(id);
        }
        if let Err(error) = protocol.classify(request, &response) {
            return Err(Refused {
                error: describe(error, call),
                headers: response.headers,
            });
        }
        // Only a good answer proves that the signature was looked at and its time accepted.
        if response.status.is_success() {
            let host = request.url.host_str().unwrap_or_default();
            self.shared.skew.accepted(at, &response.headers, host);
        }
        Ok(response)
    }
}

/// A failed exchange, with the headers of its answer if a whole one came.
struct Refused {
    error: Error,
    headers: HeaderMap,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            headers: HeaderMap::new(),
        }
    }
}

/// How far the time of a signature made for `signed` was from the upstream's, by the `Date` of its answer.
#[must_use]
pub fn signed_off_by(signed: SystemTime, headers: &HeaderMap) -> Option<Duration> {
    skew::off_by(signed, headers)
}

/// The upstream's time in an answer, if it can be believed: one `Date`, fresh from its origin, of this century or the next.
#[must_use]
pub fn date(headers: &HeaderMap) -> Option<SystemTime> {
    skew::date(headers)
}

/// Adds what only the transport saw.
fn describe(error: Error, call: &Call) -> Error {
    error.with(|facts| {
        if facts.upstream_request_id.is_none() {
            facts.upstream_request_id.clone_from(&call.upstream_request_id);
        }
    })
}

/// `Retry-After` as seconds or as a date (RFC 9110 §10.2.3); nonsense is as if it were absent. A date counts from the
/// answer's own `Date`, since the machine's clock may be wrong; `now` stands in for one that is missing.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = skew::date(headers).unwrap_or(now);
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests;
