//! The whole sidecar: generated gRPC clients → the real server → a scripted HTTP upstream on a real
//! socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper may fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the upstream has a clock of its own"
)]

mod allow;
mod authorities;
mod bad_actions;
mod bad_fields;
mod bad_triggers;
mod bad_upstream;
mod callers;
mod cancels;
mod clock;
mod connecting;
mod connections;
mod deadlines;
mod egress;
mod error_bodies;
mod fan_out;
mod floods;
mod http2;
mod http2_connections;
mod load;
mod many;
mod memory;
mod metrics;
mod metrics_otlp;
mod operations;
mod pages;
mod paging;
mod phases;
mod places;
mod privacy;
mod process;
mod protocol;
mod quirks;
mod reload;
mod reload_under_load;
mod request_ids;
mod results;
mod retries;
mod server;
mod slow_callers;
#[allow(
    dead_code,
    reason = "shared with the conformance tests; each uses a part"
)]
mod support;
mod tls;
mod tracing;
mod upstream_identity;
