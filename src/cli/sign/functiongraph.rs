//! Huawei Cloud's SDK-HMAC-SHA256, through the very signer that the sidecar uses.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, header};
use url::Url;

use super::{SignInput, Signed};
use crate::clock;
use crate::credentials::fingerprint;
use crate::credentials::{KeyPair, Secret};
use crate::provider::functiongraph::{Explained, Parts, Signer, date, hash};

/// Signs one request, with the headers that the sidecar would sign.
///
/// # Errors
/// A sentence, when the keys cannot sign.
pub(super) fn sign(input: &SignInput<'_>) -> Result<Signed, String> {
    let keys = KeyPair {
        access_key: input.keys.access_key.clone(),
        secret_key: Secret::new(input.keys.secret_key.to_string()),
        security_token: None,
    };
    let signer = Signer::new(&keys)?;
    let url = Url::parse(input.url).map_err(|why| why.to_string())?;
    let at = input.timestamp.map_or_else(clock::now, |millis| {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    });
    let date = date(at);
    let mut texts = vec![
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::HOST, host(&url)),
        (HeaderName::from_static("x-sdk-date"), date.clone()),
    ];
    let project = project(&url).map(str::to_owned);
    texts.extend(project.map(|project| (HeaderName::from_static("x-project-id"), project)));
    let token = input.security_token.map(str::to_owned);
    texts.extend(token.map(|token| (HeaderName::from_static("x-security-token"), token)));
    let mut values = Vec::with_capacity(texts.len());
    for (name, text) in &texts {
        let value = HeaderValue::from_str(text)
            .map_err(|_| format!("{name} holds what no header can carry"))?;
        values.push(value);
    }
    let headers: Vec<_> = texts.iter().map(|(name, _)| name).zip(&values).collect();
    let payload_hash = hash(input.body.unwrap_or_default());
    let explained = signer.explain(&Parts {
        method: input.method.as_str(),
        url: &url,
        headers: &headers,
        date: &date,
        payload_hash: &payload_hash,
    });
    let steps = steps(&keys.access_key, &explained, &payload_hash);
    // A client sends the host by itself.
    let sent = texts.iter().filter(|(name, _)| name != header::HOST);
    let mut headers: Vec<_> = sent
        .map(|(name, text)| (name.to_string(), text.clone()))
        .collect();
    headers.push(("authorization".to_owned(), explained.authorization));
    Ok(Signed {
        method: input.method.to_string(),
        url: url.to_string(),
        canonical_request: Some(explained.canonical_request),
        string_to_sign: explained.string_to_sign,
        headers,
        steps,
        ..Signed::default()
    })
}

/// From the parts of the request to the signature. The security token is the one secret among the
/// signed headers.
fn steps(
    access_key: &str,
    explained: &Explained,
    payload_hash: &str,
) -> Vec<(&'static str, String)> {
    let mut lines = explained.canonical_request.split('\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let mut steps = vec![
        ("key fingerprint", fingerprint(access_key)),
        ("method", next()),
        (
            "canonical path, decoded and encoded again, with a slash at its end",
            next(),
        ),
        ("canonical query, sorted and encoded again", next()),
    ];
    steps.extend(
        lines
            .take_while(|line| !line.is_empty())
            .map(|line| ("signed header", hidden(line))),
    );
    steps.extend([
        (
            "names of the signed headers",
            explained.signed_headers.clone(),
        ),
        ("body's SHA-256", payload_hash.to_owned()),
        (
            "canonical request",
            explained
                .canonical_request
                .split('\n')
                .map(hidden)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        ("its SHA-256", hash(explained.canonical_request.as_bytes())),
        ("string to sign", explained.string_to_sign.clone()),
        (
            "signature, HMAC-SHA256 in hexadecimal",
            explained.signature.clone(),
        ),
        ("authorization", explained.authorization.clone()),
    ]);
    steps
}

fn hidden(line: &str) -> String {
    match line.strip_prefix("x-security-token:") {
        Some(token) => format!("x-security-token:<hidden, {} characters>", token.len()),
        None => line.to_owned(),
    }
}

/// As clients write it: without the scheme's own port.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The project of a path such as `/v2/{project}/fgs/functions`.
fn project(url: &Url) -> Option<&str> {
    let mut segments = url.path_segments()?;
    let (_version, project, service) = (segments.next()?, segments.next()?, segments.next()?);
    (service == "fgs").then_some(project)
}
