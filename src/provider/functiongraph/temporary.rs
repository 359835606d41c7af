//! Temporary keys from IAM: those of a user who logs in, or those of an agency that a user or a key
//! may take on.
//!
//! IAM API reference: "Obtaining a Temporary Access Key and Security Token Through a Token" and "…
//! Through an Agency" (Huawei Cloud and Open Telekom Cloud editions, read 2026-10).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::{Value as Tree, json};
use std::time::Duration;
use tokio::time::Instant;

use super::auth::{AUTH_TOKEN, Judge, Keys, Proof, Sealed};
use super::iam::{Iam, LOGIN_TIMEOUT, before, judge_login, password};
use super::{Endpoint, JSON, errors};
use crate::call::Call;
use crate::credentials::{
    Agency, Credentials, Issued, Issuer, LoginSource, Source, answered_at, decode,
};
use crate::error::{Component, Error, Kind, Result, reason};
use crate::provider::checks::to_body;
use crate::transport::{Request, Transport};

/// Who asks.
#[derive(Debug)]
pub enum Asker {
    /// A user with a password; with an agency among the files, for that agency's keys.
    Login(LoginSource),
    /// A permanent key, for an agency's keys. That IAM takes a signature here as it takes a token
    /// is INFERRED from its other operations.
    Key(Source, Agency),
}

/// IAM, and who asks it.
#[derive(Debug)]
pub struct TemporaryKeys {
    iam: Arc<Iam>,
    asker: Asker,
    duration: Duration,
}

impl TemporaryKeys {
    /// Keys that live for `duration`: 900 s to 86,400 s. `iam` is a transport for IAM's host.
    #[must_use]
    pub fn new(endpoint: Endpoint, iam: Transport, asker: Asker, duration: Duration) -> Self {
        Self {
            iam: Arc::new(Iam {
                transport: iam,
                endpoint,
            }),
            asker,
            duration,
        }
    }

    async fn by_login(&self, call: &mut Call, login: &LoginSource) -> Result<Issued> {
        let login = login.read().map_err(|why| missing(&why))?;
        let scope = match &login.agency {
            None => self.iam.project_scope(),
            Some(_) => json!({ "domain": { "name": login.domain } }),
        };
        let token = self
            .iam
            .token(call, password(&login, &scope)?, None)
            .await?
            .value;
        let identity = match &login.agency {
            None => json!({
                "methods": ["token"],
                "token": { "duration_seconds": self.duration.as_secs() },
            }),
            Some(agency) => self.agency(agency),
        };
        let request = self.request(&identity, Some(token.header))?;
        self.exchange(call, &request, Proof::Nothing, judge_login)
            .await
    }

    async fn by_key(&self, call: &mut Call, key: &Source, agency: &Agency) -> Result<Issued> {
        let pair = key.read().map_err(|why| missing(&why))?;
        let keys = Keys::new(Credentials::load(Source::Fixed(pair)));
        let request = self.request(&self.agency(agency), None)?;
        let proof = keys.proof(&request.body).await;
        self.exchange(call, &request, proof, errors::judge).await
    }

    fn agency(&self, agency: &Agency) -> Tree {
        json!({
            "methods": ["assume_role"],
            "assume_role": {
                "domain_name": agency.domain,
                "agency_name": agency.name,
                "duration_seconds": self.duration.as_secs(),
            },
        })
    }

    fn request(&self, identity: &Tree, token: Option<HeaderValue>) -> Result<Request> {
        let body: Bytes = to_body(&json!({ "auth": { "identity": identity } }))?;
        let headers = [(header::CONTENT_TYPE, JSON)];
        Ok(Request {
            method: Method::POST,
            url: self
                .iam
                .endpoint
                .iam("/v3.0/OS-CREDENTIAL/securitytokens", &[])?,
            body,
            headers: headers
                .into_iter()
                .chain(token.map(|token| (AUTH_TOKEN, token)))
                .collect(),
            // A second pair does no harm.
            idempotent: true,
            attempt_timeout: None,
        })
    }

    async fn exchange(
        &self,
        call: &mut Call,
        request: &Request,
        proof: Proof<'_>,
        judge: Judge,
    ) -> Result<Issued> {
        const STEP: &str = "asking for temporary keys";
        let sealed = Sealed {
            proof,
            project: None,
            judge,
        };
        let sent = self.iam.transport.send(call, request, &sealed).await;
        let response = sent.map_err(|error| before(error, STEP))?;
        decode(response.json(), answered_at(&response.headers)).map_err(|why| {
            let error = Error::new(
                Kind::Internal,
                reason::RESPONSE_NOT_UNDERSTOOD,
                format!("IAM's answer cannot be used: {why}"),
            );
            before(error, STEP)
        })
    }
}

#[async_trait]
impl Issuer for TemporaryKeys {
    async fn issue(&self) -> Result<Issued> {
        let mut call = Call::new(Instant::now() + LOGIN_TIMEOUT);
        match &self.asker {
            Asker::Login(login) => self.by_login(&mut call, login).await,
            Asker::Key(source, agency) => self.by_key(&mut call, source, agency).await,
        }
    }

    fn describe(&self) -> String {
        match &self.asker {
            Asker::Login(login) => format!("IAM temporary keys, asked with {login:?}"),
            Asker::Key(source, agency) => {
                format!(
                    "IAM temporary keys of agency {}, asked with the key from {source:?}",
                    agency.name
                )
            }
        }
    }
}

fn missing(why: &str) -> Error {
    Error::new(
        Kind::Unauthenticated,
        reason::CREDENTIALS_MISSING,
        format!("The sidecar has no credentials for this target: {why}"),
    )
    .component(Component::Sidecar)
}
