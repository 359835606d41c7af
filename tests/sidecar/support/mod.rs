//! What the tests of the whole sidecar share: the test kit, a bench around its upstream, and errors
//! taken apart.

#[allow(unused_imports, reason = "each suite uses a part of the kit")]
pub use faas_testkit::{answer, frames, issuer, leak, page, patient, signature, tls, upstream};

pub mod bench;
pub mod cloud;
pub mod collector;
#[path = "../../support/config.rs"]
pub mod config;
pub mod details;
pub mod http2;
pub mod raw;
pub mod refused;
