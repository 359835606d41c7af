//! The FunctionGraph provider against a scripted upstream on a real socket: what leaves, and what
//! comes of what arrives.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper may fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]

mod actions;
mod auth;
mod lists;
mod proxies;
mod quirks;
mod runs;
mod signature;
mod support;
