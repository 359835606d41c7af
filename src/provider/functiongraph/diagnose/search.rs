//! The cause of a signature that is refused without further words: the same harmless read, signed
//! with fewer parts. The first part with which it is refused is the one that does not arrive as it
//! was sent. Refused signatures lock a key after the fifth in a row, so no more than [`QUESTIONS`]
//! are risked; an accepted one starts the count anew.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use url::Url;

use crate::call::Call;
use crate::credentials::KeyPair;
use crate::error::{Kind, Result};
use crate::provider::diagnosis::{Answer, Cause, Finding, Probe, repairs};
use crate::provider::functiongraph::auth::{
    HOST, Headers, PROJECT_ID, SDK_DATE, SECURITY_TOKEN, host, sendable,
};
use crate::provider::functiongraph::sign::{self, EMPTY_HASH, Parts, Signer};
use crate::provider::functiongraph::{FunctionGraph, JSON, errors};
use crate::transport::{Request, Response};

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
pub(super) struct Search<'a> {
    graph: &'a FunctionGraph,
    keys: KeyPair,
    bare: Url,
    full: Url,
    project: Option<HeaderValue>,
    refused: Mutex<u32>,
}

impl<'a> Search<'a> {
    /// `bare` and `full` are the URL of the same list without and with parameters.
    pub(super) fn new(
        graph: &'a FunctionGraph,
        keys: KeyPair,
        [bare, full]: [Url; 2],
        project: Option<HeaderValue>,
    ) -> Self {
        Self {
            graph,
            keys,
            bare,
            full,
            project,
            refused: Mutex::new(0),
        }
    }

    fn may_ask(&self) -> bool {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) < QUESTIONS
    }

    /// True when the read passes the gateway, signed with these parts alone.
    async fn passes(&self, call: &mut Call, form: Form) -> bool {
        self.passes_as(call, form, &self.keys, None).await
    }

    /// The same with other keys, or signed as another path.
    async fn passes_as(
        &self,
        call: &mut Call,
        form: Form,
        keys: &KeyPair,
        path: Option<&str>,
    ) -> bool {
        let Ok(signer) = Signer::new(keys) else {
            return false;
        };
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
            seal(
                &signer,
                keys,
                request,
                &signed_url,
                (form.host, project),
                at,
            )
        };
        let answer = Probe::new(Box::new(seal), &|_: &Request, response: &Response| {
            errors::judge(response)
        })
        .send(&self.graph.transport, call, &request)
        .await;
        let passed = passes(&answer);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = if passed { 0 } else { *refused + 1 };
        passed
    }

    /// Asks; `prefix` is what the path may arrive as behind a relay.
    pub(super) async fn run(&self, call: &mut Call, prefix: Option<String>) -> Finding {
        for (cause, keys) in repairs(&self.keys).into_iter().take(1) {
            if self.passes_as(call, Form::default(), &keys, None).await {
                let fact = "with the stored key read otherwise the request passes the gateway";
                return Finding::certain(cause, fact);
            }
        }
        if let Some(path) = prefix
            && self
                .passes_as(call, Form::default(), &self.keys, Some(&path))
                .await
        {
            let fact = format!(
                "signed as {path}, the path {} passes the gateway",
                self.bare.path()
            );
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
            ("Content-Type header", Cause::HeaderChanged, |form| {
                form.content_type = true;
            }),
            ("X-Project-Id header", Cause::HeaderChanged, |form| {
                form.project = true;
            }),
        ];
        for (name, cause, add) in parts {
            add(&mut form);
            if !self.passes(call, form).await {
                let fact = format!(
                    "without its {name} the request passes the gateway, with it it does not"
                );
                return Finding::certain(cause, fact);
            }
        }
        Finding::likely(
            Cause::Unknown,
            "the same request passes now",
            &[Cause::ClockSkew],
        )
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
    let token = keys
        .security_token
        .as_ref()
        .map(|token| sendable(token.reveal()))
        .transpose()?;
    let mut signed: Vec<(&HeaderName, &HeaderValue)> = request
        .headers
        .iter()
        .map(|(name, value)| (name, value))
        .collect();
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
    let mut headers = vec![
        (header::AUTHORIZATION, sendable(&authorization)?),
        (SDK_DATE.clone(), time.clone()),
    ];
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
            error.kind != Kind::Unauthenticated
                && error.http_status.is_some_and(|status| status < 500)
        })
    })
}
