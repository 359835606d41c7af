//! Temporary keys of a Sub Account, from NAVER Cloud's token service.
//!
//! NCP docs: management-sts-creatests (read 2026-10). The request is signed with the Sub Account's
//! own key, which is used for nothing else; the temporary pair goes into the same three headers,
//! there is no third part.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, header};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::auth::{Key, Plain, Prepared, Sealed};
use super::{JSON, Site};
use crate::call::Call;
use crate::credentials::{Issued, Issuer, Source, answered_at, decode};
use crate::error::{Component, Error, Execution, Kind, Result, reason};
use crate::provider::checks::to_body;
use crate::transport::{Request, Transport};

/// Bound of one exchange, attempts and pauses included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Scheme and host of the token service.
#[must_use]
pub fn sts_host(site: Site) -> &'static str {
    match site {
        Site::Public => "https://sts.apigw.ntruss.com",
        Site::Fin => "https://sts.apigw.fin-ntruss.com",
        Site::Gov => "https://sts.apigw.gov-ntruss.com",
    }
}

/// The token service, and the key that asks it.
#[derive(Debug)]
pub struct Sts {
    /// The way there.
    pub transport: Transport,
    /// Scheme and host.
    pub url: Url,
    /// Where the Sub Account's key is; read afresh each time.
    pub base: Source,
    /// Life asked for: 600 s to 43,200 s.
    pub duration: Duration,
}

#[async_trait]
impl Issuer for Sts {
    async fn issue(&self) -> Result<Issued> {
        let base = self.base.read().map_err(|why| {
            Error::new(
                Kind::Unauthenticated,
                reason::CREDENTIALS_MISSING,
                format!("The sidecar has no key to ask the token service with: {why}"),
            )
            .component(Component::Sidecar)
        })?;
        let mut url = self.url.clone();
        url.set_path("/api/v1/credentials");
        // The table says Integer and the example shows a text; a number is what the table's type
        // means.
        let body = to_body(&json!({ "durationSec": self.duration.as_secs() }))?;
        let request = Request {
            method: Method::POST,
            url,
            body,
            headers: vec![(header::CONTENT_TYPE, JSON)],
            // A second pair does no harm.
            idempotent: true,
            attempt_timeout: None,
        };
        let sealed = Sealed::new(
            Key::This(Box::new(Prepared::new(1, &base)?)),
            &Plain,
            &self.transport,
        );
        let mut call = Call::new(Instant::now() + TIMEOUT);
        let response = self
            .transport
            .send(&mut call, &request, &sealed)
            .await
            .map_err(before)?;
        decode(response.json(), answered_at(&response.headers)).map_err(|why| {
            before(Error::new(
                Kind::Internal,
                reason::RESPONSE_NOT_UNDERSTOOD,
                format!("The token service's answer cannot be used: {why}"),
            ))
        })
    }

    fn describe(&self) -> String {
        format!("NCP STS, asked with the key from {:?}", self.base)
    }
}

/// Whatever failed before the request itself was sent, the function surely did not run.
fn before(error: Error) -> Error {
    error.with(|facts| {
        facts.execution = Execution::NotStarted;
        facts.message = format!(
            "Nothing was sent, because asking for temporary keys failed. {}",
            facts.message
        );
    })
}
