//! What operators see of the process. So far: its log.

mod log;

pub use log::{Format, init};
