//! One sidecar with a target for each cloud and generation, all before one scripted upstream.

use faas_sidecar::app::Sidecar;
use faas_sidecar::proto::action_service_client::ActionServiceClient;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use faas_sidecar::proto::trigger_service_client::TriggerServiceClient;
use faas_sidecar::proto::*;

use crate::support::answer::Answer;
use crate::support::bench::{connect, start, text};
use crate::support::cloud::keys;
pub use crate::support::cloud::{Cloud, PROJECT};
use crate::support::details::{Told, bare};
use crate::support::page;
use crate::support::patient::Patient;
use crate::support::upstream::{Received, Upstream};

/// Short pauses, so that retries cost a test nothing.
const QUICK: &str = "retry: {max_attempts: 3, initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 1000}}\n\
                     breaker: {enabled: false}\n\
                     limits: {adaptive_rate: false}";

/// The sidecar, the upstream and a client.
pub struct Clouds {
    pub upstream: Upstream,
    sidecar: Sidecar,
    channel: Patient,
}

impl Clouds {
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// With these settings for each target.
    pub async fn with(settings: &str) -> Self {
        Self::whole("", settings).await
    }

    /// `top` stands beside `targets`.
    pub async fn whole(top: &str, settings: &str) -> Self {
        let upstream = Upstream::start().await;
        let targets: String = Cloud::ALL
            .map(|cloud| {
                let lines = format!(
                    "{}\nbase_url: {}\n{QUICK}\n{settings}",
                    cloud.settings(),
                    upstream.url()
                );
                let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
                format!("  {}:\n{lines}", cloud.target())
            })
            .concat();
        let text =
            format!("listen: \"127.0.0.1:0\"\n{top}\ndefault_target: ncp21\ntargets:\n{targets}");
        let sidecar = start(&text, &keys());
        let channel = connect(&sidecar);
        Self {
            upstream,
            sidecar,
            channel,
        }
    }

    /// Every request is answered so.
    pub fn answer(&self, answer: impl Into<Answer>) {
        let answer = answer.into();
        self.upstream.answer_by(move |_| answer.clone());
    }

    /// Each request is answered by what it asks.
    pub fn answer_by<A: Into<Answer>>(
        &self,
        rule: impl Fn(&Received) -> A + Send + Sync + 'static,
    ) {
        self.upstream.answer_by(rule);
    }

    /// How many requests came while `work` was done.
    pub async fn requests_of<T>(&self, work: impl Future<Output = T>) -> (T, Vec<Received>) {
        let before = self.upstream.received().len();
        let done = work.await;
        (done, self.upstream.received().split_off(before))
    }

    /// How often `member` could not be read so far; for a sidecar with `admin`.
    pub async fn unreadable(&self, member: &str) -> u64 {
        unreadable(&self.sidecar, member).await
    }

    /// A connection to the sidecar.
    pub fn channel(&self) -> Patient {
        self.channel.clone()
    }

    pub fn packages(&self) -> PackageServiceClient<Patient> {
        PackageServiceClient::new(self.channel.clone())
    }

    pub fn actions(&self) -> ActionServiceClient<Patient> {
        ActionServiceClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    pub fn invocations(&self) -> InvocationServiceClient<Patient> {
        InvocationServiceClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    pub fn triggers(&self) -> TriggerServiceClient<Patient> {
        TriggerServiceClient::new(self.channel.clone())
    }

    /// Runs `hello` on this cloud; the result as JSON text.
    pub async fn invoke(&self, cloud: Cloud) -> Result<Activation, Told> {
        self.invoke_with(InvokeRequest {
            target: cloud.target(),
            result_encoding: JsonEncoding::Text.into(),
            ..InvokeRequest::default()
        })
        .await
    }

    /// The same with other fields; the action's name and the arguments are filled in.
    pub async fn invoke_with(&self, request: InvokeRequest) -> Result<Activation, Told> {
        let request = InvokeRequest {
            action_name: "hello".to_owned(),
            arguments: Some(text("{}")),
            ..request
        };
        let answer = self.invocations().invoke(request).await;
        answer
            .map(|answer| answer.into_inner().activation.unwrap())
            .map_err(|status| bare(&status))
    }
}

/// How often a sidecar with `admin` could not read `member` so far.
pub async fn unreadable(sidecar: &Sidecar, member: &str) -> u64 {
    let (_, page) = page::get(sidecar.admin().unwrap(), "/metrics").await;
    let label = format!("member=\"{member}\"");
    page.lines()
        .filter(|line| {
            line.starts_with("faas_sidecar_unreadable_members_total{") && line.contains(&label)
        })
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum()
}
