//! Why NCP refuses: its gateway answers one code, 200, for a wrong key, a wrong signature and a
//! wrong clock alike, so the cause is found by asking.
//!
//! The signature is over the request target as the gateway receives it (NCP docs: common-ncpapi). A
//! harmless read that is sent as it is and *signed as something else* is accepted when that
//! something is what arrives: each such question is a proof. INFERRED: no document says that
//! refused signatures lock a key; the questions are few all the same.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use url::Url;

use super::Ncp;
use super::auth::{Prepared, judge, request_id};
use super::endpoint::Endpoint;
use crate::call::Call;
use crate::error::{Error, Kind, Result};
use crate::provider::diagnosis::{
    Answer, Cause, Diagnose, Finding, KeyReport, Place, Probe, clock, general, is_a_hops, repairs,
};
use crate::transport::{Request, Response};

/// "Rejected if it differs from the gateway's clock by 5 minutes or more" (NCP docs:
/// common-ncpapi).
const WINDOW: Duration = Duration::from_secs(300);

/// Two parameters that runs are sent with, in an order that a sorting hop would change. INFERRED: a
/// list ignores or refuses them; either shows that the signature was accepted.
const UNSORTED: [(&str, &str); 2] = [("timeout", "1000"), ("blocking", "true")];

/// Surely outside of the window, whatever the header's whole seconds hide.
fn beyond(skew_ms: i64) -> bool {
    u128::from(skew_ms.unsigned_abs()) >= WINDOW.as_millis()
}

/// The diagnosis of one refusal: what was refused, and what is known by now.
struct Search<'a> {
    ncp: &'a Ncp,
    prepared: &'a Prepared,
    /// Signatures are made at the cloud's time, so that a wrong clock hides no second mistake.
    skew_ms: Option<i64>,
}

impl Search<'_> {
    /// Sends `request` signed as `signed`.
    async fn ask_as(&self, call: &mut Call, sent: &Request, signed: &Request) -> Result<Answer> {
        self.ask_with(call, sent, signed, self.prepared).await
    }

    async fn ask_with(
        &self,
        call: &mut Call,
        sent: &Request,
        signed: &Request,
        prepared: &Prepared,
    ) -> Result<Answer> {
        let judge = |_: &Request, response: &Response| judge(response, self.ncp.now());
        Probe::new(
            Box::new(|_: &Request, at: SystemTime| prepared.sign(signed, at)),
            &judge,
        )
        .skewed(self.skew_ms)
        .send(&self.ncp.transport, call, sent)
        .await
    }

    /// True when a request that is sent as `sent` and signed as `url` passes the gateway.
    async fn arrives_as(&self, call: &mut Call, sent: &Request, url: Url) -> bool {
        let signed = Request {
            url,
            ..sent.clone()
        };
        passes(&self.ask_as(call, sent, &signed).await)
    }

    /// What of the query does not arrive as it was sent. `bare` passed the gateway, `full` did not.
    async fn query(&self, call: &mut Call, full: &Request) -> Finding {
        let text = full.url.query().unwrap_or_default();
        let mut pairs: Vec<_> = text.split('&').collect();
        pairs.sort_unstable();
        let sorted = pairs.join("&");
        if sorted != text
            && self
                .arrives_as(call, full, with_query(&full.url, Some(&sorted)))
                .await
        {
            let fact = format!(
                "signed as `{sorted}`, the query `{text}` passes the gateway, so it arrives sorted"
            );
            return Finding::certain(Cause::QueryReordered, fact);
        }
        let fact = if self
            .arrives_as(call, full, with_query(&full.url, None))
            .await
        {
            format!(
                "signed without its query `{text}` the request passes the gateway, so the query does not arrive"
            )
        } else {
            format!("without a query the request passes the gateway, with `{text}` it does not")
        };
        Finding::certain(Cause::QueryChanged, fact)
    }

    /// What the path arrives as, if that can be guessed.
    async fn path(&self, call: &mut Call, bare: &Request) -> Option<Finding> {
        let sent = bare.url.path();
        for path in self.ncp.endpoint.other_paths("/packages") {
            let mut url = bare.url.clone();
            url.set_path(&path);
            if url.path() != sent && self.arrives_as(call, bare, url).await {
                let fact = format!(
                    "signed as {path}, the path {sent} passes the gateway, so it arrives as that"
                );
                return Some(Finding::certain(Cause::PathChanged, fact));
            }
        }
        None
    }

    async fn method(&self, call: &mut Call, bare: &Request) -> Option<Finding> {
        let signed = Request {
            method: Method::HEAD,
            ..bare.clone()
        };
        passes(&self.ask_as(call, bare, &signed).await).then(|| {
            Finding::certain(
                Cause::MethodChanged,
                "signed as HEAD, a GET passes the gateway",
            )
        })
    }

    /// A slip in how the key is stored that turns into a key which works.
    async fn spelling(&self, call: &mut Call, bare: &Request) -> Option<Finding> {
        let snapshot = self.ncp.keys.credentials.current().ok()?;
        for (cause, keys) in repairs(snapshot.keys.as_ref().ok()?) {
            let Ok(prepared) = Prepared::new(0, &keys) else {
                continue;
            };
            if passes(&self.ask_with(call, bare, bare, &prepared).await) {
                let fact = "with the stored key read otherwise the request passes the gateway";
                return Some(Finding::certain(cause, fact));
            }
        }
        None
    }
}

/// Whatever is said behind the gateway's authentication, the signature was accepted.
fn passes(answer: &Result<Answer>) -> bool {
    answer.as_ref().is_ok_and(|answer| {
        answer.error.as_ref().is_none_or(|error| {
            error.kind != Kind::Unauthenticated
                && error.http_status.is_some_and(|status| status < 500)
        })
    })
}

fn with_query(url: &Url, query: Option<&str>) -> Url {
    let mut url = url.clone();
    url.set_query(query);
    url
}

impl Ncp {
    fn list_url(&self, query: &[(&str, &str)]) -> Url {
        let platform = self.endpoint.platform(0, &mut crate::error::Faults::new());
        self.endpoint.url("/packages", platform, query)
    }

    fn harmless(&self, url: Url) -> Request {
        self.request(Method::GET, url, Bytes::new(), true)
    }

    /// The cause of a 401 that names none.
    async fn search(&self, call: &mut Call, skew_ms: Option<i64>) -> Finding {
        let prepared = match self.keys.prepared() {
            Ok(prepared) => prepared,
            Err(error) => {
                return general(&error).unwrap_or(Finding::likely(
                    Cause::Unknown,
                    error.message.clone(),
                    &[],
                ));
            }
        };
        let wrong = skew_ms.filter(|skew| beyond(*skew));
        let search = Search {
            ncp: self,
            prepared: &prepared,
            skew_ms: wrong,
        };
        let bare = self.harmless(with_query(&self.list_url(&[]), None));
        let first = search.ask_as(call, &bare, &bare).await;
        let marked = |answer: &Answer| {
            request_id(&answer.headers).is_some()
                || answer
                    .error
                    .as_ref()
                    .is_some_and(|error| error.upstream_code.is_some())
        };
        if let Ok(answer) = &first
            && is_a_hops(answer.status, &answer.headers)
            && !marked(answer)
        {
            return Finding::certain(Cause::AnsweredByHop, hop_fact(answer));
        }
        let plain = self.harmless(self.list_url(&[]));
        if passes(&first) {
            for full in [plain, self.harmless(self.list_url(&UNSORTED))] {
                if !passes(&search.ask_as(call, &full, &full).await) {
                    return search.query(call, &full).await;
                }
            }
            return match wrong {
                Some(skew) => {
                    let clock = clock::told(skew);
                    let fact =
                        format!("{clock}, and signed at the cloud's time the request passes");
                    Finding::certain(Cause::ClockSkew, fact)
                }
                None => Finding::likely(
                    Cause::Unknown,
                    "the same request passes now",
                    &[Cause::ClockSkew],
                ),
            };
        }
        if let Some(found) = search.spelling(call, &bare).await {
            return found;
        }
        if let Some(found) = search.path(call, &bare).await {
            return found;
        }
        if let Some(found) = search.method(call, &bare).await {
            return found;
        }
        if !first.as_ref().is_ok_and(marked) {
            let fact = first.map_or_else(|error| error.message.clone(), |answer| hop_fact(&answer));
            return Finding::likely(Cause::AnsweredByHop, fact, &[Cause::KeyOrSecret]);
        }
        // Without the cloud's clock ours may be the mistake as well.
        let (fact, clock) = match skew_ms {
            Some(_) => (
                "signed at the cloud's own time, the simplest request is refused",
                None,
            ),
            None => (
                "the simplest request is refused, and the cloud's clock is not known",
                Some(Cause::ClockSkew),
            ),
        };
        let also: Vec<_> = [
            Cause::HeaderChanged,
            Cause::AuthenticationDropped,
            Cause::PathChanged,
            Cause::WrongPlace,
        ]
        .into_iter()
        .chain(clock)
        .collect();
        Finding::likely(Cause::KeyOrSecret, fact, &also)
    }
}

fn hop_fact(answer: &Answer) -> String {
    let server = answer
        .headers
        .get(http::header::SERVER)
        .and_then(|value| value.to_str().ok())
        .map_or_else(String::new, |server| format!(" (Server: {server})"));
    format!(
        "the answer {}{server} has none of the gateway's marks",
        answer.status
    )
}

impl Endpoint {
    /// What a path may arrive as: the cloud's own prefixes where `base_url` has another, the end of
    /// the own prefix, and a slash more.
    fn other_paths(&self, path: &str) -> Vec<String> {
        let own = self
            .url("", crate::proto::Platform::Unspecified, &[])
            .path()
            .to_owned();
        let mut prefixes = vec!["/ncf/api/v2".to_owned(), "/api/v2".to_owned()];
        let mut rest = own.as_str();
        // `/relay/ncf/api/v2` behind a relay that takes its own part away.
        while let Some(at) = rest.get(1..).and_then(|rest| rest.find('/')) {
            rest = rest.get(at + 1..).unwrap_or_default();
            prefixes.push(rest.to_owned());
        }
        prefixes.push(String::new());
        prefixes.retain(|prefix| *prefix != own);
        prefixes.dedup();
        let mut paths: Vec<_> = prefixes
            .iter()
            .map(|prefix| format!("{prefix}{path}"))
            .collect();
        paths.extend([format!("{own}{path}/"), format!("/{own}{path}")]);
        paths
    }
}

#[async_trait]
impl Diagnose for Ncp {
    fn places(&self) -> Vec<Place> {
        vec![Place {
            role: "functions",
            url: with_query(
                &self
                    .endpoint
                    .url("", crate::proto::Platform::Unspecified, &[]),
                None,
            ),
        }]
    }

    fn key_report(&self) -> KeyReport {
        let credentials = &self.keys.credentials;
        let snapshot = credentials.current().ok();
        let keys = snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.keys.as_ref().ok());
        KeyReport::on(credentials.status(), keys)
    }

    fn window(&self) -> Option<Duration> {
        Some(WINDOW)
    }

    async fn skew_ms(&self, within: Duration) -> Result<Option<i64>> {
        self.transport
            .ask_clock(with_query(&self.list_url(&[]), None), within)
            .await
    }

    async fn try_read(&self, call: &mut Call) -> Result<String> {
        let listed = self
            .list_packages(
                call,
                crate::proto::ListPackagesRequest {
                    page_size: 1,
                    ..Default::default()
                },
            )
            .await?;
        let unsorted = self.harmless(self.list_url(&UNSORTED));
        match self.send(call, unsorted).await {
            Err(error) if error.kind == Kind::Unauthenticated => Err(error),
            // Signed with what runs are sent with, and past the gateway: that is all that was
            // asked.
            _ => Ok(match listed.packages.first() {
                Some(_) => "packages were listed".to_owned(),
                None => "the list of packages is empty".to_owned(),
            }),
        }
    }

    async fn find_cause(&self, call: &mut Call, error: &Error, skew_ms: Option<i64>) -> Finding {
        let fact = error.message.clone();
        if let Some(found) = general(error) {
            return found;
        }
        match (error.upstream_code.as_deref(), error.http_status) {
            _ if error.kind == Kind::Unauthenticated => self.search(call, skew_ms).await,
            (None, Some(403)) => {
                Finding::likely(Cause::AnsweredByHop, fact, &[Cause::RightMissing])
            }
            _ if error.kind == Kind::PermissionDenied => {
                Finding::likely(Cause::RightMissing, fact, &[])
            }
            _ if error.kind == Kind::NotFound => Finding::certain(Cause::NotThere, fact),
            (None, _) => Finding::likely(Cause::AnsweredByHop, fact, &[Cause::WrongPlace]),
            _ => Finding::likely(Cause::Unknown, fact, &[]),
        }
    }

    fn untestable_rights(&self) -> &'static str {
        "the rights to run an action, to fire a trigger, and to create, change or delete anything show only when it is done"
    }
}
