//! The generated `faas.v1` messages, clients and table of RPCs, and their descriptor set; nothing
//! else.
//!
//! These messages are the domain model: there is no second set of structs beside them.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code; its documentation is in proto/"
)]

use std::fmt;

tonic::include_proto!("faas.v1");

// `for_each_rpc!(each)`: calls `each!` with a row for every RPC, sorted by path:
// `"faas.v1.InvocationService/Invoke" repeatable Invoke invoke(InvokeRequest) -> InvokeResponse
// { takes_request_id: true, invokes: true };`. The kind is `unary`, `repeatable` (unary, with a
// `request_id`) or `streaming`, which `for_each_unary_rpc` leaves out.
include!(concat!(env!("OUT_DIR"), "/faas_v1_rpcs.rs"));
pub(crate) use {for_each_rpc, for_each_unary_rpc};

/// `grpc.health.v1`, with `List`.
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}

/// All files with their comments, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/faas_v1_descriptor.bin"));

// Messages that may carry a secret (a GitHub token, environment variables, arguments) print none of
// it.

impl fmt::Debug for GithubSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubSource")
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FunctionGraphAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionGraphAction")
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.encoding {
            Some(json::Encoding::Value(_)) => "Json(value)",
            Some(json::Encoding::Text(_)) => "Json(text)",
            None => "Json(unset)",
        })
    }
}
