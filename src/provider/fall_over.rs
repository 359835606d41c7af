//! When a refused request may be signed with another key and sent once more, and which answer then
//! counts.
//!
//! A refused signature executed nothing, so a second try with the other of two live keys does no
//! harm. It is one try and never a loop: clouds lock keys after a few refusals.

use crate::call::Call;
use crate::credentials::{Credentials, KeyPair, Verdict};
use crate::error::{Component, Error, Execution, Kind, Result};
use crate::transport::{Protocol, Request, Response, Transport};

/// A protocol that signs with keys.
pub(super) trait SignedExchange: Protocol {
    /// The generation of the keys that signed last; 0 = none did.
    fn used(&self) -> u64;
}

/// Sends with the present keys; if those are refused, once more with the other of two live ones,
/// where there are any. `sign_with` makes the same exchange with keys of a generation.
pub(super) async fn send<E: SignedExchange>(
    transport: &Transport,
    call: &mut Call,
    request: &Request,
    credentials: &Credentials,
    exchange: E,
    sign_with: impl FnOnce(&E, u64, &KeyPair) -> Result<E> + Send,
) -> Result<Response> {
    credentials.ready(call.deadline).await?;
    let first = transport.send(call, request, &exchange).await;
    let used = exchange.used();
    if taken(&first) {
        credentials.accepted(used);
    }
    if !refused(&first, request) {
        return first;
    }
    // Boxed: few calls come here, and all of them would carry its state.
    Box::pin(async {
        let Some(other) = credentials.alternative(used, call.deadline).await else {
            return first;
        };
        let generation = other.generation;
        let Ok(Ok(exchange)) = other
            .keys
            .as_ref()
            .map(|keys| sign_with(&exchange, generation, keys))
        else {
            return first;
        };
        let second = transport.send(call, request, &exchange).await;
        if taken(&second) {
            credentials.fell_back(used, generation);
            credentials.accepted(generation);
        }
        better(first, second)
    })
    .await
}

/// True when the cloud refused the key, and no attempt of this call may have done anything that
/// must not happen twice.
pub(super) fn refused(sent: &Result<Response>, request: &Request) -> bool {
    sent.as_ref().is_err_and(|error| {
        is_refusal(error) && (error.execution == Execution::NotStarted || request.idempotent)
    })
}

/// True when the answer shows that the cloud took the signature: whatever comes after that check
/// proves it, an answer that may come before it (a throttled gateway, a page of some proxy) does
/// not.
fn taken<T>(sent: &Result<T>) -> bool {
    match sent {
        Ok(_) => true,
        Err(error) => {
            error.kind == Kind::PermissionDenied && error.http_status.is_some()
                || (error.component == Component::Service
                    && error.upstream_code.is_some()
                    && error.kind != Kind::Unauthenticated)
        }
    }
}

/// The answer that counts: the second, unless it was refused as the first was.
fn better(first: Result<Response>, second: Result<Response>) -> Result<Response> {
    match (first, second) {
        (_, Ok(response)) => Ok(response),
        (Err(first), Err(second)) if second.kind == Kind::Unauthenticated => {
            let execution = first.execution.max(second.execution);
            Err(first.execution(execution))
        }
        (first, Err(second)) => {
            // What an earlier attempt may have done stays true.
            let execution = first.err().map_or(second.execution, |first| {
                first.execution.max(second.execution)
            });
            Err(second.execution(execution))
        }
    }
}

/// What the outcome of a harmless signed request says of the key.
pub(super) fn verdict<T>(sent: &Result<T>) -> Verdict {
    match sent {
        sent if taken(sent) => Verdict::Taken,
        Err(error) if is_refusal(error) => Verdict::Refused(error.message.clone()),
        Err(error) => Verdict::Unclear(error.message.clone()),
        Ok(_) => Verdict::Taken,
    }
}

fn is_refusal(error: &Error) -> bool {
    error.kind == Kind::Unauthenticated && error.http_status.is_some()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};
    use url::Url;

    use super::*;

    fn answer() -> Result<Response> {
        Ok(Response {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    fn error(kind: Kind, status: Option<u16>, execution: Execution) -> Error {
        Error::new(kind, "X", "x")
            .execution(execution)
            .with(|facts| facts.http_status = status)
    }

    fn request(idempotent: bool) -> Request {
        Request {
            method: Method::POST,
            url: Url::parse("http://127.0.0.1/").unwrap(),
            body: Bytes::new(),
            headers: Vec::new(),
            idempotent,
            attempt_timeout: None,
        }
    }

    #[test]
    fn only_a_refusal_by_the_cloud_of_what_did_nothing_is_tried_with_another_key() {
        use Execution::{NotStarted, Unknown};
        for (kind, status, execution, idempotent, may) in [
            (Kind::Unauthenticated, Some(401), NotStarted, false, true),
            (Kind::Unauthenticated, Some(401), Unknown, true, true),
            // An earlier attempt of the call may have run the function.
            (Kind::Unauthenticated, Some(401), Unknown, false, false),
            // Our own word, before anything was sent.
            (Kind::Unauthenticated, None, NotStarted, false, false),
            (Kind::PermissionDenied, Some(403), NotStarted, false, false),
        ] {
            let sent = Err(error(kind, status, execution));
            assert_eq!(
                refused(&sent, &request(idempotent)),
                may,
                "{kind:?} {status:?} {execution:?}"
            );
        }
        assert!(!refused(&answer(), &request(true)));
    }

    #[test]
    fn the_second_answer_counts_unless_it_is_a_refusal_too() {
        use Execution::{NotStarted, Unknown};
        let first = || {
            Err(error(Kind::Unauthenticated, Some(401), NotStarted)
                .with(|facts| facts.reason = "FIRST".into()))
        };
        assert!(better(first(), answer()).is_ok());
        let again = Err(error(Kind::Unauthenticated, Some(401), NotStarted));
        assert_eq!(better(first(), again).unwrap_err().reason, "FIRST");
        let lost = Err(error(Kind::Unavailable, None, Unknown));
        let told = better(first(), lost).unwrap_err();
        assert_eq!((told.kind, told.execution), (Kind::Unavailable, Unknown));
    }

    #[test]
    fn a_missing_right_is_a_good_signature_and_a_page_of_some_proxy_is_none() {
        let of = |kind, status, code: Option<&str>| {
            let told = error(kind, status, Execution::NotStarted)
                .component(Component::Service)
                .with(|facts| facts.upstream_code = code.map(str::to_owned));
            verdict(&Err::<(), _>(told))
        };
        assert_eq!(verdict(&Ok(())), Verdict::Taken);
        assert_eq!(of(Kind::PermissionDenied, Some(403), None), Verdict::Taken);
        assert_eq!(of(Kind::NotFound, Some(404), Some("80301")), Verdict::Taken);
        assert!(matches!(
            of(Kind::NotFound, Some(404), None),
            Verdict::Unclear(_)
        ));
        assert!(matches!(
            of(Kind::Unavailable, None, None),
            Verdict::Unclear(_)
        ));
        assert!(matches!(
            of(Kind::Unauthenticated, Some(401), Some("200")),
            Verdict::Refused(_)
        ));
    }
}
