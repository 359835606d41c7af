//! Arguments → one command → exit code.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Gives memory back to the system when a flood is over; how soon stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    faas_sidecar::cli::main(std::env::args_os()).into()
}
