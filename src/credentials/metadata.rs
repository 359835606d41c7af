//! A cloud's metadata service: plain HTTP to one link-local address. The only file of this room
//! that knows reqwest.
//!
//! Both clouds offer sessions: a PUT gives a token that later GETs carry ("v2"), and servers that
//! do not know it are asked without ("v1"). Nothing is followed, no proxy is used, and the address
//! never comes from an answer.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::document::answered_at;
use crate::error::{Component, Error, Kind, Result, reason, root_cause};

/// On the same machine, or not there at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// One request; what the clouds' own clients allow.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Life asked for a session: what both clouds' documents show.
const SESSION_LIFE: &str = "21600";
/// A session is used for less than that, so that it does not end on the way.
const SESSION_USE: Duration = Duration::from_secs(21_600 - 600);
/// Longest answer that is read.
const ANSWER_MAX: usize = 64 << 10;

/// How a cloud spells sessions.
#[derive(Clone, Debug)]
pub struct Session {
    /// Path of the PUT.
    pub path: &'static str,
    /// The header that asks for a life in seconds.
    pub life: HeaderName,
    /// The header that carries the token.
    pub token: HeaderName,
}

/// One metadata service.
pub struct Metadata {
    http: reqwest::Client,
    base: Url,
    session: Session,
    held: Mutex<Option<(HeaderValue, Instant)>>,
}

/// An answer.
pub struct Page {
    /// Status.
    pub status: StatusCode,
    /// Body, wiped on drop.
    pub body: Zeroizing<Vec<u8>>,
    /// The service's clock when it answered; ours if it does not say.
    pub date: SystemTime,
}

impl Metadata {
    /// A service at `base` (scheme and host, plain HTTP). Opens no connection.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(base: &Url, session: Session) -> std::result::Result<Self, String> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|fault| format!("the HTTP client cannot be built: {fault}"))?;
        Ok(Self {
            http,
            base: base.clone(),
            session,
            held: Mutex::default(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Gets a path, in a session if the service knows those. Any status is an answer.
    ///
    /// # Errors
    /// `Unavailable` with reason `METADATA_UNREACHABLE`.
    pub async fn get(&self, path: &str) -> Result<Page> {
        let session = self.session(false).await?;
        let page = self.send(Method::GET, path, session.as_ref()).await?;
        if page.status != StatusCode::UNAUTHORIZED || session.is_none() {
            return Ok(page);
        }
        // A server that was started anew does not know the session any more.
        let session = self.session(true).await?;
        self.send(Method::GET, path, session.as_ref()).await
    }

    /// The token header; `None` when the service has no sessions.
    async fn session(&self, anew: bool) -> Result<Option<HeaderValue>> {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = held.as_ref().filter(|_| !anew)
            && Instant::now() < *until
        {
            return Ok(Some(token.clone()));
        }
        *held = None;
        // Behind one hop more than the service's answers may take (a container's bridge), the PUT
        // alone gets no answer.
        let Ok(page) = self.send(Method::PUT, self.session.path, None).await else {
            return Ok(None);
        };
        let token = std::str::from_utf8(&page.body)
            .ok()
            .map(str::trim)
            .filter(|token| page.status.is_success() && !token.is_empty())
            .and_then(|token| HeaderValue::from_str(token).ok());
        let Some(mut token) = token else {
            return Ok(None);
        };
        token.set_sensitive(true);
        *held = Some((token.clone(), Instant::now() + SESSION_USE));
        Ok(Some(token))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        session: Option<&HeaderValue>,
    ) -> Result<Page> {
        let mut url = self.base.clone();
        url.set_path(path);
        let mut request = reqwest::Request::new(method, url);
        let headers = request.headers_mut();
        // Without this any coding of the answer is allowed (RFC 9110 §12.5.3).
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        match session {
            Some(token) => headers.insert(self.session.token.clone(), token.clone()),
            None if path == self.session.path => headers.insert(
                self.session.life.clone(),
                HeaderValue::from_static(SESSION_LIFE),
            ),
            None => None,
        };
        let mut answer = self
            .http
            .execute(request)
            .await
            .map_err(|fault| self.unreachable(&fault))?;
        let date = answered_at(answer.headers());
        let coding = answer.headers().get(header::CONTENT_ENCODING);
        if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(self.failed("answered in a coding that was not asked for"));
        }
        // Never grows, so that no copy of a secret stays behind.
        let mut body = Zeroizing::new(Vec::with_capacity(ANSWER_MAX));
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|fault| self.unreachable(&fault))?
        {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(self.failed(&format!("answered more than {ANSWER_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Page {
            status: answer.status(),
            body,
            date,
        })
    }

    fn unreachable(&self, fault: &reqwest::Error) -> Error {
        self.failed(&format!("cannot be reached ({})", root_cause(fault)))
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(
            Kind::Unavailable,
            reason::METADATA_UNREACHABLE,
            format!(
                "The metadata service at {} {what}; it is there on the cloud's own servers alone. Nothing was sent.",
                self.base()
            ),
        )
        .component(Component::Network)
        .transient(true)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata service at {}", self.base())
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
