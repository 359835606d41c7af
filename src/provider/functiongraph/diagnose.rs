//! Why FunctionGraph's gateway refuses. It says more than most: an unknown key, a locked key, a wrong clock and a missing
//! header have words of their own, and some gateways show the canonical request that they computed.
//!
//! Where it only says that the signature is wrong, the cause is found by asking: the same harmless read, signed with fewer
//! parts. The first part with which it is refused is the one that does not arrive as it was sent. Refused signatures lock
//! a key after the fifth in a row, so no more than [`QUESTIONS`] are risked; an accepted one starts the count anew.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use tokio::time::Instant;
use url::Url;

use super::auth::{HOST, Headers, Identity, Keys, PROJECT_ID, Proof, SDK_DATE, SECURITY_TOKEN, Sealed, host, sendable};
use super::sign::{self, Difference, EMPTY_HASH, Parts, Signer};
use super::{FunctionGraph, JSON, errors};
use crate::call::Call;
use crate::credentials::KeyPair;
use crate::error::{Error, Kind, Result};
use crate::proto::ListActionsRequest;
use crate::provider::diagnosis::{
    Answer, Cause, Diagnose, Finding, Head, KeyReport, Place, Probe, clock as theirs, general, is_a_hops, repairs,
};
use crate::transport::{Request, Response};

/// "Accepted skew 15 min" (API Request Signing Guide, troubleshooting).
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Refusals risked after the first one: four in a row in all, where the fifth locks the key.
const QUESTIONS: u32 = 3;

/// Which parts one question signs, beside the time and a security token.
#[derive(Clone, Copy, Default)]
struct Form {
    host: bool,
    query: bool,
    content_type: bool,
    project: bool,
}

/// One search for a cause: what is asked, with which keys, and how many refusals it has met.
struct Search<'a> {
    graph: &'a FunctionGraph,
    keys: KeyPair,
    bare: Url,
    full: Url,
    project: Option<HeaderValue>,
    refused: Mutex<u32>,
}

impl Sealed<'_> {
    /// Names what changed on the way, where the gateway shows the canonical request that it computed: at no cost but on
    /// refusals.
    pub(super) fn name_the_cause(
        &self,
        error: Error,
        keys: &Keys,
        request: &Request,
        signed: SystemTime,
        response: &Response,
    ) -> Error {
        match error.reason.as_ref() {
            // A signature is not a token: the gateway speaks of the security token.
            "TOKEN_REFUSED" => {
                let cause = match keys.are_temporary() {
                    true => Cause::SecurityTokenRefused,
                    false => Cause::SecurityTokenMissing,
                };
                error.with(|facts| {
                    facts.cause = Some(cause.symbol());
                    facts.message = format!("The gateway refused the temporary key's security token. {}", cause.fix());
                })
            }
            "SIGNATURE_REFUSED" => {
                let theirs = sign::told_canonical(&errors::read(&response.body).message);
                let ours = theirs.as_ref().and_then(|_| self.canonical(keys, request, signed));
                let (Some(ours), Some(theirs)) = (ours, theirs) else { return error };
                let finding = part_that_differs(sign::difference(&ours, &theirs));
                error.with(|facts| {
                    facts.cause = Some(finding.cause.symbol());
                    facts.message =
                        format!("The gateway refused the signature: {}. {}", finding.fact, finding.cause.fix());
                })
            }
            _ => error,
        }
    }

    /// What was signed at `signed`, made again.
    fn canonical(&self, keys: &Keys, request: &Request, signed: SystemTime) -> Option<String> {
        let Proof::Signature { body_hash, .. } = &self.proof else { return None };
        let snapshot = keys.credentials.current().ok()?;
        let pair = snapshot.keys.as_ref().ok()?;
        let date = sign::date(signed);
        let (host, time) = (sendable(&host(request)).ok()?, sendable(&date).ok()?);
        let token = pair.security_token.as_ref();
        let token = token.and_then(|token| HeaderValue::from_str(token.reveal()).ok());
        let mut headers: Vec<_> = request.headers.iter().map(|(name, value)| (name, value)).collect();
        headers.extend([(&HOST, &host), (&SDK_DATE, &time)]);
        headers.extend(self.project.map(|project| (&PROJECT_ID, project)));
        headers.extend(token.as_ref().map(|token| (&SECURITY_TOKEN, token)));
        let parts = Parts {
            method: request.method.as_str(),
            url: &request.url,
            headers: &headers,
            date: &date,
            payload_hash: body_hash,
        };
        Some(Signer::new(pair).ok()?.explain(&parts).canonical_request)
    }
}

impl Keys {
    fn are_temporary(&self) -> bool {
        let Ok(snapshot) = self.credentials.current() else { return false };
        snapshot.keys.as_ref().is_ok_and(|keys| keys.security_token.is_some())
    }
}

/// The cause behind a difference between what was signed and what the gateway saw. Header values are not told.
fn part_that_differs(difference: Option<Difference>) -> Finding {
    let arrived = |part: &str, ours: &str, theirs: &str| format!("the {part} `{ours}` arrived as `{theirs}`");
    match difference {
        None => Finding::certain(Cause::SecretWrong, "the gateway computed its signature over the very same text"),
        Some(Difference::Method(a, b)) => Finding::certain(Cause::MethodChanged, arrived("method", &a, &b)),
        Some(Difference::Path(a, b)) => Finding::certain(Cause::PathChanged, arrived("path", &a, &b)),
        Some(Difference::Query(a, b)) => Finding::certain(Cause::QueryChanged, arrived("query", &a, &b)),
        Some(Difference::Header(name)) if name == "host" => {
            Finding::certain(Cause::HostChanged, "the Host header arrived with another value")
        }
        Some(Difference::Header(name)) => {
            let fact = format!("the header {name} did not arrive as it was signed");
            Finding::certain(Cause::HeaderChanged, fact)
        }
        Some(Difference::SignedHeaders(..)) => {
            Finding::certain(Cause::HeaderChanged, "the list of signed headers arrived changed")
        }
        Some(Difference::BodyHash(..)) => {
            Finding::certain(Cause::BodyChanged, "the body that arrived has another hash")
        }
    }
}

impl Search<'_> {
    fn may_ask(&self) -> bool {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) < QUESTIONS
    }

    /// True when the read passes the gateway, signed with these parts alone.
    async fn passes(&self, call: &mut Call, form: Form) -> bool {
        self.passes_as(call, form, &self.keys, None).await
    }

    /// The same with other keys, or signed as another path.
    async fn passes_as(&self, call: &mut Call, form: Form, keys: &KeyPair, path: Option<&str>) -> bool {
        let Ok(signer) = Signer::new(keys) else { return false };
        let url = if form.query { &self.full } else { &self.bare };
        let mut signed_url = url.clone();
        if let Some(path) = path {
            signed_url.set_path(path);
        }
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            body: Bytes::new(),
            headers: if form.content_type {
                vec![(header::CONTENT_TYPE, JSON)]
            } else {
                Vec::new()
            },
            idempotent: true,
            attempt_timeout: None,
        };
        let project = self.project.as_ref().filter(|_| form.project);
        let seal = |request: &Request, at: SystemTime| -> Result<Headers> {
            seal(&signer, keys, request, &signed_url, (form.host, project), at)
        };
        let answer = Probe::new(Box::new(seal), &|_, response| errors::judge(response))
            .send(&self.graph.transport, call, &request)
            .await;
        let passed = passes(&answer);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = if passed { 0 } else { *refused + 1 };
        passed
    }

    async fn run(&self, call: &mut Call, prefix: Option<String>) -> Finding {
        for (cause, keys) in repairs(&self.keys).into_iter().take(1) {
            if self.passes_as(call, Form::default(), &keys, None).await {
                let fact = "with the stored key read otherwise the request passes the gateway";
                return Finding::certain(cause, fact);
            }
        }
        if let Some(path) = prefix
            && self.passes_as(call, Form::default(), &self.keys, Some(&path)).await
        {
            let fact = format!("signed as {path}, the path {} passes the gateway", self.bare.path());
            return Finding::certain(Cause::PathChanged, fact);
        }
        let host = Form {
            host: true,
            ..Form::default()
        };
        if self.may_ask() && self.passes(call, host).await {
            return self.add_parts(call, host).await;
        }
        if self.may_ask() && self.passes(call, Form::default()).await {
            let fact = "signed without its Host header the request passes the gateway, with it it does not";
            return Finding::certain(Cause::HostChanged, fact);
        }
        Finding::likely(
            Cause::SecretWrong,
            "the gateway knows the access key and refuses the simplest request signed with it",
            &[Cause::PathChanged, Cause::HeaderChanged, Cause::BodyChanged],
        )
    }

    /// Adds one part after the other to what passes, until it does not.
    async fn add_parts(&self, call: &mut Call, mut form: Form) -> Finding {
        type Part = (&'static str, Cause, fn(&mut Form));
        let parts: [Part; 3] = [
            ("query", Cause::QueryChanged, |form| form.query = true),
            ("Content-Type header", Cause::HeaderChanged, |form| form.content_type = true),
            ("X-Project-Id header", Cause::HeaderChanged, |form| form.project = true),
        ];
        for (name, cause, add) in parts {
            add(&mut form);
            if !self.passes(call, form).await {
                let fact = format!("without its {name} the request passes the gateway, with it it does not");
                return Finding::certain(cause, fact);
            }
        }
        Finding::likely(Cause::Unknown, "the same request passes now", &[Cause::ClockSkew])
    }
}

/// The headers of one question.
fn seal(
    signer: &Signer,
    keys: &KeyPair,
    request: &Request,
    signed_url: &Url,
    (with_host, project): (bool, Option<&HeaderValue>),
    at: SystemTime,
) -> Result<Headers> {
    let date = sign::date(at);
    let (host, time) = (sendable(&host(request))?, sendable(&date)?);
    let token = keys.security_token.as_ref().map(|token| sendable(token.reveal())).transpose()?;
    let mut signed: Vec<(&HeaderName, &HeaderValue)> =
        request.headers.iter().map(|(name, value)| (name, value)).collect();
    signed.push((&SDK_DATE, &time));
    if with_host {
        signed.push((&HOST, &host));
    }
    signed.extend(project.map(|project| (&PROJECT_ID, project)));
    signed.extend(token.as_ref().map(|token| (&SECURITY_TOKEN, token)));
    let authorization = signer.sign(&Parts {
        method: request.method.as_str(),
        url: signed_url,
        headers: &signed,
        date: &date,
        payload_hash: EMPTY_HASH,
    });
    let mut headers = vec![(header::AUTHORIZATION, sendable(&authorization)?), (SDK_DATE.clone(), time.clone())];
    headers.extend(project.map(|project| (PROJECT_ID.clone(), project.clone())));
    headers.extend(token.clone().map(|token| (SECURITY_TOKEN.clone(), token)));
    for (_, value) in &mut headers {
        value.set_sensitive(true);
    }
    Ok(headers)
}

/// Whatever is said behind the gateway's authentication, the signature was accepted.
fn passes(answer: &Result<Answer>) -> bool {
    answer.as_ref().is_ok_and(|answer| {
        answer.error.as_ref().is_none_or(|error| {
            error.kind != Kind::Unauthenticated && error.http_status.is_some_and(|status| status < 500)
        })
    })
}

impl FunctionGraph {
    /// The cause of a signature that is refused without further words.
    async fn search(&self, call: &mut Call, error: &Error) -> Finding {
        let unknown = || Finding::likely(Cause::Unknown, error.message.clone(), &[]);
        let Identity::Keys(held) = self.access.identity() else { return unknown() };
        let (Some(place), Ok(snapshot)) = (self.access.known_place(), held.credentials.current()) else {
            return unknown();
        };
        let Ok(keys) = &snapshot.keys else { return unknown() };
        let full = place.functions(vec![("marker", "0"), ("maxitems", "1")]);
        let (Ok(bare), Ok(full)) = (place.functions(vec![]), full) else { return unknown() };
        // Behind a relay with a path of its own the cloud sees its own path.
        let own = format!("/v2/{}/fgs/functions", place.project);
        let prefix = (bare.path() != own).then_some(own);
        let search = Search {
            graph: self,
            keys: keys.clone(),
            bare,
            full,
            project: Some(place.project_header.clone()),
            refused: Mutex::new(0),
        };
        search.run(call, prefix).await
    }

    async fn knock_at(&self, call: &mut Call) -> Result<Answer> {
        let [functions, _] = self.access.endpoint().places();
        let request = self.request(Method::GET, functions?, Bytes::new(), true);
        Probe::new(Box::new(|_, _| Ok(Vec::new())), &|_, _| Ok(()))
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
        place("functions", functions).into_iter().chain(iam).collect()
    }

    fn key_report(&self) -> KeyReport {
        match self.access.identity() {
            Identity::Keys(keys) => {
                let source = format!("{:?}", keys.credentials.source());
                match keys.credentials.current() {
                    Ok(snapshot) => KeyReport::on(source, snapshot.keys.as_ref().map_err(String::as_str)),
                    Err(error) => KeyReport::on(source, Err(&error.message)),
                }
            }
            Identity::Token(tokens) => {
                let login = &tokens.source().login;
                let now = Instant::now();
                let held = tokens.held();
                KeyReport {
                    kind: "token",
                    source: format!("{login:?}"),
                    age: held.as_ref().map(|held| now.duration_since(held.fetched)),
                    expires_in: held.as_ref().map(|held| held.ends.saturating_duration_since(now)),
                    missing: login.read().err(),
                    ..KeyReport::default()
                }
            }
        }
    }

    fn window(&self) -> Option<Duration> {
        matches!(self.access.identity(), Identity::Keys(_)).then_some(WINDOW)
    }

    async fn knock(&self, call: &mut Call) -> Result<Head> {
        Ok(self.knock_at(call).await?.head)
    }

    async fn try_read(&self, call: &mut Call) -> Result<String> {
        let request = ListActionsRequest {
            page_size: 1,
            ..ListActionsRequest::default()
        };
        let listed = self.actions(call, request).await?;
        let place = self.access.known_place().map_or("", |place| place.project.as_str());
        Ok(match listed.actions.len() {
            0 => format!("the list of functions of project {place} is empty"),
            _ => format!("functions of project {place} were listed"),
        })
    }

    async fn find_cause(&self, call: &mut Call, error: &Error, head: Option<&Head>) -> Finding {
        let fact = error.message.clone();
        if error.cause == Some(Cause::ClockSkew.symbol())
            && let Some(ahead) = head.and_then(|head| head.ahead_ms)
        {
            let fact = format!("{}, and the gateway accepts 900 s", theirs::told(ahead));
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
            "ACCESS_KEY_HELD_BACK" => Finding::likely(Cause::SecretWrong, fact, &[Cause::AccessKeyLocked]),
            "ADDRESS_REFUSED" => Finding::certain(Cause::AddressRefused, fact),
            "PROJECT_FROZEN" | "APP_FROZEN" | "REGION_DISABLED" => Finding::certain(Cause::AccountRefused, fact),
            "TOKEN_REFUSED" => Finding::likely(Cause::TokenRefused, fact, &[Cause::HeaderChanged]),
            "SIGNATURE_REFUSED" => self.search(call, error).await,
            _ if error.kind == Kind::Unauthenticated || error.upstream_code.is_none() => {
                match self.knock_at(call).await {
                    Ok(answer) if is_a_hops(answer.head.status, &answer.headers) => Finding::certain(
                        Cause::AnsweredByHop,
                        format!("the answer {} asks for a proxy's credentials", answer.head.status),
                    ),
                    _ if error.upstream_code.is_none() => {
                        Finding::likely(Cause::AnsweredByHop, fact, &[Cause::WrongPlace])
                    }
                    _ => Finding::likely(Cause::RightMissing, fact, &[Cause::WrongPlace]),
                }
            }
            _ if error.kind == Kind::PermissionDenied => {
                Finding::likely(Cause::RightMissing, fact, &[Cause::WrongPlace, Cause::HeaderChanged])
            }
            _ if error.kind == Kind::NotFound => Finding::certain(Cause::NotThere, fact),
            _ => Finding::likely(Cause::Unknown, fact, &[]),
        }
    }

    fn untestable_rights(&self) -> &'static str {
        "the rights to run a function (functiongraph:function:invoke*), and to create, change or delete anything show only \
         when it is done"
    }
}
