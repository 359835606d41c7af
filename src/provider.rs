//! What a functions cloud can do: one method an operation of the API contract. An operation that a
//! target does not have is refused by name.
//!
//! A provider checks a request completely before a byte leaves, builds one HTTP request, hands it
//! to its transport, and decodes the answer tolerantly. It knows neither gRPC nor the other cloud.

use async_trait::async_trait;

use diagnosis::Diagnose;

use crate::call::Call;
use crate::error::{Error, Kind, Result, reason};
use crate::proto::*;

/// Makes a cloud's type a [`Provider`] by its own methods of the same names; what is not listed is
/// absent.
macro_rules! provider {
    ($cloud:ident, $name:literal; $($method:ident($request:ty) -> $response:ty;)*) => {
        #[async_trait::async_trait]
        impl $crate::provider::Provider for $cloud {
            fn name(&self) -> &'static str {
                $name
            }

            fn absence(&self, operation: &str) -> Absence {
                absence(operation)
            }

            $(async fn $method(&self, call: &mut Call, request: $request) -> Result<$response> {
                $cloud::$method(self, call, request).await
            })*

            async fn watch_activation(
                &self,
                call: &mut Call,
                request: WatchActivationRequest,
                observer: $crate::provider::Observer<'_>,
            ) -> Result<()> {
                $cloud::watch_activation(self, call, request, observer).await
            }
        }
    };
}
use provider;

mod checks;
pub mod cloud;
mod clouds;
pub mod diagnosis;
mod error_body;
mod error_row;
mod fall_over;
pub mod functiongraph;
mod inner_error;
mod lenient;
pub mod ncp;
mod paging;
mod pauses;
mod races;
mod runs;
pub mod status;
mod watch;

pub use clouds::{CLOUD_NAMES, CLOUDS, Cloud, CredentialSettings, CredentialSource, cloud_named};

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use lenient::fuzz_time;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_page_token(text: &str) {
    let mut faults = crate::error::Faults::new();
    let scope = paging::fingerprint("scope");
    let _ = paging::read(text, scope, &mut faults);
    let token = paging::write(text, scope);
    assert!(
        token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
        "{token}"
    );
    assert_eq!(
        paging::read(&token, scope, &mut faults).as_deref(),
        Some(text)
    );
    assert_eq!(paging::read(&token, scope ^ 1, &mut faults), None);
}

/// Receives the states of a watched activation; answers false when nobody listens any more.
pub type Observer<'a> = &'a mut (dyn FnMut(Activation) -> bool + Send);

/// Why an operation is not to be had, and what to do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The cloud has no such operation.
    NotInCloud(&'static str),
    /// The cloud has it, and the sidecar does not offer it.
    NotOffered(&'static str),
}

impl Absence {
    /// The error for `operation`.
    #[must_use]
    pub fn of(self, operation: &str) -> Error {
        let message = match self {
            Self::NotInCloud(instead) => {
                format!("The cloud has no operation {operation}: {instead}.")
            }
            Self::NotOffered(instead) => format!(
                "The sidecar does not offer {operation} for this target, although the cloud has such an operation: \
                 {instead}."
            ),
        };
        Error::new(
            Kind::Unimplemented,
            reason::OPERATION_NOT_SUPPORTED,
            message,
        )
    }
}

macro_rules! operations {
    ($($path:literal $kind:ident $rpc:ident $operation:ident($request:ident) -> $response:ident
        { $($flags:tt)* };)*) => {
        /// The operations of one target's cloud: a method for each RPC, of the same name.
        #[async_trait]
        pub trait Provider: Diagnose {
            /// The provider's name in configuration and error details: `ncp`, `functiongraph`.
            fn name(&self) -> &'static str;

            /// Why an operation is not to be had here.
            fn absence(&self, operation: &str) -> Absence;

            $(#[doc = concat!("`", $path, "`, as the protos describe it.")]
            async fn $operation(&self, _call: &mut Call, _request: $request) -> Result<$response> {
                Err(self.absence(stringify!($rpc)).of(stringify!($rpc)))
            })*

            /// Reports an activation at once and at each change of state, until it has ended or
            /// `call` is out of time.
            async fn watch_activation(
                &self,
                _call: &mut Call,
                _request: WatchActivationRequest,
                _observer: Observer<'_>,
            ) -> Result<()> {
                Err(self.absence("WatchActivation").of("WatchActivation"))
            }
        }
    };
}

for_each_unary_rpc!(operations);
