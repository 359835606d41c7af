//! What a request is about, and what its answer says of a run: names only, for those who watch.

use std::any::Any;

use crate::proto::*;

/// Every request of `faas.v1`.
pub(super) trait Subject {
    /// The configured target that it asks for; empty = the default one.
    fn target(&self) -> &str;

    /// `package/action`, with `-` for no package; else a trigger's or a package's name; empty if it
    /// is about none.
    fn subject(&self) -> String;

    /// The run that it asks about; empty if it names none.
    fn activation_id(&self) -> &str {
        ""
    }

    /// The JSON in it.
    fn json(&self) -> Option<&Json> {
        None
    }
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
    (@one $request:ident |$this:ident| $subject:expr, { $($more:tt)* }) => {
        impl Subject for $request {
            fn target(&self) -> &str {
                &self.target
            }

            fn subject(&self) -> String {
                let $this = self;
                $subject
            }

            $($more)*
        }
    };
    ($($request:ident)* => |$this:ident| $subject:expr) => {$(
        about! { @one $request |$this| $subject, {} }
    )*};
    ($($request:ident)* => |$this:ident| $subject:expr, run) => {$(
        about! { @one $request |$this| $subject, {
            fn activation_id(&self) -> &str {
                &self.activation_id
            }
        } }
    )*};
    ($($request:ident)* => |$this:ident| $subject:expr, json $json:expr) => {$(
        about! { @one $request |$this| $subject, {
            fn json(&self) -> Option<&Json> {
                let $this = self;
                $json
            }
        } }
    )*};
}

about! {
    GetActionRequest DeleteActionRequest PublishActionVersionRequest ListActionVersionsRequest
    PutActionAliasRequest ListActionAliasesRequest DeleteActionAliasRequest GetAsyncInvokeConfigRequest
    PutAsyncInvokeConfigRequest DeleteAsyncInvokeConfigRequest ListActivationsRequest
    => |this| action(&this.package_name, &this.action_name)
}
about! {
    InvokeRequest InvokeAsyncRequest
    => |this| action(&this.package_name, &this.action_name), json this.arguments.as_ref()
}
about! {
    PutActionRequest
    => |this| action(&this.package_name, &this.action_name),
    json this.action.as_ref().and_then(|action| action.parameters.as_ref())
}
about! {
    GetActivationRequest WatchActivationRequest CancelActivationRequest
    => |this| action(&this.package_name, &this.action_name), run
}
about! {
    GetTriggerActivationRequest => |this| this.trigger_name.clone(), run
}
about! {
    ListActionsRequest GetPackageRequest DeletePackageRequest
    => |this| this.package_name.clone()
}
about! { PutPackageRequest => |this| this.package_name.clone(), json this.parameters.as_ref() }
about! { FireTriggerRequest => |this| this.trigger_name.clone(), json this.arguments.as_ref() }
about! {
    PutTriggerRequest
    => |this| this.trigger_name.clone(),
    json this.trigger.as_ref().and_then(|trigger| trigger.parameters.as_ref())
}
about! {
    GetTriggerRequest DeleteTriggerRequest LinkActionRequest UnlinkActionRequest
    ListTriggerActivationsRequest
    => |this| this.trigger_name.clone()
}
about! { ListPackagesRequest ListTriggersRequest => |_this| String::new() }

/// The id of the run that an answer tells of, and whether the run has failed; `None` if it tells of
/// none.
pub(super) fn told(answer: &dyn Any) -> Option<(&str, bool)> {
    fn run(activation: Option<&Activation>) -> Option<(&str, bool)> {
        activation.map(|run| (run.activation_id.as_str(), failed(run)))
    }
    macro_rules! first {
        ($($answer:ident)*) => {$(
            if let Some(answer) = answer.downcast_ref::<$answer>() {
                return run(answer.activation.as_ref());
            }
        )*};
    }
    first! { InvokeResponse InvokeAsyncResponse GetActivationResponse GetTriggerActivationResponse }
    let fired = answer.downcast_ref::<FireTriggerResponse>()?;
    Some((&fired.activation_id, false))
}

/// True when a run has ended, and not well.
fn failed(activation: &Activation) -> bool {
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
        assert_eq!(told(&answer), Some(("a1", true)));
        let fired = FireTriggerResponse {
            activation_id: "a2".to_owned(),
        };
        assert_eq!(told(&fired), Some(("a2", false)));
        assert_eq!(told(&ListActivationsResponse::default()), None);
        assert!(!failed(&Activation::default()));
    }

    /// The number of a field, if the message has one of this name.
    fn field(file: &prost_types::FileDescriptorSet, message: &str, name: &str) -> Option<u8> {
        let mut messages = file.file.iter().flat_map(|file| &file.message_type);
        let message = messages.find(|one| one.name() == message).unwrap();
        let field = message.field.iter().find(|field| field.name() == name)?;
        Some(u8::try_from(field.number()).unwrap())
    }

    /// A field of bytes.
    fn wire(number: u8, bytes: &[u8]) -> Vec<u8> {
        assert!(number < 16 && bytes.len() < 128);
        [
            &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()],
            bytes,
        ]
        .concat()
    }

    /// Every method of the descriptor that speaks of one run names it to those who watch: by its
    /// request or its answer.
    #[test]
    fn every_method_that_is_about_a_run_names_it() {
        use prost::Message as _;
        let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let mut checked = Vec::new();
        macro_rules! check {
            ($($method:ident $request:ident $response:ident)*) => {$(
                if let Some(number) = field(&files, stringify!($request), "activation_id") {
                    let request = $request::decode(&wire(number, b"r1")[..]).unwrap();
                    assert_eq!(request.activation_id(), "r1", stringify!($request));
                }
                let id = wire(field(&files, "Activation", "activation_id").unwrap(), b"r1");
                let inner = field(&files, stringify!($response), "activation").map(|number| wire(number, &id));
                let own = field(&files, stringify!($response), "activation_id").map(|number| wire(number, b"r1"));
                // The states of a watch are many, and their run is that of the request.
                if let Some(bytes) = inner.or(own).filter(|_| stringify!($method) != "WatchActivation") {
                    let answer = $response::decode(&bytes[..]).unwrap();
                    assert_eq!(told(&answer), Some(("r1", false)), stringify!($response));
                }
                checked.push(stringify!($method));
            )*};
        }
        check! {
            DeleteAction DeleteActionRequest DeleteActionResponse
            DeleteActionAlias DeleteActionAliasRequest DeleteActionAliasResponse
            DeleteAsyncInvokeConfig DeleteAsyncInvokeConfigRequest DeleteAsyncInvokeConfigResponse
            GetAction GetActionRequest GetActionResponse
            GetAsyncInvokeConfig GetAsyncInvokeConfigRequest GetAsyncInvokeConfigResponse
            ListActionAliases ListActionAliasesRequest ListActionAliasesResponse
            ListActionVersions ListActionVersionsRequest ListActionVersionsResponse
            ListActions ListActionsRequest ListActionsResponse
            PublishActionVersion PublishActionVersionRequest PublishActionVersionResponse
            PutAction PutActionRequest PutActionResponse
            PutActionAlias PutActionAliasRequest PutActionAliasResponse
            PutAsyncInvokeConfig PutAsyncInvokeConfigRequest PutAsyncInvokeConfigResponse
            CancelActivation CancelActivationRequest CancelActivationResponse
            GetActivation GetActivationRequest GetActivationResponse
            Invoke InvokeRequest InvokeResponse
            InvokeAsync InvokeAsyncRequest InvokeAsyncResponse
            ListActivations ListActivationsRequest ListActivationsResponse
            WatchActivation WatchActivationRequest WatchActivationResponse
            DeletePackage DeletePackageRequest DeletePackageResponse
            GetPackage GetPackageRequest GetPackageResponse
            ListPackages ListPackagesRequest ListPackagesResponse
            PutPackage PutPackageRequest PutPackageResponse
            DeleteTrigger DeleteTriggerRequest DeleteTriggerResponse
            FireTrigger FireTriggerRequest FireTriggerResponse
            GetTrigger GetTriggerRequest GetTriggerResponse
            GetTriggerActivation GetTriggerActivationRequest GetTriggerActivationResponse
            LinkAction LinkActionRequest LinkActionResponse
            ListTriggerActivations ListTriggerActivationsRequest ListTriggerActivationsResponse
            ListTriggers ListTriggersRequest ListTriggersResponse
            PutTrigger PutTriggerRequest PutTriggerResponse
            UnlinkAction UnlinkActionRequest UnlinkActionResponse
        }
        let all = files.file.iter().filter(|file| file.package() == "faas.v1");
        let all = all
            .flat_map(|file| &file.service)
            .flat_map(|service| &service.method);
        let mut all: Vec<_> = all.map(prost_types::MethodDescriptorProto::name).collect();
        all.sort_unstable();
        checked.sort_unstable();
        assert_eq!(checked, all);
    }
}
