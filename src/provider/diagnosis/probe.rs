//! One request of a diagnosis: signed as the diagnosis says, the head of its answer kept.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::clock;
use crate::call::Call;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::transport::{Protocol, Request, Response, Transport};

/// Makes the headers of one request; it may sign another text than what is sent, to find out what
/// arrives.
pub(crate) type SignAs<'a> =
    Box<dyn Fn(&Request, SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>> + Send + Sync + 'a>;

/// A request's protocol that keeps what it saw.
pub(crate) struct Probe<'a> {
    sign: SignAs<'a>,
    /// How far this machine's clock is ahead, to sign at the cloud's time; absent = as the
    /// transport says.
    skew_ms: Option<i64>,
    judge: &'a (dyn Fn(&Request, &Response) -> Result<()> + Send + Sync),
    kept: Mutex<Option<Answer>>,
}

/// The head of an answer, and the verdict on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Absent for a success.
    pub(crate) error: Option<Error>,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(
        sign: SignAs<'a>,
        judge: &'a (dyn Fn(&Request, &Response) -> Result<()> + Send + Sync),
    ) -> Self {
        Self {
            sign,
            skew_ms: None,
            judge,
            kept: Mutex::default(),
        }
    }

    pub(crate) fn skewed(mut self, skew_ms: Option<i64>) -> Self {
        self.skew_ms = skew_ms;
        self
    }

    /// Sends it once through the target's own way out. An HTTP answer of any status is an answer.
    pub(crate) async fn send(
        self,
        transport: &Transport,
        call: &mut Call,
        request: &Request,
    ) -> Result<Answer> {
        let outcome = transport.send(call, request, &self).await;
        let kept = self
            .kept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match (kept, outcome) {
            (Some(answer), outcome) => Ok(Answer {
                error: outcome.err(),
                ..answer
            }),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Ok(Answer::default()),
        }
    }
}

impl Protocol for Probe<'_> {
    fn sign(&self, request: &Request, at: SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let at = self
            .skew_ms
            .map_or(at, |skew| clock::corrected(now(), skew));
        (self.sign)(request, at)
    }

    fn classify(&self, request: &Request, response: &Response) -> Result<()> {
        let answer = Answer {
            status: response.status.as_u16(),
            headers: response.headers.clone(),
            error: None,
        };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        (self.judge)(request, response)
    }

    fn request_id(&self, _headers: &HeaderMap) -> Option<String> {
        None
    }

    /// What is asked is asked once.
    fn clock_fault(&self, _error: &Error) -> Option<Duration> {
        None
    }
}
