//! `injector`: the webhook that puts the sidecar into pods as they are created.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::app;
use crate::config::units::parse_duration;
use crate::telemetry::{Format, Log};

use super::exit::Exit;
use super::inject::template;
use super::io::Io;
use super::serve::LAST_LINES;

const HELP: &str = "\
A webhook of the Kubernetes API server (AdmissionReview v1) over HTTPS:
  POST /inject          the patch for a pod that asks by annotations; others pass untouched. A pod that asks
                        wrongly is refused, and the answer names every annotation that is wrong.
  GET /livez, /readyz   for probes, without a client certificate

The Helm chart sets it up with injection.mode=webhook. Clusters with MutatingAdmissionPolicy need none of it.
Certificate, key and template are read again when their files change; what cannot be used never replaces what
works. SIGTERM: /readyz turns 503, requests are answered for --shutdown-delay more, then it ends with exit code 0.

Examples:
  faas-sidecar injector --cert-file tls.crt --key-file tls.key
  faas-sidecar injector --cert-file tls.crt --key-file tls.key --template template.yaml --log-format json";

/// Arguments of `injector`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct InjectorArgs {
    /// Address for the API server's requests; with port 0 the system chooses a port
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// The PEM certificate for the Service's name, SERVICE.NAMESPACE.svc, and its chain
    #[arg(long, value_name = "FILE")]
    pub cert_file: PathBuf,
    /// Its PEM key
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// The sidecar's parts [default: as the Helm chart makes them with its default values]
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// How long requests are answered after SIGTERM, so that the cluster can stop sending them
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5s")]
    pub shutdown_delay: Duration,
    /// Format of the log
    #[arg(long, value_enum, default_value_t = InjectorLog::Json)]
    pub log_format: InjectorLog,
    /// Lowest level that is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: tracing_subscriber::filter::LevelFilter,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InjectorLog {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

pub(super) fn run(args: InjectorArgs, io: &mut Io<'_>) -> Exit {
    let template = match template(args.template.as_deref()) {
        Ok(template) => template,
        Err(why) => {
            io.complain(&format!("faas-sidecar injector: {why}"));
            return Exit::BadConfig;
        }
    };
    let format = match args.log_format {
        InjectorLog::Text => Format::Text,
        InjectorLog::Json => Format::Json,
    };
    Log::install(format, args.log_level);
    let ended = app::inject(app::Injector {
        listen: args.listen,
        cert_file: args.cert_file,
        key_file: args.key_file,
        template_file: args.template,
        template,
        shutdown_delay: args.shutdown_delay,
    });
    if let Some(log) = Log::installed() {
        log.flush(LAST_LINES);
    }
    match ended {
        Ok(()) => Exit::Clean,
        Err(why) => {
            io.complain(&format!("faas-sidecar injector: {why}"));
            Exit::Failed
        }
    }
}
