//! The real binary: usage, `check` and `schema` here; `sign` and what needs a running sidecar in
//! the modules.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper may fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other crate to show themselves to"
)]

#[cfg(feature = "emulator")]
mod observed;
#[cfg(feature = "emulator")]
mod running;
#[cfg(feature = "emulator")]
mod signals;
#[cfg(feature = "emulator")]
mod tls;

mod sign;

use std::io::Write as _;
use std::process::{Command, Output};

#[cfg(feature = "emulator")]
use faas_testkit::process::{Process, Stream};

/// The binary beside the test; `stream` is read.
#[cfg(feature = "emulator")]
fn start(args: &[&str], env: &[(&str, &str)], stream: Stream) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"));
    Process::start(command.args(args), env, stream)
}

/// `serve` at a port that the system chooses, with further arguments.
#[cfg(feature = "emulator")]
fn serve(args: &[&str], env: &[(&str, &str)]) -> Process {
    let all = [
        &["serve", "--listen", "127.0.0.1:0", "--threads", "1"],
        args,
    ]
    .concat();
    Process::serve(env!("CARGO_BIN_EXE_faas-sidecar"), &all, env)
}

fn sidecar(args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn file(yaml: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(yaml.as_bytes()).unwrap();
    file
}

#[test]
fn wrong_usage_exits_64_and_writes_nothing_to_standard_output() {
    for args in [
        &[][..],
        &["nonsense"],
        &["check", "--format", "xml"],
        &["invoke", "x", "--param", "y"],
    ] {
        let output = sidecar(args, &[]);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn help_and_version_exit_0() {
    let output = sidecar(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("78  bad configuration"));
    let output = sidecar(&["--version"], &[]);
    assert_eq!(
        text(&output.stdout),
        format!("faas-sidecar {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_good_file_is_printed_with_its_defaults_and_without_secrets() {
    let file = file("targets:\n  prod:\n    provider: ncp\n    site: gov\n");
    let path = file.path().to_str().unwrap();
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", "hunter1"),
        ("NCLOUD_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let output = sidecar(&["check", "--config", path], &env);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("api_version: \"2.0\"") || shown.contains("api_version: '2.0'"),
        "{shown}"
    );
    assert!(
        shown.contains("platform: classic") && shown.contains("default_target: prod"),
        "{shown}"
    );
    assert!(
        shown.contains("NCLOUD_SECRET_ACCESS_KEY") && !shown.contains("hunter"),
        "{shown}"
    );

    let output = sidecar(
        &["check", "--format", "json"],
        &[("FAAS_SIDECAR_CONFIG", path)],
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["targets"]["prod"]["retry"]["max_attempts"], 3);
}

#[test]
fn a_bad_file_exits_78_and_tells_every_mistake() {
    let file = file(
        "threads: 0\ntargets:\n  prod:\n    provider: ncp\n    siet: gov\n    secret_key: hunter2\n",
    );
    let output = sidecar(&["check", "--config", file.path().to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
    let told = text(&output.stderr);
    assert!(
        told.starts_with("the configuration has 3 mistakes:\n1. threads (line 1): "),
        "{told}"
    );
    assert!(
        told.contains("\n2. targets.prod.siet (line 5): is not a known key; did you mean site?\n"),
        "{told}"
    );
    assert!(
        told.contains("\n3. targets.prod.secret_key (line 6): looks like a secret")
            && !told.contains("hunter"),
        "{told}"
    );
}

#[test]
fn a_missing_file_exits_78() {
    let output = sidecar(&["check", "--config", "/no/such/file"], &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("/no/such/file cannot be read"));
}

#[test]
fn the_schema_is_json_and_the_table_is_markdown() {
    let output = sidecar(&["schema"], &[]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert!(schema["$defs"]["ncp"]["properties"]["site"].is_object());
    let output = sidecar(&["schema", "--format", "markdown"], &[]);
    let tables = text(&output.stdout);
    assert!(
        tables.starts_with("### The process\n\n| key | value | default | change | meaning |\n")
    );
    assert!(tables.contains("\n### `targets.<name>.retry`\n"));
}

#[test]
fn diff_tells_what_a_new_file_would_change_and_what_needs_a_restart() {
    let old = file(
        "threads: 2\ntargets:\n  prod: {provider: ncp, wait: 10s}\n  old: {provider: ncp}\ndefault_target: prod\n",
    );
    let new = file("threads: 4\ntargets:\n  prod: {provider: ncp, wait: 20s}\n");
    let paths = [old.path().to_str().unwrap(), new.path().to_str().unwrap()];
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", "hunter1"),
        ("NCLOUD_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let output = sidecar(&["check", "--config", paths[1], "--diff", paths[0]], &env);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "- targets.old: \"ncp\"\n~ targets.prod.wait: \"10s\" -> \"20s\"\n~ threads: 2 -> 4  (needs a restart)\n"
    );
    let output = sidecar(
        &[
            "check", "--config", paths[1], "--diff", paths[0], "--format", "json",
        ],
        &env,
    );
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        found[2],
        serde_json::json!({"path": "threads", "before": 2, "after": 4, "restart": true})
    );
    let output = sidecar(&["check", "--config", paths[0], "--diff", paths[0]], &env);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "nothing differs\n")
    );
    let bad = file("targets: {}\n");
    let output = sidecar(
        &[
            "check",
            "--config",
            paths[0],
            "--diff",
            bad.path().to_str().unwrap(),
        ],
        &env,
    );
    assert_eq!(output.status.code(), Some(78));
    let output = sidecar(
        &["check", "--config", paths[0], "--diff", "127.0.0.1:1"],
        &env,
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("127.0.0.1:1 cannot be asked"),
        "{}",
        text(&output.stderr)
    );
}
