//! The RPCs of `faas.v1` by path, each with how it is served; and the other services.

use std::pin::Pin;

use tonic::body::Body;

use super::Services;
use super::intake::BufferedBody;
use super::serve::{Arrival, repeatable, streaming, unary};
use crate::proto::for_each_rpc;

/// One RPC of `faas.v1`.
pub(super) struct Method {
    /// `faas.v1.InvocationService/Invoke`: the path without its slash.
    pub(super) name: &'static str,
    /// Its requests have a `request_id`.
    pub(super) takes_request_id: bool,
    /// It runs the action that its request names.
    pub(super) invokes: bool,
    pub(super) serve: Serve,
}

type Serve = for<'s> fn(&'s Services, Arrival, http::Request<BufferedBody>) -> Response<'s>;
type Response<'s> = Pin<Box<dyn Future<Output = http::Response<Body>> + Send + 's>>;

macro_rules! methods {
    ($($name:literal $kind:ident $rpc:ident $operation:ident($request:ident) -> $response:ident
        { takes_request_id: $takes_request_id:literal, invokes: $invokes:literal };)*) => {
        /// Sorted by name.
        static METHODS: &[Method] = &[$(Method {
            name: $name,
            takes_request_id: $takes_request_id,
            invokes: $invokes,
            serve: methods!(@$kind $operation stringify!($rpc)),
        }),*];
    };
    (@unary $operation:ident $rpc:expr) => {
        |services, arrival, request| {
            Box::pin(unary(services, arrival, request, |target, call, message| {
                target.provider.$operation(call, message)
            }))
        }
    };
    (@repeatable $operation:ident $rpc:expr) => {
        |services, arrival, request| {
            Box::pin(repeatable(services, arrival, request, $rpc, |target, call, message| {
                target.provider.$operation(call, message)
            }))
        }
    };
    (@streaming $operation:ident $rpc:expr) => {
        |services, arrival, request| Box::pin(streaming(services, arrival, request))
    };
}

for_each_rpc!(methods);

/// The services of `faas.v1`, as health checks name them, by name.
pub(super) fn services() -> impl Iterator<Item = &'static str> {
    METHODS
        .chunk_by(|one, next| one.service() == next.service())
        .map(|methods| methods[0].service())
}

impl Method {
    fn service(&self) -> &'static str {
        self.name.split_once('/').map_or("", |(service, _)| service)
    }
}

/// What a request's path means.
#[derive(Clone, Copy)]
pub(super) enum Route {
    Rpc(&'static Method),
    Health { watch: bool },
    Reflection { alpha: bool },
    Unknown,
}

impl Route {
    /// The route of `/{service}/{method}`.
    pub(super) fn find(path: &str) -> Self {
        let name = path.get(1..).unwrap_or_default();
        if let Ok(at) = METHODS.binary_search_by(|method| method.name.cmp(name)) {
            return Self::Rpc(&METHODS[at]);
        }
        match name.split_once('/').unwrap_or((name, "")) {
            ("grpc.health.v1.Health", method) => Self::Health {
                watch: method == "Watch",
            },
            ("grpc.reflection.v1.ServerReflection", _) => Self::Reflection { alpha: false },
            ("grpc.reflection.v1alpha.ServerReflection", _) => Self::Reflection { alpha: true },
            _ => Self::Unknown,
        }
    }

    /// The method's name as it is shown, which no caller made up; `None` for health and reflection,
    /// which machines ask every few seconds and nobody is interested in.
    pub(super) fn observed_name(self) -> Option<&'static str> {
        match self {
            Self::Rpc(method) => Some(method.name),
            Self::Unknown => Some("_OTHER"),
            Self::Health { .. } | Self::Reflection { .. } => None,
        }
    }
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
                    .map(|method| format!("faas.v1.{}/{}", service.name(), method.name()))
            })
            .collect();
        paths.sort();
        let known: Vec<_> = METHODS.iter().map(|method| method.name).collect();
        assert_eq!(paths, known);
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
                let Route::Rpc(found) = Route::find(&path) else {
                    panic!("{path} is not served");
                };
                assert_eq!(
                    found.takes_request_id,
                    has_id(method.input_type()),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn paths_are_methods_of_ours_or_nobodys() {
        let shown = |path| Route::find(path).observed_name();
        assert_eq!(
            shown("/faas.v1.InvocationService/Invoke"),
            Some("faas.v1.InvocationService/Invoke")
        );
        for path in [
            "/faas.v1.InvocationService/Invent",
            "/",
            "",
            "/grpc.healthy",
        ] {
            assert_eq!(shown(path), Some("_OTHER"), "{path}");
        }
        assert_eq!(shown("/grpc.health.v1.Health/Check"), None);
        let invoking: Vec<_> = METHODS.iter().filter(|method| method.invokes).collect();
        assert_eq!(
            invoking
                .iter()
                .map(|method| method.name)
                .collect::<Vec<_>>(),
            [
                "faas.v1.InvocationService/Invoke",
                "faas.v1.InvocationService/InvokeAsync"
            ]
        );
    }
}
