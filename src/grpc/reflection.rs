//! Server reflection, v1 and v1alpha: stock tools ask for either.
//!
//! The descriptors are decoded at the first question, so that a sidecar which is never asked pays
//! nothing for them.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tonic::body::Body;
use tonic::{Code, Status};
use tonic_reflection::server::{Builder, Error};
use tower::Service as _;
use tower::util::BoxCloneSyncService;

use super::router::MAX_QUESTION;
use super::status::bare;
use crate::proto::FILE_DESCRIPTOR_SET;

type Service = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>;
type Pending = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

/// Both generations; clones share what was decoded.
#[derive(Clone, Default)]
pub(super) struct Reflection {
    v1: Arc<OnceLock<Option<Service>>>,
    v1alpha: Arc<OnceLock<Option<Service>>>,
}

impl Reflection {
    /// The answer of v1, or of v1alpha.
    pub(super) fn answer(&self, alpha: bool, request: http::Request<Body>) -> Pending {
        if alpha {
            let build = || {
                let service = builder().build_v1alpha()?;
                let service = service.max_decoding_message_size(MAX_QUESTION);
                Ok(BoxCloneSyncService::new(service))
            };
            answer(&self.v1alpha, build, request)
        } else {
            let build = || {
                let service = builder().build_v1()?;
                let service = service.max_decoding_message_size(MAX_QUESTION);
                Ok(BoxCloneSyncService::new(service))
            };
            answer(&self.v1, build, request)
        }
    }
}

impl fmt::Debug for Reflection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reflection")
    }
}

fn builder() -> Builder<'static> {
    // The error details too, so that tools can show them without any proto at hand.
    Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
}

fn answer(
    service: &OnceLock<Option<Service>>,
    build: impl FnOnce() -> Result<Service, Error>,
    request: http::Request<Body>,
) -> Pending {
    match service.get_or_init(|| build().ok()) {
        Some(service) => Box::pin(service.clone().call(request)),
        // The descriptors are part of this binary, and a test asks for them.
        None => {
            let status: Status = bare(
                Code::Internal,
                "The descriptors of this server cannot be read.",
            );
            Box::pin(std::future::ready(Ok(status.into_http())))
        }
    }
}
