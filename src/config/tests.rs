//! Whole files in, configurations or fault lists out.

mod callers;
mod credentials;
mod faults;
mod precedence;
mod shown;
mod targets;

use std::io::Write as _;

use super::*;
use crate::env::Env;
use crate::provider::{functiongraph, ncp};

/// The example of the API contract, section 7, word for word.
pub(super) const EXAMPLE: &str = r#"
listen: ["127.0.0.1:50051", "unix:/run/faas-sidecar/faas.sock"]   # one string or a list
admin: "127.0.0.1:9901"                                           # "off" = none
default_target: prod                                              # optional when there is one target
targets:
  prod:
    provider: ncp
    site: public              # public | fin | gov
    region: kr                # kr | sg | jp (public only)
    api_version: "2.1"        # "2.1" | "2.0"; default by site
    platform: vpc             # vpc | classic; default by version and site
    base_url: ~               # overrides scheme + host, and the prefix too if it has a path
    credentials: { source: env }
    wait: 60s                 # default wait for results
    idempotent_actions: ["reports/*", "-/ping"]
    retry: { max_attempts: 3, initial_backoff: 100ms, max_backoff: 5s, budget: { ratio: 0.1, min_per_second: 1 } }
    timeouts: { connect: 3s, attempt: 75s, request: 310s }
    limits: { max_in_flight: 100, max_queue: 200, queue_timeout: 1s }
  hw:
    provider: functiongraph
    region: ap-southeast-3
    project_id: 0123456789abcdef0123456789abcdef
    base_url: ~
    iam_url: ~
    credentials: { source: files, directory: /var/run/secrets/huawei }
"#;

pub(super) fn with(
    text: &str,
    env: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Config, Faults> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(&Sources {
        file: Some(file.path().to_owned()),
        flags: flags
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect(),
        env: Env::fixed(env.iter().copied()),
    })
}

pub(super) fn good(text: &str) -> Config {
    with(text, &[("HOME", "/home/me")], &[]).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The fault lines, without their numbers.
pub(super) fn faults(text: &str) -> Vec<String> {
    let faults = with(text, &[("HOME", "/home/me")], &[]).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

/// A file with one target `t`, its keys indented by nothing.
pub(super) fn target(keys: &str) -> String {
    let keys: String = keys.lines().map(|line| format!("    {line}\n")).collect();
    format!("targets:\n  t:\n{keys}")
}
