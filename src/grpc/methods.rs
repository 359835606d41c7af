//! Methods by number, so that what counts calls compares numbers: the path of a call is looked up once.

/// Every method served, by its path without the first slash; sorted.
const METHODS: [&str; 36] = [
    "faas.v1.ActionService/DeleteAction",
    "faas.v1.ActionService/DeleteActionAlias",
    "faas.v1.ActionService/DeleteAsyncInvokeConfig",
    "faas.v1.ActionService/GetAction",
    "faas.v1.ActionService/GetAsyncInvokeConfig",
    "faas.v1.ActionService/ListActionAliases",
    "faas.v1.ActionService/ListActionVersions",
    "faas.v1.ActionService/ListActions",
    "faas.v1.ActionService/PublishActionVersion",
    "faas.v1.ActionService/PutAction",
    "faas.v1.ActionService/PutActionAlias",
    "faas.v1.ActionService/PutAsyncInvokeConfig",
    "faas.v1.InvocationService/CancelActivation",
    "faas.v1.InvocationService/GetActivation",
    "faas.v1.InvocationService/Invoke",
    "faas.v1.InvocationService/InvokeAsync",
    "faas.v1.InvocationService/ListActivations",
    "faas.v1.InvocationService/WatchActivation",
    "faas.v1.PackageService/DeletePackage",
    "faas.v1.PackageService/GetPackage",
    "faas.v1.PackageService/ListPackages",
    "faas.v1.PackageService/PutPackage",
    "faas.v1.TriggerService/DeleteTrigger",
    "faas.v1.TriggerService/FireTrigger",
    "faas.v1.TriggerService/GetTrigger",
    "faas.v1.TriggerService/GetTriggerActivation",
    "faas.v1.TriggerService/LinkAction",
    "faas.v1.TriggerService/ListTriggerActivations",
    "faas.v1.TriggerService/ListTriggers",
    "faas.v1.TriggerService/PutTrigger",
    "faas.v1.TriggerService/UnlinkAction",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// What is called but not served, as OpenTelemetry's conventions name it.
const UNKNOWN: (usize, &str) = (METHODS.len(), "_OTHER");

/// The number and the name of the method that a path means. Callers can send any path, so unknown ones are one.
pub(super) fn find(path: &str) -> (usize, &'static str) {
    path.strip_prefix('/')
        .and_then(|name| METHODS.binary_search(&name).ok())
        .map_or(UNKNOWN, |at| (at, METHODS[at]))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_table_is_what_the_protos_say() {
        let mut served = Vec::new();
        let set = FileDescriptorSet::decode(crate::proto::FILE_DESCRIPTOR_SET).unwrap();
        for file in &set.file {
            for service in &file.service {
                let prefix = format!("{}.{}", file.package(), service.name());
                served.extend(
                    service
                        .method
                        .iter()
                        .map(|method| format!("{prefix}/{}", method.name())),
                );
            }
        }
        served.sort();
        let ours: Vec<_> = METHODS
            .iter()
            .filter(|name| !name.starts_with("grpc.reflection."))
            .collect();
        assert_eq!(ours, served.iter().collect::<Vec<_>>());
        for (at, name) in METHODS.iter().enumerate() {
            assert_eq!(find(&format!("/{name}")), (at, *name));
        }
        for path in [
            "",
            "/",
            "/faas.v1.InvocationService/Nothing",
            "faas.v1.InvocationService/Invoke",
        ] {
            assert_eq!(find(path), UNKNOWN, "{path}");
        }
    }
}
