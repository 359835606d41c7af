//! What a cloud can say about itself when something is wrong: the likely cause of a refusal, in
//! words that are the same for every cloud.
//!
//! A provider answers the questions of [`Diagnose`] from its own knowledge (codes, words, signature
//! rules). The order of the questions and how the answers are shown are the command line's
//! (`cli/doctor`). Nothing here changes anything at the cloud: every request is a harmless read,
//! and their number is bounded, since refused signatures lock a key.

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use url::Url;

use crate::call::Call;
use crate::error::{Error, Kind, Result, reason};

mod cause;
pub mod clock;
mod key;
mod probe;

pub use cause::Cause;
pub use key::KeyReport;
pub(super) use key::repairs;
pub(super) use probe::{Answer, Probe};

/// One host that a target talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is for: `functions`, `iam`.
    pub role: &'static str,
    /// Scheme, host and port; the path is the API's prefix.
    pub url: Url,
}

/// The cause of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The likeliest cause.
    pub cause: Cause,
    /// True when the evidence leaves no other; false when it is the likeliest of several.
    pub certain: bool,
    /// The evidence: what was observed, in one sentence.
    pub fact: String,
    /// What else would look the same.
    pub also: Vec<Cause>,
}

/// What `doctor` asks of a cloud.
#[async_trait]
pub trait Diagnose: Send + Sync {
    /// The hosts that the target talks to, the functions' first.
    fn places(&self) -> Vec<Place>;

    /// Where the credentials come from and what can be told of them without showing them.
    fn key_report(&self) -> KeyReport;

    /// How far a signature's time may be from the cloud's clock; `None` when nothing is signed.
    fn window(&self) -> Option<Duration>;

    /// How far this machine's clock is ahead of the cloud's, in milliseconds (negative: behind), by
    /// one unsigned request; `None` when the answer shows no usable time.
    ///
    /// # Errors
    /// When no HTTP answer came `within` this time.
    async fn skew_ms(&self, within: Duration) -> Result<Option<i64>>;

    /// The harmless signed reads: a list of at most a few items, and whatever else shows that
    /// signatures of every form that the target sends are accepted. Answers what was read, in one
    /// sentence.
    ///
    /// # Errors
    /// The classified failure.
    async fn try_read(&self, call: &mut Call) -> Result<String>;

    /// The cause of `error`, which [`Diagnose::try_read`] or another request met; `skew_ms` as
    /// measured. May send further harmless reads.
    async fn find_cause(&self, call: &mut Call, error: &Error, skew_ms: Option<i64>) -> Finding;

    /// The rights that no harmless request can show, in one sentence.
    fn untestable_rights(&self) -> &'static str;
}

impl Finding {
    /// The evidence leaves no other cause.
    #[must_use]
    pub fn certain(cause: Cause, fact: impl Into<String>) -> Self {
        Self {
            cause,
            certain: true,
            fact: fact.into(),
            also: Vec::new(),
        }
    }

    /// The likeliest of several.
    #[must_use]
    pub fn likely(cause: Cause, fact: impl Into<String>, also: &[Cause]) -> Self {
        Self {
            cause,
            certain: false,
            fact: fact.into(),
            also: also.to_vec(),
        }
    }
}

/// What any cloud's error says without a look at its codes.
#[must_use]
pub(super) fn general(error: &Error) -> Option<Finding> {
    let fact = error.message.clone();
    if let Some(cause) = error.cause.and_then(Cause::of_symbol) {
        return Some(Finding::certain(cause, fact));
    }
    let finding = match (error.kind, error.reason.as_ref()) {
        (_, reason::CREDENTIALS_MISSING) => Finding::certain(Cause::CredentialsMissing, fact),
        (_, reason::CREDENTIALS_UNUSABLE) => Finding::certain(Cause::CredentialsUnusable, fact),
        (_, reason::LOGIN_REFUSED) => Finding::certain(Cause::LoginRefused, fact),
        (_, reason::UNEXPECTED_REDIRECT) => Finding::certain(Cause::AnsweredByHop, fact),
        (_, reason::API_NOT_FOUND) => {
            Finding::likely(Cause::WrongPlace, fact, &[Cause::PathChanged])
        }
        (_, reason::BAD_PROJECT_ID | reason::PROJECT_UNKNOWN) => {
            Finding::certain(Cause::WrongPlace, fact)
        }
        (Kind::Unavailable | Kind::DeadlineExceeded, _) => {
            Finding::likely(Cause::Unreachable, fact, &[])
        }
        (Kind::ResourceExhausted, _) => Finding::certain(Cause::RateLimited, fact),
        _ => return None,
    };
    Some(finding)
}

/// A status that only a proxy on the way sends, or that asks for a proxy's or a browser's
/// credentials.
#[must_use]
pub(super) fn is_a_hops(status: u16, headers: &HeaderMap) -> bool {
    status == 407
        || headers.contains_key(http::header::PROXY_AUTHENTICATE)
        || (status == 401 && headers.contains_key(http::header::WWW_AUTHENTICATE))
}
