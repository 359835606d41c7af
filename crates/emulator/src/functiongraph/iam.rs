//! IAM as far as FunctionGraph's clients need it: tokens by password and by agency, projects,
//! accounts (IAM API reference, "Obtaining a User Token Through Password Authentication",
//! "Obtaining an Agency Token", "Querying Project Information").

use serde_json::{Map, Value, json};

use super::access::{self, Denial, Identity, Scope};
use super::cloud::Cloud;
use super::codes::{self, Refusal};
use super::options::{Access, Project};
use super::route;
use super::time;
use super::token::Token;
use crate::http::{Reply, Request};
use crate::query::Query;

const BAD_BODY: codes::Code = codes::iam(400, "The request body is invalid.");
const WRONG_PASSWORD: codes::Code = codes::iam(401, "The username or password is wrong.");
const NEED_TOKEN: codes::Code =
    codes::iam(401, "The request you have made requires authentication.");
const NO_AGENCY: codes::Code = codes::iam(403, "You have no right to assume this agency.");
const NO_PROJECT: codes::Code = codes::iam(401, "Unable to find the project of the scope.");

pub(super) fn answer(
    cloud: &Cloud,
    request: &Request,
    wanted: route::Identity,
) -> Result<Reply, Denial> {
    match wanted {
        route::Identity::CreateToken => Ok(create_token(cloud, request)?),
        route::Identity::ListProjects => {
            access::authenticate(cloud, request)?;
            Ok(list_projects(cloud, request))
        }
        route::Identity::ListDomains => {
            access::authenticate(cloud, request)?;
            let (id, name) = (&cloud.options.domain_id, &cloud.options.domain);
            let domain = json!({"id": id, "name": name, "enabled": true, "description": ""});
            Ok(Reply::json(
                200,
                &json!({"domains": [domain], "links": {"self": null}}),
            ))
        }
    }
}

fn list_projects(cloud: &Cloud, request: &Request) -> Reply {
    let query = Query::parse(request.target.split_once('?').unwrap_or_default().1);
    let wanted = query.get("name");
    let projects: Vec<Value> = cloud
        .options
        .projects
        .iter()
        .filter(|project| wanted.is_none_or(|name| project.name == name))
        .map(|project| {
            json!({
                "id": project.id, "name": project.name, "domain_id": cloud.options.domain_id, "enabled": true,
                "is_domain": false, "parent_id": cloud.options.domain_id, "description": "",
            })
        })
        .collect();
    Reply::json(200, &json!({"projects": projects, "links": {"self": null}}))
}

/// Follows the members of objects.
fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn text_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path).and_then(Value::as_str)
}

fn create_token(cloud: &Cloud, request: &Request) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| BAD_BODY.refuse(format!("not JSON: {error}")))?;
    let identity = at(&body, &["auth", "identity"])
        .ok_or_else(|| BAD_BODY.refuse("auth.identity is missing"))?;
    let methods = identity.get("methods").and_then(Value::as_array);
    let methods: Vec<_> = methods
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (name, domain, access) = match methods.as_slice() {
        ["password"] => by_password(cloud, identity)?,
        ["assume_role"] => by_agency(cloud, request, identity)?,
        _ => return Err(BAD_BODY.refuse("methods must be [\"password\"] or [\"assume_role\"]")),
    };
    let scope = scope(cloud, &body)?;
    let now = cloud.clock.now_ms();
    let life = i64::try_from(cloud.options.token_life.as_millis()).unwrap_or(i64::MAX);
    let expires_ms = now.saturating_add(life);
    let mut told = json!({
        "methods": methods,
        "issued_at": time::micros(now),
        "expires_at": time::micros(expires_ms),
        "user": {
            "id": id_of(&name), "name": name, "password_expires_at": "",
            "domain": {"id": domain_id(cloud, &domain), "name": domain},
        },
        "roles": [{"id": "0", "name": "te_admin"}],
    });
    if let Some(project) = scope {
        let owner = json!({"id": cloud.options.domain_id, "name": cloud.options.domain});
        told["project"] = json!({"id": project.id, "name": project.name, "domain": owner});
    } else {
        told["domain"] = json!({"id": cloud.options.domain_id, "name": cloud.options.domain});
    }
    let query = Query::parse(request.target.split_once('?').unwrap_or_default().1);
    if query.get("nocatalog") != Some("true") {
        told["catalog"] = json!([]);
    }
    let identity = Identity {
        name,
        domain,
        access,
        scope: scope.map_or(Scope::Domain, |project| Scope::Project(project.id.clone())),
    };
    let token = cloud.tokens.issue(
        Token {
            identity,
            expires_ms,
        },
        now,
    );
    Ok(Reply::json(201, &json!({ "token": told })).with_header("x-subject-token", token))
}

type Found = (String, String, Access);

fn by_password(cloud: &Cloud, identity: &Value) -> Result<Found, Refusal> {
    let user = at(identity, &["password", "user"])
        .ok_or_else(|| BAD_BODY.refuse("password.user is missing"))?;
    let field = |path: &[&str]| {
        text_at(user, path)
            .ok_or_else(|| BAD_BODY.refuse(format!("password.user.{} is missing", path.join("."))))
    };
    let (name, password, domain) = (
        field(&["name"])?,
        field(&["password"])?,
        field(&["domain", "name"])?,
    );
    let mut users = cloud.options.users.iter();
    let found =
        users.find(|user| user.name == name && user.domain == domain && user.password == password);
    let user = found.ok_or(WRONG_PASSWORD)?;
    Ok((user.name.clone(), user.domain.clone(), user.access))
}

/// A user of the trusted account, known by the token in the header, becomes the agency.
fn by_agency(cloud: &Cloud, request: &Request, identity: &Value) -> Result<Found, Refusal> {
    let token = request.header("x-auth-token").ok_or(NEED_TOKEN)?;
    let caller = cloud.tokens.find(token).ok_or(NEED_TOKEN)?;
    if caller.expires_ms <= cloud.clock.now_ms() {
        return Err(NEED_TOKEN.into());
    }
    let role = identity
        .get("assume_role")
        .ok_or_else(|| BAD_BODY.refuse("assume_role is missing"))?;
    let field = |name: &str| text_at(role, &[name]);
    // Older samples write `xrole_name`.
    let agency = field("agency_name")
        .or_else(|| field("xrole_name"))
        .ok_or_else(|| BAD_BODY.refuse("assume_role.agency_name is missing"))?;
    let ours = match (field("domain_id"), field("domain_name")) {
        (None, None) => {
            return Err(BAD_BODY.refuse("assume_role.domain_id or domain_name is missing"));
        }
        (Some(id), _) => id == cloud.options.domain_id,
        (None, Some(name)) => name == cloud.options.domain,
    };
    let trusts = |domain: &str| {
        let mut agencies = cloud.options.agencies.iter();
        agencies.any(|known| known.name == agency && known.trusted_domain == domain)
    };
    if !ours || !trusts(&caller.identity.domain) {
        return Err(NO_AGENCY.into());
    }
    let name = format!("{}/{agency}", cloud.options.domain);
    Ok((name, cloud.options.domain.clone(), Access::Full))
}

/// The project of the scope; `None` for the account. With both, the project wins. INFERRED: without
/// a scope the account.
fn scope<'a>(cloud: &'a Cloud, body: &Value) -> Result<Option<&'a Project>, Refusal> {
    let empty = Value::Object(Map::new());
    let scope = at(body, &["auth", "scope"]).unwrap_or(&empty);
    let Some(project) = scope.get("project") else {
        return Ok(None);
    };
    let (id, name) = (text_at(project, &["id"]), text_at(project, &["name"]));
    if id.is_none() && name.is_none() {
        return Err(BAD_BODY.refuse("scope.project needs id or name"));
    }
    let mut projects = cloud.options.projects.iter();
    let found = projects.find(|known| {
        id.is_none_or(|id| known.id == id) && name.is_none_or(|name| known.name == name)
    });
    Ok(Some(found.ok_or(NO_PROJECT)?))
}

/// 32 digits that stay the same for the same name.
fn id_of(name: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(name)).chars().take(32).collect()
}

fn domain_id(cloud: &Cloud, domain: &str) -> String {
    if domain == cloud.options.domain {
        cloud.options.domain_id.clone()
    } else {
        id_of(domain)
    }
}
