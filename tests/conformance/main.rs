//! Fixtures of what a cloud's documents promise, and what is sent held against what is signed.
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

mod signature;
#[path = "../sidecar/support/mod.rs"]
#[allow(
    dead_code,
    reason = "made for the tests of the whole sidecar; a part serves here"
)]
mod support;
mod wire;
