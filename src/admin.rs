//! Pages for operators over plain HTTP, on listeners of their own: `/livez`, `/readyz`,
//! `/startupz`, `/config`, `/credentials`, `/metrics`, `/loglevel`, `/quitquitquit`.
//!
//! It is handed what it shows, and knows telemetry: its numbers, and the log's level to change it.
//! Liveness never depends on an upstream, and no page holds a secret. A listener that other
//! machines may reach shows numbers and probes alone.
//!
//! Everything about a connection is bounded: one request, so many bytes of head, no body, so much
//! time, so many at once; beyond that the oldest is closed, so that silent ones never keep a probe
//! out.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

use crate::telemetry::log::LineLimit;
use crate::telemetry::metrics::{Format, Metrics};

mod control;
mod sender;

pub use control::Control;

/// The whole of a request and its answer takes no longer.
const EXCHANGE: Duration = Duration::from_secs(10);
/// The largest head of a request.
const HEAD_SIZE: usize = 16 << 10;
/// Connections of one listener at once.
const MAX_CONNECTIONS: usize = 32;
/// Pause when the system has no file descriptor left.
const STARVED: Duration = Duration::from_millis(100);

static LINES: LineLimit = LineLimit::new(Duration::from_secs(5));

/// What a listener shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every page, those that change something too: for this machine alone.
    All,
    /// `/metrics` and the probes.
    Metrics,
}

/// Where the pages are asked for.
#[derive(Debug)]
pub enum Listener {
    /// An address.
    Tcp(TcpListener),
    /// A socket's file, whose mode says who may ask.
    Unix(UnixListener),
}

/// What the pages show.
#[derive(Clone, Debug)]
pub struct Pages {
    /// True until the sidecar shuts down.
    pub serving: watch::Receiver<bool>,
    /// The configuration, and what is wrong with it.
    pub config: watch::Receiver<Arc<Shown>>,
    /// The state of the credentials.
    pub credentials: Credentials,
    /// The numbers of the process.
    pub metrics: Arc<Metrics>,
    /// What they may change.
    pub control: Control,
}

/// Tells the state of the credentials when asked.
#[derive(Clone)]
pub struct Credentials {
    page: Arc<dyn Fn() -> String + Send + Sync>,
    unready: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

impl Credentials {
    /// `page` is the state of all as JSON, `unready` one sentence on why the default target has
    /// none.
    pub fn new(
        page: impl Fn() -> String + Send + Sync + 'static,
        unready: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            page: Arc::new(page),
            unready: Arc::new(unready),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// The configuration that holds, and what is wrong with what should hold.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Counts configurations: 1 for the one at the start, one more with each reload.
    pub generation: u64,
    /// Since when it holds, as RFC 3339.
    pub since: String,
    /// The effective configuration as a JSON document, credentials as their source.
    pub configuration: Arc<str>,
    /// Keys whose new values wait for a restart.
    pub waiting: Vec<String>,
    /// What could not be read or used last time, by subject; what was good before is in use.
    pub problems: BTreeMap<String, Problem>,
    /// Whether an address that other machines can reach asks no caller who it is.
    pub open: bool,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Since when, as RFC 3339.
    pub since: String,
    /// One sentence or a numbered list; never a secret.
    pub text: String,
}

/// The page `/config`.
#[derive(Serialize)]
struct Page<'a> {
    generation: u64,
    since: &'a str,
    needs_restart: &'a [String],
    problems: &'a BTreeMap<String, Problem>,
    configuration: Option<&'a RawValue>,
}

/// Serves the pages of `scope` on a bound listener for as long as it is polled.
pub async fn serve(listener: Listener, scope: Scope, pages: Pages) {
    let loopback = listener.is_loopback();
    let mut open = VecDeque::with_capacity(MAX_CONNECTIONS);
    loop {
        match listener.accept().await {
            Ok(socket) => {
                open.retain(|task: &tokio::task::AbortHandle| !task.is_finished());
                if open.len() >= MAX_CONNECTIONS
                    && let Some(oldest) = open.pop_front()
                {
                    oldest.abort();
                }
                let exchange = exchange(socket, scope, loopback, pages.clone());
                // A client that goes away, or takes too long, is its own business.
                let task = tokio::spawn(async move { drop(timeout(EXCHANGE, exchange).await) });
                open.push_back(task.abort_handle());
            }
            Err(why) => {
                if let Some(left_out) = LINES.pass() {
                    warn!(left_out, "the admin pages cannot take a connection: {why}");
                }
                tokio::time::sleep(STARVED).await;
            }
        }
    }
}

/// One request and its answer.
async fn exchange(socket: Box<dyn Socket>, scope: Scope, loopback: bool, pages: Pages) {
    let service = service_fn(move |request| {
        let answer = pages.answer(&request, scope, loopback);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(EXCHANGE)
        .max_buf_size(HEAD_SIZE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    let _ = connection.await;
}

/// What a connection runs on.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

impl Listener {
    /// Whether it is an address of loopback, which any browser on this machine reaches.
    fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().is_loopback()),
            Self::Unix(_) => false,
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Socket>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Pages {
    fn answer<B>(
        &self,
        request: &Request<B>,
        scope: Scope,
        loopback: bool,
    ) -> Response<Full<Bytes>> {
        if let Some(why) = sender::refusal(request, loopback) {
            return page(StatusCode::FORBIDDEN, "text/plain", why);
        }
        if scope == Scope::All
            && let Some(answer) = self.control.answer(request)
        {
            return answer;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "use GET\n");
        }
        match (request.uri().path(), scope) {
            ("/livez" | "/startupz", _) => page(StatusCode::OK, "text/plain", "ok\n"),
            ("/readyz", _) => match self.unready() {
                None => page(StatusCode::OK, "text/plain", &self.config.borrow().ready()),
                Some(why) => page(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/plain",
                    &format!("{why}\n"),
                ),
            },
            ("/metrics", _) => {
                let accept = request.headers().get(header::ACCEPT);
                let accept = accept
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default();
                let format = Format::accepted(accept);
                page(
                    StatusCode::OK,
                    format.content_type(),
                    &self.metrics.render(format),
                )
            }
            ("/credentials", Scope::All) => page(
                StatusCode::OK,
                "application/json",
                &(self.credentials.page)(),
            ),
            ("/config", Scope::All) => page(
                StatusCode::OK,
                "application/json",
                &self.config.borrow().page(),
            ),
            (_, Scope::All) => page(
                StatusCode::NOT_FOUND,
                "text/plain",
                "pages: /livez /readyz /startupz /config /credentials /metrics /loglevel /quitquitquit\n",
            ),
            (_, Scope::Metrics) => page(
                StatusCode::NOT_FOUND,
                "text/plain",
                "pages: /metrics /livez /readyz /startupz; the others are at admin, for this machine alone\n",
            ),
        }
    }
}

impl Pages {
    /// Why no calls should come here now.
    fn unready(&self) -> Option<String> {
        if !*self.serving.borrow() {
            return Some("draining: the process is shutting down".to_owned());
        }
        (self.credentials.unready)().map(|why| format!("credentials: {why}"))
    }
}

impl Shown {
    /// Ready, and what an operator should know all the same.
    fn ready(&self) -> String {
        let mut text = String::from("ok\n");
        for (subject, problem) in &self.problems {
            let (since, what) = (&problem.since, &problem.text);
            let _ = writeln!(
                text,
                "warning: {subject}: since {since} the last good one is in use: {what}"
            );
        }
        if !self.waiting.is_empty() {
            let _ = writeln!(
                text,
                "warning: a restart is needed for {}",
                self.waiting.join(", ")
            );
        }
        if self.open {
            text.push_str(
                "warning: other machines can call without saying who they are (allow_remote_clients)\n",
            );
        }
        text
    }

    fn page(&self) -> String {
        let page = Page {
            generation: self.generation,
            since: &self.since,
            needs_restart: &self.waiting,
            problems: &self.problems,
            configuration: serde_json::from_str(&self.configuration).ok(),
        };
        serde_json::to_string_pretty(&page).unwrap_or_default() + "\n"
    }
}

fn page(status: StatusCode, content_type: &'static str, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}
