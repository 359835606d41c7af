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
use crate::clock;
use crate::error::{Error, Execution, Result};

mod client;
mod limit;
mod retry;
mod settings;
pub mod survey;

pub use client::{Client, TlsRoots};
pub use settings::{Limits, Retry, Settings, Timeouts};

use limit::Limiter;
use retry::Policy;

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
}

/// One target's way to its upstream, on one thread: connections belong to the thread that made them.
#[derive(Debug)]
pub struct Transport {
    client: Client,
    shared: Arc<Shared>,
    timeouts: Timeouts,
}

/// What one target's transports share across threads: the slots and the retry budget.
#[derive(Debug)]
pub struct Shared {
    limiter: Limiter,
    policy: Policy,
}

impl Shared {
    /// Slots and budget as the settings say.
    #[must_use]
    pub fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            limiter: Limiter::new(&settings.limits),
            policy: Policy::new(&settings.retry),
        })
    }
}

impl Transport {
    /// Builds the stack from checked settings.
    ///
    /// # Errors
    /// When the TLS roots cannot be read.
    pub fn new(settings: &Settings, shared: Arc<Shared>) -> std::result::Result<Self, String> {
        Ok(Self {
            client: Client::new(settings)?,
            shared,
            timeouts: settings.timeouts,
        })
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

    async fn attempt(&self, call: &mut Call, request: &Request, protocol: &dyn Protocol) -> Result<Response> {
        let bound = request.attempt_timeout.unwrap_or(self.timeouts.attempt);
        if call.remaining().is_zero() {
            return Err(Call::out_of_time(Execution::NotStarted));
        }
        let signature = protocol.sign(request, clock::now())?;
        call.attempts += 1;
        let sent = self.client.send(call, request, signature, bound).await;
        let response = sent.map_err(|(failure, headers)| {
            call.upstream_request_id = protocol.request_id(&headers).or(call.upstream_request_id.take());
            failure
        })?;
        if let Some(id) = protocol.request_id(&response.headers) {
            call.upstream_request_id = Some(id);
        }
        protocol
            .classify(request, &response)
            .map(|()| response)
            .map_err(|error| describe(error, call))
    }
}

/// Adds what only the transport saw.
fn describe(error: Error, call: &Call) -> Error {
    error.with(|facts| {
        if facts.upstream_request_id.is_none() {
            facts.upstream_request_id.clone_from(&call.upstream_request_id);
        }
    })
}

/// `Retry-After` as seconds or as a date (RFC 9110 §10.2.3); nonsense is as if it were absent.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let date = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822).ok()?;
    Some(
        SystemTime::from(date)
            .duration_since(now)
            .unwrap_or(Duration::ZERO),
    )
}

#[cfg(test)]
mod tests;
