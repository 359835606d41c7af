//! Pages for operators over plain HTTP on their own listener: `/livez`, `/readyz`, `/startupz`, `/config`, `/metrics`,
//! `/loglevel`, `/quitquitquit`.
//!
//! It is handed what it shows, and knows telemetry: its numbers, and the log's level to change it. Liveness never depends
//! on an upstream, and no page holds a secret.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::TcpListener;
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
use tokio::sync::watch;
use tracing::warn;

use crate::telemetry::metrics::{Format, Metrics};

mod control;

pub use control::Control;

/// A client that does not finish its request head within this time is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What the pages show.
#[derive(Clone, Debug)]
pub struct Pages {
    /// True until the sidecar shuts down.
    pub serving: watch::Receiver<bool>,
    /// The configuration, and what is wrong with it.
    pub config: watch::Receiver<Arc<Shown>>,
    /// The numbers of the process.
    pub metrics: Arc<Metrics>,
    /// What they may change.
    pub control: Control,
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

/// Serves the pages on a bound listener for as long as it is polled.
pub async fn serve(listener: TcpListener, pages: Pages) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(why) => return warn!("the admin pages cannot be served: {why}"),
    };
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let pages = pages.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = pages.answer(&request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD_TIMEOUT)
                        .serve_connection(TokioIo::new(socket), service);
                    // A client that goes away is its own business.
                    let _ = connection.await;
                });
            }
            // Out of file descriptors, most likely: waiting is all that helps.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

impl Pages {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if let Some(answer) = self.control.answer(request) {
            return answer;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "use GET\n");
        }
        match request.uri().path() {
            "/livez" | "/startupz" => page(StatusCode::OK, "text/plain", "ok\n"),
            "/readyz" if *self.serving.borrow() => {
                page(StatusCode::OK, "text/plain", &self.config.borrow().ready())
            }
            "/readyz" => page(
                StatusCode::SERVICE_UNAVAILABLE,
                "text/plain",
                "draining: the process is shutting down\n",
            ),
            "/metrics" => {
                let accept = request.headers().get(header::ACCEPT);
                let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
                let format = Format::accepted(accept);
                page(
                    StatusCode::OK,
                    format.content_type(),
                    &self.metrics.render(format),
                )
            }
            "/config" => page(StatusCode::OK, "application/json", &self.config.borrow().page()),
            _ => page(
                StatusCode::NOT_FOUND,
                "text/plain",
                "pages: /livez /readyz /startupz /config /metrics /loglevel /quitquitquit\n",
            ),
        }
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
