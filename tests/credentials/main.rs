//! Credentials over real sockets and real files: rotations under load, and every issuer against a
//! scripted server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on ends there, and the proof is told on standard output"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]
#![allow(clippy::disallowed_methods, reason = "tests read the clock")]

mod cloud;
#[path = "../support/config.rs"]
mod config;
mod issuers;
mod kubernetes;
mod rotations;
mod sidecar;
