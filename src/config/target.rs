//! What can be set of one target, its cloud's own keys among them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::Config;
use crate::provider::{Cloud, CredentialSettings, cloud_named};
use crate::settings::{
    AllowRule, Kind, Reader, Scope, Section as _, Setting, SettingValue, TypedKey, settings,
};
use crate::transport::{BreakerSettings, Limits, Retry, Timeouts, within_request};

/// NCP itself holds a call for at most 60 s, so a longer default would poll.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

settings! {
    /// One functions cloud: whose, where, with which keys and within which bounds.
    #[derive(Debug, Clone, PartialEq)]
    pub struct TargetConfig in "targets.*.", then check {
        /// What only this cloud has.
        @flat cloud: Cloud;
        /// Replaces scheme and host; with a path, the path prefix too. Plain http is for loopback
        /// only.
        base_url: Option<Url> = url(), Depends("the cloud's own host") => Reader::safe_url;
        /// Lets base_url, iam_url, sts_url and metadata_url be plain http to hosts other than
        /// loopback: signatures and data are then readable on the way.
        allow_plaintext: bool = flag(), Is("false");
        /// How far from this machine's clock the time of a signature may be because answers show
        /// another time; a hop that lies gets no signature beyond it.
        max_clock_correction: Duration = seconds(0, 3600 * 24 * 365 * 30), Is("24h");
        /// A PEM file of certificate authorities, trusted in place of the built-in ones; read again
        /// when it changes, as the client certificate is.
        ca_file: Option<PathBuf> = path(), Nothing;
        /// A PEM certificate chain shown to an upstream that asks for one, with client_key_file.
        client_cert_file: Option<PathBuf> = path(), Nothing;
        /// The PEM key of client_cert_file.
        client_key_file: Option<PathBuf> = path(), Nothing;
        /// Where the keys come from. The keys themselves never stand in this file.
        credentials: CredentialSettings;
        /// How long an Invoke that does not say waits for the result.
        wait: Duration = millis(0, DAY), Depends("60s, or timeouts.request if that is shorter") => wait;
        /// Actions that may be run twice without harm, so that a run whose outcome is unknown is
        /// tried again: package/action, - for no package, * for any characters.
        idempotent_actions: Vec<String> = patterns(), Nothing;
        /// The calls that are allowed; all others are refused. Each rule has operations, and
        /// actions (package/action patterns), triggers (name patterns) or both.
        allow: Option<Vec<AllowRule>> = rules(), Depends("every call is allowed, unless default_deny is true");
        /// How failed attempts are repeated.
        retry: Retry;
        /// How long things may take.
        timeouts: Timeouts;
        /// How much may go on at once.
        limits: Limits;
        /// When calls are refused at once because the cloud does not answer, or fails: connections,
        /// attempts out of time, 5xx. Never for 4xx, 429, or a function that fails.
        breaker: BreakerSettings;
    }
}

impl TargetConfig {
    fn check(&mut self, reader: &mut Reader<'_>) {
        reader.pair([Self::client_cert_file.key, Self::client_key_file.key]);
    }
}

fn wait(reader: &mut Reader<'_>, key: TypedKey<Duration>) -> Option<Duration> {
    within_request(reader, key, DEFAULT_WAIT)
}

/// The targets, by name.
pub type TargetConfigs = BTreeMap<String, TargetConfig>;

/// Reads every target of a known provider.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    _key: TypedKey<TargetConfigs>,
) -> Option<TargetConfigs> {
    let largest = reader.get(Config::max_message_size)?;
    let mut targets = TargetConfigs::new();
    for (name, provider) in reader.found.targets.clone() {
        let Some(cloud) = provider.and_then(cloud_named) else {
            continue;
        };
        let scope = Scope {
            target: name.clone(),
            provider: Some(cloud.name),
            attempt: cloud.attempt,
            largest,
            ..reader.scope.clone()
        };
        let mut below = Reader {
            found: reader.found,
            faults: reader.faults,
            scope,
        };
        below.scope.allow_plaintext = below.get(TargetConfig::allow_plaintext)?;
        if let Some(target) = TargetConfig::read(&mut below) {
            targets.insert(name, target);
        }
    }
    Some(targets)
}

impl SettingValue for TargetConfigs {
    type Inner = Self;

    fn of(_setting: Setting) -> Option<Self> {
        None
    }

    fn shown(&self, _kind: Kind) -> Value {
        json!(self)
    }
}
