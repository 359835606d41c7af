//! HTTP requests to a cloud, one for each attempt: duration by method and outcome, body sizes, how many are under way.

use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::Metrics;
use super::names::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_REQUEST_SIZE, HTTP_RESPONSE_SIZE};
use super::resolved::Resolved;
use super::value::{Gauge, Histogram};

/// The conventions' word for a method or an error that has no name of its own.
const UNNAMED: &str = "_OTHER";

/// An attempt that ended because nobody waited for it any more.
const CANCELLED: &str = "CANCELLED";

/// The requests of one target to one host.
#[derive(Debug)]
pub struct Requests {
    metrics: Arc<Metrics>,
    target: String,
    host: String,
    port: String,
    in_flight: Gauge,
    durations: Resolved<Ended, Histogram>,
    sizes: Resolved<&'static str, Sizes>,
}

/// How an attempt ended: method, status if one came, what went wrong without one or behind it.
type Ended = (&'static str, u16, &'static str);

#[derive(Clone, Debug)]
struct Sizes {
    request: Histogram,
    response: Histogram,
}

/// One attempt under way; dropped before it ends, it counts as cancelled.
#[derive(Debug)]
pub struct Attempt<'a> {
    requests: &'a Requests,
    method: &'static str,
    began: Instant,
    ended: bool,
}

impl Requests {
    /// Those of `target` to the host of `url`.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, target: &str, url: &Url) -> Arc<Self> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url
            .port_or_known_default()
            .map(|port| port.to_string())
            .unwrap_or_default();
        let in_flight = metrics.family(&HTTP_IN_FLIGHT).gauge(&[&host, &port, target]);
        Arc::new(Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            host,
            port,
            in_flight,
            durations: Resolved::default(),
            sizes: Resolved::default(),
        })
    }

    /// An attempt begins, with a body of so many bytes.
    #[must_use]
    pub fn begin(&self, method: &Method, body: usize) -> Attempt<'_> {
        let method = name(method);
        self.in_flight.inc();
        self.sizes(method, |sizes| sizes.request.observe(bytes(body)));
        Attempt {
            requests: self,
            method,
            began: Instant::now(),
            ended: false,
        }
    }

    fn ended(&self, ended: Ended, began: Instant) {
        let find = || {
            let (method, status, error) = ended;
            let status = if status == 0 {
                String::new()
            } else {
                status.to_string()
            };
            let error = if error.is_empty() && is_error(ended.1) {
                &status
            } else {
                error
            };
            let labels = [method, &self.host, &self.port, &status, error, &self.target];
            self.metrics.family(&HTTP_DURATION).histogram(&labels)
        };
        self.in_flight.dec();
        self.durations
            .with(ended, find, |histogram| histogram.observe_time(began.elapsed()));
    }

    fn sizes(&self, method: &'static str, with: impl FnOnce(&Sizes)) {
        let find = || {
            let labels = [method, &*self.host, &*self.port, &*self.target];
            Sizes {
                request: self.metrics.family(&HTTP_REQUEST_SIZE).histogram(&labels),
                response: self.metrics.family(&HTTP_RESPONSE_SIZE).histogram(&labels),
            }
        };
        self.sizes.with(method, find, with);
    }
}

impl Attempt<'_> {
    /// The whole answer came.
    pub fn answered(mut self, status: StatusCode, body: usize) {
        self.requests
            .sizes(self.method, |sizes| sizes.response.observe(bytes(body)));
        self.end(status.as_u16(), "");
    }

    /// No answer came, or not all of it. `reason` must be a word of our own, never one of the upstream's.
    pub fn failed(mut self, reason: &'static str, status: Option<u16>) {
        self.end(status.unwrap_or(0), reason);
    }

    fn end(&mut self, status: u16, error: &'static str) {
        self.ended = true;
        self.requests.ended((self.method, status, error), self.began);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(0, CANCELLED);
        }
    }
}

/// A client sees an error in every status from 400 on (HTTP conventions, "Status").
fn is_error(status: u16) -> bool {
    status >= 400
}

fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => UNNAMED,
    }
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
