//! Who the sidecar is to NAVER Cloud: a key that signs each attempt, and the judgement of each
//! answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Signer, errors};
use crate::clock::epoch_millis;
use crate::credentials::{Credentials, KeyPair};
use crate::error::{Component, Error, Kind, Result, reason, short_id};
use crate::provider::fall_over::SignedExchange;
use crate::provider::inner_error;
use crate::transport::{Protocol, Request, Response, Transport, retry_after};

const TIMESTAMP: HeaderName = HeaderName::from_static("x-ncp-apigw-timestamp");
const ACCESS_KEY: HeaderName = HeaderName::from_static("x-ncp-iam-access-key");
const SIGNATURE: HeaderName = HeaderName::from_static("x-ncp-apigw-signature-v2");
/// The gateway refuses a time that is 5 minutes off (NCP docs: common-ncpapi) with the same words
/// as a wrong key. A little less, as its `Date` counts whole seconds and another of its machines
/// may have answered.
const CLOCK_FAULT: Duration = Duration::from_secs(4 * 60);

type Headers = Vec<(HeaderName, HeaderValue)>;

/// A signer and the generation of keys that it was made from.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) generation: u64,
    signer: Signer,
    access_key: HeaderValue,
}

/// The current keys, prepared once a generation.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) credentials: Credentials,
    prepared: ArcSwapOption<Prepared>,
}

/// The key of one request.
pub(super) enum Key<'a> {
    /// Whatever is current at each attempt.
    Current(&'a Keys),
    /// This one.
    This(Box<Prepared>),
}

/// What differs between requests beside the key.
pub(super) trait Form: Send + Sync {
    /// See [`Protocol::refit`].
    fn refit(&self, _request: &Request, _left: Duration) -> Result<Option<Request>> {
        Ok(None)
    }

    /// Says what an answer means; `now` is the upstream's time.
    fn judge(&self, response: &Response, now: SystemTime) -> Result<()> {
        judge(response, now)
    }
}

/// Nothing does.
pub(super) struct Plain;

impl Form for Plain {}

/// A request's protocol with the transport.
pub(super) struct Sealed<'a> {
    key: Key<'a>,
    form: &'a dyn Form,
    transport: &'a Transport,
    /// The generation that signed last; 0 = nothing was signed.
    used: AtomicU64,
}

impl Prepared {
    /// Prepares keys for signing.
    ///
    /// # Errors
    /// `CREDENTIALS_UNUSABLE` when they cannot be sent.
    pub(super) fn new(generation: u64, keys: &KeyPair) -> Result<Self> {
        Ok(Self {
            generation,
            signer: Signer::new(keys).map_err(unusable)?,
            access_key: HeaderValue::from_str(&keys.access_key).map_err(|_| {
                unusable("the access key holds a character that no header can carry")
            })?,
        })
    }

    pub(super) fn sign(&self, request: &Request, now: SystemTime) -> Result<Headers> {
        let mut digits = itoa::Buffer::new();
        let timestamp = digits.format(epoch_millis(now));
        let target = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
        let signature = self.signer.sign(request.method.as_str(), target, timestamp);
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|fault| {
                Error::new(
                    Kind::Internal,
                    reason::SIGNATURE_NOT_SENDABLE,
                    format!("A signature header is not valid: {fault}."),
                )
            })
        };
        Ok(vec![
            (TIMESTAMP, value(timestamp)?),
            (ACCESS_KEY, self.access_key.clone()),
            (SIGNATURE, value(&signature)?),
        ])
    }
}

impl Keys {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            prepared: ArcSwapOption::empty(),
        }
    }

    pub(super) fn prepared(&self) -> Result<Arc<Prepared>> {
        let snapshot = self.credentials.current()?;
        if let Some(prepared) = self.prepared.load_full()
            && prepared.generation == snapshot.generation
        {
            return Ok(prepared);
        }
        let keys = snapshot.keys.as_ref().map_err(unusable)?;
        let prepared = Arc::new(Prepared::new(snapshot.generation, keys)?);
        self.prepared.store(Some(Arc::clone(&prepared)));
        Ok(prepared)
    }
}

impl<'a> Sealed<'a> {
    pub(super) fn new(key: Key<'a>, form: &'a dyn Form, transport: &'a Transport) -> Self {
        Self {
            key,
            form,
            transport,
            used: AtomicU64::new(0),
        }
    }
}

impl SignedExchange for Sealed<'_> {
    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Protocol for Sealed<'_> {
    fn sign(&self, request: &Request, now: SystemTime) -> Result<Headers> {
        match &self.key {
            Key::This(prepared) => prepared.sign(request, now),
            Key::Current(keys) => {
                let prepared = keys.prepared()?;
                self.used.store(prepared.generation, Ordering::Relaxed);
                prepared.sign(request, now)
            }
        }
    }

    fn refit(&self, request: &Request, left: Duration) -> Result<Option<Request>> {
        self.form.refit(request, left)
    }

    fn classify(&self, _request: &Request, response: &Response) -> Result<()> {
        self.form.judge(response, self.transport.now())
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        request_id(headers)
    }

    fn clock_fault(&self, error: &Error) -> Option<Duration> {
        (error.kind == Kind::Unauthenticated).then_some(CLOCK_FAULT)
    }
}

/// By code and status alone.
pub(super) fn judge(response: &Response, now: SystemTime) -> Result<()> {
    if response.status.is_success() && !inner_error::reported(response.json()) {
        return Ok(());
    }
    Err(
        errors::classify(response.status, response.json()).with(|facts| {
            facts.retry_after = retry_after(&response.headers, now);
            facts.upstream_request_id = request_id(&response.headers);
        }),
    )
}

pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-ncp-apigw-request-id", "x-ncp-trace-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(short_id)
}

fn unusable(why: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Unauthenticated,
        reason::CREDENTIALS_UNUSABLE,
        format!("The sidecar's key cannot be used: {why}."),
    )
    .component(Component::Sidecar)
}
