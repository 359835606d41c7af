//! IAM: a token for a login, and the project of a name.
//!
//! IAM API reference: "Obtaining a User Token Through Password Authentication", "Obtaining an
//! Agency Token", "Querying Project Information" (Huawei Cloud and Open Telekom Cloud editions,
//! read 2026-10).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
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
use crate::error::{Component, Error, Execution, Kind, Result, reason};
use crate::provider::checks::to_body;
use crate::provider::lenient::{self, Clock, Words, object};
use crate::provider::status::not_understood;
use crate::transport::{Request, Response, Transport};

/// The header that holds a new token.
const SUBJECT_TOKEN: &str = "x-subject-token";
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json;charset=utf8");
/// Bound of one login, whoever waits for it.
pub(super) const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Life of a token whose answer does not say; documented are 24 h.
const LIFE_UNKNOWN: Duration = Duration::from_secs(3600);
/// Most names of other projects in an error.
const NAMES_SHOWN: usize = 5;
/// Shortest life believed, so that an answer that makes no sense does not mean a login for every
/// call.
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

object! {
    struct Answer {
        token: Option<Body>,
    }

    struct Body {
        expires_at: Words,
        issued_at: Words,
        project: Option<Project>,
    }

    /// A project. What has no id, or no name to compare, is not taken.
    struct Project {
        id: Words,
        name: Words,
    }
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
                reason::CREDENTIALS_MISSING,
                format!("The sidecar has no credentials for this target: {why}"),
            )
            .component(Component::Sidecar)
        })?;
        let mut call = Call::new(Instant::now() + LOGIN_TIMEOUT);
        let project = self.project_scope();
        let Some(agency) = &login.agency else {
            return self
                .iam
                .token(&mut call, password(&login, &project)?, None)
                .await;
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
        self.iam
            .token(&mut call, to_body(&role)?, Some(own.header))
            .await
    }
}

impl TokenSource {
    fn project_scope(&self) -> Tree {
        self.iam.project_scope()
    }
}

impl Iam {
    /// A token for one project is refused in another, and FunctionGraph needs one for a project.
    pub(super) fn project_scope(&self) -> Tree {
        match self.endpoint.project_id() {
            Some(id) => json!({ "project": { "id": id } }),
            None => json!({ "project": { "name": self.endpoint.project_name() } }),
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
        let url = self
            .endpoint
            .iam("/v3/auth/tokens", &[("nocatalog", "true")])?;
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
        let token = read_token(&response, &self.transport)?;
        let wanted = self.endpoint.project_name();
        if let (None, Some(project)) = (self.endpoint.project_id(), &token.project)
            && let Some(name) = project.name.0.as_deref().filter(|name| *name != wanted)
        {
            let message = format!(
                "IAM gave a token for the project {}, and {wanted} was asked for; set project_id for this target.",
                shown(name)
            );
            return Err(project_unknown(message));
        }
        let project = token.project.and_then(|project| project.id.0);
        Ok(Fetched {
            value: Token {
                header: token.header,
                project,
            },
            life: token.life,
        })
    }

    /// The id of the project that has exactly the wanted name. `huaweicloudsdkcore` 3.1.219 asks in
    /// the same way and takes whatever single project comes; IAM may answer others too.
    pub(super) async fn find_project(&self, call: &mut Call, keys: &Keys) -> Result<String> {
        let wanted = self.endpoint.project_name();
        let url = self.endpoint.iam("/v3/projects", &[("name", wanted)])?;
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
        let metrics = self.transport.metrics();
        let found: Vec<Project> =
            lenient::read(response.json(), Some("projects"), Clock::UTC, metrics).map_err(
                |what| before(not_understood(&response, what), "looking up the project"),
            )?;
        choose(&found, wanted).map_err(project_unknown)
    }
}

/// The id of the only project of this name, or a sentence on what IAM answered instead.
fn choose(projects: &[Project], wanted: &str) -> std::result::Result<String, String> {
    let named = |project: &&Project| project.name.0.as_deref() == Some(wanted);
    let ids: BTreeSet<&str> = projects
        .iter()
        .filter(named)
        .filter_map(|project| project.id.0.as_deref())
        .collect();
    let mut ids = ids.into_iter();
    match (ids.next(), ids.count()) {
        (Some(id), 0) => Ok(id.to_owned()),
        (Some(_), more) => Err(format!(
            "IAM knows {} projects named {wanted}; set project_id for this target.",
            more + 1
        )),
        (None, _) => {
            let others: Vec<_> = projects
                .iter()
                .filter_map(|project| project.name.0.as_deref())
                .map(shown)
                .collect();
            let instead = match others.len() {
                0 => String::new(),
                count if count <= NAMES_SHOWN => format!(" It names {}.", others.join(", ")),
                count => format!(
                    " It names {} and {} more.",
                    others[..NAMES_SHOWN].join(", "),
                    count - NAMES_SHOWN
                ),
            };
            Err(format!(
                "IAM knows no project named {wanted}.{instead} Set project_name or project_id for this target."
            ))
        }
    }
}

/// A name as an error shows it: short, and without characters that no project name has.
fn shown(name: &str) -> String {
    name.chars()
        .take(64)
        .map(|c| {
            if c.is_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '?'
            }
        })
        .collect()
}

fn project_unknown(message: String) -> Error {
    Error::new(Kind::FailedPrecondition, reason::PROJECT_UNKNOWN, message)
        .component(Component::Sidecar)
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
            reason::REQUEST_NOT_WRITABLE,
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
            facts.reason = reason::LOGIN_REFUSED.into();
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

/// A token as IAM answered it.
struct Answered {
    header: HeaderValue,
    project: Option<Project>,
    life: Duration,
}

fn read_token(response: &Response, transport: &Transport) -> Result<Answered> {
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
    let metrics = transport.metrics();
    let body = lenient::welcome(response.json(), "token", Clock::UTC, metrics)
        .and_then(|Answer { token }| token);
    let (life, project) = match body {
        Some(body) => (life(&body, transport.now()), body.project),
        None => (None, None),
    };
    Ok(Answered {
        header,
        project,
        life: life.unwrap_or(LIFE_UNKNOWN).max(LIFE_MIN),
    })
}

/// By the issuer's own two times, so that a wrong clock here does not matter.
fn life(body: &Body, now: SystemTime) -> Option<Duration> {
    let at = |text: &Words| OffsetDateTime::parse(text.0.as_deref()?, &Rfc3339).ok();
    let expires = at(&body.expires_at)?;
    let issued = at(&body.issued_at).unwrap_or_else(|| OffsetDateTime::from(now));
    Duration::try_from(expires - issued).ok()
}
