//! The methods of `faas.v1` by path, so that what is shown of a call holds no name that a caller
//! made up.

/// What a path means to those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// A method of ours: `faas.v1.InvocationService/Invoke`.
    Known(&'static str),
    /// No method.
    Other,
    /// Health and reflection: asked every few seconds by machines, and never of interest.
    Unwatched,
}

const UNWATCHED: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection."];

/// Sorted; with the slash of the path.
const KNOWN: [&str; 31] = [
    "/faas.v1.ActionService/DeleteAction",
    "/faas.v1.ActionService/DeleteActionAlias",
    "/faas.v1.ActionService/DeleteAsyncInvokeConfig",
    "/faas.v1.ActionService/GetAction",
    "/faas.v1.ActionService/GetAsyncInvokeConfig",
    "/faas.v1.ActionService/ListActionAliases",
    "/faas.v1.ActionService/ListActionVersions",
    "/faas.v1.ActionService/ListActions",
    "/faas.v1.ActionService/PublishActionVersion",
    "/faas.v1.ActionService/PutAction",
    "/faas.v1.ActionService/PutActionAlias",
    "/faas.v1.ActionService/PutAsyncInvokeConfig",
    "/faas.v1.InvocationService/CancelActivation",
    "/faas.v1.InvocationService/GetActivation",
    "/faas.v1.InvocationService/Invoke",
    "/faas.v1.InvocationService/InvokeAsync",
    "/faas.v1.InvocationService/ListActivations",
    "/faas.v1.InvocationService/WatchActivation",
    "/faas.v1.PackageService/DeletePackage",
    "/faas.v1.PackageService/GetPackage",
    "/faas.v1.PackageService/ListPackages",
    "/faas.v1.PackageService/PutPackage",
    "/faas.v1.TriggerService/DeleteTrigger",
    "/faas.v1.TriggerService/FireTrigger",
    "/faas.v1.TriggerService/GetTrigger",
    "/faas.v1.TriggerService/GetTriggerActivation",
    "/faas.v1.TriggerService/LinkAction",
    "/faas.v1.TriggerService/ListTriggerActivations",
    "/faas.v1.TriggerService/ListTriggers",
    "/faas.v1.TriggerService/PutTrigger",
    "/faas.v1.TriggerService/UnlinkAction",
];

/// The method that a request's path means.
pub(super) fn find(path: &str) -> Method {
    match KNOWN.binary_search(&path) {
        Ok(at) => Method::Known(&KNOWN[at][1..]),
        Err(_) if UNWATCHED.iter().any(|prefix| path.starts_with(prefix)) => Method::Unwatched,
        Err(_) => Method::Other,
    }
}

/// True for the methods whose requests have a `request_id`.
pub(super) fn takes_request_id(path: &str) -> bool {
    [
        "InvocationService/Invoke",
        "InvocationService/InvokeAsync",
        "TriggerService/FireTrigger",
    ]
    .iter()
    .any(|method| path.strip_prefix("/faas.v1.") == Some(*method))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::proto::FILE_DESCRIPTOR_SET;

    #[test]
    fn the_list_is_that_of_the_protos() {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let mut paths: Vec<String> = files
            .file
            .iter()
            .filter(|file| file.package() == "faas.v1")
            .flat_map(|file| &file.service)
            .flat_map(|service| {
                service
                    .method
                    .iter()
                    .map(|method| format!("/faas.v1.{}/{}", service.name(), method.name()))
            })
            .collect();
        paths.sort();
        assert_eq!(paths, KNOWN);
    }

    #[test]
    fn the_methods_with_a_request_id_are_those_of_the_protos() {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let ours: Vec<_> = files
            .file
            .iter()
            .filter(|file| file.package() == "faas.v1")
            .collect();
        let has_id = |name: &str| {
            let message = ours
                .iter()
                .flat_map(|file| &file.message_type)
                .find(|message| name.ends_with(&format!(".{}", message.name())));
            message
                .unwrap()
                .field
                .iter()
                .any(|field| field.name() == "request_id")
        };
        for service in ours.iter().flat_map(|file| &file.service) {
            for method in &service.method {
                let path = format!("/faas.v1.{}/{}", service.name(), method.name());
                assert_eq!(
                    takes_request_id(&path),
                    has_id(method.input_type()),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn paths_are_methods_of_ours_or_nobodys() {
        assert_eq!(
            find("/faas.v1.InvocationService/Invoke"),
            Method::Known("faas.v1.InvocationService/Invoke")
        );
        for path in [
            "/faas.v1.InvocationService/Invent",
            "/",
            "",
            "/grpc.healthy",
        ] {
            assert_eq!(find(path), Method::Other, "{path}");
        }
        assert_eq!(find("/grpc.health.v1.Health/Check"), Method::Unwatched);
    }
}
