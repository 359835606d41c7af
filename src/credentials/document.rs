//! A JSON document that holds a key: one tolerant reader for every issuer.
//!
//! Metadata services, token services and commands give the same four facts under a dozen names, at
//! the top or one level down: `AccessKeyId, SecretAccessKey, Expiration` (NCP server roles;
//! `credential_process` of AWS tools), `accessKey, keySecret, createTime, expireTime` (NCP STS),
//! `credential{access, secret, securitytoken, expires_at}` (Huawei ECS metadata and IAM),
//! `status{…, expirationTimestamp}` (`ExecCredential` of kubectl). Case, `_` and `-` do not matter.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::{Issued, KeyPair, Secret};
use crate::clock;

/// Shortest life believed, so that an answer that makes no sense does not mean one fetch after the
/// other.
const LIFE_MIN: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Found {
    access_key: Option<Secret>,
    secret_key: Option<Secret>,
    security_token: Option<Secret>,
    expires: Option<Secret>,
    made: Option<Secret>,
}

/// Reads a document. Its end is counted from its own time of making if it has one, else from `now`,
/// which is best the issuer's own clock.
///
/// # Errors
/// One sentence that names what is missing or wrong, and never a value.
pub fn decode(document: &[u8], now: SystemTime) -> Result<Issued, String> {
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_slice(document);
    Below(&mut found)
        .deserialize(&mut json)
        .and_then(|()| json.end())
        // The parser's own words may quote what it read.
        .map_err(|fault| {
            format!(
                "it is not a JSON document with a key (line {}, column {}).",
                fault.line(),
                fault.column()
            )
        })?;
    let (Some(access_key), Some(secret_key)) = (&found.access_key, &found.secret_key) else {
        return Err("it holds no access key id with a secret key.".to_owned());
    };
    let keys = KeyPair::checked(
        access_key.reveal(),
        secret_key.reveal(),
        found
            .security_token
            .as_ref()
            .map(Secret::reveal)
            .filter(|token| !token.is_empty()),
    )?;
    let life = match found.expires.as_ref().and_then(|at| instant(at.reveal())) {
        None => None,
        Some(ends) => {
            let made = found.made.as_ref().and_then(|at| instant(at.reveal()));
            let made = made.unwrap_or_else(|| OffsetDateTime::from(now));
            match Duration::try_from(ends - made) {
                Ok(life) if !life.is_zero() => Some(life.max(LIFE_MIN)),
                _ => return Err("its key has come to its end already.".to_owned()),
            }
        }
    };
    Ok(Issued { keys, life })
}

/// The issuer's clock when it answered (`Date`, RFC 9110 §6.6.1); ours if it does not say.
#[must_use]
pub fn answered_at(headers: &HeaderMap) -> SystemTime {
    headers
        .get(header::DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok())
        .map_or_else(clock::now, SystemTime::from)
}

/// RFC 3339, also with `+0000` for `Z` and with no zone at all, as some services write UTC; or
/// seconds since the epoch, or milliseconds from thirteen digits on. A zero time, also Go's (year
/// 1), says that there is none.
fn instant(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    let bare = text.strip_suffix("+0000").unwrap_or(text);
    let epoch = || {
        let number: i64 = text.parse().ok()?;
        let seconds = if number >= 1_000_000_000_000 {
            number / 1000
        } else {
            number
        };
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    };
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{bare}Z"), &Rfc3339))
        .ok()
        .or_else(epoch)
        .filter(|at| at.unix_timestamp() != 0 && at.year() > 1)
}

/// Fills `Found` from an object; anything else in its place is as if it were absent.
struct Below<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let plain: String = key
                .chars()
                .filter(|c| !matches!(c, '_' | '-'))
                .map(|c| c.to_ascii_lowercase())
                .collect();
            let place = match plain.as_str() {
                "accesskeyid" | "accesskey" | "access" => &mut self.0.access_key,
                "secretaccesskey" | "secretkey" | "keysecret" | "secret" => &mut self.0.secret_key,
                "securitytoken" | "sessiontoken" => &mut self.0.security_token,
                "expiration" | "expiresat" | "expiretime" | "expirationtimestamp" => {
                    &mut self.0.expires
                }
                "createtime" | "issuedat" => &mut self.0.made,
                "credential" | "credentials" | "status" => {
                    let inner = map.next_value::<&RawValue>()?.get();
                    // `status` is a word in some documents.
                    if inner.starts_with('{') {
                        Below(self.0)
                            .deserialize(&mut serde_json::Deserializer::from_str(inner))
                            .map_err(|_| A::Error::custom("not an object"))?;
                    }
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let is_time =
                plain.starts_with("expir") || matches!(plain.as_str(), "createtime" | "issuedat");
            if let Some(text) = text(map.next_value()?, is_time) {
                *place = Some(text);
            }
        }
        Ok(())
    }
}

/// A text, or where a time is due a number as it is written; anything else is as if it were absent.
fn text(raw: &RawValue, is_time: bool) -> Option<Secret> {
    let written = raw.get();
    match written.as_bytes().first()? {
        b'"' => serde_json::from_str(written).ok(),
        b'0'..=b'9' if is_time => Some(Secret::copied(written)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        instant(text).unwrap().into()
    }

    #[test]
    fn every_issuers_document_is_read() {
        let now = at("2026-11-21T10:00:00Z");
        for (document, token, life) in [
            (
                r#"{"Code":"Success","AccessKeyId":"id","SecretAccessKey":"s","Expiration":"2026-11-21T11:00:00+0000"}"#,
                None,
                Some(3600),
            ),
            (
                r#"{"accessKey":"id","keySecret":"s","createTime":"2026-11-21T08:00:00Z","expireTime":"2026-11-21T09:00:00.000Z","useMfa":false}"#,
                None,
                Some(3600),
            ),
            (
                r#"{"credential":{"access":"id","secret":"s","securitytoken":"t","expires_at":"2026-11-21T10:30:00.678000Z"}}"#,
                Some("t"),
                Some(1800),
            ),
            (
                r#"{"credentials":{"access_key_id":"id","secretAccessKey":"s","security_token":"t","expiration":null}}"#,
                Some("t"),
                None,
            ),
            (
                r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"s","SessionToken":""}"#,
                None,
                None,
            ),
            (
                r#"{"kind":"ExecCredential","status":{"accessKeyId":"id","secretKey":"s","expirationTimestamp":"2026-11-21T10:10:00"}}"#,
                None,
                Some(600),
            ),
            (
                r#"{"access":"id","secret":"s","securitytoken":["t"],"expires_at":1795258800,"createtime":{}}"#,
                None,
                Some(3600),
            ),
            (
                r#"{"access":"id","secret":"s","securitytoken":1e999,"expires_at":1795258800000,"credential":7}"#,
                None,
                Some(3600),
            ),
            (
                r#"{"access":"id","secret":"s","expires_at":"0001-01-01T00:00:00Z"}"#,
                None,
                None,
            ),
            (
                r#"{"status":"ok","access":"id","secret":"s","expires_at":"2026-11-21T10:00:01Z","x":[1,{}]}"#,
                None,
                Some(60),
            ),
        ] {
            let issued =
                decode(document.as_bytes(), now).unwrap_or_else(|why| panic!("{document}: {why}"));
            assert_eq!(
                (
                    issued.keys.access_key.as_str(),
                    issued.keys.secret_key.reveal()
                ),
                ("id", "s")
            );
            assert_eq!(
                issued.keys.security_token.as_ref().map(Secret::reveal),
                token,
                "{document}"
            );
            assert_eq!(issued.life.map(|life| life.as_secs()), life, "{document}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_a_word_of_it() {
        for (document, what) in [
            ("", "not a JSON document"),
            (
                r#"{"AccessKeyId":"canary","SecretAcc"#,
                "not a JSON document",
            ),
            (r#"{"AccessKeyId":"canary"} {}"#, "not a JSON document"),
            (
                r#"{"AccessKeyId":"canary"}"#,
                "no access key id with a secret",
            ),
            (
                r#"{"AccessKeyId":"id","SecretAccessKey":["canary"]}"#,
                "no access key id with a secret",
            ),
            (r#"["canary"]"#, "not a JSON document"),
            (
                r#"{"AccessKeyId":"id","SecretAccessKey":"canary\n"}"#,
                "holds a space",
            ),
            (
                r#"{"AccessKeyId":"id","SecretAccessKey":"canary","Expiration":"2020-01-01T00:00:00Z"}"#,
                "end already",
            ),
        ] {
            let why = decode(document.as_bytes(), at("2026-11-21T10:00:00Z")).unwrap_err();
            assert!(
                why.contains(what) && !why.contains("canary"),
                "{document}: {why}"
            );
        }
    }
}
