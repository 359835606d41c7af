//! One request of a diagnosis: signed as the diagnosis says, the head of its answer kept.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Head, clock};
use crate::call::Call;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::transport::{Protocol, Request, Response, Transport};

/// Makes the headers of one request; it may sign another text than what is sent, to find out what arrives.
pub(crate) type SignAs<'a> =
    Box<dyn Fn(&Request, SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>> + Send + Sync + 'a>;

/// A request's protocol that keeps what it saw.
pub(crate) struct Probe<'a> {
    sign: SignAs<'a>,
    /// The cloud's clock minus ours, in milliseconds, to sign at the cloud's time; absent = as the transport says.
    ahead_ms: Option<i64>,
    judge: &'a (dyn Fn(&Request, &Response) -> Result<()> + Send + Sync),
    kept: Mutex<Option<(Answer, SystemTime)>>,
    sent: Mutex<Option<SystemTime>>,
}

/// The head of an answer, and the verdict on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) head: Head,
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
            ahead_ms: None,
            judge,
            kept: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    pub(crate) fn at(mut self, ahead_ms: Option<i64>) -> Self {
        self.ahead_ms = ahead_ms;
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
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (kept, outcome) {
            (Some((mut answer, came)), outcome) => {
                let sent = self.sent.into_inner().unwrap_or_else(PoisonError::into_inner);
                answer.head = clock::head(answer.head.status, &answer.headers, sent.unwrap_or(came), came);
                answer.error = outcome.err();
                Ok(answer)
            }
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Ok(Answer::default()),
        }
    }
}

impl Protocol for Probe<'_> {
    fn sign(&self, request: &Request, at: SystemTime) -> Result<Vec<(HeaderName, HeaderValue)>> {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(now());
        let at = self.ahead_ms.map_or(at, |ahead| clock::shifted(now(), ahead));
        (self.sign)(request, at)
    }

    fn classify(&self, request: &Request, response: &Response) -> Result<()> {
        let answer = Answer {
            head: Head {
                status: response.status.as_u16(),
                ..Head::default()
            },
            headers: response.headers.clone(),
            error: None,
        };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((answer, now()));
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
