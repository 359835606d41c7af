//! What a request is about, and what its answer says of a run: names only, for those who watch.

use std::any::Any;

use crate::proto::*;

/// Every request of `faas.v1`.
pub(super) trait Subject {
    /// The configured target that it asks for; empty = the default one.
    fn target(&self) -> &str;

    /// `package/action`, with `-` for no package; else a trigger's or a package's name; empty if it is about none.
    fn subject(&self) -> String;
}

/// Joins the two halves as `idempotent_actions` and the other patterns spell them.
fn action(package: &str, action: &str) -> String {
    match (package, action) {
        ("", "") => String::new(),
        ("", action) => ["-/", action].concat(),
        (package, action) => [package, "/", action].concat(),
    }
}

macro_rules! about {
    ($($request:ident)* => |$this:ident| $subject:expr) => {$(
        impl Subject for $request {
            fn target(&self) -> &str {
                &self.target
            }

            fn subject(&self) -> String {
                let $this = self;
                $subject
            }
        }
    )*};
}

about! {
    GetActionRequest PutActionRequest DeleteActionRequest PublishActionVersionRequest ListActionVersionsRequest
    PutActionAliasRequest ListActionAliasesRequest DeleteActionAliasRequest GetAsyncInvokeConfigRequest
    PutAsyncInvokeConfigRequest DeleteAsyncInvokeConfigRequest InvokeRequest InvokeAsyncRequest GetActivationRequest
    ListActivationsRequest WatchActivationRequest CancelActivationRequest
    => |this| action(&this.package_name, &this.action_name)
}
about! {
    ListActionsRequest GetPackageRequest PutPackageRequest DeletePackageRequest
    => |this| this.package_name.clone()
}
about! {
    GetTriggerRequest PutTriggerRequest DeleteTriggerRequest FireTriggerRequest LinkActionRequest UnlinkActionRequest
    GetTriggerActivationRequest ListTriggerActivationsRequest
    => |this| this.trigger_name.clone()
}
about! { ListPackagesRequest ListTriggersRequest => |_this| String::new() }

/// The run that an answer tells of, if it tells of one.
pub(super) fn activation(answer: &dyn Any) -> Option<&Activation> {
    if let Some(answer) = answer.downcast_ref::<InvokeResponse>() {
        return answer.activation.as_ref();
    }
    if let Some(answer) = answer.downcast_ref::<InvokeAsyncResponse>() {
        return answer.activation.as_ref();
    }
    answer
        .downcast_ref::<GetActivationResponse>()?
        .activation
        .as_ref()
}

/// True when a run has ended, and not well.
pub(super) fn failed(activation: &Activation) -> bool {
    matches!(
        activation.status(),
        ActivationStatus::ApplicationError
            | ActivationStatus::DeveloperError
            | ActivationStatus::SystemError
            | ActivationStatus::Cancelled
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_spelt_as_patterns_are() {
        let invoke = |package: &str, action: &str| {
            InvokeRequest {
                package_name: package.to_owned(),
                action_name: action.to_owned(),
                ..InvokeRequest::default()
            }
            .subject()
        };
        assert_eq!(invoke("reports", "daily"), "reports/daily");
        assert_eq!(invoke("", "daily"), "-/daily");
        assert_eq!(invoke("-", "daily"), "-/daily");
        assert_eq!(ListActivationsRequest::default().subject(), "");
    }

    #[test]
    fn a_run_is_found_in_the_answers_that_tell_of_one() {
        let run = Activation {
            activation_id: "a1".to_owned(),
            status: ActivationStatus::DeveloperError.into(),
            ..Activation::default()
        };
        let answer = InvokeResponse {
            activation: Some(run),
        };
        assert!(activation(&answer).is_some_and(|run| run.activation_id == "a1" && failed(run)));
        assert!(activation(&ListActivationsResponse::default()).is_none());
        assert!(!failed(&Activation::default()));
    }
}
