//! What went wrong, in words every room understands: kind, who failed, whether the function may
//! have run.
//!
//! Knows no gRPC and no HTTP library. [`Error`] is what a provider or the transport returns;
//! `grpc/status.rs` is the only place that turns it into a `google.rpc.Status`. What each fact
//! means to a caller stands in `docs/errors.md`: retry decisions
//! follow from [`Error::transient`] and [`Error::execution`], never from a status code.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

mod faults;
pub mod reason;
mod short;

pub use faults::{Faults, Violation};
pub use short::{NAME, short, short_id};

/// A call's result with our own error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of failure; each maps to exactly one gRPC status code of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request breaks a documented rule. Fix the named fields.
    InvalidArgument,
    /// The cloud refused the sidecar's key, token or signature. Check credentials and clock.
    Unauthenticated,
    /// The account lacks a right on this operation or resource.
    PermissionDenied,
    /// No such package, action, activation, trigger or target.
    NotFound,
    /// The name is taken, or the link exists.
    AlreadyExists,
    /// The resource's present state forbids the operation.
    FailedPrecondition,
    /// A rate, count or size limit, the cloud's or our own.
    ResourceExhausted,
    /// The target has no such operation.
    Unimplemented,
    /// The upstream cannot be reached or asks to try later.
    Unavailable,
    /// Out of time.
    DeadlineExceeded,
    /// The answer cannot be understood, or the upstream failed internally.
    Internal,
}

/// Whether the function (or the change asked for) may have happened; ordered by how much may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Execution {
    /// Surely nothing happened: repeating is safe.
    NotStarted,
    /// It may or may not have happened: repeat only what is idempotent.
    Unknown,
    /// It surely happened; only its answer is missing or bad.
    Completed,
}

/// Who failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// This process: validation, configuration, limits, deadline.
    Sidecar,
    /// Between us and the upstream: DNS, TCP, TLS, a cut connection.
    Network,
    /// The cloud's API gateway; the functions service was not reached.
    Gateway,
    /// The functions service.
    Service,
    /// The function itself.
    Function,
}

/// What a failure says something about: the load rules of a target listen to the first alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The upstream as a whole: other calls may expect the same.
    Upstream,
    /// The one function, trigger or network that was asked for: other calls are not concerned.
    Resource,
}

/// The innermost cause, which names the system's own error.
#[must_use]
pub fn root_cause(fault: &dyn std::error::Error) -> String {
    let mut cause = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// One classified failure. Small to move: the facts are boxed.
#[derive(Clone)]
pub struct Error(Box<Facts>);

/// The facts of an [`Error`]; absent ones are `None` or empty.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Class of failure.
    pub kind: Kind,
    /// `UPPER_SNAKE` symbol: the upstream's own where it has one.
    pub reason: Cow<'static, str>,
    /// One plain sentence for the caller. Never upstream HTML, a key or a signed string.
    pub message: String,
    /// Whether it may have happened.
    pub execution: Execution,
    /// Who failed.
    pub component: Component,
    /// What it says something about.
    pub scope: Scope,
    /// True when the cause may pass by itself, so that the same request may succeed later.
    pub transient: bool,
    /// True when the upstream said that it did not process the request (RFC 9113 §8.7): it works,
    /// and one repetition asks no more of it than the first request did.
    pub unprocessed: bool,
    /// True when the target's retries are spent: the caller's own retry policy must stop, too.
    pub retries_spent: bool,
    /// How long the upstream asked us to wait.
    pub retry_after: Option<Duration>,
    /// HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// The upstream's error code as it spelt it.
    pub upstream_code: Option<String>,
    /// The upstream's id of the request, for its support desk.
    pub upstream_request_id: Option<String>,
    /// Field faults, for [`Kind::InvalidArgument`].
    pub violations: Vec<Violation>,
    /// The resource meant: type and name.
    pub resource: Option<(&'static str, String)>,
    /// The quota exceeded: subject and description.
    pub quota: Option<(String, String)>,
    /// The cause of a refusal by its symbol (`provider::diagnosis::Cause`), where the answer itself
    /// proves it.
    pub cause: Option<&'static str>,
    /// What to do: text and link.
    pub help: Option<(&'static str, &'static str)>,
}

impl Error {
    /// A failure of our own before anything left: `component = sidecar`, `execution = not_started`.
    pub fn new(
        kind: Kind,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Facts {
            kind,
            reason: reason.into(),
            message: message.into(),
            execution: Execution::NotStarted,
            component: Component::Sidecar,
            scope: Scope::Upstream,
            transient: false,
            unprocessed: false,
            retries_spent: false,
            retry_after: None,
            http_status: None,
            upstream_code: None,
            upstream_request_id: None,
            violations: Vec::new(),
            resource: None,
            quota: None,
            cause: None,
            help: None,
        }))
    }

    /// Sets who failed.
    #[must_use]
    pub fn component(mut self, component: Component) -> Self {
        self.0.component = component;
        self
    }

    /// Sets whether it may have happened.
    #[must_use]
    pub fn execution(mut self, execution: Execution) -> Self {
        self.0.execution = execution;
        self
    }

    /// Sets what it says something about.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.0.scope = scope;
        self
    }

    /// Marks the cause as one that may pass by itself.
    #[must_use]
    pub fn transient(mut self, transient: bool) -> Self {
        self.0.transient = transient;
        self
    }

    /// Names the resource meant.
    #[must_use]
    pub fn resource(mut self, kind: &'static str, name: impl Into<String>) -> Self {
        self.0.resource = Some((kind, name.into()));
        self
    }

    /// Changes any fact.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.0);
        self
    }

    /// True when the very same request may be sent again: the cause may pass, and either nothing
    /// happened or the operation is idempotent.
    #[must_use]
    pub fn may_retry(&self, idempotent: bool) -> bool {
        self.0.transient
            && match self.0.execution {
                Execution::NotStarted => true,
                // Even a second run does no harm then, and it is the only way to an answer that was
                // lost.
                Execution::Unknown | Execution::Completed => idempotent,
            }
    }
}

impl std::ops::Deref for Error {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

impl Execution {
    /// The word used in error details and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Unknown => "unknown",
            Self::Completed => "completed",
        }
    }
}

impl Component {
    /// The word used in error details and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Network => "network",
            Self::Gateway => "gateway",
            Self::Service => "service",
            Self::Function => "function",
        }
    }
}
