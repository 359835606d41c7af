//! The whole sidecar: generated gRPC clients → the real server → a scripted HTTP upstream on a real socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper may fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]
#![allow(clippy::disallowed_methods, reason = "the upstream has a clock of its own")]

mod bad_fields;
mod bad_upstream;
mod deadlines;
mod retries;
mod support;
