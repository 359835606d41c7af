//! IAM: a token for a login, and the project of a region.
//!
//! IAM API reference: "Obtaining a User Token Through Password Authentication", "Obtaining an Agency Token", "Querying
//! Project Information" (Huawei Cloud and Open Telekom Cloud editions, read 2026-10).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Tree, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::auth::{AUTH_TOKEN, Keys, Proof, Sealed, request_id, secret_header};
use super::endpoint::Endpoint;
use super::errors;
use crate::call::Call;
use crate::credentials::token::{Fetch, Fetched};
use crate::credentials::{Login, LoginSource};
use crate::error::{Component, Error, Execution, Kind, Result};
use crate::provider::checks::to_body;
use crate::provider::status::{json_fault, not_understood};
use crate::transport::{Request, Response, Transport};

/// The header that holds a new token.
const SUBJECT_TOKEN: &str = "x-subject-token";
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json;charset=utf8");
/// Bound of one login, whoever waits for it.
pub(super) const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Life of a token whose answer does not say; documented are 24 h.
const LIFE_UNKNOWN: Duration = Duration::from_secs(3600);
/// Shortest life believed, so that an answer that makes no sense does not mean a login for every call.
const LIFE_MIN: Duration = Duration::from_secs(60);

/// The way to IAM.
#[derive(Debug)]
pub(super) struct Iam {
    pub(super) transport: Transport,
    pub(super) endpoint: Endpoint,
}

/// Logs in.
pub(super) struct TokenSource {
    pub(super) iam: Arc<Iam>,
    pub(super) login: LoginSource,
}

/// A token and the project that it is for.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    pub(super) project: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    expires_at: Option<String>,
    issued_at: Option<String>,
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[async_trait]
impl Fetch for TokenSource {
    type Value = Token;

    fn describe(&self) -> String {
        format!("IAM token, asked with {:?}", self.login)
    }

    async fn fetch(&self) -> Result<Fetched<Token>> {
        let login = self.login.read().map_err(|why| {
            Error::new(
                Kind::Unauthenticated,
                "CREDENTIALS_MISSING",
                format!("The sidecar has no credentials for this target: {why}"),
            )
            .component(Component::Sidecar)
        })?;
        let mut call = Call::new(Instant::now() + LOGIN_TIMEOUT);
        let project = self.project_scope();
        let Some(agency) = &login.agency else {
            return self.iam.token(&mut call, password(&login, &project)?, None).await;
        };
        // INFERRED: a token of the account itself is enough to take on an agency of another.
        let own = json!({ "domain": { "name": login.domain } });
        let own = self
            .iam
            .token(&mut call, password(&login, &own)?, None)
            .await?
            .value;
        let role = json!({ "auth": {
            "identity": {
                "methods": ["assume_role"],
                "assume_role": { "domain_name": agency.domain, "agency_name": agency.name },
            },
            "scope": project,
        }});
        self.iam.token(&mut call, to_body(&role)?, Some(own.header)).await
    }
}

impl TokenSource {
    fn project_scope(&self) -> Tree {
        self.iam.project_scope()
    }
}

impl Iam {
    /// A token for one project is refused in another, and FunctionGraph needs one for a project. The default project of
    /// a region has the region's name.
    pub(super) fn project_scope(&self) -> Tree {
        match self.endpoint.project_id() {
            Some(id) => json!({ "project": { "id": id } }),
            None => json!({ "project": { "name": self.endpoint.region() } }),
        }
    }

    /// A token for a login, or for a token with an agency.
    pub(super) async fn token(
        &self,
        call: &mut Call,
        body: Bytes,
        token: Option<HeaderValue>,
    ) -> Result<Fetched<Token>> {
        // Without the catalogue the answer is a tenth as long.
        let url = self.endpoint.iam("/v3/auth/tokens", &[("nocatalog", "true")])?;
        let headers: Vec<(HeaderName, HeaderValue)> = [(header::CONTENT_TYPE, JSON_UTF8)]
            .into_iter()
            .chain(token.map(|token| (AUTH_TOKEN, token)))
            .collect();
        // A second token does no harm.
        let request = Request {
            method: Method::POST,
            url,
            body,
            headers,
            idempotent: true,
            attempt_timeout: None,
        };
        let sealed = Sealed {
            proof: Proof::Nothing,
            project: None,
            judge: judge_login,
        };
        let response = self
            .transport
            .send(call, &request, &sealed)
            .await
            .map_err(|error| before(error, "logging in"))?;
        read_token(&response, self.transport.now())
    }

    /// The project that has the region's name (`huaweicloudsdkcore` 3.1.219 does the same).
    pub(super) async fn find_project(&self, call: &mut Call, keys: &Keys) -> Result<String> {
        let region = self.endpoint.region();
        let url = self.endpoint.iam("/v3/projects", &[("name", region)])?;
        let request = Request {
            method: Method::GET,
            url,
            body: Bytes::new(),
            headers: Vec::new(),
            idempotent: true,
            attempt_timeout: None,
        };
        let sealed = Sealed {
            proof: keys.proof(&request.body).await,
            project: None,
            judge: errors::judge,
        };
        let response = self
            .transport
            .send(call, &request, &sealed)
            .await
            .map_err(|error| before(error, "looking up the project"))?;
        let found: Projects = serde_json::from_slice(response.json()).map_err(|fault| {
            before(
                not_understood(&response, &json_fault(&fault)),
                "looking up the project",
            )
        })?;
        let unclear = |what: String| {
            Error::new(Kind::FailedPrecondition, "PROJECT_UNKNOWN", what).component(Component::Sidecar)
        };
        match found.projects.as_slice() {
            [project] => Ok(project.id.clone()),
            [] => Err(unclear(format!(
                "IAM knows no project named {region}; set project_id for this target."
            ))),
            more => Err(unclear(format!(
                "IAM knows {} projects named {region}; set project_id for this target.",
                more.len()
            ))),
        }
    }
}

/// The body of a login, in memory that is wiped when it has been sent.
pub(super) fn password(login: &Login, scope: &Tree) -> Result<Bytes> {
    #[derive(Serialize)]
    struct User<'a> {
        name: &'a str,
        password: &'a str,
        domain: Tree,
    }
    let user = User {
        name: &login.username,
        password: login.password.reveal(),
        domain: json!({ "name": login.domain }),
    };
    // Every byte may be escaped to six, and growing would leave a copy behind.
    let texts = login.username.len() + login.password.reveal().len() + login.domain.len();
    let mut body = Zeroizing::new(Vec::with_capacity(1024 + 6 * texts));
    body.extend_from_slice(br#"{"auth":{"identity":{"methods":["password"],"password":{"user":"#);
    let written = serde_json::to_writer(&mut *body, &user).and_then(|()| {
        body.extend_from_slice(br#"}},"scope":"#);
        serde_json::to_writer(&mut *body, scope)
    });
    written.map_err(|fault| {
        Error::new(
            Kind::Internal,
            "REQUEST_NOT_WRITABLE",
            format!("The login cannot be written as JSON: {fault}."),
        )
    })?;
    body.extend_from_slice(b"}}");
    Ok(Bytes::from_owner(body))
}

pub(super) fn judge_login(response: &Response) -> Result<()> {
    errors::judge(response).map_err(|error| {
        if error.kind != Kind::Unauthenticated {
            return error;
        }
        error.with(|facts| {
            facts.reason = "LOGIN_REFUSED".into();
            "IAM refused the sidecar's login; check username, password and domain. It must be an IAM user: a HUAWEI ID \
             cannot log in so."
                .clone_into(&mut facts.message);
        })
    })
}

/// Whatever failed before the request itself was sent, the function surely did not run.
pub(super) fn before(error: Error, step: &str) -> Error {
    error.with(|facts| {
        facts.execution = Execution::NotStarted;
        facts.message = format!("Nothing was sent, because {step} failed. {}", facts.message);
    })
}

fn read_token(response: &Response, now: SystemTime) -> Result<Fetched<Token>> {
    let missing = |what: &str| {
        let error = before(not_understood(response, what), "logging in");
        error.with(|facts| facts.upstream_request_id = request_id(&response.headers))
    };
    let header = response
        .headers
        .get(SUBJECT_TOKEN)
        .and_then(|value| value.to_str().ok())
        .filter(|token| !token.is_empty())
        .and_then(secret_header)
        .ok_or_else(|| missing("no X-Subject-Token"))?;
    // The token is what counts; what the body says of it is welcome.
    let body = serde_json::from_slice::<Answer>(response.json())
        .ok()
        .and_then(|answer| answer.token);
    let (life, project) = match body {
        Some(body) => (life(&body, now), body.project.map(|project| project.id)),
        None => (None, None),
    };
    Ok(Fetched {
        value: Token { header, project },
        life: life.unwrap_or(LIFE_UNKNOWN).max(LIFE_MIN),
    })
}

/// By the issuer's own two times, so that a wrong clock here does not matter.
fn life(body: &Body, now: SystemTime) -> Option<Duration> {
    let at = |text: &Option<String>| OffsetDateTime::parse(text.as_deref()?, &Rfc3339).ok();
    let expires = at(&body.expires_at)?;
    let issued = at(&body.issued_at).unwrap_or_else(|| OffsetDateTime::from(now));
    Duration::try_from(expires - issued).ok()
}
