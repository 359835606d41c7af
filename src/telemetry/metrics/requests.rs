//! HTTP requests to a cloud, one for each attempt: duration by method and outcome, body sizes, how
//! many are under way.

use std::sync::Arc;

use arc_swap::ArcSwap;
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

/// The requests of one target.
#[derive(Debug)]
pub struct Requests {
    metrics: Arc<Metrics>,
    target: String,
    /// A target has one or two hosts: the API's, and that of a login.
    origins: ArcSwap<Vec<Arc<Origin>>>,
}

/// The requests of one target to one host.
#[derive(Debug)]
struct Origin {
    metrics: Arc<Metrics>,
    target: String,
    host: String,
    port: u16,
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
pub struct Attempt {
    origin: Arc<Origin>,
    method: &'static str,
    began: Instant,
    ended: bool,
}

impl Requests {
    /// Those of `target`.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, target: &str) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            target: target.to_owned(),
            origins: ArcSwap::from_pointee(Vec::new()),
        }
    }

    /// An attempt begins, with a body of so many bytes.
    #[must_use]
    pub fn begin(&self, method: &Method, url: &Url, body: usize) -> Attempt {
        let (origin, method) = (self.origin(url), name(method));
        origin.in_flight.inc();
        origin.sizes(method, |sizes| sizes.request.observe(bytes(body)));
        Attempt {
            origin,
            method,
            began: Instant::now(),
            ended: false,
        }
    }

    fn origin(&self, url: &Url) -> Arc<Origin> {
        let (host, port) = (
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default(),
        );
        let is = |origin: &&Arc<Origin>| origin.port == port && origin.host == host;
        if let Some(origin) = self.origins.load().iter().find(is) {
            return Arc::clone(origin);
        }
        let labels = [host, &port.to_string(), &self.target];
        let origin = Arc::new(Origin {
            metrics: Arc::clone(&self.metrics),
            target: self.target.clone(),
            host: host.to_owned(),
            port,
            in_flight: self.metrics.family(&HTTP_IN_FLIGHT).gauge(&labels),
            durations: Resolved::default(),
            sizes: Resolved::default(),
        });
        self.origins.rcu(|origins| {
            let mut more = Vec::clone(origins);
            if !more.iter().any(|known| is(&known)) {
                more.push(Arc::clone(&origin));
            }
            more
        });
        origin
    }
}

impl Origin {
    fn ended(&self, ended: Ended, began: Instant) {
        let find = || {
            let (method, status, error) = ended;
            let status = if status == 0 {
                String::new()
            } else {
                status.to_string()
            };
            // A client sees a failure in every status from 400 on (HTTP conventions, "Status").
            let error = if error.is_empty() && ended.1 >= 400 {
                &status
            } else {
                error
            };
            let port = self.port.to_string();
            let labels = [method, &self.host, &port, &status, error, &self.target];
            self.metrics.family(&HTTP_DURATION).histogram(&labels)
        };
        self.in_flight.dec();
        self.durations.with(ended, find, |histogram| {
            histogram.observe_time(began.elapsed());
        });
    }

    fn sizes(&self, method: &'static str, with: impl FnOnce(&Sizes)) {
        let find = || {
            let port = self.port.to_string();
            let labels = [method, &self.host, &port, &self.target];
            Sizes {
                request: self.metrics.family(&HTTP_REQUEST_SIZE).histogram(&labels),
                response: self.metrics.family(&HTTP_RESPONSE_SIZE).histogram(&labels),
            }
        };
        self.sizes.with(method, find, with);
    }
}

impl Attempt {
    /// The whole answer came.
    pub fn answered(mut self, status: StatusCode, body: usize) {
        self.origin
            .sizes(self.method, |sizes| sizes.response.observe(bytes(body)));
        self.end(status.as_u16(), "");
    }

    /// No answer came, or not all of it. `reason` must be a word of our own, never one of the
    /// upstream's.
    pub fn failed(mut self, reason: &'static str, status: Option<u16>) {
        self.end(status.unwrap_or(0), reason);
    }

    fn end(&mut self, status: u16, error: &'static str) {
        self.ended = true;
        self.origin.ended((self.method, status, error), self.began);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.ended {
            self.end(0, CANCELLED);
        }
    }
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
