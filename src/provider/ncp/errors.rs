//! Error answers of NCP: the code table first, the HTTP status second, unknown codes passed through.
//!
//! NCP docs: compute-cloudfunctions (service codes 8xxxx), common-ncpapi and api-call-lgc-errorhandling (gateway codes of
//! three digits), read 2026-10. "LIVE" rows were reported from real calls in 2026-09 and are not documented.

use http::StatusCode;
use serde_json::Value as Tree;

mod table;

use table::{GATEWAY, Row, SERVICE};

use crate::error::{Component, Error, Execution, Kind, Scope};
use crate::provider::diagnosis::Cause;
use crate::provider::status::{by_http_status, is_symbol, plain};
use crate::transport::server_failed;

/// What the body of an error answer says; every shape seen on NCP APIs is read.
#[derive(Debug, Default, PartialEq)]
struct Said {
    code: Option<String>,
    message: String,
    details: String,
}

/// The meaning of an answer that is no success.
#[must_use]
pub(super) fn classify(status: StatusCode, body: &[u8]) -> Error {
    let said = read(body);
    let code = said
        .code
        .as_deref()
        .and_then(|code| code.trim().parse::<u32>().ok());
    let row = code.and_then(|code| SERVICE.iter().chain(GATEWAY).find(|row| row.0 == code));
    let error = match row {
        Some(row) => from_row(row, status, &said),
        None => from_status(status, &said),
    };
    error.with(|facts| {
        facts.http_status = Some(status.as_u16());
        facts.upstream_code.clone_from(&said.code);
    })
}

fn from_row(&(code, symbol, kind, sentence): &Row, status: StatusCode, said: &Said) -> Error {
    let gateway = code < 1000;
    let transient = matches!(code, 80031 | 81311..=81314 | 410 | 420 | 500 | 510 | 900);
    let unknown = matches!(code, 81311..=81314 | 500 | 510 | 900);
    let reason = if is_symbol(&said.message) {
        said.message.clone()
    } else {
        symbol.to_owned()
    };
    let extra = explain(said, &reason);
    // A subnet that is being connected holds up the actions in it, and no others.
    let scope = if matches!(code, 81311..=81314) {
        Scope::Resource
    } else {
        Scope::Upstream
    };
    Error::new(kind, reason, format!("{sentence}{extra}"))
        .component(if gateway {
            Component::Gateway
        } else {
            Component::Service
        })
        .execution(if unknown {
            Execution::Unknown
        } else {
            Execution::NotStarted
        })
        .scope(scope)
        .transient(transient || (server_failed(status) && kind == Kind::Internal))
        .with(|facts| {
            if kind == Kind::ResourceExhausted && !transient {
                facts.quota = Some(("account".to_owned(), sentence.to_owned()));
            }
            facts.cause = match (gateway, kind) {
                (true, Kind::PermissionDenied) => Some(Cause::GatewayRight.symbol()),
                (false, Kind::PermissionDenied) => Some(Cause::RightMissing.symbol()),
                _ => None,
            };
            if kind == Kind::Unauthenticated {
                facts.help = Some((
                    "How NCP requests are signed",
                    "https://api.ncloud-docs.com/docs/common-ncpapi",
                ));
            }
        })
}

fn from_status(status: StatusCode, said: &Said) -> Error {
    let error = by_http_status(status);
    let extra = explain(said, "");
    error.with(|facts| {
        if is_symbol(&said.message) {
            facts.reason = said.message.clone().into();
        } else if let Some(code) = &said.code {
            facts.reason = format!(
                "NCP_{}",
                code.chars()
                    .filter(char::is_ascii_alphanumeric)
                    .collect::<String>()
            )
            .into();
        }
        facts.message.push_str(&extra);
    })
}

/// The upstream's own words after ours, as far as they add anything.
fn explain(said: &Said, reason: &str) -> String {
    let words: Vec<_> = [&said.message, &said.details]
        .into_iter()
        .filter(|text| text.as_str() != reason)
        .map(|text| plain(text))
        .filter(|text| !text.is_empty())
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" It said: {}", words.join("; "))
    }
}

fn read(body: &[u8]) -> Said {
    let Ok(tree) = serde_json::from_slice::<Tree>(body) else {
        // XML, HTML or plain text: the status speaks; markup is not for callers.
        return Said::default();
    };
    let text = |object: &Tree, names: &[&str]| names.iter().find_map(|name| scalar(object.get(*name)?));
    for (outer, code, message) in [
        (tree.get("error"), "errorCode", "message"),
        (tree.get("responseError"), "returnCode", "returnMessage"),
        (Some(&tree), "errorCode", "message"),
    ] {
        let Some(outer) = outer.filter(|outer| outer.is_object()) else {
            continue;
        };
        let code = text(outer, &[code, "code"]);
        let message = text(outer, &[message, "errorMessage"]);
        if code.is_some() || message.is_some() {
            let details = text(outer, &["details"]).unwrap_or_default();
            return Said {
                code,
                message: message.unwrap_or_default(),
                details,
            };
        }
    }
    Said::default()
}

fn scalar(value: &Tree) -> Option<String> {
    match value {
        Tree::String(text) => Some(text.clone()),
        Tree::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Error {
        classify(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn codes_speak_before_the_status() {
        for (status, body, kind, reason, component) in [
            (
                404,
                r#"{"error":{"errorCode":"80301","message":"ACTION_NOT_FOUND","details":"x"}}"#,
                Kind::NotFound,
                "ACTION_NOT_FOUND",
                Component::Service,
            ),
            (
                401,
                r#"{"error":{"errorCode":"210","message":"Permission Denied"}}"#,
                Kind::PermissionDenied,
                "PERMISSION_DENIED",
                Component::Gateway,
            ),
            (
                401,
                r#"{"error":{"errorCode":200,"message":"Authentication Failed","details":null}}"#,
                Kind::Unauthenticated,
                "AUTHENTICATION_FAILED",
                Component::Gateway,
            ),
            (
                500,
                r#"{"error":{"errorCode":"81313","message":"NAT_BEING_CREATED"}}"#,
                Kind::Unavailable,
                "NAT_BEING_CREATED",
                Component::Service,
            ),
            (
                429,
                r#"{"error":{"errorCode":"400","message":"Quota Exceeded"}}"#,
                Kind::ResourceExhausted,
                "QUOTA_EXCEEDED",
                Component::Gateway,
            ),
            (
                409,
                r#"{"error":{"errorCode":"80901","message":"DUPLICATED_RULE"}}"#,
                Kind::AlreadyExists,
                "DUPLICATED_RULE",
                Component::Service,
            ),
        ] {
            let error = of(status, body);
            assert_eq!(
                (error.kind, error.reason.as_ref(), error.component),
                (kind, reason, component),
                "{body}"
            );
        }
    }

    #[test]
    fn a_transient_refusal_with_markup_is_plain_and_may_be_repeated() {
        let error = of(
            400,
            r#"{"error":{"errorCode":"80031","message":"<strong>Please try again in a few minutes.</strong><br>","details":""}}"#,
        );
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.may_retry(false));
        assert!(!error.message.contains('<'), "{}", error.message);
        assert!(error.message.contains("Please try again"));
    }

    #[test]
    fn every_other_shape_is_read_or_left_to_the_status() {
        for (status, body, kind, reason) in [
            (
                400,
                r#"{"responseError":{"returnCode":"77777","returnMessage":"no"}}"#,
                Kind::InvalidArgument,
                "NCP_77777",
            ),
            (
                403,
                r#"{"errorCode":"89999","message":"SOMETHING_NEW"}"#,
                Kind::PermissionDenied,
                "SOMETHING_NEW",
            ),
            (
                404,
                r#"{"timestamp":1,"status":404,"error":"Not Found","message":"No message"}"#,
                Kind::NotFound,
                "NOT_FOUND",
            ),
            (
                502,
                "<html><h1>Bad Gateway</h1></html>",
                Kind::Unavailable,
                "UPSTREAM_UNAVAILABLE",
            ),
            (
                401,
                "Unauthorized",
                Kind::Unauthenticated,
                "AUTHENTICATION_FAILED",
            ),
            (503, "", Kind::Unavailable, "UPSTREAM_UNAVAILABLE"),
            (302, "", Kind::Internal, "UNEXPECTED_REDIRECT"),
        ] {
            let error = of(status, body);
            assert_eq!((error.kind, error.reason.as_ref()), (kind, reason), "{body}");
            assert!(!error.message.contains('<'));
        }
    }
}
