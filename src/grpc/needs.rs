//! What each request needs: the operations and subjects that the configuration must allow.
//!
//! A call that makes the cloud run an action later (a sequence's parts, a trigger's link) needs
//! `invoke` on that action too, or `write` on one action would be a way to run all of them.

use super::subject::Subject;
use crate::error::Result;
use crate::proto::*;
use crate::target::{Allow, Operation, Subject as About};

/// A request of one of our services.
pub(super) trait Needs: Subject {
    /// Lets it pass, or refuses it with the first thing that is not allowed.
    fn check(&self, allow: &Allow) -> Result<()>;
}

/// Requests about one action.
macro_rules! action {
    ($($request:ident: $operation:ident),* $(,)?) => {$(
        impl Needs for $request {
            fn check(&self, allow: &Allow) -> Result<()> {
                allow.check(Operation::$operation, one(&self.package_name, &self.action_name))
            }
        }
    )*};
}

/// Requests about a whole package.
macro_rules! package {
    ($($request:ident: $operation:ident),* $(,)?) => {$(
        impl Needs for $request {
            fn check(&self, allow: &Allow) -> Result<()> {
                allow.check(Operation::$operation, About::Action(package(&self.package_name), "*"))
            }
        }
    )*};
}

/// Requests about one trigger.
macro_rules! trigger {
    ($($request:ident: $operation:ident),* $(,)?) => {$(
        impl Needs for $request {
            fn check(&self, allow: &Allow) -> Result<()> {
                allow.check(Operation::$operation, About::Trigger(&self.trigger_name))
            }
        }
    )*};
}

/// Requests with rules of their own.
macro_rules! own {
    ($($request:ident: |$message:ident, $allow:ident| $check:expr;)*) => {$(
        impl Needs for $request {
            fn check(&self, $allow: &Allow) -> Result<()> {
                let $message = self;
                $check
            }
        }
    )*};
}

action! {
    InvokeRequest: Invoke,
    InvokeAsyncRequest: Invoke,
    GetActivationRequest: Observe,
    WatchActivationRequest: Observe,
    CancelActivationRequest: Cancel,
    GetActionRequest: Read,
    ListActionVersionsRequest: Read,
    ListActionAliasesRequest: Read,
    GetAsyncInvokeConfigRequest: Read,
    PublishActionVersionRequest: Write,
    PutActionAliasRequest: Write,
    PutAsyncInvokeConfigRequest: Write,
    DeleteActionRequest: Delete,
    DeleteActionAliasRequest: Delete,
    DeleteAsyncInvokeConfigRequest: Delete,
}

package! {
    ListActionsRequest: Read,
    GetPackageRequest: Read,
    PutPackageRequest: Write,
    DeletePackageRequest: Delete,
}

trigger! {
    FireTriggerRequest: Fire,
    GetTriggerActivationRequest: Observe,
    ListTriggerActivationsRequest: Observe,
    GetTriggerRequest: Read,
    PutTriggerRequest: Write,
    UnlinkActionRequest: Write,
    DeleteTriggerRequest: Delete,
}

own! {
    ListPackagesRequest: |_message, allow| allow.check(Operation::Read, About::Action("*", "*"));
    ListTriggersRequest: |_message, allow| allow.check(Operation::Read, About::Trigger("*"));
    ListActivationsRequest: |message, allow| {
        let whole = message.package_name.is_empty() && message.action_name.is_empty();
        let subject = if whole {
            About::Action("*", "*")
        } else {
            one(&message.package_name, &message.action_name)
        };
        allow.check(Operation::Observe, subject)
    };
    PutActionRequest: |message, allow| {
        allow.check(Operation::Write, one(&message.package_name, &message.action_name))?;
        let exec = message.action.as_ref().and_then(|action| action.exec.as_ref());
        let parts = exec.map_or(&[][..], |exec| &exec.components);
        parts.iter().try_for_each(|part| {
            let (package_name, action_name) = part.rsplit_once('/').unwrap_or(("-", part));
            allow.check(Operation::Invoke, one(package_name, action_name))
        })
    };
    LinkActionRequest: |message, allow| {
        allow.check(Operation::Write, About::Trigger(&message.trigger_name))?;
        allow.check(Operation::Invoke, one(&message.package_name, &message.action_name))
    };
}

fn one<'a>(package_name: &'a str, action_name: &'a str) -> About<'a> {
    About::Action(package(package_name), action_name)
}

/// "No package" has two spellings, and the rules know one.
fn package(name: &str) -> &str {
    if name.is_empty() { "-" } else { name }
}
