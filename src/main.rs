//! Arguments → one command → exit code.

use std::process::ExitCode;

/// Gives memory back to the system when a flood is over; how soon stands in `.cargo/config.toml`.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    faas_sidecar::cli::main(std::env::args_os()).into()
}
