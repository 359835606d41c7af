//! Whether the body of a good status reports an error: gateways and services of both clouds are
//! known to say the code in the body and to be careless with the status (FunctionGraph docs §"Error
//! Codes": the code decides). INFERRED for a good status; one look for all operations of both
//! clouds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::value::RawValue;

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Members that hold an error's code wherever they stand at the top of a document.
const CODES: [&str; 4] = ["error_code", "errorCode", "returnCode", "error_no"];
/// Members that hold an error as an object or as words.
const ERRORS: [&str; 3] = ["error", "responseError", "errors"];
/// Members that hold the words of an error beside a plain `code`.
const WORDS: [&str; 6] = [
    "message",
    "error_msg",
    "errorMsg",
    "errorMessage",
    "msg",
    "error",
];

/// Words of which a document holds one if it reports an error.
static SIGNS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["rror", "\"code\"", "returnCode"].map(Finder::new));

/// True when `body` is a JSON object that reports an error at its top, or one level below where
/// that is all it holds.
///
/// Costs a search for a word where there is none, which is the rule.
#[must_use]
pub(super) fn reported(body: &[u8]) -> bool {
    let possible = SIGNS.iter().any(|sign| sign.find(body).is_some());
    possible && members(body).is_some_and(|top| is_error(&top, true))
}

fn members(json: &[u8]) -> Option<Members<'_>> {
    serde_json::from_slice(json).ok()
}

fn is_error(top: &Members<'_>, outermost: bool) -> bool {
    let says = |name: &&str| top.get(*name).is_some_and(|raw| says_something(raw));
    if CODES.iter().chain(&ERRORS).any(says) {
        return true;
    }
    let is_code = |raw: &&RawValue| {
        let text = raw.get().trim_matches('"');
        text != "200" && !text.eq_ignore_ascii_case("success")
    };
    if says(&"code") && top.get("code").is_some_and(is_code) && WORDS.iter().any(says) {
        return true;
    }
    // `{"forbidden": {"code": 403, "message": …}}`: an error under a name of its own.
    let mut values = top.values();
    match (values.next(), values.next()) {
        (Some(only), None) if outermost => {
            members(only.get().as_bytes()).is_some_and(|inner| is_error(&inner, false))
        }
        _ => false,
    }
}

/// False for what stands for "no error": null, nothing, zero and false.
fn says_something(raw: &RawValue) -> bool {
    let text = raw.get().trim_matches('"').trim();
    !matches!(text, "null" | "" | "0" | "false" | "{}" | "[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_every_shape() {
        for body in [
            r#"{"error_code":"FSS.1051","error_msg":"Not found the function"}"#,
            r#"{"errorCode":"FSS.1051","errorMsg":"gone"}"#,
            r#"{"error":{"errorCode":"80301","message":"ACTION_NOT_FOUND"}}"#,
            r#"{"content":null,"error":{"errorCode":"80301"}}"#,
            r#"{"error":{"code":401,"message":"no","title":"Unauthorized"}}"#,
            r#"{"responseError":{"returnCode":"1","returnMessage":"no"}}"#,
            r#"{"error":"The requested resource does not exist.","code":"BWm0"}"#,
            r#"{"code":"IAM.0101","message":"no"}"#,
            r#"{"forbidden":{"code":403,"message":"no"}}"#,
            r#"{"request_id":"gw-9","error_code":"FSS.0404"}"#,
            r#"{"errorCode":"200","message":"Authentication Failed"}"#,
        ] {
            assert!(reported(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn good_documents_are_none() {
        for body in [
            "",
            "[]",
            "null",
            "<html>error</html>",
            r#"{"content":{"name":"error","response":{"result":{"error":"x"}}}}"#,
            r#"{"invocations":[{"request_id":"r","error_code":4002}],"count":1}"#,
            r#"{"func_name":"f","code":"x"}"#,
            r#"{"request_id":"r","error_code":0}"#,
            r#"{"request_id":"r","error_code":"0","error":null}"#,
            r#"{"code":200,"message":"ok"}"#,
            r#"{"activationId":"a","response":{"result":{"error":"x"},"success":false}}"#,
        ] {
            assert!(!reported(body.as_bytes()), "{body}");
        }
    }
}
