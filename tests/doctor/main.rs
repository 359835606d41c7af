//! `doctor` against emulated clouds with a hop in between that makes every mistake that is known
//! from the field: the cause it names must be the one that was injected.
#![cfg(feature = "emulator")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends there"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the cloud has a clock of its own"
)]

mod functiongraph;
mod hop;
mod ncp;
mod network;
mod usage;

use std::net::SocketAddr;
use std::sync::Arc;

use faas_sidecar::cli::{self, Exit, Io};
use faas_sidecar::env::Env;
use hop::{Message, Ways};
use serde_json::Value;

/// One mistake and the cause that must be named for it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Under `targets.main`, one line each, beside `provider` and `base_url`.
    pub(crate) settings: &'static str,
    /// Behind the hop's address in `base_url`.
    pub(crate) path: &'static str,
    pub(crate) keys: (String, String, Option<String>),
    pub(crate) ways: Ways,
    /// The cause and whether it must be certain.
    pub(crate) cause: &'static str,
    pub(crate) certain: bool,
    /// Must be among what else is possible.
    pub(crate) also: &'static str,
}

impl Case {
    fn new(name: &'static str, (access, secret): (&str, &str), cause: &'static str) -> Self {
        let nothing = || Arc::new(|_: &mut Message| ());
        Self {
            name,
            settings: "",
            path: "",
            keys: (access.to_owned(), secret.to_owned(), None),
            ways: Ways {
                request: nothing(),
                answer: nothing(),
                ahead_ms: 0,
                shows_canonical: false,
            },
            cause,
            certain: true,
            also: "",
        }
    }

    pub(crate) fn keys(mut self, access: &str, secret: &str) -> Self {
        self.keys = (access.to_owned(), secret.to_owned(), self.keys.2);
        self
    }

    pub(crate) fn security_token(mut self, token: &str) -> Self {
        self.keys.2 = Some(token.to_owned());
        self
    }

    pub(crate) fn settings(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }

    pub(crate) fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    pub(crate) fn request(mut self, change: impl Fn(&mut Message) + Send + Sync + 'static) -> Self {
        self.ways.request = Arc::new(change);
        self
    }

    pub(crate) fn answer(mut self, change: impl Fn(&mut Message) + Send + Sync + 'static) -> Self {
        self.ways.answer = Arc::new(change);
        self
    }

    pub(crate) fn clock(mut self, ahead_ms: i64) -> Self {
        self.ways.ahead_ms = ahead_ms;
        self
    }

    pub(crate) fn shows_canonical(mut self) -> Self {
        self.ways.shows_canonical = true;
        self
    }

    /// The cause is the likeliest, and this is another.
    pub(crate) fn likely(mut self, also: &'static str) -> Self {
        self.certain = false;
        self.also = also;
        self
    }
}

/// What the command printed, and its exit code.
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Outcome {
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{why}: {}", self.text))
    }

    /// The first step of this name.
    pub(crate) fn step(&self, name: &str) -> Value {
        let document = self.document();
        let steps = document["steps"].as_array().unwrap();
        let found = steps.iter().find(|step| step["step"] == name);
        found
            .unwrap_or_else(|| panic!("no step {name} in {}", self.text))
            .clone()
    }
}

/// Runs the command in this process, as the binary's main does.
pub(crate) async fn doctor(config: &str, env: &[(&str, &str)], args: &[&str]) -> Outcome {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let path = file.path().display().to_string();
    let mut all: Vec<String> = ["faas-sidecar", "doctor", "--config", &path]
        .map(str::to_owned)
        .to_vec();
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    let env = Env::fixed(env.iter().copied());
    tokio::task::spawn_blocking(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = Io {
            out: &mut out,
            err: &mut err,
            input: &mut std::io::empty(),
        };
        let exit = cli::run(all.into_iter().map(Into::into), &env, &mut io);
        let text = String::from_utf8(if out.is_empty() { err } else { out }).unwrap();
        drop(file);
        Outcome { exit, text }
    })
    .await
    .unwrap()
}

/// Examines the emulator at `upstream` through a hop that makes the case's mistake.
pub(crate) async fn examine(provider: &str, upstream: SocketAddr, case: &Case) -> Outcome {
    let hop = hop::start(upstream, case.ways.clone()).await;
    let settings: String = case
        .settings
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    let config = format!(
        "targets:\n  main:\n    provider: {provider}\n    base_url: http://{hop}{}\n    retry: {{max_attempts: 1}}\n{}",
        case.path,
        settings.replace("HOP", &hop.to_string())
    );
    let (access, secret, token) = &case.keys;
    let token = token.as_deref().unwrap_or_default();
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", access.as_str()),
        ("NCLOUD_SECRET_ACCESS_KEY", secret),
        ("HUAWEICLOUD_SDK_AK", access),
        ("HUAWEICLOUD_SDK_SK", secret),
        ("HUAWEICLOUD_SDK_SECURITY_TOKEN", token),
    ];
    let outcome = doctor(&config, &env, &["--format", "json"]).await;
    let secret = secret.trim_matches(['"', '\'']);
    assert!(
        !outcome.text.contains(secret),
        "{}: the secret is shown in {}",
        case.name,
        outcome.text
    );
    outcome
}

/// Checks the cause that was named at the signed read.
pub(crate) fn check(case: &Case, outcome: &Outcome) {
    let step = outcome.step("read");
    let name = case.name;
    if case.cause.is_empty() {
        assert_eq!(step["status"], "ok", "{name}: {step:#}");
        return;
    }
    assert_eq!(outcome.exit, Exit::Failed, "{name}: {}", outcome.text);
    assert_eq!(step["cause"], case.cause, "{name}: {step:#}");
    assert_eq!(step["certain"], case.certain, "{name}: {step:#}");
    assert!(!step["fix"].as_str().unwrap().is_empty(), "{name}");
    let also = step["also_possible"].as_array().unwrap();
    assert!(
        case.also.is_empty() || also.iter().any(|cause| cause == case.also),
        "{name}: {step:#}"
    );
}
