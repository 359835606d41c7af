//! `inject`: manifests in, the same manifests with the sidecar out.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::inject::{Ask, Documents, Seen, Template};

use super::exit::Exit;
use super::io::Io;

const HELP: &str = "\
Reads manifests, one or many, YAML or JSON, and writes them with the sidecar in every Pod, and in every
pod's template of a Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob or
List, that asks for it. What does not ask passes through byte for byte. A pod that has a container named
faas-sidecar is left as it is, so a second run changes nothing.

A pod asks by annotations, on the pod or on the template of pods, not on the workload:
  faas-sidecar.io/inject: \"true\"           asks
  faas-sidecar.io/config: NAME             the ConfigMap that holds faas.yaml
  faas-sidecar.io/credentials: prod=keys   a Secret for a target; several with commas; \"\" for none
  faas-sidecar.io/listen: socket           a Unix socket in place of a port
  faas-sidecar.io/version, log-level, native, cpu-request, cpu-limit, memory-request, memory-limit

The mistakes of all pods are reported together; then nothing is written, and the exit code is 78.
Without --template the sidecar is as the Helm chart makes it with its default values.

Examples:
  faas-sidecar inject deployment.yaml | kubectl apply -f -
  kubectl get deployment web -o yaml | faas-sidecar inject --all --set config=web-faas - | kubectl apply -f -
  helm template . | faas-sidecar inject --template template.yaml > manifests.yaml
  kubectl get configmap faas-sidecar-template -o jsonpath='{.data.template\\.yaml}' > template.yaml";

/// Arguments of `inject`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct InjectArgs {
    /// Manifest files; - or none reads standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// The sidecar's parts: template.yaml of the ConfigMap RELEASE-template, which the Helm chart
    /// makes
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Inject into every pod, unless its annotation says inject: "false"
    #[arg(long)]
    pub all: bool,
    /// An annotation, without faas-sidecar.io/, for pods that ask for the sidecar and do not have
    /// it; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as listen=socket".to_owned()),
    }
}

pub(super) fn run(args: &InjectArgs, io: &mut Io<'_>) -> Exit {
    let template = match template(args.template.as_deref()) {
        Ok(template) => template,
        Err(why) => return wrong(io, &why),
    };
    let ask = match Ask::new(args.all, &args.set, &template) {
        Ok(ask) => ask,
        Err(faults) => return io.misused(&format!("--set:\n{faults}")),
    };
    let text = match input(&args.file, io) {
        Ok(text) => text,
        Err(why) => {
            io.complain(&format!("faas-sidecar inject: {why}"));
            return Exit::Failed;
        }
    };
    let changed = Documents::read(&text).and_then(|documents| documents.inject(&ask, &template));
    match changed {
        Ok(changed) => {
            tell(&changed.seen, io);
            io.print_as_it_is(&changed.text)
        }
        Err(faults) => wrong(
            io,
            &format!("{}: nothing was written:\n{faults}", named(&args.file)),
        ),
    }
}

/// The template of a file, or the one built in.
pub(super) fn template(file: Option<&Path>) -> Result<Template, String> {
    let Some(file) = file else {
        return Template::built_in().map_err(|faults| faults.to_string());
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|why| format!("--template {shown}: cannot be read ({why})"))?;
    Template::read(&text).map_err(|faults| format!("--template {shown}:\n{faults}"))
}

fn wrong(io: &mut Io<'_>, why: &str) -> Exit {
    io.complain(&format!("faas-sidecar inject: {why}"));
    Exit::BadConfig
}

fn input(file: &Path, io: &mut Io<'_>) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io.input.read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|why| format!("{} cannot be read ({why})", named(file)))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is no UTF-8 text", named(file)))
}

fn named(file: &Path) -> String {
    if file == Path::new("-") {
        return "standard input".to_owned();
    }
    file.display().to_string()
}

/// On standard error, so that it does not get among the manifests.
fn tell(seen: &Seen, io: &mut Io<'_>) {
    for warning in &seen.warnings {
        io.complain(&format!("warning: {warning}"));
    }
    for injected in &seen.injected {
        io.complain(&format!("{injected}: sidecar added"));
    }
    for already in &seen.already {
        io.complain(&format!("{already}: has its sidecar already"));
    }
    if seen.injected.is_empty() && seen.already.is_empty() {
        io.complain("nothing was changed: no pod asks; annotate its metadata with faas-sidecar.io/inject: \"true\", or use --all");
    }
}
