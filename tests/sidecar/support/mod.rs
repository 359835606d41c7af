//! What the tests of the whole sidecar share: a scripted upstream, a bench around it, and errors
//! taken apart.

pub mod answer;
pub mod bench;
pub mod cloud;
pub mod collector;
pub mod details;
pub mod frames;
pub mod http2;
pub mod issuer;
pub mod leak;
pub mod patient;
pub mod raw;
pub mod refused;
pub mod signature;
pub mod spawned;
pub mod tls;
pub mod upstream;
