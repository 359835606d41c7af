//! The emulated clouds over real sockets, each request signed here and not by the code under test.
//!
//! | file | what it covers |
//! | --- | --- |
//! | `client` | a small HTTP client with its own signature |
//! | `gateway` | signature, rights, routes, platforms, the recorder |
//! | `packages`, `actions`, `triggers`, `links` | resources and their error codes, in both generations |
//! | `runs` | running actions: waiting, precedence, sequences, concurrency |
//! | `javascript`, `python` | the runtimes and their limits |
//! | `activations` | lists, details, lag, history, restart |
//! | `faults` | what goes wrong on purpose |
//! | `shapes` | every answer against the members that its document gives (`shapes.txt`, compared by `shape`) |
//! | `machine` | what must hold on a developer's machine: hosts, keys, processes, files |
//! | `functiongraph` | Huawei FunctionGraph; all others are NAVER Cloud Functions |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do: at once"
)]

mod actions;
mod activations;
mod client;
mod faults;
mod functiongraph;
mod gateway;
mod javascript;
mod links;
mod machine;
mod packages;
mod python;
mod runs;
mod shape;
mod shapes;
mod triggers;
