//! What every call shares: pick the target, set the deadline, read the trace context; answer with trailers or a status.

use std::sync::{Arc, OnceLock};

use tonic::metadata::MetadataMap;
use tonic::{Extensions, Response, Status};

use super::status::{Context, status};
use super::{deadline, trace};
use crate::call::Call;
use crate::error::Result;
use crate::target::{Target, Targets};

/// One call between its arrival and its answer.
pub(super) struct Edge {
    pub(super) target: Arc<Target>,
    pub(super) call: Call,
    idempotent: bool,
}

/// What the trailers of a successful answer say; travels in the response's extensions.
#[derive(Clone, Debug, Default)]
pub(super) struct CallFacts {
    pub(super) attempts: u32,
    pub(super) upstream_request_id: Option<String>,
}

/// The same for a stream, whose answer begins before its facts are known; set before the stream ends.
#[derive(Clone, Debug, Default)]
pub(super) struct LateFacts(Arc<OnceLock<CallFacts>>);

impl LateFacts {
    pub(super) fn set(&self, facts: CallFacts) {
        // A stream ends once.
        let _ = self.0.set(facts);
    }

    pub(super) fn get(&self) -> CallFacts {
        self.0.get().cloned().unwrap_or_default()
    }
}

impl Edge {
    /// `idempotent` is the operation's own nature or the caller's word.
    pub(super) fn open(
        targets: &Targets,
        target: &str,
        (metadata, extensions): (&MetadataMap, &Extensions),
        idempotent: bool,
    ) -> Result<Self, Status> {
        let target = targets.get(target).map_err(|error| {
            status(
                &error,
                &Context {
                    target,
                    ..Context::default()
                },
            )
        })?;
        let mut call = Call::new(deadline::deadline(extensions, target.request_timeout));
        call.trace = trace::context(metadata);
        call.previous_attempts = previous_attempts(metadata);
        Ok(Self {
            target,
            call,
            idempotent,
        })
    }

    /// The answer to the caller.
    pub(super) fn close<T>(self, result: Result<T>) -> Result<Response<T>, Status> {
        match result {
            Ok(message) => {
                let mut response = Response::new(message);
                let Call {
                    attempts,
                    upstream_request_id,
                    ..
                } = self.call;
                response.extensions_mut().insert(CallFacts {
                    attempts,
                    upstream_request_id,
                });
                Ok(response)
            }
            Err(error) => Err(self.status(&error)),
        }
    }

    /// The status of a failure of this call.
    pub(super) fn status(&self, error: &crate::error::Error) -> Status {
        status(
            error,
            &Context {
                target: &self.target.name,
                provider: self.target.provider.name(),
                attempts: self.call.attempts,
                upstream_request_id: self.call.upstream_request_id.as_deref(),
                idempotent: self.idempotent || self.call.idempotent,
            },
        )
    }
}

/// How often the client's own retry policy has sent this call before (gRFC A6, "Retry Attempt Metadata"); what is no
/// plain number is as if absent.
fn previous_attempts(metadata: &MetadataMap) -> u32 {
    metadata
        .get("grpc-previous-rpc-attempts")
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// One unary method: open, ask the provider, close.
macro_rules! unary {
    ($services:expr, $request:expr, $method:ident, $idempotent:expr) => {{
        let (metadata, extensions, message) = $request.into_parts();
        let mut edge = $crate::grpc::edge::Edge::open(
            &$services.targets,
            &message.target,
            (&metadata, &extensions),
            $idempotent,
        )?;
        let result = edge.target.provider.$method(&mut edge.call, message).await;
        edge.close(result)
    }};
}

pub(super) use unary;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_own_retries_are_told_by_a_plain_number() {
        for (text, expected) in [
            ("1", 1),
            ("4", 4),
            ("0", 0),
            ("", 0),
            ("+1", 0),
            ("-1", 0),
            ("1.0", 0),
            (" 1", 0),
            ("one", 0),
            ("99999999999", 0),
        ] {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-previous-rpc-attempts", text.parse().unwrap());
            assert_eq!(previous_attempts(&metadata), expected, "{text:?}");
        }
        assert_eq!(previous_attempts(&MetadataMap::new()), 0);
    }
}
