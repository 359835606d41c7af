//! What operators see of the process. Its log and its numbers.

mod log;
pub mod metrics;

pub use log::{Format, init};
