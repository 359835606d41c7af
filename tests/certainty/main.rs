//! Outcome certainty, proven: gRPC client → the real server → an upstream that fails in every way
//! we could build and counts what it truly carried out.
//!
//! Nothing here is shared with the code under test or with its emulator; the back ends of lists
//! with its tests. `soak` is the proof by numbers, `outage` that of amplification, `http2` the same
//! over TLS and HTTP/2, `matrix` the table in `docs/certainty.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helper may fail the test, and the proof is told on standard output"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the upstream has a clock of its own, and a test reads its settings from the environment"
)]

mod afterwards;
mod answers;
#[path = "../../src/provider/paging/back_ends.rs"]
mod back_ends;
mod call;
#[path = "../support/config.rs"]
mod config;
mod connection;
mod dice;
mod drive;
mod every_byte;
mod fault;
mod http2;
mod ledger;
mod lists;
mod matrix;
mod outage;
mod plan;
mod sidecar;
mod soak;
mod tally;
mod upstream;
mod verdict;
mod wire;

/// The proofs measure time and memory, so they take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
