//! faas-sidecar: typed gRPC calls in, signed REST requests to a functions cloud out.
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, reason = "tests cast small literals")
)]

pub mod admin;
pub mod app;
pub mod call;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod env;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod grpc;
pub mod inject;
pub mod json;
pub mod memory;
pub mod names;
pub mod proto;
pub mod provider;
pub mod settings;
pub mod target;
pub mod telemetry;
pub mod transport;
