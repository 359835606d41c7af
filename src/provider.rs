//! What a functions cloud can do: one method an operation of the API contract. An operation that a
//! target does not have is refused by name.
//!
//! A provider checks a request completely before a byte leaves, builds one HTTP request, hands it
//! to its transport, and decodes the answer tolerantly. It knows neither gRPC nor the other cloud.

use async_trait::async_trait;

use diagnosis::Diagnose;

use crate::call::Call;
use crate::error::{Error, Kind, Result};
use crate::proto::*;

mod checks;
pub mod diagnosis;
mod error_body;
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
        Error::new(Kind::Unimplemented, "OPERATION_NOT_SUPPORTED", message)
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty, $label:literal;)*) => {
        /// The operations of one target's cloud.
        #[async_trait]
        pub trait Provider: Diagnose {
            /// The provider's name in configuration and error details: `ncp`, `functiongraph`.
            fn name(&self) -> &'static str;

            /// Why an operation is not to be had here.
            fn absence(&self, operation: &str) -> Absence;

            $($(#[$doc])*
            async fn $name(&self, _call: &mut Call, _request: $request) -> Result<$response> {
                Err(self.absence($label).of($label))
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

operations! {
    /// Packages of the account, by name.
    list_packages(ListPackagesRequest) -> ListPackagesResponse, "ListPackages";
    /// One package with its actions.
    get_package(GetPackageRequest) -> GetPackageResponse, "GetPackage";
    /// Creates or replaces a package.
    put_package(PutPackageRequest) -> PutPackageResponse, "PutPackage";
    /// Deletes an empty package.
    delete_package(DeletePackageRequest) -> DeletePackageResponse, "DeletePackage";
    /// Actions of a package, by name.
    list_actions(ListActionsRequest) -> ListActionsResponse, "ListActions";
    /// One action; its code only on request.
    get_action(GetActionRequest) -> GetActionResponse, "GetAction";
    /// Creates or replaces an action.
    put_action(PutActionRequest) -> PutActionResponse, "PutAction";
    /// Deletes an action.
    delete_action(DeleteActionRequest) -> DeleteActionResponse, "DeleteAction";
    /// Freezes the present code and configuration as a version.
    publish_action_version(PublishActionVersionRequest) -> PublishActionVersionResponse, "PublishActionVersion";
    /// Versions of an action.
    list_action_versions(ListActionVersionsRequest) -> ListActionVersionsResponse, "ListActionVersions";
    /// Creates or moves an alias.
    put_action_alias(PutActionAliasRequest) -> PutActionAliasResponse, "PutActionAlias";
    /// Aliases of an action.
    list_action_aliases(ListActionAliasesRequest) -> ListActionAliasesResponse, "ListActionAliases";
    /// Deletes an alias.
    delete_action_alias(DeleteActionAliasRequest) -> DeleteActionAliasResponse, "DeleteActionAlias";
    /// How asynchronous runs are repeated and where their outcome goes.
    get_async_invoke_config(GetAsyncInvokeConfigRequest) -> GetAsyncInvokeConfigResponse, "GetAsyncInvokeConfig";
    /// Sets the same.
    put_async_invoke_config(PutAsyncInvokeConfigRequest) -> PutAsyncInvokeConfigResponse, "PutAsyncInvokeConfig";
    /// Removes the same.
    delete_async_invoke_config(DeleteAsyncInvokeConfigRequest) -> DeleteAsyncInvokeConfigResponse, "DeleteAsyncInvokeConfig";
    /// Runs an action and waits for its result.
    invoke(InvokeRequest) -> InvokeResponse, "Invoke";
    /// Runs an action without waiting.
    invoke_async(InvokeAsyncRequest) -> InvokeAsyncResponse, "InvokeAsync";
    /// One activation.
    get_activation(GetActivationRequest) -> GetActivationResponse, "GetActivation";
    /// Activations of an action or of the account.
    list_activations(ListActivationsRequest) -> ListActivationsResponse, "ListActivations";
    /// Stops a run.
    cancel_activation(CancelActivationRequest) -> CancelActivationResponse, "CancelActivation";
    /// Triggers of the account, by name.
    list_triggers(ListTriggersRequest) -> ListTriggersResponse, "ListTriggers";
    /// One trigger; secrets stay out.
    get_trigger(GetTriggerRequest) -> GetTriggerResponse, "GetTrigger";
    /// Creates or replaces a trigger.
    put_trigger(PutTriggerRequest) -> PutTriggerResponse, "PutTrigger";
    /// Deletes a trigger.
    delete_trigger(DeleteTriggerRequest) -> DeleteTriggerResponse, "DeleteTrigger";
    /// Fires a trigger, which runs its linked actions.
    fire_trigger(FireTriggerRequest) -> FireTriggerResponse, "FireTrigger";
    /// Links an action to a trigger.
    link_action(LinkActionRequest) -> LinkActionResponse, "LinkAction";
    /// Takes the link away.
    unlink_action(UnlinkActionRequest) -> UnlinkActionResponse, "UnlinkAction";
    /// One firing of a trigger.
    get_trigger_activation(GetTriggerActivationRequest) -> GetTriggerActivationResponse, "GetTriggerActivation";
    /// Firings of a trigger.
    list_trigger_activations(ListTriggerActivationsRequest) -> ListTriggerActivationsResponse, "ListTriggerActivations";
}
