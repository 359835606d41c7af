//! One call as its numbers see it: method, target, status, duration, told to the metrics when its last byte is handed over.
//!
//! The router makes it and the edge tells it the target, through the task that serves the call, so that no service
//! passes it on. A caller that goes away leaves it to be dropped, which counts as cancelled.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::Code;

use crate::telemetry::metrics::{Calls, Served as Ended};

tokio::task_local! {
    /// The call that the running task serves.
    pub(super) static CALL: Served;
}

/// A call that is being served.
#[derive(Debug)]
pub(super) struct Served {
    method: (usize, &'static str),
    began: Instant,
    /// For a call that never reaches a target.
    nowhere: Arc<Calls>,
    calls: OnceCell<Arc<Calls>>,
    ended: Cell<bool>,
}

impl Served {
    pub(super) fn new(method: (usize, &'static str), nowhere: Arc<Calls>) -> Self {
        Self {
            method,
            began: Instant::now(),
            nowhere,
            calls: OnceCell::new(),
            ended: Cell::new(false),
        }
    }

    /// The call ends with the status that its headers or trailers bear, if they bear one.
    pub(super) fn end_with(&self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.end(Code::from_bytes(status.as_bytes()));
        }
    }

    fn end(&self, code: Code) {
        if self.ended.replace(true) {
            return;
        }
        let calls = self.calls.get();
        if let Some(calls) = calls {
            calls.left();
        }
        let ended = Ended {
            method: self.method,
            status: (code as usize, name(code)),
            failed: is_failure(code),
        };
        calls.unwrap_or(&self.nowhere).ended(ended, self.began);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// The running task's call is for the target with these numbers.
pub(super) fn means(calls: &Arc<Calls>) {
    // Outside of a router, as in a test of the edge alone, nobody counts.
    let _ = CALL.try_with(|served| {
        if served.calls.set(Arc::clone(calls)).is_ok() {
            calls.began();
        }
    });
}

/// Codes that speak of a failure of the server (conventions for gRPC, "Server").
fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
