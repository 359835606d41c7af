//! Error answers of NCP: the code table first, the HTTP status second, unknown codes passed through.
//!
//! NCP docs: compute-cloudfunctions (service codes 8xxxx), common-ncpapi and api-call-lgc-errorhandling (gateway codes of
//! three digits), read 2026-10. "LIVE" rows were reported from real calls in 2026-09 and are not documented.

use http::StatusCode;
use serde_json::Value as Tree;

use crate::error::{Component, Error, Execution, Kind};
use crate::provider::status::{by_http_status, is_symbol, plain};

/// One row: code, symbol, kind, what to tell the caller.
type Row = (u32, &'static str, Kind, &'static str);

const PERMISSION: &str = "The account behind the sidecar's key lacks the right for this operation.";
const PLATFORM: &str = "It is on the other platform; set `platform` to the one it was made on.";
const BODY: &str = "The service refused a field of the request.";
const CONNECTING: &str = "The VPC subnet is being connected or released; try again in a minute.";

/// Codes of the functions service.
const SERVICE: &[Row] = &[
    (
        80000,
        "INTERNAL_EXCEPTION",
        Kind::InvalidArgument,
        "The service refused a query parameter.",
    ),
    (80002, "SUB_ACC_NO_PERMISSION", Kind::PermissionDenied, PERMISSION),
    (
        80011,
        "RESOURCE_NAME_CONFLICT",
        Kind::AlreadyExists,
        "The name is taken by a package, action or trigger.",
    ),
    (
        80031,
        "TRY_AGAIN_LATER",
        Kind::Unavailable,
        "The service asks to try again in a few minutes.",
    ), // LIVE
    (
        80100,
        "PACKAGE_INVALID_NAME",
        Kind::InvalidArgument,
        "The package name is not allowed.",
    ),
    (
        80101,
        "PACKAGE_NOT_FOUND",
        Kind::NotFound,
        "There is no such package.",
    ),
    (
        80102,
        "PACKAGE_PLATFORM_MISMATCH",
        Kind::InvalidArgument,
        PLATFORM,
    ),
    (80103, "PACKAGE_BODY_INVALID_TYPE", Kind::InvalidArgument, BODY),
    (80104, "PACKAGE_BODY_MISSING_FIELD", Kind::InvalidArgument, BODY),
    (80105, "PACKAGE_BODY_INVALID_VALUE", Kind::InvalidArgument, BODY),
    (
        80106,
        "PACKAGE_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The account has as many packages as it may have (500).",
    ),
    (
        80109,
        "PACKAGE_NOT_EMPTY",
        Kind::FailedPrecondition,
        "The package still has actions; delete them first.",
    ),
    (
        80300,
        "ACTION_INVALID_NAME",
        Kind::InvalidArgument,
        "The action name is not allowed.",
    ),
    (
        80301,
        "ACTION_NOT_FOUND",
        Kind::NotFound,
        "There is no such action.",
    ),
    (80302, "ACTION_PLATFORM_MISMATCH", Kind::InvalidArgument, PLATFORM),
    (
        80303,
        "ACTION_INVALID_TYPE",
        Kind::InvalidArgument,
        "The service does not know this action type.",
    ),
    (
        80304,
        "ACTION_TYPE_MISMATCH",
        Kind::FailedPrecondition,
        "The type of an action cannot change; delete it first.",
    ),
    (80305, "ACTION_BODY_INVALID_TYPE", Kind::InvalidArgument, BODY),
    (80306, "ACTION_BODY_MISSING_FIELD", Kind::InvalidArgument, BODY),
    (80307, "ACTION_BODY_INVALID_VALUE", Kind::InvalidArgument, BODY),
    (
        80308,
        "ACTION_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The account has as many actions as it may have (500).",
    ),
    (
        80316,
        "ACTION_INVALID_RUNTIME_PARAMS",
        Kind::InvalidArgument,
        "The arguments are not a JSON object.",
    ),
    (
        80322,
        "ACTION_ACTIVATION_NOT_FOUND",
        Kind::NotFound,
        "There is no such activation, or it is not visible yet.",
    ),
    (
        80324,
        "ACTION_LINK_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The action has as many triggers as it may have.",
    ),
    (
        80501,
        "TRIGGER_NOT_FOUND",
        Kind::NotFound,
        "There is no such trigger.",
    ),
    (
        80502,
        "TRIGGER_PLATFORM_MISMATCH",
        Kind::InvalidArgument,
        PLATFORM,
    ),
    (
        80511,
        "TRIGGER_INVALID_RUNTIME_PARAMS",
        Kind::InvalidArgument,
        "The arguments are not a JSON object.",
    ),
    (
        80512,
        "TRIGGER_INVOKE_FAIL",
        Kind::FailedPrecondition,
        "The trigger has no linked action; link one first.",
    ),
    (
        80518,
        "TRIGGER_ACTIVATION_NOT_FOUND",
        Kind::NotFound,
        "There is no such activation, or it is not visible yet.",
    ),
    (
        80519,
        "TRIGGER_LINK_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The trigger has as many actions as it may have.",
    ),
    (80520, "RULE_BODY_INVALID_TYPE", Kind::InvalidArgument, BODY),
    (80521, "RULE_BODY_MISSING_FIELD", Kind::InvalidArgument, BODY),
    (
        80901,
        "DUPLICATED_RULE",
        Kind::AlreadyExists,
        "The action is linked to this trigger already.",
    ),
    (81002, "SUB_ACC_NO_PERMISSION", Kind::PermissionDenied, PERMISSION),
    (
        81311,
        "ACTION_NAT_EXCEPTION",
        Kind::Internal,
        "Connecting the VPC subnet failed.",
    ),
    (81312, "NAT_CREATE_FAIL", Kind::Unavailable, CONNECTING),
    (81313, "NAT_BEING_CREATED", Kind::Unavailable, CONNECTING),
    (81314, "NAT_RETURN_FAIL", Kind::Unavailable, CONNECTING),
];

/// Codes of the API gateway; the functions service was not reached, or (500, 510, 900) perhaps was.
const GATEWAY: &[Row] = &[
    (
        100,
        "BAD_REQUEST_EXCEPTION",
        Kind::InvalidArgument,
        "The gateway could not read the request.",
    ),
    (
        200,
        "AUTHENTICATION_FAILED",
        Kind::Unauthenticated,
        "The gateway refused the sidecar's key or signature; check the key, its secret and the clock.",
    ),
    (210, "PERMISSION_DENIED", Kind::PermissionDenied, PERMISSION),
    (
        300,
        "API_NOT_FOUND",
        Kind::NotFound,
        "The gateway knows no such API; check the target's base_url, site and api_version.",
    ),
    (
        400,
        "QUOTA_EXCEEDED",
        Kind::ResourceExhausted,
        "The account's daily or monthly call quota is used up.",
    ),
    (
        410,
        "THROTTLE_LIMITED",
        Kind::ResourceExhausted,
        "The gateway limits the call rate.",
    ),
    (
        420,
        "RATE_LIMITED",
        Kind::ResourceExhausted,
        "The gateway limits the call rate.",
    ),
    (
        430,
        "REQUEST_ENTITY_TOO_LARGE",
        Kind::ResourceExhausted,
        "The request is larger than the gateway accepts.",
    ),
    (
        500,
        "ENDPOINT_ERROR",
        Kind::Unavailable,
        "The gateway could not reach the functions service.",
    ),
    (
        510,
        "ENDPOINT_TIMEOUT",
        Kind::DeadlineExceeded,
        "The functions service did not answer the gateway in time.",
    ),
    (
        900,
        "UNEXPECTED_ERROR",
        Kind::Internal,
        "The gateway failed unexpectedly.",
    ),
];

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
        .transient(transient || (status.is_server_error() && kind == Kind::Internal))
        .with(|facts| {
            if kind == Kind::ResourceExhausted && !transient {
                facts.quota = Some(("account".to_owned(), sentence.to_owned()));
            }
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
