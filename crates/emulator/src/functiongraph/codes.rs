//! Error codes and their envelopes.
//!
//! FSS codes: FunctionGraph API reference, appendix "Error Codes" (Open Telekom Cloud edition,
//! complete). APIGW codes: API Gateway user manual, "Error Codes", where the same numbers are spelt
//! APIG. Sentences are ours where no sample shows one.

use std::io;

use serde_json::{Value, json};

use crate::http::Reply;

/// A row of an error table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) number: &'static str,
    pub(super) status: u16,
    /// What the answer says when there is nothing more exact to say.
    pub(super) text: &'static str,
}

macro_rules! codes {
    ($($name:ident = $number:literal $status:literal $text:literal;)*) => {
        $(pub(super) const $name: Code = Code { number: $number, status: $status, text: $text };)*
        /// Every row; for faults, which name a row by its number.
        pub(super) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    NO_API = "APIGW.0101" 404 "The API does not exist or has not been published in the environment";
    BAD_REQUEST = "APIGW.0201" 400 "Bad request";
    BODY_TOO_LARGE = "APIGW.0201" 413 "Request entity too large";
    URI_TOO_LARGE = "APIGW.0201" 414 "Request URI too large";
    HEADERS_TOO_LARGE = "APIGW.0201" 494 "Request headers too large";
    BACKEND_UNAVAILABLE = "APIGW.0202" 502 "Backend unavailable";
    BACKEND_TIMEOUT = "APIGW.0201" 504 "Backend timeout.";
    BACKEND_TIMEOUT_0203 = "APIGW.0203" 504 "Backend timeout";
    BAD_AUTHENTICATION = "APIGW.0301" 401 "Incorrect IAM authentication information: verify aksk signature fail";
    USER_NOT_ALLOWED = "APIGW.0302" 403 "The IAM user is not authorized to access the API";
    BAD_APP_AUTHENTICATION = "APIGW.0303" 401 "Incorrect app authentication information";
    TOKEN_MUST_BE_UPDATED = "APIGW.0307" 401 "The token must be updated.";
    THROTTLED = "APIGW.0308" 429 "The throttling threshold has been reached: policy user over ratelimit,limit:1,time:1 second";
    PROJECT_UNAVAILABLE = "APIGW.0310" 403 "The project is unavailable";
    GATEWAY_INTERNAL = "APIGW.0601" 500 "Internal server error";
    IAM_UNAVAILABLE = "APIGW.0613" 503 "The IAM service is unavailable";

    PARAMETER = "FSS.0400" 400 "The request parameter is incorrect";
    NOT_PERMITTED = "FSS.0401" 401 "not permit";
    FORBIDDEN = "FSS.0403" 403 "Not authorized";
    NOT_FOUND = "FSS.0404" 404 "Not found";
    NOT_ACCEPTABLE = "FSS.0406" 406 "The format is not acceptable";
    TIMED_OUT = "FSS.0408" 408 "The request timed out";
    CONFLICT = "FSS.0409" 409 "It exists already";
    TOO_LARGE = "FSS.0413" 413 "The request body is too large";
    TOO_MANY_REQUESTS = "FSS.0429" 429 "Too many requests";
    INTERNAL = "FSS.0500" 500 "Internal error";
    UNAVAILABLE = "FSS.0503" 503 "The service is unavailable";
    UPSTREAM_TIMEOUT = "FSS.0504" 504 "The service timed out";
    QUERY = "FSS.1001" 400 "The query parameter is invalid";
    FUNCTION_NAME = "FSS.1002" 400 "The function name is invalid";
    HANDLER = "FSS.1003" 400 "The function handler is invalid";
    PACKAGE = "FSS.1004" 400 "The function package is invalid";
    RUNTIME = "FSS.1005" 400 "The function runtime is invalid";
    CODE_TYPE = "FSS.1006" 400 "The function code type is invalid";
    MEMORY = "FSS.1007" 400 "The function memory size is invalid";
    TIMEOUT = "FSS.1008" 400 "The function timeout is invalid";
    USER_DATA = "FSS.1009" 400 "The function user_data is invalid";
    CODE_URL = "FSS.1010" 400 "The code URL is invalid";
    CODE = "FSS.1011" 400 "The function code is not a valid zip file";
    CODE_MISSING = "FSS.1012" 400 "The function code is missing";
    FILE_NAME = "FSS.1013" 400 "The code file type is invalid";
    ALIAS_NAME = "FSS.1014" 400 "The alias name is invalid";
    VERSION_NAME = "FSS.1015" 400 "The version name is invalid";
    NOTHING_CHANGED = "FSS.1016" 400 "The function has not been changed since the latest version was published";
    TOO_MANY_VARIABLES = "FSS.1017" 400 "There are more than 20 environment variables";
    VARIABLES_TOO_LARGE = "FSS.1018" 400 "The environment variables are too large";
    DESCRIPTION = "FSS.1019" 400 "The description has more than 512 characters";
    CONCURRENCY = "FSS.1026" 400 "The concurrency is invalid";
    TOO_MANY_FUNCTIONS = "FSS.1041" 403 "The number of functions has reached the upper limit";
    TOO_MUCH_CODE = "FSS.1042" 403 "The total size of function code has reached the upper limit";
    TOO_MANY_ALIASES = "FSS.1043" 403 "The number of aliases has reached the upper limit";
    TOO_MANY_PACKAGES = "FSS.1044" 403 "The number of apps has reached the upper limit";
    FUNCTION_MISSING = "FSS.1051" 404 "Not found the function";
    VERSION_MISSING = "FSS.1052" 404 "Not found the function version";
    ALIAS_MISSING = "FSS.1053" 404 "Not found the version alias";
    FUNCTION_EXISTS = "FSS.1061" 409 "The function has existed";
    VERSION_EXISTS = "FSS.1062" 409 "The function version has existed";
    ALIAS_EXISTS = "FSS.1063" 409 "The version alias has existed";
    VERSION_HAS_ALIAS = "FSS.1066" 409 "The version already has an alias";
    PACKAGE_TOO_LARGE = "FSS.1071" 413 "The code package is larger than 50 MB";
    INLINE_TOO_LARGE = "FSS.1072" 413 "The inline code is larger than 10 KB";
    SPLIT_VERSION = "FSS.1091" 400 "The additional version is invalid";
    SPLIT_WEIGHT = "FSS.1092" 400 "The weight of the additional version is invalid";
    SPLIT_SAME = "FSS.1093" 400 "The additional version is the same as the main version";
    VERSION_IN_SPLIT = "FSS.1094" 403 "The version is used as the additional version of an alias";
    NO_RIGHT = "FSS.1126" 403 "The user has no right for this operation";
    EVENT_TOO_LARGE = "FSS.1201" 413 "The request body is too large";
}

/// IAM answers in its own envelope, which has a status and no code (IAM API reference).
pub(super) const fn iam(status: u16, text: &'static str) -> Code {
    Code {
        number: "",
        status,
        text,
    }
}

/// A refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Code {
    /// With this sentence, or with the table's when it is empty.
    pub(super) fn refuse(self, message: impl Into<String>) -> Refusal {
        let message = message.into();
        Refusal {
            code: self,
            message: if message.is_empty() {
                self.text.to_owned()
            } else {
                message
            },
        }
    }

    pub(super) fn is_gateway(self) -> bool {
        self.number.starts_with("APIGW.")
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        code.refuse("")
    }
}

impl Refusal {
    /// The gateway's envelope holds the request id, FunctionGraph's does not; IAM's is nested.
    pub(super) fn reply(&self, request_id: &str) -> Reply {
        let Code { number, status, .. } = self.code;
        let body = if number.is_empty() {
            let title = match status {
                400 => "Bad Request",
                401 => "Unauthorized",
                403 => "Forbidden",
                _ => "Not Found",
            };
            json!({"error": {"code": status, "message": self.message, "title": title}})
        } else {
            envelope(number, &self.message, request_id)
        };
        Reply::json(status, &body)
    }
}

fn envelope(number: &str, message: &str, request_id: &str) -> Value {
    if number.starts_with("APIG") {
        json!({"error_msg": message, "error_code": number, "request_id": request_id})
    } else {
        json!({"error_code": number, "error_msg": message})
    }
}

/// The store failed: the service's last resort.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        INTERNAL.refuse(error.to_string())
    }
}

/// The reply for a fault: by code, else the row that most likely comes with the status, else an
/// empty object.
pub(super) fn for_fault(status: Option<u16>, number: Option<&str>, request_id: &str) -> Reply {
    let row = |number: &str| {
        let mut rows = ALL.iter().filter(|code| code.number == number);
        let first = rows.clone().next();
        rows.find(|code| Some(code.status) == status).or(first)
    };
    let usual = match (number, status) {
        (Some(number), _) => row(number),
        (None, Some(400)) => row("FSS.0400"),
        (None, Some(404)) => row("APIGW.0101"),
        (None, Some(429)) => row("APIGW.0308"),
        (None, Some(500)) => row("FSS.0500"),
        (None, Some(503)) => row("FSS.0503"),
        (None, Some(504)) => Some(&BACKEND_TIMEOUT),
        (None, status) => ALL
            .iter()
            .find(|code| code.is_gateway() && Some(code.status) == status),
    };
    let mut reply = match (usual, number) {
        (Some(code), _) => code.refuse("").reply(request_id),
        (None, Some(number)) => Reply::json(400, &envelope(number, "unknown", request_id)),
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
    fn rows_are_unique() {
        for (index, code) in ALL.iter().enumerate() {
            let twin = |other: &&Code| other.number == code.number && other.status == code.status;
            assert!(ALL[..index].iter().find(twin).is_none(), "{code:?}");
        }
    }

    #[test]
    fn faults_find_their_row() {
        let told = |status, number: Option<&str>| {
            let reply = for_fault(status, number, "id");
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            (
                reply.status,
                body["error_code"].as_str().unwrap_or_default().to_owned(),
            )
        };
        assert_eq!(told(Some(429), None), (429, "APIGW.0308".into()));
        assert_eq!(told(Some(504), None), (504, "APIGW.0201".into()));
        assert_eq!(told(Some(502), None), (502, "APIGW.0202".into()));
        assert_eq!(
            told(Some(413), Some("APIGW.0201")),
            (413, "APIGW.0201".into())
        );
        assert_eq!(told(None, Some("APIGW.0201")), (400, "APIGW.0201".into()));
        assert_eq!(told(None, Some("FSS.1051")), (404, "FSS.1051".into()));
        assert_eq!(told(None, Some("APIG.0308")), (400, "APIG.0308".into()));
        assert_eq!(told(Some(418), None), (418, String::new()));
    }
}
