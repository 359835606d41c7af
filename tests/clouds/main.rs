//! How the clouds answer, and what a caller is told: one suite through gRPC for every cloud and
//! every generation of its API.
//!
//! A test sets what the upstream answers (a status, headers, bytes; or a function of the request),
//! makes one gRPC call for each cloud, and compares the outcome.
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

mod answers;
#[path = "../../src/provider/paging/back_ends.rs"]
#[allow(
    dead_code,
    reason = "every list has it all; a cloud has words for a part"
)]
mod back_ends;
mod bench;
mod codes;
mod early_ids;
mod ids;
mod lists;
mod members;
mod operations;
mod projects;
mod puts;
mod records;
mod samples;
mod subnets;
#[path = "../sidecar/support/mod.rs"]
#[allow(
    dead_code,
    reason = "made for the tests of the whole sidecar; a part serves here"
)]
mod support;
mod there_and_back;
