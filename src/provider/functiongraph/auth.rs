//! Who the sidecar is to the cloud: an access key that signs, or a token that a login gave.
//!
//! Either way one [`Sealed`] goes through the transport with a request: it adds the headers at each
//! attempt and judges each answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::guard::Guard;
use super::iam::TokenSource;
use super::sign::{self, Parts, Signer};
use super::{envelope, errors};
use crate::clock::epoch_millis;
use crate::credentials::token::Renewing;
use crate::credentials::{Credentials, KeyPair, LoginSource};
use crate::error::{Component, Error, Kind, Result, reason, short_id};
use crate::provider::fall_over::SignedExchange;
use crate::transport::{Protocol, Request, Response, signed_off_by};

pub(super) static HOST: HeaderName = header::HOST;
pub(super) static SDK_DATE: HeaderName = HeaderName::from_static("x-sdk-date");
pub(super) static PROJECT_ID: HeaderName = HeaderName::from_static("x-project-id");
pub(super) static SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-security-token");
pub(super) const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Bodies from this size on are hashed beside the threads that do I/O. Measured (release build, a
/// CPU with SHA extensions, which many have not): hashing takes 37 µs for 64 KiB and 0.6 ms for 1
/// MiB, handing a body over 5 µs. Below this size the way there saves nothing that another call
/// would notice.
const HASH_APART: usize = 64 << 10;

/// How a target proves who it is.
#[derive(Debug)]
pub enum Auth {
    /// An access key, permanent or temporary: every request is signed.
    Keys(Credentials),
    /// A user's login, exchanged for a token at IAM.
    Login(LoginSource),
}

/// The same at work.
pub(super) enum Identity {
    Keys(Keys),
    Token(Renewing<TokenSource>),
}

/// An access key with all that can be prepared from it.
pub(super) struct Keys {
    pub(super) credentials: Credentials,
    prepared: ArcSwapOption<Prepared>,
    guard: Guard,
}

pub(super) struct Prepared {
    generation: u64,
    signer: Signer,
    security_token: Option<HeaderValue>,
}

/// What one request carries beside itself.
pub(super) enum Proof<'a> {
    /// Signed at each attempt; the body's hash was made once.
    Signature {
        keys: &'a Keys,
        /// These, in place of the current ones.
        with: Option<Box<Prepared>>,
        body_hash: String,
        /// The generation of the keys that signed last, 0 before.
        used: AtomicU64,
        /// The time that they signed for, in milliseconds since 1970.
        signed: AtomicU64,
    },
    /// A token.
    Token(HeaderValue),
    /// Nothing: a login itself.
    Nothing,
}

/// Says what an answer means.
pub(super) type Judge = fn(&Response) -> Result<()>;

/// A request's protocol with the transport.
pub(super) struct Sealed<'a> {
    pub(super) proof: Proof<'a>,
    /// Signed and sent with keys; a token knows its project.
    pub(super) project: Option<&'a HeaderValue>,
    pub(super) judge: Judge,
}

impl Keys {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            prepared: ArcSwapOption::empty(),
            guard: Guard::default(),
        }
    }

    /// A proof for a request with this body.
    pub(super) async fn proof(&self, body: &Bytes) -> Proof<'_> {
        self.signature(hash(body).await, None)
    }

    fn signature(&self, body_hash: String, with: Option<Box<Prepared>>) -> Proof<'_> {
        Proof::Signature {
            keys: self,
            with,
            body_hash,
            used: AtomicU64::new(0),
            signed: AtomicU64::new(0),
        }
    }

    fn prepared(&self) -> Result<Arc<Prepared>> {
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

    /// The headers of one attempt. Signed: host, time, project, security token and every header of
    /// the request itself; what the client adds later (User-Agent, Accept, trace context) is not,
    /// since a hop may rewrite it.
    fn sign(
        &self,
        request: &Request,
        sealed: &Sealed<'_>,
        prepared: &Prepared,
        hash: &str,
        now: SystemTime,
    ) -> Result<Headers> {
        self.guard.admit(prepared.generation)?;
        let date = sign::date(now);
        let (host, time) = (sendable(&host(request))?, sendable(&date)?);
        let mut signed = Vec::with_capacity(request.headers.len() + 4);
        signed.extend(request.headers.iter().map(|(name, value)| (name, value)));
        signed.push((&HOST, &host));
        signed.push((&SDK_DATE, &time));
        if let Some(project) = sealed.project {
            signed.push((&PROJECT_ID, project));
        }
        if let Some(token) = &prepared.security_token {
            signed.push((&SECURITY_TOKEN, token));
        }
        let parts = Parts {
            method: request.method.as_str(),
            url: &request.url,
            headers: &signed,
            date: &date,
            payload_hash: hash,
        };
        let mut authorization = sendable(&prepared.signer.sign(&parts))?;
        authorization.set_sensitive(true);
        let mut headers = Vec::with_capacity(4);
        headers.push((header::AUTHORIZATION, authorization));
        if let Some(project) = sealed.project {
            headers.push((PROJECT_ID.clone(), project.clone()));
        }
        if let Some(token) = &prepared.security_token {
            headers.push((SECURITY_TOKEN.clone(), token.clone()));
        }
        headers.push((SDK_DATE.clone(), time));
        Ok(headers)
    }
}

impl Prepared {
    /// Prepares keys for signing.
    ///
    /// # Errors
    /// `CREDENTIALS_UNUSABLE` when they cannot be sent.
    fn new(generation: u64, keys: &KeyPair) -> Result<Self> {
        if HeaderValue::from_str(&keys.access_key).is_err() {
            return Err(unusable(
                "the access key holds a character that no header can carry",
            ));
        }
        let security_token = match &keys.security_token {
            None => None,
            Some(token) => Some(secret_header(token.reveal()).ok_or_else(|| {
                unusable("the security token holds a character that no header can carry")
            })?),
        };
        Ok(Self {
            generation,
            signer: Signer::new(keys).map_err(unusable)?,
            security_token,
        })
    }
}

impl Sealed<'_> {
    /// The same with these keys, where it is signed at all.
    pub(super) fn with(&self, generation: u64, pair: &KeyPair) -> Result<Self> {
        let proof = match &self.proof {
            Proof::Signature {
                keys, body_hash, ..
            } => {
                let prepared = Prepared::new(generation, pair)?;
                keys.signature(body_hash.clone(), Some(Box::new(prepared)))
            }
            Proof::Token(token) => Proof::Token(token.clone()),
            Proof::Nothing => Proof::Nothing,
        };
        Ok(Self { proof, ..*self })
    }
}

impl SignedExchange for Sealed<'_> {
    fn used(&self) -> u64 {
        match &self.proof {
            Proof::Signature { used, .. } => used.load(Ordering::Relaxed),
            Proof::Token(_) | Proof::Nothing => 0,
        }
    }
}

fn unusable(why: impl fmt::Display) -> Error {
    Error::new(
        Kind::Unauthenticated,
        reason::CREDENTIALS_UNUSABLE,
        format!("The sidecar's key cannot be used: {why}."),
    )
    .component(Component::Sidecar)
}

pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

impl Protocol for Sealed<'_> {
    fn sign(&self, request: &Request, now: SystemTime) -> Result<Headers> {
        match &self.proof {
            Proof::Nothing => Ok(Vec::new()),
            Proof::Token(token) => Ok(vec![(AUTH_TOKEN, token.clone())]),
            Proof::Signature {
                keys,
                with,
                body_hash,
                used,
                signed,
            } => {
                let current;
                let prepared = match with {
                    Some(prepared) => prepared,
                    None => {
                        current = keys.prepared()?;
                        &*current
                    }
                };
                let headers = keys.sign(request, self, prepared, body_hash, now)?;
                used.store(prepared.generation, Ordering::Relaxed);
                signed.store(epoch_millis(now), Ordering::Relaxed);
                Ok(headers)
            }
        }
    }

    fn classify(&self, request: &Request, response: &Response) -> Result<()> {
        let mut judged = (self.judge)(response);
        if let Proof::Signature {
            keys, used, signed, ..
        } = &self.proof
        {
            let refusal = judged.as_ref().err();
            let signed = UNIX_EPOCH + Duration::from_millis(signed.load(Ordering::Relaxed));
            // Many calls may be refused together when a clock steps, and each is signed again with
            // the right time: the key is as good as before.
            let by_clock = refusal.and_then(errors::clock_fault).is_some_and(|least| {
                signed_off_by(signed, &response.headers).is_some_and(|off_by| off_by >= least)
            });
            if !by_clock {
                keys.guard.note(used.load(Ordering::Relaxed), refusal);
            }
            judged =
                judged.map_err(|error| self.name_the_cause(error, keys, request, signed, response));
        }
        judged.map_err(|error| match request_id(&response.headers) {
            Some(id) => error.with(|facts| facts.upstream_request_id = Some(id)),
            None => error,
        })
    }

    fn proves_execution(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        envelope::head_proves_run(status, headers)
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        request_id(headers)
    }

    /// A token has no time that could be wrong.
    fn clock_fault(&self, error: &Error) -> Option<Duration> {
        match self.proof {
            Proof::Signature { .. } => errors::clock_fault(error),
            Proof::Token(_) | Proof::Nothing => None,
        }
    }
}

/// The gateway's id; that of a run is another.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-request-id")?.to_str().ok().map(short_id)
}

/// A header whose value is shown nowhere.
pub(super) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Made once a call, not once an attempt.
async fn hash(body: &Bytes) -> String {
    if body.len() < HASH_APART {
        return sign::hash(body);
    }
    let copy = body.clone();
    match tokio::task::spawn_blocking(move || sign::hash(&copy)).await {
        Ok(hash) => hash,
        // The pool is gone, as at shutdown: slower is better than wrong.
        Err(_) => sign::hash(body),
    }
}

/// `Host` as the client will write it: without the scheme's own port.
pub(super) fn host(request: &Request) -> String {
    let host = request.url.host_str().unwrap_or_default();
    request
        .url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) fn sendable(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|fault| {
        Error::new(
            Kind::Internal,
            reason::SIGNATURE_NOT_SENDABLE,
            format!("A signature header is not valid: {fault}."),
        )
    })
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys(_) => "Keys",
            Self::Token(_) => "Token",
        })
    }
}
