//! What the tests share, by sockets, files and processes alone: nothing here knows the sidecar.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`upstream`] | a scripted HTTP upstream that keeps each request as the bytes it received |
//! | [`answer`] | what it does with one request: bytes, pauses and ends |
//! | [`signature`] | NCP's signature, worked out from the document |
//! | [`frames`] | HTTP/2 frames written by hand |
//! | [`process`] | a program beside the test, its lines read and its end awaited |
//! | [`patient`] | a gRPC client without a clock of its own |
//! | [`page`] | one request to an operator's page |
//! | [`tls`], [`issuer`] | certificate authorities of a test's own |
//! | [`leak`] | looks for secrets in what leaves a process |
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::panic,
    clippy::must_use_candidate,
    clippy::disallowed_methods,
    clippy::new_without_default,
    reason = "a kit for tests: what goes wrong here fails a test, and names say what it is"
)]

pub mod answer;
pub mod frames;
pub mod issuer;
pub mod leak;
pub mod page;
pub mod patient;
pub mod process;
pub mod signature;
pub mod tls;
pub mod upstream;
