//! What a refusal itself proves: the gateway's words on a security token, and the canonical request
//! that some gateways show. Costs nothing but on refusals.

use std::time::SystemTime;

use http::HeaderValue;

use crate::error::Error;
use crate::provider::diagnosis::{Cause, Finding};
use crate::provider::functiongraph::auth::{
    HOST, Keys, PROJECT_ID, Proof, SDK_DATE, SECURITY_TOKEN, Sealed, host, sendable,
};
use crate::provider::functiongraph::errors;
use crate::provider::functiongraph::sign::{self, Difference, Parts, Signer};
use crate::provider::status::plain;
use crate::transport::{Request, Response};

impl Sealed<'_> {
    /// Names what changed on the way, where the gateway shows the canonical request that it
    /// computed.
    pub(in crate::provider::functiongraph) fn name_the_cause(
        &self,
        error: Error,
        keys: &Keys,
        request: &Request,
        signed: SystemTime,
        response: &Response,
    ) -> Error {
        match error.reason.as_ref() {
            // A signature is not a token: the gateway speaks of the security token.
            errors::TOKEN_REFUSED => {
                let cause = match keys.are_temporary() {
                    true => Cause::SecurityTokenRefused,
                    false => Cause::SecurityTokenMissing,
                };
                error.with(|facts| {
                    facts.cause = Some(cause.symbol());
                    facts.message = format!(
                        "The gateway refused the temporary key's security token. {}",
                        cause.fix()
                    );
                })
            }
            errors::SIGNATURE_REFUSED => {
                let theirs = errors::signed_text(&response.body)
                    .and_then(|text| sign::told_canonical(&text));
                let ours = theirs
                    .as_ref()
                    .and_then(|_| self.canonical(keys, request, signed));
                let (Some(ours), Some(theirs)) = (ours, theirs) else {
                    return error;
                };
                let finding = part_that_differs(sign::difference(&ours, &theirs));
                error.with(|facts| {
                    facts.cause = Some(finding.cause.symbol());
                    facts.message = format!(
                        "The gateway refused the signature: {}. {}",
                        finding.fact,
                        finding.cause.fix()
                    );
                })
            }
            _ => error,
        }
    }

    /// What was signed at `signed`, made again.
    fn canonical(&self, keys: &Keys, request: &Request, signed: SystemTime) -> Option<String> {
        let Proof::Signature { body_hash, .. } = &self.proof else {
            return None;
        };
        let snapshot = keys.credentials.current().ok()?;
        let pair = snapshot.keys.as_ref().ok()?;
        let date = sign::date(signed);
        let (host, time) = (sendable(&host(request)).ok()?, sendable(&date).ok()?);
        let token = pair.security_token.as_ref();
        let token = token.and_then(|token| HeaderValue::from_str(token.reveal()).ok());
        let mut headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| (name, value))
            .collect();
        headers.extend([(&HOST, &host), (&SDK_DATE, &time)]);
        headers.extend(self.project.map(|project| (&PROJECT_ID, project)));
        headers.extend(token.as_ref().map(|token| (&SECURITY_TOKEN, token)));
        let parts = Parts {
            method: request.method.as_str(),
            url: &request.url,
            headers: &headers,
            date: &date,
            payload_hash: body_hash,
        };
        Some(Signer::new(pair).ok()?.explain(&parts).canonical_request)
    }
}

impl Keys {
    fn are_temporary(&self) -> bool {
        let Ok(snapshot) = self.credentials.current() else {
            return false;
        };
        snapshot
            .keys
            .as_ref()
            .is_ok_and(|keys| keys.security_token.is_some())
    }
}

/// The cause behind a difference between what was signed and what the gateway saw. Header values
/// are not told.
fn part_that_differs(difference: Option<Difference>) -> Finding {
    let arrived = |part: &str, ours: &str, theirs: &str| {
        format!("the {part} `{ours}` arrived as `{}`", plain(theirs))
    };
    match difference {
        None => Finding::certain(
            Cause::SecretWrong,
            "the gateway computed its signature over the very same text",
        ),
        Some(Difference::Method(a, b)) => {
            Finding::certain(Cause::MethodChanged, arrived("method", &a, &b))
        }
        Some(Difference::Path(a, b)) => {
            Finding::certain(Cause::PathChanged, arrived("path", &a, &b))
        }
        Some(Difference::Query(a, b)) => {
            Finding::certain(Cause::QueryChanged, arrived("query", &a, &b))
        }
        Some(Difference::Header(name)) if name == "host" => Finding::certain(
            Cause::HostChanged,
            "the Host header arrived with another value",
        ),
        Some(Difference::Header(name)) => {
            let fact = format!("the header {name} did not arrive as it was signed");
            Finding::certain(Cause::HeaderChanged, fact)
        }
        Some(Difference::SignedHeaders(..)) => Finding::certain(
            Cause::HeaderChanged,
            "the list of signed headers arrived changed",
        ),
        Some(Difference::BodyHash(..)) => {
            Finding::certain(Cause::BodyChanged, "the body that arrived has another hash")
        }
    }
}
