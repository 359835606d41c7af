//! Arguments → one command → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    faas_sidecar::cli::main(std::env::args_os()).into()
}
