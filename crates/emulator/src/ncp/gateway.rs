//! The API Gateway before the service: route, signature, rights, platform (NCP docs: common-ncpapi
//! for the signature, api-call-lgc-errorhandling for the codes).
//!
//! The signature is checked over the request target exactly as received, with code of this room
//! alone. A refusal of the gateway carries the header `x-emulator-reason`, which the real one does
//! not send: it says what was wrong.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::cloud::{Call, Cloud};
use super::codes::{self, Code, Refusal};
use super::route::{self, Operation, Resource};
use super::{Access, KeyPair, action, activation, engine, fire, link, package, trigger};
use crate::http::{Reply, Request, Service};
use crate::query::Query;

/// The gateway refuses a timestamp that is this far from its clock, or farther (NCP docs:
/// common-ncpapi, "5 minutes").
const WINDOW_MS: u64 = 5 * 60 * 1000;

#[derive(Debug)]
pub(super) struct Gateway {
    cloud: Arc<Cloud>,
}

/// A refusal, and what the gateway would keep to itself.
struct Denial {
    refusal: Refusal,
    reason: String,
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.details.clone(),
            refusal,
        }
    }
}

impl Gateway {
    pub(super) fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }

    async fn admit(&self, request: &Request) -> Result<Reply, Denial> {
        let (path, raw_query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let (generation, operation) = route::find(self.cloud.options.site, &request.method, path)
            .ok_or_else(|| Denial {
            refusal: codes::NOT_FOUND.refuse("URL not found."),
            reason: format!(
                "no operation {} {path} on site {}",
                request.method, self.cloud.options.site
            ),
        })?;
        let now = u64::try_from(self.cloud.clock.now_ms()).unwrap_or_default();
        let key =
            authenticate(&self.cloud.options.keys, now, request).map_err(|reason| Denial {
                refusal: codes::AUTHENTICATION_FAILED.refuse("Invalid authentication information."),
                reason,
            })?;
        well_formed(request)?;
        authorize(key, &request.method)?;
        let query = Query::parse(raw_query);
        let platform = self
            .cloud
            .options
            .site
            .platform(generation, query.get("platform"))
            .map_err(|why| platform_code(operation.resource()).refuse(why))?;
        let call = Call {
            generation,
            platform,
            query,
            body: request.body.clone(),
        };
        Ok(self.dispatch(operation, &call).await?)
    }

    async fn dispatch(&self, operation: Operation, call: &Call) -> Result<Reply, Refusal> {
        let cloud = &self.cloud;
        match operation {
            Operation::ListPackages => package::list(cloud, call),
            Operation::GetPackage(p) => package::get(cloud, call, &p),
            Operation::PutPackage(p) => package::put(cloud, call, &p),
            Operation::DeletePackage(p) => package::delete(cloud, call, &p),
            Operation::ListActions(p) => action::list(cloud, call, &p),
            Operation::GetAction(p, a) => action::get(cloud, call, &p, &a),
            Operation::PutAction(p, a) => action::put(cloud, call, &p, &a),
            Operation::DeleteAction(p, a) => action::delete(cloud, call, &p, &a),
            Operation::RunAction(p, a) => engine::run(cloud, call, &p, &a).await,
            Operation::ListActionActivations(p, a) => {
                activation::list_of_action(cloud, call, &p, &a)
            }
            Operation::GetActionActivation(p, a, id) => {
                activation::get_of_action(cloud, call, &p, &a, &id)
            }
            Operation::ListActivations => activation::list_all(cloud, call),
            Operation::ListTriggers => trigger::list(cloud, call),
            Operation::GetTrigger(t) => trigger::get(cloud, call, &t),
            Operation::PutTrigger(t) => trigger::put(cloud, call, &t),
            Operation::DeleteTrigger(t) => trigger::delete(cloud, call, &t),
            Operation::FireTrigger(t) => fire::fire(cloud, call, &t),
            Operation::ListTriggerActivations(t) => activation::list_of_trigger(cloud, call, &t),
            Operation::GetTriggerActivation(t, id) => {
                activation::get_of_trigger(cloud, call, &t, &id)
            }
            Operation::LinkAction(t) => link::link(cloud, call, &t),
            Operation::UnlinkAction(t) => link::unlink(cloud, call, &t),
        }
    }
}

#[async_trait]
impl Service for Gateway {
    async fn answer(&self, request: &Request) -> Reply {
        let reply = self.admit(request).await.unwrap_or_else(|denial| {
            let reply = denial.refusal.reply();
            if denial.refusal.code.is_gateway() {
                reply.with_header("x-emulator-reason", denial.reason)
            } else {
                reply
            }
        });
        with_ids(reply)
    }

    fn error(&self, status: Option<u16>, code: Option<&str>) -> Reply {
        with_ids(codes::for_fault(status, code))
    }

    fn stop(&self) {
        self.cloud.stop.stop();
    }

    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.cloud) == 1
    }
}

/// Headers that were seen on live answers; no document names them.
fn with_ids(reply: Reply) -> Reply {
    let id = format!("{:032x}", fastrand::u128(..));
    reply
        .with_header("x-ncp-apigw-request-id", id.clone())
        .with_header("x-ncp-trace-id", id)
}

fn authenticate<'a>(
    keys: &'a [KeyPair],
    now: u64,
    request: &Request,
) -> Result<&'a KeyPair, String> {
    let header = |name: &str| {
        request
            .header(name)
            .ok_or_else(|| format!("the header {name} is missing"))
    };
    let timestamp = header("x-ncp-apigw-timestamp")?;
    let access_key = header("x-ncp-iam-access-key")?;
    let signature = header("x-ncp-apigw-signature-v2")?;
    let sent: u64 = timestamp.parse().map_err(|_| {
        format!("the timestamp `{timestamp}` is no number of milliseconds since 1970")
    })?;
    let apart = sent.abs_diff(now);
    if apart >= WINDOW_MS {
        return Err(format!(
            "the timestamp is {apart} ms away from the gateway's clock; under {WINDOW_MS} is allowed"
        ));
    }
    let key = keys
        .iter()
        .find(|key| key.access_key == access_key)
        .ok_or_else(|| "the access key is not known".to_owned())?;
    let text = format!(
        "{} {}\n{timestamp}\n{access_key}",
        request.method, request.target
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key.secret_key.as_bytes())
        .map_err(|_| "the secret key cannot be used".to_owned())?;
    mac.update(text.as_bytes());
    let claimed = STANDARD
        .decode(signature)
        .map_err(|_| "the signature is not standard base64".to_owned())?;
    mac.verify_slice(&claimed)
        .map_err(|_| format!("the signature is not that of {text:?}"))?;
    Ok(key)
}

/// INFERRED: the documents require `Content-Type` everywhere and UTF-8 bodies, but do not say how a
/// lack is answered; code 100 is the gateway's word for a malformed request.
fn well_formed(request: &Request) -> Result<(), Refusal> {
    let refuse = |details: &str| Err(codes::BAD_REQUEST.refuse(details));
    let Some(content_type) = request.header("content-type") else {
        return refuse("the header Content-Type is missing");
    };
    let mut parts = content_type.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
    {
        return refuse("Content-Type must be application/json");
    }
    if !parts.all(|part| part.eq_ignore_ascii_case("charset=utf-8")) {
        return refuse("the charset must be utf-8");
    }
    match std::str::from_utf8(&request.body) {
        Ok(_) => Ok(()),
        Err(_) => refuse("the body is not UTF-8"),
    }
}

fn authorize(key: &KeyPair, method: &str) -> Result<(), Refusal> {
    match key.access {
        Access::Manager => Ok(()),
        Access::Viewer if method == "GET" => Ok(()),
        Access::Viewer => Err(codes::NO_PERMISSION.refuse("the key may list and view only")),
        Access::Denied => Err(codes::PERMISSION_DENIED.refuse("")),
    }
}

fn platform_code(resource: Resource) -> Code {
    match resource {
        Resource::Package => codes::PACKAGE_PLATFORM_MISMATCH,
        Resource::Action => codes::ACTION_PLATFORM_MISMATCH,
        Resource::Trigger => codes::TRIGGER_PLATFORM_MISMATCH,
        Resource::Activation => codes::BAD_PARAMETER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures of this text, made with another language's HMAC.
    const VECTORS: [(&str, &str, &str); 4] = [
        (
            "GET",
            "/ncf/api/v2/packages",
            "3N7Zw0yd9jBGSD12pUWleV20shYKQ+XkUFIbKI1fBaY=",
        ),
        (
            "POST",
            "/ncf/api/v2/packages/-/actions/hello?platform=vpc&timeout=60000",
            "lvT+ekGnTCwmp0vfX11Fx40h+6KZRz/0kyCqRAK/ewA=",
        ),
        (
            "GET",
            "/ncf/api/v2/packages/함수/actions/실행?platform=vpc",
            "erpyLcAD8YF16DLWFPlxMXlJtZpMG3I1oI+pEFgGRdc=",
        ),
        (
            "GET",
            "/ncf/api/v2/packages?",
            "pdmM/bS6IcctrZSdjlzILu/XL09HbxXP4nXw/7XY2EM=",
        ),
    ];

    fn request(method: &str, target: &str, signature: &str) -> Request {
        Request {
            method: method.into(),
            target: target.into(),
            headers: vec![
                ("X-NCP-APIGW-Timestamp".into(), "1714111020170".into()),
                (
                    "x-ncp-iam-access-key".into(),
                    "ncp_iam_TESTACCESSKEY01".into(),
                ),
                ("x-ncp-apigw-signature-v2".into(), signature.into()),
            ],
            body: bytes::Bytes::new(),
            too_large: false,
        }
    }

    #[test]
    fn accepts_known_signatures_and_no_others() {
        let keys = [KeyPair::new(
            "ncp_iam_TESTACCESSKEY01",
            "ncp_iam_TESTSECRETKEY0123456789abcdef",
        )];
        let now = 1_714_111_020_170;
        for (method, target, signature) in VECTORS {
            assert!(
                authenticate(&keys, now, &request(method, target, signature)).is_ok(),
                "{target}"
            );
            let other = format!("{target}&");
            assert!(authenticate(&keys, now, &request(method, &other, signature)).is_err());
        }
        let (method, target, signature) = VECTORS[0];
        let good = request(method, target, signature);
        assert!(authenticate(&keys, now + WINDOW_MS - 1, &good).is_ok());
        assert!(
            authenticate(&keys, now + WINDOW_MS, &good)
                .unwrap_err()
                .contains("away")
        );
        assert!(
            authenticate(&keys, now - WINDOW_MS, &good)
                .unwrap_err()
                .contains("away")
        );
        assert!(
            authenticate(&[], now, &good)
                .unwrap_err()
                .contains("not known")
        );
        for missing in 0..3 {
            let mut request = good.clone();
            request.headers.remove(missing);
            assert!(
                authenticate(&keys, now, &request)
                    .unwrap_err()
                    .contains("missing")
            );
        }
    }
}
