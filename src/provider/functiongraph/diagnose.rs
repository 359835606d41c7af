//! Why FunctionGraph's gateway refuses. It says more than most: an unknown key, a locked key, a
//! wrong clock and a missing header have words of their own, and some gateways show the canonical
//! request that they computed (`shown`). Where it only says that the signature is wrong, the cause
//! is found by asking (`search`).

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use url::Url;

use super::FunctionGraph;
use super::auth::Identity;
use crate::call::Call;
use crate::error::{Error, Kind, Result, reason};
use crate::proto::ListActionsRequest;
use crate::provider::diagnosis::{
    Answer, Cause, Diagnose, Finding, KeyReport, Place, Probe, clock, general, is_a_hops, repairs,
};
use crate::provider::functiongraph::errors;
use crate::transport::{Request, Response};

mod search;
mod shown;

use search::Search;

/// "Accepted skew 15 min" (API Request Signing Guide, troubleshooting).
const WINDOW: Duration = Duration::from_secs(15 * 60);

impl FunctionGraph {
    /// The cause of a signature that is refused without further words.
    async fn search(&self, call: &mut Call, error: &Error) -> Finding {
        let unknown = || Finding::likely(Cause::Unknown, error.message.clone(), &[]);
        let Identity::Keys(held) = self.access.identity() else {
            return unknown();
        };
        // Refused at IAM already, when the project was looked up: there is no list to ask for.
        let Some(place) = self.access.known_place() else {
            let fact = error.message.clone();
            return Finding::likely(
                Cause::SecretWrong,
                fact,
                &[Cause::HeaderChanged, Cause::HostChanged],
            );
        };
        let Ok(snapshot) = held.credentials.current() else {
            return unknown();
        };
        let Ok(keys) = &snapshot.keys else {
            return unknown();
        };
        let full = place.functions(vec![("marker", "0"), ("maxitems", "1")]);
        let (Ok(bare), Ok(full)) = (place.functions(vec![]), full) else {
            return unknown();
        };
        // Behind a relay with a path of its own the cloud sees its own path.
        let own = format!("/v2/{}/fgs/functions", place.project);
        let prefix = (bare.path() != own).then_some(own);
        let project = Some(place.project_header.clone());
        Search::new(self, keys.clone(), [bare, full], project)
            .run(call, prefix)
            .await
    }

    async fn knock_at(&self, call: &mut Call) -> Result<Answer> {
        let [functions, _] = self.access.endpoint().places();
        let request = self.request(Method::GET, functions?, Bytes::new(), true);
        let unsigned = |_: &Request, _: SystemTime| Ok(Vec::new());
        Probe::new(Box::new(unsigned), &|_: &Request, _: &Response| Ok(()))
            .send(&self.transport, call, &request)
            .await
    }
}

#[async_trait]
impl Diagnose for FunctionGraph {
    fn places(&self) -> Vec<Place> {
        let [functions, iam] = self.access.endpoint().places();
        // Keys with a configured project never ask IAM.
        let asks_iam = matches!(self.access.identity(), Identity::Token(_))
            || self.access.endpoint().project_id().is_none();
        let place = |role, url: Result<Url>| url.ok().map(|url| Place { role, url });
        let iam = asks_iam.then(|| place("iam", iam)).flatten();
        place("functions", functions)
            .into_iter()
            .chain(iam)
            .collect()
    }

    fn key_report(&self) -> KeyReport {
        match self.access.identity() {
            Identity::Keys(keys) => {
                let snapshot = keys.credentials.current().ok();
                let pair = snapshot
                    .as_ref()
                    .and_then(|snapshot| snapshot.keys.as_ref().ok());
                KeyReport::on(keys.credentials.status(), pair)
            }
            Identity::Token(_) => KeyReport::of(self.access.status()),
        }
    }

    fn window(&self) -> Option<Duration> {
        matches!(self.access.identity(), Identity::Keys(_)).then_some(WINDOW)
    }

    async fn skew_ms(&self, within: Duration) -> Result<Option<i64>> {
        let [functions, _] = self.access.endpoint().places();
        self.transport.ask_clock(functions?, within).await
    }

    async fn try_read(&self, call: &mut Call) -> Result<String> {
        let request = ListActionsRequest {
            page_size: 1,
            ..ListActionsRequest::default()
        };
        let listed = self.list_actions(call, request).await?;
        let place = self
            .access
            .known_place()
            .map_or("", |place| place.project.as_str());
        Ok(match listed.actions.len() {
            0 => format!("the list of functions of project {place} is empty"),
            _ => format!("functions of project {place} were listed"),
        })
    }

    async fn find_cause(&self, call: &mut Call, error: &Error, skew_ms: Option<i64>) -> Finding {
        let fact = error.message.clone();
        if error.cause == Some(Cause::ClockSkew.symbol())
            && let Some(skew) = skew_ms
        {
            let fact = format!("{}, and the gateway accepts 900 s", clock::told(skew));
            return Finding::certain(Cause::ClockSkew, fact);
        }
        // Encoded or quoted, a key is unknown too.
        if error.cause == Some(Cause::AccessKeyUnknown.symbol())
            && let Identity::Keys(keys) = self.access.identity()
            && let Ok(snapshot) = keys.credentials.current()
            && let Ok(keys) = &snapshot.keys
            && let Some((cause, _)) = repairs(keys).into_iter().next()
        {
            return Finding::likely(cause, fact, &[Cause::AccessKeyUnknown]);
        }
        if let Some(found) = general(error) {
            return found;
        }
        match error.reason.as_ref() {
            reason::ACCESS_KEY_HELD_BACK => {
                Finding::likely(Cause::SecretWrong, fact, &[Cause::AccessKeyLocked])
            }
            errors::ADDRESS_REFUSED => Finding::certain(Cause::AddressRefused, fact),
            errors::PROJECT_FROZEN | errors::APP_FROZEN | errors::REGION_DISABLED => {
                Finding::certain(Cause::AccountRefused, fact)
            }
            errors::TOKEN_REFUSED => {
                Finding::likely(Cause::TokenRefused, fact, &[Cause::HeaderChanged])
            }
            errors::SIGNATURE_REFUSED => self.search(call, error).await,
            _ if error.kind == Kind::Unauthenticated || error.upstream_code.is_none() => {
                match self.knock_at(call).await {
                    Ok(answer) if is_a_hops(answer.status, &answer.headers) => Finding::certain(
                        Cause::AnsweredByHop,
                        format!(
                            "the answer {} asks for a proxy's credentials",
                            answer.status
                        ),
                    ),
                    _ if error.upstream_code.is_none() => {
                        Finding::likely(Cause::AnsweredByHop, fact, &[Cause::WrongPlace])
                    }
                    // Words that are not known; IAM's own, for one.
                    _ if error.reason == reason::AUTHENTICATION_FAILED => Finding::likely(
                        Cause::SecretWrong,
                        fact,
                        &[
                            Cause::AccessKeyUnknown,
                            Cause::HeaderChanged,
                            Cause::ClockSkew,
                        ],
                    ),
                    _ => Finding::likely(Cause::RightMissing, fact, &[Cause::WrongPlace]),
                }
            }
            _ if error.kind == Kind::PermissionDenied => Finding::likely(
                Cause::RightMissing,
                fact,
                &[Cause::WrongPlace, Cause::HeaderChanged],
            ),
            _ if error.kind == Kind::NotFound => Finding::certain(Cause::NotThere, fact),
            _ => Finding::likely(Cause::Unknown, fact, &[]),
        }
    }

    fn untestable_rights(&self) -> &'static str {
        "the rights to run a function (functiongraph:function:invoke*), and to create, change or delete anything show only \
         when it is done"
    }
}
