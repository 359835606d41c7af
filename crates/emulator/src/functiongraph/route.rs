//! Method and path → operation (FunctionGraph API reference, one page an operation; OpenAPI of the
//! API Explorer).
//!
//! Operations that the sidecar does not use are not served; they answer as an unknown API does, 404
//! `APIGW.0101`.

use crate::query::decode;

/// What a request wants of FunctionGraph, below `/v2/{project_id}/fgs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    CreateFunction,
    ListFunctions,
    ListQuotas,
    EnableAsyncStatusLog,
    ShowAsyncStatusLog,
    /// On the function in the path slot, as sent and percent-decoded.
    On(String, Verb),
}

/// What is to be done with a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Delete,
    GetConfig,
    PutConfig,
    GetCode,
    PutCode,
    PutMaxInstance,
    GetLogDetail,
    Publish,
    ListVersions,
    CreateAlias,
    ListAliases,
    GetAlias(String),
    PutAlias(String),
    DeleteAlias(String),
    Invoke,
    InvokeAsync,
    ListInvocations,
    ListActiveInvocations,
    Cancel,
    GetAsyncConfig,
    PutAsyncConfig,
    DeleteAsyncConfig,
    ListAsyncConfigs,
}

/// What a request wants of IAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    CreateToken,
    ListProjects,
    ListDomains,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Iam(Identity),
    /// With the project id of the path.
    Functions(String, Operation),
}

impl Operation {
    /// Whether a reader may do it: everything that changes nothing.
    pub(super) fn reads(&self) -> bool {
        match self {
            Self::ListFunctions | Self::ListQuotas | Self::ShowAsyncStatusLog => true,
            Self::CreateFunction | Self::EnableAsyncStatusLog => false,
            Self::On(_, verb) => matches!(
                verb,
                Verb::GetConfig
                    | Verb::GetCode
                    | Verb::GetLogDetail
                    | Verb::ListVersions
                    | Verb::ListAliases
                    | Verb::GetAlias(_)
                    | Verb::ListInvocations
                    | Verb::ListActiveInvocations
                    | Verb::GetAsyncConfig
                    | Verb::ListAsyncConfigs
            ),
        }
    }
}

/// Finds the route; `None` is the gateway's 404.
pub(super) fn find(method: &str, path: &str) -> Option<Route> {
    let segments: Vec<String> = path.strip_prefix('/')?.split('/').map(decode).collect();
    if segments.iter().any(String::is_empty) {
        return None;
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (method, segments.as_slice()) {
        ("POST", ["v3", "auth", "tokens"]) => Some(Route::Iam(Identity::CreateToken)),
        ("GET", ["v3", "projects"]) => Some(Route::Iam(Identity::ListProjects)),
        ("GET", ["v3", "auth", "domains"]) => Some(Route::Iam(Identity::ListDomains)),
        (_, ["v2", project, "fgs", rest @ ..]) => Some(Route::Functions(
            (*project).to_owned(),
            operation(method, rest)?,
        )),
        _ => None,
    }
}

fn operation(method: &str, segments: &[&str]) -> Option<Operation> {
    Some(match (method, segments) {
        ("POST", ["functions"]) => Operation::CreateFunction,
        ("GET", ["functions"]) => Operation::ListFunctions,
        ("GET", ["quotas"]) => Operation::ListQuotas,
        ("POST", ["functions", "enable-async-status-logs"]) => Operation::EnableAsyncStatusLog,
        ("GET", ["functions", "async-status-log-detail"]) => Operation::ShowAsyncStatusLog,
        (_, ["functions", urn, rest @ ..]) => Operation::On((*urn).to_owned(), verb(method, rest)?),
        _ => return None,
    })
}

fn verb(method: &str, segments: &[&str]) -> Option<Verb> {
    Some(match (method, segments) {
        ("DELETE", []) => Verb::Delete,
        ("GET", ["config"]) => Verb::GetConfig,
        ("PUT", ["config"]) => Verb::PutConfig,
        ("GET", ["code"]) => Verb::GetCode,
        ("PUT", ["code"]) => Verb::PutCode,
        ("PUT", ["config-max-instance"]) => Verb::PutMaxInstance,
        ("GET", ["lts-log-detail"]) => Verb::GetLogDetail,
        ("POST", ["versions"]) => Verb::Publish,
        ("GET", ["versions"]) => Verb::ListVersions,
        ("POST", ["aliases"]) => Verb::CreateAlias,
        ("GET", ["aliases"]) => Verb::ListAliases,
        ("GET", ["aliases", name]) => Verb::GetAlias((*name).to_owned()),
        ("PUT", ["aliases", name]) => Verb::PutAlias((*name).to_owned()),
        ("DELETE", ["aliases", name]) => Verb::DeleteAlias((*name).to_owned()),
        ("POST", ["invocations"]) => Verb::Invoke,
        ("POST", ["invocations-async"]) => Verb::InvokeAsync,
        ("GET", ["async-invocations"]) => Verb::ListInvocations,
        ("GET", ["active-async-invocations"]) => Verb::ListActiveInvocations,
        ("POST", ["cancel"]) => Verb::Cancel,
        ("GET", ["async-invoke-config"]) => Verb::GetAsyncConfig,
        ("PUT", ["async-invoke-config"]) => Verb::PutAsyncConfig,
        ("DELETE", ["async-invoke-config"]) => Verb::DeleteAsyncConfig,
        ("GET", ["async-invoke-configs"]) => Verb::ListAsyncConfigs,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_encoded_slots_are_one() {
        let on = |verb| {
            Some(Route::Functions(
                "p".into(),
                Operation::On("a:f:!x".into(), verb),
            ))
        };
        assert_eq!(
            find("POST", "/v2/p/fgs/functions/a:f:!x/invocations"),
            on(Verb::Invoke)
        );
        assert_eq!(
            find("POST", "/v2/p/fgs/functions/a%3Af%3A%21x/invocations-async"),
            on(Verb::InvokeAsync)
        );
        assert_eq!(
            find("DELETE", "/v2/p/fgs/functions/a%3Af%3A%21x"),
            on(Verb::Delete)
        );
        assert_eq!(
            find("GET", "/v2/p/fgs/functions/async-status-log-detail"),
            Some(Route::Functions("p".into(), Operation::ShowAsyncStatusLog))
        );
        assert_eq!(
            find("POST", "/v3/auth/tokens"),
            Some(Route::Iam(Identity::CreateToken))
        );
        for (method, path) in [
            ("PATCH", "/v2/p/fgs/functions"),
            ("GET", "/v2/p/fgs/functions/"),
            ("GET", "/v2//fgs/functions"),
            ("GET", "/v1/p/fgs/functions"),
            ("GET", "/v2/p/fgs/functions/statistics"),
            ("GET", "*"),
        ] {
            assert_eq!(find(method, path), None, "{method} {path}");
        }
    }
}
