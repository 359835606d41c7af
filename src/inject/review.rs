//! `AdmissionReview`, version 1 (admission.k8s.io): a request of the API server → its answer, with
//! the patch in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Change, Node, Template, inject};
use crate::settings::Faults;

/// The largest request, in bytes. The API server's own bound on an object is 3 MiB.
pub const MAX_BODY: usize = 4 << 20;

/// JSON values of one request. A pod has some hundreds, and 20,000 variables make 60,000; a value
/// takes up to 200 bytes.
const MAX_VALUES: usize = 80_000;

/// Bytes of a uid; the API server's have 36.
const MAX_UID: usize = 256;
/// Characters of a name, and of one fault, that are shown.
const SHOWN: usize = 500;
/// Faults that are told; the rest is counted.
const TOLD: usize = 20;

const VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The answer, and what to tell the log.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The `AdmissionReview` to answer with, as JSON.
    pub body: Vec<u8>,
    /// What it says.
    pub verdict: Verdict,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name, or the beginning of it.
    pub name: String,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The pod does not ask.
    NotAsked,
    /// It has a sidecar already.
    Already,
    /// It gets one.
    Injected,
    /// It asks wrongly and is not made; why.
    Denied(String),
    /// What was asked about is no new pod.
    NotAPod,
}

/// A request that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, and what to do.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    resource: Resource,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    operation: String,
    object: Option<Node>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    group: String,
    resource: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
    reason: &'static str,
    code: u16,
    message: String,
}

/// Answers one request.
///
/// # Errors
/// When it is no request that can be answered.
pub fn review(body: &[u8], template: &Template) -> Result<Answered, Refused> {
    let refused = |message: String| Refused { message };
    if count_values(body) > MAX_VALUES {
        return Err(refused(format!(
            "the body holds more than {MAX_VALUES} JSON values; the injector takes no pod of that size"
        )));
    }
    let read: Review = serde_json::from_slice(body).map_err(|why| {
        // The message names the place and the expectation, not the value.
        refused(format!("the body is no {KIND} as JSON ({why})"))
    })?;
    if read.kind != KIND || read.api_version != VERSION {
        let (kind, version) = (shown(&read.kind), shown(&read.api_version));
        return Err(refused(format!(
            "the body's kind is {kind} and its apiVersion {version}; send {KIND} of {VERSION} (admissionReviewVersions: [v1])"
        )));
    }
    let Some(request) = read.request else {
        return Err(refused("the review has no request".to_owned()));
    };
    if request.uid.is_empty() {
        return Err(refused("the request has no uid".to_owned()));
    }
    if request.uid.len() > MAX_UID {
        return Err(refused(format!(
            "the request's uid is longer than {MAX_UID} bytes"
        )));
    }
    let (verdict, response) = judge(&request, template);
    let metadata = |key: &str| request.object.as_ref()?.at(&["metadata", key])?.text();
    let name = metadata("name")
        .or_else(|| metadata("generateName"))
        .unwrap_or_default();
    let answer = Answer {
        api_version: VERSION,
        kind: KIND,
        response,
    };
    Ok(Answered {
        body: serde_json::to_vec(&answer)
            .map_err(|why| refused(format!("the answer cannot be written ({why})")))?,
        verdict,
        name: cut(name),
        namespace: cut(&request.namespace),
    })
}

/// At least the values that the text holds, counted without reading any: what opens or follows
/// another outside of strings.
fn count_values(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' | b',' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn judge<'a>(request: &'a Request, template: &Template) -> (Verdict, Response<'a>) {
    let mut response = Response {
        uid: &request.uid,
        allowed: true,
        status: None,
        patch_type: None,
        patch: None,
        warnings: Vec::new(),
    };
    let pods = request.resource.group.is_empty()
        && request.resource.resource == "pods"
        && request.sub_resource.is_empty();
    let (true, "CREATE", Some(pod)) = (pods, request.operation.as_str(), &request.object) else {
        // Its rules say too much, which must not keep others from their work.
        response.warnings.push(
            "faas-sidecar: the webhook was asked about something else than a new pod; correct its rules"
                .to_owned(),
        );
        return (Verdict::NotAPod, response);
    };
    let verdict = match inject(pod, template) {
        Ok(Change::NotAsked) => Verdict::NotAsked,
        Ok(Change::Already) => Verdict::Already,
        Ok(Change::Inject(injection)) => match serde_json::to_vec(&injection.operations) {
            Ok(patch) => {
                response.patch_type = Some("JSONPatch");
                response.patch = Some(STANDARD.encode(patch));
                response.warnings = injection
                    .warnings
                    .iter()
                    .map(|warning| format!("faas-sidecar: {warning}"))
                    .collect();
                Verdict::Injected
            }
            Err(why) => denied(
                &mut response,
                format!("the patch cannot be written ({why})"),
            ),
        },
        Err(faults) => denied(&mut response, told(&faults)),
    };
    (verdict, response)
}

fn denied(response: &mut Response<'_>, message: String) -> Verdict {
    response.allowed = false;
    response.status = Some(Status {
        status: "Failure",
        reason: "Invalid",
        code: 422,
        message: message.clone(),
    });
    Verdict::Denied(message)
}

/// In one line, since events show one.
fn told(faults: &Faults) -> String {
    let mut shown: Vec<_> = faults
        .iter()
        .take(TOLD)
        .map(|fault| cut(&fault.to_string()))
        .collect();
    if let Some(more) = faults.len().checked_sub(TOLD).filter(|more| *more > 0) {
        shown.push(format!("and {more} more"));
    }
    format!(
        "the pod asks for a sidecar and cannot have it: {}",
        shown.join("; ")
    )
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn shown(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    format!("{:?}", text.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::count_values;

    #[test]
    fn values_are_counted_outside_of_strings() {
        assert_eq!(count_values(b"1"), 1);
        assert_eq!(count_values(br#"{"a,[{\",": [1, 2, {}]}"#), 6);
        assert_eq!(count_values(br#""\\", 1"#), 2);
    }
}
