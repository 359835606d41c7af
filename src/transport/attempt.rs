//! One attempt: sign → send → classify; and at once one more when the first was refused for its
//! clock alone.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::skew::Reading;
use super::{Protocol, Request, Response, Transport, proof};
use crate::call::Call;
use crate::error::{Error, Execution, Result};
use crate::memory::Held;
use crate::telemetry::metrics::Attempt;

/// A failed exchange, with the headers of its answer if a whole one came.
struct Refused {
    error: Error,
    headers: HeaderMap,
}

impl Transport {
    /// One attempt; and at once one more, signed with the corrected time, when the first was
    /// refused for a wrong one. Nothing was carried out then, so that it is no retry and costs no
    /// budget.
    pub(super) async fn attempt(
        &self,
        call: &mut Call,
        request: &Request,
        protocol: &dyn Protocol,
    ) -> Result<Response> {
        let skew = &self.shared.skew;
        let at = skew.read();
        let refused = match self.exchange(call, request, protocol, &at).await {
            Ok(response) => return Ok(response),
            Err(refused) => refused,
        };
        let least = protocol.clock_fault(&refused.error);
        let host = request.url.host_str().unwrap_or_default();
        let Some(correction) =
            least.and_then(|least| skew.refused(&at, &refused.headers, least, host))
        else {
            return Err(refused.error);
        };
        let again = self.exchange(call, request, protocol, &skew.read()).await;
        again.map_err(|refused| {
            if protocol.clock_fault(&refused.error).is_some() {
                skew.refute(correction);
            }
            refused.error
        })
    }

    /// The time left, if an answer can come within it.
    pub(super) fn in_time(&self, call: &Call) -> Result<Duration> {
        let left = call.remaining();
        if left.is_zero() || self.client.hopeless(left) {
            return Err(Call::out_of_time(Execution::NotStarted));
        }
        Ok(left)
    }

    /// One signed HTTP exchange.
    async fn exchange(
        &self,
        call: &mut Call,
        request: &Request,
        protocol: &dyn Protocol,
        at: &Reading,
    ) -> std::result::Result<Response, Refused> {
        let left = self.in_time(call)?;
        let refitted = protocol.refit(request, left)?;
        let request = refitted.as_ref().unwrap_or(request);
        let bound = request.attempt_timeout.unwrap_or(self.timeouts.attempt);
        let signature = protocol.sign(request, at.upstream())?;
        call.attempts += 1;
        call.attempt_begins(&request.method, &request.url, request.body.len());
        // An earlier answer of this call has been read, or was a failure.
        call.memory = Held::default();
        let counted =
            self.metrics
                .requests
                .begin(&request.method, &request.url, request.body.len());
        let sent = self.client.send(call, request, &signature, bound).await;
        let sent = sent.map(|(response, held)| {
            call.memory = held;
            response
        });
        count(counted, &sent);
        let judged = self.judge(call, request, protocol, at, sent);
        call.attempt_ended(match &judged {
            Ok(response) => Ok((response.status.as_u16(), response.body.len())),
            Err(refused) => Err(&refused.error),
        });
        judged
    }

    /// What an exchange came to.
    fn judge(
        &self,
        call: &mut Call,
        request: &Request,
        protocol: &dyn Protocol,
        at: &Reading,
        sent: std::result::Result<Response, (Error, HeaderMap)>,
    ) -> std::result::Result<Response, Refused> {
        let response = sent.map_err(|(failure, headers)| {
            call.upstream_request_id = protocol
                .request_id(&headers)
                .or(call.upstream_request_id.take());
            let status = failure
                .http_status
                .and_then(|status| StatusCode::from_u16(status).ok());
            if status.is_some_and(|status| protocol.proves_execution(status, &headers)) {
                return carried_out(failure);
            }
            failure
        })?;
        if let Some(id) = protocol.request_id(&response.headers) {
            call.upstream_request_id = Some(id);
        }
        if let Err(error) =
            proof::uncoded(&response).and_then(|()| protocol.classify(request, &response))
        {
            return Err(Refused {
                error: describe(error, call),
                headers: response.headers,
            });
        }
        // Only a good answer proves that the signature was looked at and its time accepted.
        if response.status.is_success() {
            let host = request.url.host_str().unwrap_or_default();
            self.shared.skew.accepted(at, &response.headers, host);
        }
        Ok(response)
    }
}

/// A failure after a head that proves that the request was carried out.
fn carried_out(failure: Error) -> Error {
    let ours = Call::out_of_time(Execution::Completed);
    failure.with(|facts| {
        facts.execution = Execution::Completed;
        if facts.reason == ours.reason {
            facts.message.clone_from(&ours.message);
        }
    })
}

/// Tells the metrics how an attempt ended. Reasons of failed attempts are our own words, all of
/// them constants.
fn count(attempt: Attempt, sent: &std::result::Result<Response, (Error, HeaderMap)>) {
    match sent {
        Ok(response) => attempt.answered(response.status, response.body.len()),
        Err((error, _)) => match error.reason {
            Cow::Borrowed(reason) => attempt.failed(reason, error.http_status),
            Cow::Owned(_) => attempt.failed("_OTHER", error.http_status),
        },
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            headers: HeaderMap::new(),
        }
    }
}

/// Adds what only the transport saw.
fn describe(error: Error, call: &Call) -> Error {
    error.with(|facts| {
        if facts.upstream_request_id.is_none() {
            facts
                .upstream_request_id
                .clone_from(&call.upstream_request_id);
        }
    })
}
