//! What may run a call over HTTP: one table of methods, media types and HTTP versions. Nothing else
//! reaches a service.
//!
//! A browser sends `text/plain` to any address without asking first, and a caller of another
//! protocol cannot read our answer: both must find out before anything runs (gRPC over HTTP/2,
//! "Requests": POST, `application/grpc`, else 415).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::timeout;
use tonic::body::Body;
use tracing::warn;

use crate::telemetry::log::LineLimit;

/// One way to make a call.
struct Row {
    method: Method,
    version: Version,
    /// Media types, in lower case and without parameters.
    media: &'static [&'static str],
}

const TABLE: &[Row] = &[Row {
    method: Method::POST,
    version: Version::HTTP_2,
    media: &["application/grpc", "application/grpc+proto"],
}];

/// As much of what a caller sent as the log shows, in bytes.
const MAX_SHOWN: usize = 64;

/// As much of the body of a request that is no call as is read, in bytes, and for how long.
const HEARD: usize = 64 << 10;
const HEARING: Duration = Duration::from_secs(1);

static LINES: LineLimit = LineLimit::new(Duration::from_secs(5));

/// Why a request is no call; of several rows' reasons the last of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    Version,
    Method,
    Media,
}

/// The answer to a request that is no call; `None` when it is one.
pub(super) fn refuse<B>(request: &Request<B>) -> Option<Response<Body>> {
    let refusal = judge(request.method(), request.version(), request.headers()).err()?;
    if let Some(left_out) = LINES.pass() {
        let shown = |bytes: &[u8]| {
            bytes[..bytes.len().min(MAX_SHOWN)]
                .escape_ascii()
                .to_string()
        };
        let media = request.headers().get(header::CONTENT_TYPE);
        warn!(
            method = shown(request.method().as_str().as_bytes()),
            content_type = media.map(|media| shown(media.as_bytes())),
            path = shown(request.uri().path().as_bytes()),
            left_out,
            "a request was refused, and nothing ran: it is no gRPC call"
        );
    }
    Some(refusal.answer())
}

/// Reads what the caller of a refused request sends, for a moment: one that is answered before
/// takes the answer for a failure of its stream.
pub(super) async fn hear_out(body: Body) {
    let mut body = Limited::new(body, HEARD);
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = timeout(HEARING, reading).await;
}

fn judge(method: &Method, version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let media = media(headers);
    let mut refusal = Refusal::Version;
    for row in TABLE.iter().filter(|row| row.version == version) {
        if row.method != *method {
            refusal = refusal.max(Refusal::Method);
        } else if media.is_some_and(|media| row.takes(media)) {
            return Ok(());
        } else {
            refusal = Refusal::Media;
        }
    }
    Err(refusal)
}

impl Row {
    fn takes(&self, media: &str) -> bool {
        let mut known = self.media.iter();
        known.any(|known| *known == media || known.eq_ignore_ascii_case(media))
    }
}

/// The one media type, without its parameters; two say nothing.
fn media(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let media = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    Some(
        media
            .split_once(';')
            .map_or(media, |(media, _)| media)
            .trim(),
    )
}

impl Refusal {
    fn answer(self) -> Response<Body> {
        let (status, sentence) = match self {
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "This is a gRPC port: it takes HTTP/2 alone. Try grpcurl, or faas-sidecar invoke.\n",
            ),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This is a gRPC port: a call is a POST. Try grpcurl, or faas-sidecar invoke.\n",
            ),
            Self::Media => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This is a gRPC port: a call has the content type application/grpc. Try grpcurl, or faas-sidecar invoke.\n",
            ),
        };
        let body = Full::new(Bytes::from_static(sentence.as_bytes()));
        let mut answer = Response::new(Body::new(body.map_err(|never| match never {})));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if self == Self::Method {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rows_of_the_table_are_calls() {
        let judged = |method: &str, version: Version, media: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for media in media {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(media));
            }
            judge(
                &Method::from_bytes(method.as_bytes()).unwrap(),
                version,
                &headers,
            )
        };
        let http2 = |method: &str, media: &[&'static str]| judged(method, Version::HTTP_2, media);
        for media in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC",
            "application/grpc; charset=utf-8",
            "application/grpc+proto;x=y",
        ] {
            assert_eq!(http2("POST", &[media]), Ok(()), "{media}");
        }
        for media in [
            "text/plain",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc+json",
            "application/grpcx",
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/grpc",
            "text/plain;application/grpc",
            "",
            "application/grpc, text/plain",
        ] {
            assert_eq!(http2("POST", &[media]), Err(Refusal::Media), "{media}");
        }
        assert_eq!(http2("POST", &[]), Err(Refusal::Media));
        assert_eq!(
            http2("POST", &["application/grpc", "application/grpc"]),
            Err(Refusal::Media)
        );
        for method in [
            "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "post", "PRI",
        ] {
            assert_eq!(
                http2(method, &["application/grpc"]),
                Err(Refusal::Method),
                "{method}"
            );
        }
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(
                judged("POST", version, &["application/grpc"]),
                Err(Refusal::Version)
            );
        }
    }
}
