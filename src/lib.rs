//! faas-sidecar: typed gRPC calls in, signed REST requests to a functions cloud out.
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, reason = "tests cast small literals")
)]

pub mod cli;
pub mod config;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod env;
