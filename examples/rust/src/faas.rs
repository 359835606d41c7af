//! What an application needs beside the generated code: JSON, the details of errors, retries.

use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use serde::Serialize;
use serde::de::{self, DeserializeOwned};
use tokio::time::{Instant, sleep};
use tonic::{Code, ConnectError, Request, Status};
use tonic_types::StatusExt;

#[allow(dead_code, reason = "no program calls everything")]
pub mod v1 {
    tonic::include_proto!("faas.v1");
}

use v1::Json;
use v1::json::Encoding;

pub fn to_json(value: &impl Serialize) -> serde_json::Result<Json> {
    serde_json::to_string(value).map(|text| Json {
        encoding: Some(Encoding::Text(text)),
    })
}

pub fn from_json<T: DeserializeOwned>(json: Json) -> serde_json::Result<T> {
    let Some(Encoding::Text(text)) = json.encoding else {
        return Err(de::Error::custom("this is no JSON text"));
    };
    serde_json::from_str(&text)
}

/// What an error of the sidecar says: its code, and what the details hold.
pub struct Failure {
    pub code: Code,
    pub reason: String,
    /// Whether the function may have run: `not_started`, `unknown` or `completed`. Without details
    /// nobody knows.
    pub execution: String,
    /// The fields of the request that break rules.
    pub fields: Vec<String>,
    /// After which the call may be repeated.
    pub retry_delay: Option<Duration>,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details
            .bad_request()
            .map(|request| &*request.field_violations)
            .unwrap_or_default();
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            execution: info
                .and_then(|info| info.metadata.get("execution").cloned())
                .unwrap_or_else(|| "unknown".to_owned()),
            fields: fields.iter().map(|fault| fault.field.clone()).collect(),
            retry_delay: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            reason,
            execution,
            ..
        } = self;
        write!(f, "{code:?} {reason}, execution {execution}")
    }
}

/// A request that may take so long.
pub fn within<M>(limit: Duration, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// Makes a call until it goes well, five times at most and not past `limit`: tonic reads no service
/// config. The sidecar's trailer `grpc-retry-pushback-ms` says when to repeat, or not to.
pub async fn retrying<M: Clone, R>(
    limit: Duration,
    message: M,
    call: impl AsyncFn(Request<M>) -> Result<R, Status>,
) -> Result<R, Status> {
    let end = Instant::now() + limit;
    let mut previous = 0_u32;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let mut request = within(left, message.clone());
        if previous > 0 {
            // The sidecar counts its own retries and the client's as one.
            let attempts = request.metadata_mut();
            attempts.insert("grpc-previous-rpc-attempts", previous.into());
        }
        let status = match call(request).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        previous += 1;
        match pushback(&status) {
            Some(pause) if previous < 5 && Instant::now() + pause < end => sleep(pause).await,
            _ => return Err(status),
        }
    }
}

/// How long to wait before the call is repeated; `None`: repeating is not safe, or not welcome.
fn pushback(status: &Status) -> Option<Duration> {
    if let Some(told) = status.metadata().get("grpc-retry-pushback-ms") {
        return told.to_str().ok()?.parse().ok().map(Duration::from_millis);
    }
    // The sidecar was not reached. Where a connection breaks later, nobody knows whether the
    // function ran.
    let unconnected =
        successors(status.source(), |&error| error.source()).any(|error| error.is::<ConnectError>());
    unconnected.then_some(Duration::from_secs(2))
}
