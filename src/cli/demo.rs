//! `demo`: the arguments of the tour.

use clap::Args;

const HELP: &str = "\
Starts the emulator and the sidecar inside this process, deploys a package and a JavaScript action
through the gRPC API, runs it and reads its record back. Each signed request is shown as it went out.

Example:
  faas-sidecar demo";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct DemoArgs {}
