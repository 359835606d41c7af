//! Error answers of NCP: the code table first, the HTTP status second, unknown codes passed
//! through.
//!
//! NCP docs: compute-cloudfunctions (service codes 8xxxx), common-ncpapi and
//! api-call-lgc-errorhandling (gateway codes of three digits), read 2026-10. "LIVE" rows were
//! reported from real calls in 2026-09 and are not documented.

use http::StatusCode;
use serde_json::Value as Tree;

mod table;

pub(super) use table::RECORD_NOT_FOUND;
pub(in crate::provider) use table::ROWS;

use crate::error::Error;
use crate::provider::error_body::{self, Body};
use crate::provider::error_row::ErrorRow;
use crate::provider::status::{by_http_status, explained, is_symbol};

/// What the body of an error answer says; every shape seen on NCP APIs and on Apache OpenWhisk,
/// which NCP runs, is read.
#[derive(Debug, Default)]
struct Said {
    /// A code of the service or the gateway; never an id.
    code: Option<String>,
    /// The cloud's own symbol, which comes with a code.
    symbol: Option<String>,
    body: Body,
}

/// The meaning of an answer that is no success.
#[must_use]
pub(super) fn classify(status: StatusCode, body: &[u8]) -> Error {
    let said = read(status, body);
    let words = &*said.body.words;
    let row = said
        .code
        .as_deref()
        .and_then(|code| ErrorRow::find(ROWS, code.trim_start_matches('0'), status, words));
    let error = match row {
        Some(row) => row.error(words),
        None => by_http_status(status).with(|facts| {
            // A code that is a word would make any word a reason: it is the upstream's code alone.
            if let Some(code) = &said.code
                && code.bytes().all(|byte| byte.is_ascii_digit())
            {
                facts.reason = format!("NCP_{code}").into();
            }
            facts.message.push_str(&explained(words));
        }),
    };
    error.with(|facts| {
        // The cloud's own symbol is the reason where it says one.
        if let Some(symbol) = said.symbol {
            facts.reason = symbol.into();
        }
        facts.http_status = Some(status.as_u16());
        facts.violations = said.body.violations;
        facts.upstream_code = said.code;
    })
}

fn read(status: StatusCode, body: &[u8]) -> Said {
    let coded = |tree: &Tree| {
        let [error, response] = ["error", "responseError"].map(|name| tree.get(name));
        // A plain `code` may repeat the status, and beside `error` it is the id of a transaction.
        let plain = |outer| error_body::code(outer, "code").filter(|code| *code != status.as_str());
        let found = [
            (error, "errorCode", "message"),
            (response, "returnCode", "returnMessage"),
            (Some(tree), "errorCode", "message"),
        ];
        found
            .into_iter()
            .enumerate()
            .find_map(|(index, (outer, code, message))| {
                let outer = outer.filter(|outer| outer.is_object())?;
                let inner = || plain(outer).filter(|_| index < 2);
                let code = error_body::code(outer, code).or_else(inner)?;
                let symbol = outer.get(message).and_then(Tree::as_str);
                let symbol = symbol.filter(|text| is_symbol(text)).map(ToOwned::to_owned);
                Some((code, symbol))
            })
    };
    let body = Body::read(body, |tree| coded(tree)?.1);
    let (code, symbol) = body.tree.as_ref().and_then(coded).unzip();
    Said {
        code,
        symbol: symbol.flatten(),
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Component, Kind};

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
    fn words_reach_the_caller_and_an_id_is_neither_code_nor_reason() {
        for (status, body, kind, reason, code, words) in [
            (
                429,
                r#"{"code":"BWm0N3Qemn4uMAcZWY0JCy8PjTAQ191A","error":"Too many concurrent requests in flight (count: 240, allowed: 240)."}"#,
                Kind::ResourceExhausted,
                "RATE_LIMITED",
                None,
                "Too many concurrent requests in flight",
            ),
            (
                404,
                r#"{"error":"The requested resource does not exist.","code":200}"#,
                Kind::NotFound,
                "NOT_FOUND",
                None,
                "The requested resource does not exist.",
            ),
            (
                500,
                r#"{"error":"Internal error.","code":210}"#,
                Kind::Internal,
                "UPSTREAM_FAILED",
                None,
                "Internal error.",
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"malformed"}}"#,
                Kind::InvalidArgument,
                "BAD_REQUEST",
                None,
                "malformed",
            ),
            (
                400,
                r#"{"message":"BWM0N3QEMN4UMA"}"#,
                Kind::InvalidArgument,
                "BAD_REQUEST",
                None,
                "BWM0N3QEMN4UMA",
            ),
            (
                400,
                r#"{"error":{"errorCode":"InvalidParameter","message":"The specified parameter is invalid.","detail":"platform","fieldErrors":[{"field":"platform","message":"unknown"}]}}"#,
                Kind::InvalidArgument,
                "INVALID_PARAMETER",
                Some("InvalidParameter"),
                "platform",
            ),
            (
                409,
                r#"{"error":{"errorCode":"SomethingElse","message":"no"}}"#,
                Kind::FailedPrecondition,
                "CONFLICT",
                Some("SomethingElse"),
                "no",
            ),
            (
                404,
                r#"{"error":{"errorCode":"80301","message":"SOMETHING_RENAMED","details":{"error_msg":"gone"}}}"#,
                Kind::NotFound,
                "SOMETHING_RENAMED",
                Some("80301"),
                "gone",
            ),
            (
                403,
                "Forbidden by the firewall",
                Kind::PermissionDenied,
                "PERMISSION_DENIED",
                None,
                "Forbidden by the firewall",
            ),
        ] {
            let error = of(status, body);
            assert_eq!(
                (error.kind, error.reason.as_ref()),
                (kind, reason),
                "{body}"
            );
            assert_eq!(error.upstream_code.as_deref(), code, "{body}");
            assert!(error.message.contains(words), "{body}: {}", error.message);
        }
        let fields = of(
            400,
            r#"{"error":{"errorCode":"InvalidParameter","message":"x","fieldErrors":[{"field":"limits","message":"too large"}]}}"#,
        );
        assert_eq!(
            (
                fields.violations[0].field.as_str(),
                fields.violations[0].description.as_str()
            ),
            ("limits", "too large")
        );
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
            assert_eq!(
                (error.kind, error.reason.as_ref()),
                (kind, reason),
                "{body}"
            );
            assert!(!error.message.contains('<'));
        }
    }
}
