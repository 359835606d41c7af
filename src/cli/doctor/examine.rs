//! The steps in their order, for every target.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::report::{Report, Step};
use super::{Action, network};
use crate::app;
#[cfg(feature = "emulator")]
use crate::app::{EmulatedClouds, Emulators};
use crate::call::Call;
use crate::config::{Config, TargetConfig};
use crate::env::Env;
use crate::error::{Error, Kind};
use crate::proto::{GetActionRequest, JsonEncoding};
use crate::provider::diagnosis::{Cause, Finding, clock};
use crate::target::Target;

/// A difference between the clocks that is worth a look although every cloud accepts it.
const NOTICEABLE: Duration = Duration::from_secs(30);

/// How long an issuer of keys may take before they count as missing.
const ISSUED_WITHIN: Duration = Duration::from_secs(3);

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Names of targets; none = all.
    pub(super) names: Vec<String>,
    pub(super) actions: Vec<Action>,
    pub(super) timeout: Duration,
}

/// The configuration that leads to emulators, when they are wanted.
#[cfg(feature = "emulator")]
pub(super) async fn emulated(
    config: Config,
    env: &Env,
    wanted: bool,
) -> Result<(Config, Env, Option<Emulators>), app::StartError> {
    if !wanted {
        return Ok((config, env.clone(), None));
    }
    let emulators = Emulators::start(config, &EmulatedClouds::default()).await?;
    Ok((emulators.config().clone(), emulators.env(), Some(emulators)))
}

/// All steps.
pub(super) async fn all(config: &Config, env: &Env, wanted: &Wanted, report: &mut Report) {
    let ends = Instant::now() + wanted.timeout;
    let targets = match app::targets(config, env) {
        Ok(targets) => targets,
        Err(why) => {
            report.add(Step::fail(
                "configuration",
                why.to_string(),
                "Correct what the message names.",
            ));
            return;
        }
    };
    report.add(configuration(config));
    let chosen = targets.targets.iter().filter(|target| {
        wanted.names.is_empty() || wanted.names.iter().any(|name| name == target.name())
    });
    for target in chosen {
        let Some(settings) = config.targets.get(target.name()) else {
            continue;
        };
        let mut steps = Vec::new();
        one(target, settings, wanted, ends, &mut steps).await;
        for step in steps {
            report.add(Step {
                target: Some(target.name().to_owned()),
                ..step
            });
        }
    }
    report.add(kubernetes(config, env));
}

fn configuration(config: &Config) -> Step {
    let file = match &config.file {
        Some(file) => format!("{} is right", file.display()),
        None => "no file: one target, default, NAVER Cloud in Korea".to_owned(),
    };
    let names: Vec<Value> = config
        .targets
        .keys()
        .map(|name| name.as_str().into())
        .collect();
    Step::ok(
        "configuration",
        format!("{file}, {} target(s)", names.len()),
    )
    .with("targets", names)
}

async fn one(
    target: &Target,
    settings: &TargetConfig,
    wanted: &Wanted,
    ends: Instant,
    steps: &mut Vec<Step>,
) {
    if !settings.credentials.source.is_environment() {
        issued(target, ends).await;
    }
    let credentials = credentials(target);
    let no_key = credentials.is_failure();
    steps.push(credentials);
    let mut lost = None;
    // Read once already, when the targets were made.
    let tls = app::target_tls(settings).ok().flatten();
    for place in target.provider.places() {
        for step in network::steps(&place.url, tls.as_ref(), settings.timeouts.connect, ends).await
        {
            if step.is_failure() {
                lost.get_or_insert(step.name);
            }
            steps.push(step);
        }
    }
    let skew = match lost {
        Some(step) => {
            steps.push(Step::skipped("clock", step));
            None
        }
        None => {
            let (step, skew) = clock_step(target, ends).await;
            steps.push(step);
            skew
        }
    };
    let skip = lost.or(no_key.then_some("credentials"));
    let readable = match skip {
        Some(step) => {
            steps.push(Step::skipped("read", step));
            Err(step)
        }
        None => read(target, skew, ends, steps).await,
    };
    for action in &wanted.actions {
        let name = format!("{}/{}", action.package, action.name);
        steps.push(match readable {
            Ok(()) => right(target, action, skew, ends).await.of(name),
            Err(step) => Step::skipped("right", step).of(name),
        });
    }
    steps.push(Step::not_needed("right", target.provider.untestable_rights()).of("(others)"));
}

/// Keys that an issuer hands out take a moment to come.
async fn issued(target: &Target, ends: Instant) {
    let patience = ends.min(Instant::now() + ISSUED_WITHIN);
    while target.provider.key_report().missing.is_some() && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn credentials(target: &Target) -> Step {
    let key = target.provider.key_report();
    let seconds = |span: Option<Duration>| span.map(|span| span.as_secs());
    let detailed = |step: Step| {
        step.with("kind", key.kind)
            .with("source", key.source.clone())
            .with("fingerprint", key.fingerprint.clone())
            .with("temporary", key.temporary)
            .with("age_seconds", seconds(key.age))
            .with("expires_in_seconds", seconds(key.expires_in))
    };
    if let Some(why) = &key.missing {
        let finding = Finding::certain(Cause::CredentialsMissing, why.trim_end_matches('.'));
        return detailed(Step::caused("credentials", finding));
    }
    let which = key
        .fingerprint
        .as_ref()
        .map_or_else(String::new, |print| format!(", key {print}"));
    let kind = if key.temporary { ", temporary" } else { "" };
    let life = key.expires_in.map_or_else(String::new, |left| {
        format!(", good for {} s", left.as_secs())
    });
    let fact = format!("{}{which}{kind}{life}", key.source);
    detailed(match key.doubt {
        Some(cause) => {
            let fact = format!("{fact}; its spelling looks wrong");
            let finding = Finding::likely(cause, fact.clone(), &[]);
            Step {
                cause: Some(finding),
                ..Step::warn("credentials", fact, cause.fix())
            }
        }
        None => Step::ok("credentials", fact),
    })
}

async fn clock_step(target: &Target, ends: Instant) -> (Step, Option<i64>) {
    let began = Instant::now();
    let skew_ms = match target
        .provider
        .skew_ms(ends.saturating_duration_since(began))
        .await
    {
        Ok(skew_ms) => skew_ms,
        Err(error) => {
            let finding =
                Finding::likely(Cause::Unreachable, error.message.trim_end_matches('.'), &[]);
            return (Step::caused("clock", finding), None);
        }
    };
    let step = match (skew_ms, target.provider.window()) {
        (None, _) => Step::warn(
            "clock",
            "the cloud's answer has no Date header, so the clocks cannot be compared",
            "Let the proxy on the way pass the Date header on.",
        ),
        (Some(skew), Some(window)) if u128::from(skew.unsigned_abs()) >= window.as_millis() => {
            let fact = format!(
                "{}; signatures may be {} s off, and are made at the cloud's time instead",
                clock::told(skew),
                window.as_secs()
            );
            Step {
                cause: Some(Finding::certain(Cause::ClockSkew, fact.clone())),
                ..Step::warn("clock", fact, Cause::ClockSkew.fix())
            }
        }
        (Some(skew), _) if u128::from(skew.unsigned_abs()) >= NOTICEABLE.as_millis() => {
            Step::warn("clock", clock::told(skew), Cause::ClockSkew.fix())
        }
        (Some(_), window) => {
            let window = window.map_or_else(String::new, |window| {
                format!("; signatures may be {} s off", window.as_secs())
            });
            Step::ok("clock", format!("the clocks agree{window}"))
        }
    };
    let step = step.with("skew_ms", skew_ms);
    let took = began.elapsed();
    (Step { took, ..step }, skew_ms)
}

async fn read(
    target: &Target,
    skew_ms: Option<i64>,
    ends: Instant,
    steps: &mut Vec<Step>,
) -> Result<(), &'static str> {
    let began = Instant::now();
    let mut call = Call::new(ends);
    let outcome = target.provider.try_read(&mut call).await;
    let (step, readable) = match outcome {
        Ok(fact) => (Step::ok("read", fact), Ok(())),
        Err(error) => (
            caused("read", target, &error, skew_ms, ends).await,
            Err("read"),
        ),
    };
    let step = step.with("upstream_request_id", call.upstream_request_id.clone());
    let took = began.elapsed();
    steps.push(Step { took, ..step });
    readable
}

async fn right(target: &Target, action: &Action, skew_ms: Option<i64>, ends: Instant) -> Step {
    let began = Instant::now();
    let mut call = Call::new(ends);
    let request = GetActionRequest {
        package_name: action.package.clone(),
        action_name: action.name.clone(),
        result_encoding: JsonEncoding::Text.into(),
        ..GetActionRequest::default()
    };
    let step = match target.provider.get_action(&mut call, request).await {
        Ok(_) => Step::ok("right", "it is there and may be read"),
        Err(error) if error.kind == Kind::NotFound => {
            let finding = Finding::certain(Cause::NotThere, error.message.trim_end_matches('.'));
            Step::caused("right", finding)
        }
        Err(error) if error.kind == Kind::InvalidArgument => {
            let why: Vec<_> = error
                .violations
                .iter()
                .map(|fault| format!("{} {}", fault.field, fault.description))
                .collect();
            Step::fail(
                "right",
                why.join("; "),
                "Name the action as package/name by this cloud's rules.",
            )
        }
        Err(error) => caused("right", target, &error, skew_ms, ends).await,
    };
    let took = began.elapsed();
    Step { took, ..step }
}

/// A failed request with the cause that its cloud finds.
async fn caused(
    name: &'static str,
    target: &Target,
    error: &Error,
    skew_ms: Option<i64>,
    ends: Instant,
) -> Step {
    let mut call = Call::new(ends);
    let search = target.provider.find_cause(&mut call, error, skew_ms);
    let finding = match timeout_at(ends, search).await {
        Ok(finding) => finding,
        Err(_) => {
            let fact = format!(
                "{} There was no time left to look for the cause",
                error.message
            );
            Finding::likely(Cause::Unknown, fact, &[])
        }
    };
    let fact = finding.fact.trim_end_matches('.').to_owned();
    Step::caused(name, Finding { fact, ..finding })
        .with("reason", error.reason.clone().into_owned())
        .with("http_status", error.http_status)
        .with("upstream_code", error.upstream_code.clone())
        .with("message", error.message.clone())
}

/// What is cheap to see from inside a pod.
fn kubernetes(config: &Config, env: &Env) -> Step {
    if env.get("KUBERNETES_SERVICE_HOST").is_none() {
        return Step::not_needed("kubernetes", "not in a cluster");
    }
    let fixed = config
        .targets
        .iter()
        .filter(|(_, target)| target.credentials.source.is_environment())
        .map(|(name, _)| name.as_str())
        .collect::<Vec<_>>();
    if fixed.is_empty() {
        return Step::ok(
            "kubernetes",
            "in a cluster; keys come from files, which follow their Secret",
        );
    }
    Step::warn(
        "kubernetes",
        format!(
            "in a cluster; the keys of {} come from the environment, which a running pod keeps",
            fixed.join(", ")
        ),
        "Mount the Secret and use credentials {source: files}, so that a new key needs no restart.",
    )
}
