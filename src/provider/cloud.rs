//! What a cloud's folder gives, so that nothing outside names it: its settings, its sources of
//! keys, and how an account is made of both.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::Provider;
use crate::credentials::settings::SharedSource;
use crate::credentials::{KeeperThread, Reader as Variables, Status};
use crate::names::Pattern;
use crate::settings::{Reader, Section, TypedKey};
use crate::transport::Transport;

/// What is known of a cloud before anything is configured.
#[derive(Clone, Copy, Debug)]
pub struct CloudFacts {
    /// Its name in the file, and in error details.
    pub name: &'static str,
    /// Whose it is, for people.
    pub about: &'static str,
    /// The variables of its keys.
    pub variables: &'static str,
    /// The default of `timeouts.attempt`: the longest that it holds a call, and a margin for the
    /// way there and back.
    pub attempt: Duration,
}

/// Where one cloud is, from the keys that only it has.
pub trait CloudSettings: Section {
    /// Its sources of keys.
    type Source: KeySource;

    /// What is known beforehand.
    const FACTS: CloudFacts;

    /// Whether an account has connections of its own, which follow the target's bounds.
    const OWNS_TRANSPORT: bool = false;

    /// Cloud and region for spans. The conventions list neither cloud yet; the names follow those
    /// of the others (`alibaba_cloud`, `tencent_cloud`).
    fn place(&self) -> (&'static str, String);

    /// The hosts that are asked beside the functions' own; `None` = the documented one.
    fn other_hosts<'s>(&'s self, source: &Self::Source) -> Vec<Option<&'s Url>>;

    /// The account of these keys at this place, for all threads.
    ///
    /// # Errors
    /// One sentence on what cannot be used.
    fn account(
        &self,
        source: &Self::Source,
        verify: Option<bool>,
        context: &AccountContext<'_>,
    ) -> Result<Arc<dyn Account>, String>;
}

/// Where the keys of one cloud come from; never the keys.
pub trait KeySource:
    Sized + From<SharedSource> + Clone + fmt::Debug + PartialEq + Serialize
{
    /// The keys of `credentials` that only this cloud has.
    type Keys: Section;

    /// The key `source`.
    const SOURCE: TypedKey<String>;

    /// The keys that a source of the cloud's own reads.
    fn uses(source: &str) -> &'static [&'static str];

    /// Reads the source of that name; `None` = something it needs is missing, and a fault says so.
    fn read(reader: &mut Reader<'_>, source: &str) -> Option<Self>;

    /// The source, if every cloud has it.
    fn shared(&self) -> Option<&SharedSource>;

    /// Where the keys come from, for a person.
    fn described(&self) -> String;
}

/// What an account is made with beside its settings.
#[expect(missing_debug_implementations, reason = "it holds functions")]
pub struct AccountContext<'a> {
    /// Makes a transport of its own for what is asked rarely: one serves all threads.
    pub transport: &'a dyn Fn(Option<&Url>) -> Transport,
    /// Reads one environment variable.
    pub variables: Variables,
    /// Keeps keys up to date.
    pub keeper: &'a KeeperThread,
    /// Replaces the functions' host.
    pub base_url: Option<&'a Url>,
}

/// Who the sidecar is on one cloud, shared by all threads.
pub trait Account: Send + Sync {
    /// The state of its credentials.
    fn status(&self) -> Status;

    /// A provider for one thread.
    fn provider(&self, rules: RunRules, transport: Transport) -> Arc<dyn Provider>;
}

/// How runs are made when the caller does not say.
#[derive(Clone, Debug)]
pub struct RunRules {
    /// How long a run is waited for.
    pub wait: Duration,
    /// Actions whose repetition does no harm.
    pub idempotent_actions: Vec<Pattern>,
}
