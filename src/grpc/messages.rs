//! What the requests and responses of all RPCs have in common: names only, for those who watch and
//! for the rules.

use crate::proto::*;
use crate::target::Subject;

/// Every request of `faas.v1`.
pub(super) trait RpcRequest {
    /// The configured target that it asks for; empty = the default one.
    fn target(&self) -> &str;

    /// What it is about.
    fn resource(&self) -> Resource<'_>;

    /// A second call does no harm: by the RPC's nature or the caller's word.
    fn is_idempotent(&self) -> bool;

    /// The run that it asks about; empty if it names none.
    fn activation_id(&self) -> &str {
        ""
    }

    /// The id under which repeated calls are one; empty if it has none.
    fn request_id(&self) -> &str {
        ""
    }

    /// The JSON in it.
    fn json(&self) -> Option<&Json> {
        None
    }
}

/// Every response of `faas.v1`.
pub(super) trait RpcResponse {
    /// The run in it.
    fn activation(&self) -> Option<&Activation> {
        None
    }

    /// The id of the run that it tells of.
    fn activation_id(&self) -> Option<&str> {
        self.activation().map(|run| run.activation_id.as_str())
    }
}

include!(concat!(env!("OUT_DIR"), "/faas_v1_messages.rs"));

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resource<'m> {
    /// An action, by package (empty or `-` = none) and name.
    Action(&'m str, &'m str),
    Package(&'m str),
    Trigger(&'m str),
    AllActions,
    AllTriggers,
}

impl<'m> Resource<'m> {
    /// As access lines and spans show it: `package/action`, with `-` for no package, as
    /// `idempotent_actions` and the other patterns have it; else a trigger's or a package's name;
    /// empty if it is about none.
    pub(super) fn subject(self) -> String {
        match self {
            Self::Action("", "") | Self::AllActions | Self::AllTriggers => String::new(),
            Self::Action(package, action) => [or_dash(package), "/", action].concat(),
            Self::Package(name) | Self::Trigger(name) => name.to_owned(),
        }
    }

    /// As the rules of a target know it.
    pub(super) fn as_subject(self) -> Subject<'m> {
        match self {
            Self::Action(package, action) => Subject::Action(or_dash(package), action),
            Self::Package(package) => Subject::Action(or_dash(package), "*"),
            Self::Trigger(name) => Subject::Trigger(name),
            Self::AllActions => Subject::Action("*", "*"),
            Self::AllTriggers => Subject::Trigger("*"),
        }
    }
}

/// "No package" is written in two ways, and lines and rules know one.
fn or_dash(package: &str) -> &str {
    if package.is_empty() { "-" } else { package }
}

/// True when a run has ended, and not well.
pub(super) fn has_failed(activation: &Activation) -> bool {
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
    fn a_subject_is_written_as_patterns_are() {
        let invoke = |package: &str, action: &str| {
            InvokeRequest {
                package_name: package.to_owned(),
                action_name: action.to_owned(),
                ..InvokeRequest::default()
            }
            .resource()
            .subject()
        };
        assert_eq!(invoke("reports", "daily"), "reports/daily");
        assert_eq!(invoke("", "daily"), "-/daily");
        assert_eq!(invoke("-", "daily"), "-/daily");
        assert_eq!(ListActivationsRequest::default().resource().subject(), "");
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
        assert_eq!(answer.activation_id(), Some("a1"));
        assert!(answer.activation().is_some_and(has_failed));
        let fired = FireTriggerResponse {
            activation_id: "a2".to_owned(),
        };
        assert_eq!(fired.activation_id(), Some("a2"));
        assert!(fired.activation().is_none());
        assert_eq!(ListActivationsResponse::default().activation_id(), None);
        assert!(!has_failed(&Activation::default()));
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
            ($($path:literal $kind:ident $method:ident $snake:ident($request:ident) -> $response:ident
                { $($flag:tt)* };)*) => {$(
                if let Some(number) = field(&files, stringify!($request), "activation_id") {
                    let request = $request::decode(&wire(number, b"r1")[..]).unwrap();
                    assert_eq!(request.activation_id(), "r1", stringify!($request));
                }
                let id = wire(field(&files, "Activation", "activation_id").unwrap(), b"r1");
                let inner = field(&files, stringify!($response), "activation").map(|number| wire(number, &id));
                let own = field(&files, stringify!($response), "activation_id").map(|number| wire(number, b"r1"));
                if let Some(bytes) = inner.or(own) {
                    let answer = $response::decode(&bytes[..]).unwrap();
                    assert_eq!(answer.activation_id(), Some("r1"), stringify!($response));
                    assert!(!answer.activation().is_some_and(has_failed));
                }
                checked.push(stringify!($method));
            )*};
        }
        for_each_rpc!(check);
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
