//! What the two clouds say, from their documents (`NCP`: compute-cloudfunctions, common-ncpapi;
//! `FunctionGraph`: `functiongraph_06_0125`, 0126 and the appendices of error codes), written down
//! a second time.

use crate::fault::Said;
use crate::ledger::Step;

/// Which cloud an upstream plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cloud {
    Ncp,
    FunctionGraph,
}

/// One answer before it becomes bytes.
#[derive(Clone, Debug)]
pub struct Http {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Cloud {
    pub const ALL: [Self; 2] = [Self::Ncp, Self::FunctionGraph];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ncp => "ncp",
            Self::FunctionGraph => "functiongraph",
        }
    }

    /// The good answer to one step of a call.
    pub fn good(self, step: Step, call: u64) -> Http {
        match self {
            Self::Ncp => ncp(step, call),
            Self::FunctionGraph => function_graph(step, call),
        }
    }

    /// The answer to a second deletion.
    pub fn gone(self) -> Http {
        match self {
            Self::Ncp => ncp_fault(404, "80301", "ACTION_NOT_FOUND"),
            Self::FunctionGraph => fss(404, "FSS.1051", "Not found the function"),
        }
    }

    /// A refusal or failure in this cloud's own shape.
    pub fn said(self, said: Said) -> Http {
        match (said, self) {
            (Said::Page(status), _) => page(status),
            (Said::Bare(status), _) => Http {
                status,
                headers: Vec::new(),
                body: String::new(),
            },
            (Said::RefusedInGood, _) => Http {
                status: 200,
                ..self.said(Said::Forbidden)
            },
            (Said::FailedInGood, Self::Ncp) => Http {
                status: 200,
                ..self.said(Said::GatewayFailed)
            },
            (Said::FailedInGood, Self::FunctionGraph) => Http {
                status: 200,
                ..self.said(Said::ServiceFailed)
            },
            (Said::Coded, _) => {
                json(200, "\u{1f}not really packed".to_owned()).header("Content-Encoding", "gzip")
            }
            (Said::GatewayThrottle(hint), Self::Ncp) => {
                hinted(ncp_fault(429, "410", "Throttle Limited"), hint)
            }
            (Said::GatewayThrottle(hint), Self::FunctionGraph) => hinted(
                fss(
                    429,
                    "APIGW.0308",
                    "The throttling threshold has been reached: policy user over ratelimit,limit:1,time:1 second",
                ),
                hint,
            ),
            (Said::ServiceThrottle, Self::Ncp) => ncp_fault(429, "420", "Rate Limited"),
            (Said::ServiceThrottle, Self::FunctionGraph) => {
                fss(429, "FSS.0429", "Too many requests")
            }
            (Said::Unauthenticated, Self::Ncp) => ncp_fault(401, "200", "Authentication Failed"),
            (Said::Unauthenticated, Self::FunctionGraph) => fss(
                401,
                "APIGW.0301",
                "Incorrect IAM authentication information: verify aksk signature fail",
            ),
            (Said::Forbidden, Self::Ncp) => ncp_fault(403, "80002", "SUB_ACC_NO_PERMISSION"),
            (Said::Forbidden, Self::FunctionGraph) => fss(403, "FSS.0403", "no permission"),
            (Said::TryAgain, Self::Ncp) => ncp_fault(
                400,
                "80031",
                "<strong>Please try again in a few minutes.</strong><br>",
            ),
            (Said::TryAgain, Self::FunctionGraph) => fss(503, "APIGW.0613", "IAM is not available"),
            (Said::ServiceFailed, Self::Ncp) => ncp_fault(500, "81311", "ACTION_NAT_EXCEPTION"),
            (Said::ServiceFailed, Self::FunctionGraph) => fss(500, "FSS.0500", "Internal error"),
            (Said::Unavailable, Self::Ncp) => ncp_fault(503, "500", "Endpoint Error"),
            (Said::Unavailable, Self::FunctionGraph) => fss(503, "FSS.0503", "Service unavailable"),
            (Said::GatewayFailed, Self::Ncp) => ncp_fault(500, "900", "Unexpected Error"),
            (Said::GatewayFailed, Self::FunctionGraph) => {
                fss(500, "APIGW.0601", "Internal server error")
            }
            (Said::GatewayTimeout, Self::Ncp) => ncp_fault(504, "510", "Endpoint Timeout"),
            (Said::GatewayTimeout, Self::FunctionGraph) => {
                fss(504, "APIGW.0201", "Backend timeout.")
            }
        }
    }
}

impl Http {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The head with this length of a body, its empty line included; no length is said without one.
    pub fn head(&self, length: Option<usize>) -> String {
        let mut head = format!("HTTP/1.1 {} Upstream\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        head
    }

    /// The whole answer. 204 has no length (RFC 9110 §8.6).
    pub fn bytes(&self) -> Vec<u8> {
        let length = (self.status != 204).then_some(self.body.len());
        [self.head(length).as_bytes(), self.body.as_bytes()].concat()
    }
}

pub fn json(status: u16, body: String) -> Http {
    Http {
        status,
        headers: vec![("Content-Type", "application/json;charset=utf-8".to_owned())],
        body,
    }
}

fn hinted(http: Http, hint: bool) -> Http {
    if hint {
        http.header("Retry-After", "0")
    } else {
        http
    }
}

fn page(status: u16) -> Http {
    let http = Http {
        status,
        headers: vec![("Content-Type", "text/html".to_owned())],
        body: "<html><head><title>Gateway</title></head><body><h1>One moment</h1></body></html>"
            .to_owned(),
    };
    if status == 302 {
        http.header("Location", "https://login.example/")
    } else {
        http
    }
}

/// An activation id of NCP that says which call it is of.
pub fn activation_id(call: u64) -> String {
    format!("{call:032x}")
}

fn ncp(step: Step, call: u64) -> Http {
    let id = activation_id(call);
    let whole = format!(
        r#"{{"content":{{"activationId":"{id}","duration":3,"logs":[""],"end":1713936450102,"name":"call-{call}","namespace":"AbCdEf","response":{{"result":{{"id":{call}}},"status":"success","success":true}},"start":1713936450099,"subject":"AbCdEf"}}}}"#
    );
    let body = match step {
        Step::Run | Step::Read => whole,
        Step::RunAsync => format!(r#"{{"content":{{"activationId":"{id}"}}}}"#),
        Step::List => unreachable!("a list has answers of its own"),
        Step::Put | Step::PutCode | Step::Create | Step::Look => format!(
            r#"{{"content":{{"name":"call-{call}","type":"basic","description":"call-{call}","exec":{{"kind":"nodejs:22","binary":false}},"limits":{{"memory":256,"timeout":60000}},"parameters":{{}}}}}}"#
        ),
        Step::Delete => {
            return Http {
                status: 204,
                headers: Vec::new(),
                body: String::new(),
            }
            .header("x-ncp-apigw-request-id", id);
        }
    };
    json(200, body).header("x-ncp-apigw-request-id", id)
}

fn ncp_fault(status: u16, code: &str, message: &str) -> Http {
    json(
        status,
        format!(r#"{{"error":{{"errorCode":"{code}","message":"{message}","details":""}}}}"#),
    )
    .header("x-ncp-apigw-request-id", "fault")
}

fn function_graph(step: Step, call: u64) -> Http {
    let id = activation_id(call);
    let (status, body) = match step {
        Step::Run => (
            200,
            format!(
                r#"{{"request_id":"{id}","result":"{{\"id\":{call}}}","log":"","status":200,"error_code":0}}"#
            ),
        ),
        Step::RunAsync => (202, format!(r#"{{"request_id":"{id}"}}"#)),
        Step::Read => (
            200,
            format!(
                r#"{{"invocations":[{{"request_id":"{id}","status":"SUCCESS","error_message":"","error_code":0,"start_time":"2026-11-21T10:00:00Z","end_time":"2026-11-21T10:00:01Z"}}],"count":1,"next_marker":"0"}}"#
            ),
        ),
        Step::Look | Step::Put | Step::PutCode | Step::Create => (
            200,
            format!(
                r#"{{"func_urn":"urn:fss:cn-north-4:p:function:default:call-{call}:latest","func_name":"call-{call}","package":"default","version":"latest","runtime":"Node.js18.15","handler":"index.handler","timeout":30,"memory_size":256,"code_type":"inline","description":"call-{call}"}}"#
            ),
        ),
        Step::Delete => (204, String::new()),
        Step::List => unreachable!("a list has answers of its own"),
    };
    let http = if status == 204 {
        Http {
            status,
            headers: Vec::new(),
            body,
        }
    } else {
        json(status, body)
    };
    let http = http.header("X-Request-Id", id.clone());
    if step == Step::Run {
        return http
            .header("X-Cff-Request-Id", id)
            .header("X-Cff-Response-Version", "v1");
    }
    http
}

fn fss(status: u16, code: &str, message: &str) -> Http {
    json(
        status,
        format!(r#"{{"error_code":"{code}","error_msg":"{message}","request_id":"fault"}}"#),
    )
    .header("X-Request-Id", "fault")
}
