//! Who sends a request: by signature or by token (API Request Signing Guide; API Gateway "Error
//! Codes", 0301 and 0307).
//!
//! A refusal says in the header `x-emulator-reason`, which the real gateway does not send, what was
//! wrong.

use super::cloud::Cloud;
use super::codes::{self, Refusal};
use super::options::Access;
use super::signature::Claim;
use super::time;
use crate::http::Request;

const FAILED: &str = "Incorrect IAM authentication information: ";

/// A refusal, and what the gateway would keep to itself.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) refusal: Refusal,
    pub(super) reason: String,
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.message.clone(),
            refusal,
        }
    }
}

/// Who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The user's name, or the access key.
    pub(super) name: String,
    /// The user's account.
    pub(super) domain: String,
    pub(super) access: Access,
    pub(super) scope: Scope,
}

/// What the credentials are good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every project of the account, as a key.
    Account,
    /// One project, by id.
    Project(String),
    /// The account alone and none of its projects.
    Domain,
}

/// `wording` is what the real gateway says behind the common beginning, `reason` what it would not
/// say.
fn denied(wording: impl AsRef<str>, reason: impl Into<String>) -> Denial {
    Denial {
        refusal: codes::BAD_AUTHENTICATION.refuse(format!("{FAILED}{}", wording.as_ref())),
        reason: reason.into(),
    }
}

/// INFERRED: a request with a signature and a token is judged by its signature.
pub(super) fn authenticate(cloud: &Cloud, request: &Request) -> Result<Identity, Denial> {
    if let Some(authorization) = request.header("authorization") {
        return by_signature(cloud, request, authorization);
    }
    match request.header("x-auth-token") {
        Some(token) => by_token(cloud, token),
        None => Err(denied(
            "x-auth-token not found",
            "the request has neither an Authorization nor an X-Auth-Token header",
        )),
    }
}

fn by_signature(cloud: &Cloud, request: &Request, authorization: &str) -> Result<Identity, Denial> {
    let now = cloud.clock.now_ms();
    let limits = &cloud.options.limits;
    let claim = Claim::read(request, authorization)
        .map_err(|why| denied("verify aksk signature fail", why))?;
    let key_id = claim.access_key;
    let Some(key) = cloud
        .options
        .keys
        .iter()
        .find(|key| key.access_key == key_id)
    else {
        return Err(denied(
            format!("Get secretKey failed,ak:{key_id},err:ak not exist"),
            format!("the access key {key_id} is not known"),
        ));
    };
    if cloud.locks.is_locked(key_id, now) {
        return Err(denied(
            "AK access failed to reach the limit, forbidden.",
            format!(
                "{key_id} is locked for {:?} after bad signatures in a row",
                limits.lock
            ),
        ));
    }
    let window = i64::try_from(limits.signature_window.as_millis()).unwrap_or(i64::MAX);
    let apart = claim.time_ms.abs_diff(now);
    if apart > window.unsigned_abs() {
        let (theirs, ours) = (time::compact(claim.time_ms), time::compact(now));
        return Err(denied(
            format!("signature expired, signature time:{theirs}, server time:{ours}"),
            format!("X-Sdk-Date is {apart} ms away from the clock; {window} is allowed"),
        ));
    }
    if let Err(why) = claim.verify(request, &key.secret_key) {
        let lock = i64::try_from(limits.lock.as_millis()).unwrap_or(i64::MAX);
        cloud.locks.failed(key_id, now, limits.bad_signatures, lock);
        return Err(denied("verify aksk signature fail", why));
    }
    cloud.locks.succeeded(key_id);
    if let Some(token) = &key.security_token {
        let wrong = match request.header("x-security-token") {
            None => Some("a temporary key needs the header X-Security-Token"),
            Some(sent) if sent.trim() != token => Some("X-Security-Token is not that of the key"),
            Some(_) if !claim.signs("x-security-token") => {
                Some("X-Security-Token is not among the signed headers")
            }
            Some(_) => None,
        };
        // INFERRED: the wording for a temporary key without its token, or past its end, is in no
        // document.
        if let Some(why) = wrong {
            return Err(denied("decrypt token fail", why));
        }
        if key.expires_at_ms.is_some_and(|end| end <= now) {
            return Err(denied("token expires", "the temporary key has ended"));
        }
    }
    Ok(Identity {
        name: key_id.to_owned(),
        domain: cloud.options.domain.clone(),
        access: key.access,
        scope: Scope::Account,
    })
}

fn by_token(cloud: &Cloud, token: &str) -> Result<Identity, Denial> {
    let Some(found) = cloud.tokens.find(token) else {
        return Err(denied(
            "decrypt token fail",
            "the token was not issued here",
        ));
    };
    if found.expires_ms <= cloud.clock.now_ms() {
        return Err(Denial {
            refusal: codes::TOKEN_MUST_BE_UPDATED.into(),
            reason: format!("the token ended at {}", time::micros(found.expires_ms)),
        });
    }
    Ok(found.identity)
}

/// Whether an identity may touch a project. INFERRED: no document says how a token of another scope
/// is answered.
pub(super) fn admit(identity: &Identity, project: &str) -> Result<(), Denial> {
    let fits = match &identity.scope {
        Scope::Account => true,
        Scope::Project(id) => id == project,
        Scope::Domain => false,
    };
    if identity.access == Access::None || !fits {
        return Err(Denial {
            refusal: codes::USER_NOT_ALLOWED.into(),
            reason: format!(
                "{} has {:?} and the scope {:?}",
                identity.name, identity.access, identity.scope
            ),
        });
    }
    Ok(())
}
