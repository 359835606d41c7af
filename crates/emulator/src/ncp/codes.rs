//! Error codes and their envelopes.
//!
//! Gateway codes: NCP docs, api-call-lgc-errorhandling. Service codes: NCP docs, the status tables
//! of the operations and "Cloud Functions response status codes". The trigger codes 80500 and 80503
//! to 80508 are INFERRED from the pattern of the action codes, since no copy of that table shows
//! them.

use std::io;

use serde_json::json;

use crate::http::Reply;

/// A row of an error table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) number: &'static str,
    pub(super) status: u16,
    pub(super) symbol: &'static str,
}

macro_rules! codes {
    ($($name:ident = $number:literal $status:literal $symbol:literal;)*) => {
        $(pub(super) const $name: Code = Code { number: $number, status: $status, symbol: $symbol };)*
        /// Every row; for faults, which name a row by its number.
        pub(super) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    BAD_REQUEST = "100" 400 "Bad Request Exception";
    AUTHENTICATION_FAILED = "200" 401 "Authentication Failed";
    PERMISSION_DENIED = "210" 401 "Permission Denied";
    NOT_FOUND = "300" 404 "Not Found Exception";
    QUOTA_EXCEEDED = "400" 429 "Quota Exceeded";
    THROTTLE_LIMITED = "410" 429 "Throttle Limited";
    RATE_LIMITED = "420" 429 "Rate Limited";
    ENTITY_TOO_LARGE = "430" 413 "Request Entity Too Large";
    ENDPOINT_ERROR = "500" 503 "Endpoint Error";
    ENDPOINT_TIMEOUT = "510" 504 "Endpoint Timeout";
    UNEXPECTED = "900" 500 "Unexpected Error";

    BAD_PARAMETER = "80000" 400 "INTERNAL_EXCEPTION";
    NO_PERMISSION = "80002" 403 "SUB_ACC_NO_PERMISSION";
    NAME_CONFLICT = "80011" 409 "RESOURCE_NAME_CONFLICT";
    // Seen live, in no document: a passing failure with status 400 and HTML in its message.
    TRY_AGAIN = "80031" 400 "<strong>Please try again in a few minutes.</strong><br>If the problem persists, please contact customer support.";
    PACKAGE_INVALID_NAME = "80100" 400 "PACKAGE_INVALID_NAME";
    PACKAGE_NOT_FOUND = "80101" 404 "PACKAGE_NOT_FOUND";
    PACKAGE_PLATFORM_MISMATCH = "80102" 400 "PACKAGE_PLATFORM_MISMATCH";
    PACKAGE_BODY_TYPE = "80103" 400 "PACKAGE_BODY_INVALID_TYPE";
    PACKAGE_BODY_MISSING = "80104" 400 "PACKAGE_BODY_MISSING_FIELD";
    PACKAGE_BODY_VALUE = "80105" 400 "PACKAGE_BODY_INVALID_VALUE";
    PACKAGE_COUNT_EXCEED = "80106" 422 "PACKAGE_COUNT_EXCEED";
    PACKAGE_NOT_EMPTY = "80109" 409 "PACKAGE_NOT_EMPTY";
    ACTION_INVALID_NAME = "80300" 400 "ACTION_INVALID_NAME";
    ACTION_NOT_FOUND = "80301" 404 "ACTION_NOT_FOUND";
    ACTION_PLATFORM_MISMATCH = "80302" 400 "ACTION_PLATFORM_MISMATCH";
    ACTION_INVALID_TYPE = "80303" 400 "ACTION_INVALID_TYPE";
    ACTION_TYPE_MISMATCH = "80304" 400 "ACTION_TYPE_MISMATCH";
    ACTION_BODY_TYPE = "80305" 400 "ACTION_BODY_INVALID_TYPE";
    ACTION_BODY_MISSING = "80306" 400 "ACTION_BODY_MISSING_FIELD";
    ACTION_BODY_VALUE = "80307" 400 "ACTION_BODY_INVALID_VALUE";
    ACTION_COUNT_EXCEED = "80308" 422 "ACTION_COUNT_EXCEED";
    ACTION_RUNTIME_PARAMS = "80316" 400 "ACTION_INVALID_RUNTIME_PARAMS";
    ACTION_ACTIVATION_NOT_FOUND = "80322" 404 "ACTION_ACTIVATION_NOT_FOUND";
    // INFERRED: the HTTP status and the symbol; the number is known.
    ACTION_LINK_COUNT_EXCEED = "80324" 422 "ACTION_RULE_COUNT_EXCEED";
    TRIGGER_INVALID_NAME = "80500" 400 "TRIGGER_INVALID_NAME";
    TRIGGER_NOT_FOUND = "80501" 404 "TRIGGER_NOT_FOUND";
    TRIGGER_PLATFORM_MISMATCH = "80502" 400 "TRIGGER_PLATFORM_MISMATCH";
    TRIGGER_INVALID_TYPE = "80503" 400 "TRIGGER_INVALID_TYPE";
    TRIGGER_TYPE_MISMATCH = "80504" 400 "TRIGGER_TYPE_MISMATCH";
    TRIGGER_BODY_TYPE = "80505" 400 "TRIGGER_BODY_INVALID_TYPE";
    TRIGGER_BODY_MISSING = "80506" 400 "TRIGGER_BODY_MISSING_FIELD";
    TRIGGER_BODY_VALUE = "80507" 400 "TRIGGER_BODY_INVALID_VALUE";
    TRIGGER_COUNT_EXCEED = "80508" 422 "TRIGGER_COUNT_EXCEED";
    TRIGGER_RUNTIME_PARAMS = "80511" 400 "TRIGGER_INVALID_RUNTIME_PARAMS";
    TRIGGER_INVOKE_FAIL = "80512" 400 "TRIGGER_INVOKE_FAIL";
    TRIGGER_ACTIVATION_NOT_FOUND = "80518" 404 "TRIGGER_ACTIVATION_NOT_FOUND";
    // INFERRED: the HTTP status and the symbol; the number is known.
    TRIGGER_LINK_COUNT_EXCEED = "80519" 422 "TRIGGER_RULE_COUNT_EXCEED";
    RULE_BODY_TYPE = "80520" 400 "RULE_BODY_INVALID_TYPE";
    RULE_BODY_MISSING = "80521" 400 "RULE_BODY_MISSING_FIELD";
    // INFERRED: the HTTP status.
    DUPLICATED_RULE = "80901" 409 "DUPLICATED_RULE";
    NAT_EXCEPTION = "81311" 500 "ACTION_NAT_EXCEPTION";
    NAT_CREATE_FAIL = "81312" 500 "NAT_CREATE_FAIL";
    NAT_BEING_CREATED = "81313" 500 "NAT_BEING_CREATED";
    NAT_RETURN_FAIL = "81314" 500 "NAT_RETURN_FAIL";
}

/// A refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) details: String,
}

impl Code {
    pub(super) fn refuse(self, details: impl Into<String>) -> Refusal {
        Refusal {
            code: self,
            details: details.into(),
        }
    }

    /// Gateway codes have three digits, service codes five.
    pub(super) fn is_gateway(self) -> bool {
        self.number.len() == 3
    }
}

impl Refusal {
    pub(super) fn reply(&self) -> Reply {
        let Code {
            number,
            status,
            symbol,
        } = self.code;
        let error = json!({"errorCode": number, "message": symbol, "details": self.details});
        Reply::json(status, &json!({ "error": error }))
    }
}

/// The store failed: the gateway's last resort.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        UNEXPECTED.refuse(error.to_string())
    }
}

/// The reply for a fault: by code, else the gateway's row for the status, else an empty envelope
/// with that status.
pub(super) fn for_fault(status: Option<u16>, number: Option<&str>) -> Reply {
    let by_number = number.and_then(|number| ALL.iter().find(|code| code.number == number));
    let by_status =
        || status.and_then(|status| ALL.iter().find(|c| c.is_gateway() && c.status == status));
    let known = by_number.or_else(by_status);
    // 429 belongs to three rows; a rate limit is the one that passes, so it is what an unnamed 429
    // means.
    let known = if number.is_none() && status == Some(429) {
        Some(&RATE_LIMITED)
    } else {
        known
    };
    let mut reply = match (known, number) {
        (Some(code), _) => code.refuse("").reply(),
        (None, Some(number)) => {
            let error = json!({"errorCode": number, "message": "UNKNOWN", "details": ""});
            Reply::json(400, &json!({ "error": error }))
        }
        (None, None) => Reply::json(500, &json!({})),
    };
    if let Some(status) = status {
        reply.status = status;
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(
                ALL[..index].iter().all(|other| other.number != code.number),
                "{code:?}"
            );
        }
    }

    #[test]
    fn faults_find_their_row() {
        let body = |status, number: Option<&str>| {
            let reply = for_fault(status, number);
            (
                reply.status,
                String::from_utf8(reply.body.to_vec()).unwrap(),
            )
        };
        let (status, text) = body(Some(429), None);
        assert!(status == 429 && text.contains("\"420\""), "{text}");
        let (status, text) = body(None, Some("81313"));
        assert!(
            status == 500 && text.contains("NAT_BEING_CREATED"),
            "{text}"
        );
        let (status, text) = body(Some(503), None);
        assert!(status == 503 && text.contains("Endpoint Error"), "{text}");
        assert_eq!(body(None, Some("12345")).0, 400);
        assert_eq!(body(Some(418), None), (418, "{}".into()));
    }
}
