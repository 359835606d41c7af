//! Error answers of FunctionGraph, its gateway and IAM: the code first, the HTTP status second,
//! unknown codes passed through.
//!
//! FunctionGraph docs: appendix "Error Codes" (Open Telekom Cloud edition, 2026-04); API Gateway
//! user manual "Error Codes"; IAM API reference. The same meaning comes with several HTTP statuses,
//! so the code decides. What may be repeated is INFERRED from the meanings: the vendor says it of
//! throttling alone.

use std::time::Duration;

use http::StatusCode;

use crate::error::{Component, Error, Kind, reason};
use crate::provider::error_row::ErrorRow;
use crate::provider::inner_error;
use crate::provider::status::{by_http_status, explained};
use crate::transport::{Response, retry_after};

mod run;
mod said;
mod table;

pub(super) use run::{Fault, fault_of};
pub(super) use said::{SERVICE, Said, is_code, read, signed_text};
pub(in crate::provider) use table::ROWS;
pub(super) use table::*;

#[cfg(test)]
pub(in crate::provider) use run::RUN_ROWS;

/// How far off a signature's time was at least when `error` is about it: the gateway says so in
/// words of its own (`signature expired`), and takes 15 minutes (API Request Signing Guide).
/// INFERRED: a gateway with other words means the same by a refusal that names no cause.
pub(super) fn clock_fault(error: &Error) -> Option<Duration> {
    match error.reason.as_ref() {
        SIGNATURE_EXPIRED => Some(Duration::from_secs(60)),
        reason::AUTHENTICATION_FAILED if error.kind == Kind::Unauthenticated => {
            Some(Duration::from_secs(14 * 60))
        }
        _ => None,
    }
}

/// Accepts a success, or says what the answer means.
pub(super) fn judge(response: &Response) -> Result<(), Error> {
    if response.status.is_success() && !inner_error::reported(response.json()) {
        Ok(())
    } else {
        Err(classify(response, &read(response.json())))
    }
}

/// The meaning of an answer that is no success.
pub(super) fn classify(response: &Response, said: &Said) -> Error {
    let status = response.status;
    let row = said
        .documented_code()
        .and_then(|code| ErrorRow::find(ROWS, &code, status, &said.message));
    let error = match row {
        Some(row) => row.error(&said.message),
        None => unknown(status, said),
    };
    error.with(|facts| {
        facts.http_status = Some(status.as_u16());
        facts.upstream_code.clone_from(&said.code);
        facts.violations.clone_from(&said.violations);
        if let Some(pause) = retry_after(&response.headers, crate::clock::now()) {
            facts.retry_after = Some(pause);
        }
        if facts.upstream_request_id.is_none() {
            facts.upstream_request_id.clone_from(&said.request_id);
        }
    })
}

fn unknown(status: StatusCode, said: &Said) -> Error {
    by_http_status(status).with(|facts| {
        if let Some((family, number)) = said.number() {
            facts.reason = format!("{family}_{number:04}").into();
            if family == SERVICE {
                facts.component = Component::Service;
            }
        }
        facts.message.push_str(&explained(&said.message));
    })
}

#[cfg(test)]
mod tests;
