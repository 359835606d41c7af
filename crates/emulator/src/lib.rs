//! The clouds on loopback: strict REST servers that verify every signature and really run the code
//! they are given.
//!
//! They stand in for a cloud in tests, in `demo`, in `serve --emulator` and behind the `emulator`
//! command. This crate uses nothing of the sidecar: a mistake there must meet an independent reader
//! of the same documents.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`clock`] | the only reader of wall time, with an offset that tests move |
//! | [`http`] | an HTTP/1.1 server that records each request as it was received |
//! | [`faults`] | what may go wrong on purpose |
//! | `cron` | five-field schedules |
//! | [`runtime`] | runs JavaScript and Python under time and memory limits |
//! | `store` | what the cloud remembers |
//! | `random` | keys that nobody can guess |
//! | `query` | query strings and percent encoding, read without tidying |
//! | [`ncp`] | NAVER Cloud Functions |
//! | [`functiongraph`] | Huawei FunctionGraph, with the IAM that it needs |
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, reason = "tests cast small literals")
)]

pub mod clock;
mod cron;
pub mod faults;
pub mod functiongraph;
pub mod http;
pub mod ncp;
mod query;
mod random;
pub mod runtime;
mod store;

pub use faults::{Fault, FaultPlan, Faults};
pub use http::{RecordedRequest, Running};

/// What a person who starts an emulator has to know.
pub const NO_SANDBOX: &str = "deployed code runs on this machine as your own account, with all its rights: the emulator is no sandbox";
