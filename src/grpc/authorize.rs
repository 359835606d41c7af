//! What each request needs: the operations and subjects that the configuration must allow.
//!
//! A call that makes the cloud run an action later (a sequence's parts, a trigger's link) needs
//! `invoke` on that action too, or `write` on one action would be a way to run all of them.

use super::messages::{Resource, RpcRequest};
use crate::error::Result;
use crate::proto::*;
use crate::target::{Allow, Operation};

/// A request that the rules of a target can be asked about.
pub(super) trait Authorize: RpcRequest {
    /// What the call does.
    const OPERATION: Operation;

    /// What the call does it to.
    fn scope(&self) -> Resource<'_> {
        self.resource()
    }

    /// The actions that the cloud runs later because of the call, by package and name.
    fn later_runs(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }
}

/// Lets a request pass, or refuses it with the first thing that is not allowed.
pub(super) fn authorize<T: Authorize>(request: &T, allow: &Allow) -> Result<()> {
    allow.check(T::OPERATION, request.scope().as_subject())?;
    request
        .later_runs()
        .into_iter()
        .try_for_each(|(package, action)| {
            let action = Resource::Action(package, action);
            allow.check(Operation::Invoke, action.as_subject())
        })
}

macro_rules! operations {
    ($($operation:ident: $($request:ident $({ $($rule:item)* })?)*;)*) => {$($(
        impl Authorize for $request {
            const OPERATION: Operation = Operation::$operation;

            $($($rule)*)?
        }
    )*)*};
}

operations! {
    Invoke: InvokeRequest InvokeAsyncRequest;
    Observe:
        GetActivationRequest WatchActivationRequest GetTriggerActivationRequest
        ListTriggerActivationsRequest
        ListActivationsRequest {
            fn scope(&self) -> Resource<'_> {
                match self.resource() {
                    Resource::Action("", "") => Resource::AllActions,
                    action => action,
                }
            }
        };
    Cancel: CancelActivationRequest;
    Fire: FireTriggerRequest;
    Read:
        GetActionRequest GetAsyncInvokeConfigRequest GetPackageRequest GetTriggerRequest
        ListActionAliasesRequest ListActionVersionsRequest ListActionsRequest ListPackagesRequest
        ListTriggersRequest;
    Write:
        PublishActionVersionRequest PutActionAliasRequest PutAsyncInvokeConfigRequest
        PutPackageRequest PutTriggerRequest UnlinkActionRequest
        PutActionRequest {
            fn later_runs(&self) -> Vec<(&str, &str)> {
                let exec = self.action.as_ref().and_then(|action| action.exec.as_ref());
                let parts = exec.map_or(&[][..], |exec| &exec.components);
                let split = |part| str::rsplit_once(part, '/').unwrap_or(("-", part));
                parts.iter().map(|part| split(part)).collect()
            }
        }
        LinkActionRequest {
            fn later_runs(&self) -> Vec<(&str, &str)> {
                vec![(&self.package_name, &self.action_name)]
            }
        };
    Delete:
        DeleteActionAliasRequest DeleteActionRequest DeleteAsyncInvokeConfigRequest
        DeletePackageRequest DeleteTriggerRequest;
}
