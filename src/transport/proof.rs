//! What the head of an answer says by itself: whether the request may have been carried out, and
//! whether its body can be read.

use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use super::Response;
use crate::error::{Component, Error, Execution, Kind, reason};

/// What a status says of the request when nothing else does.
///
/// A refusal (3xx, 4xx) means that nothing was carried out, with two exceptions: 303 is how a
/// request is answered that was carried out (RFC 9110 §15.4.4), and 408 may come while it is.
/// Everything else may have been carried out: a good status may stand over an error, a server that
/// failed may have done anything, and a status of 600 and above counts as a server error (RFC 9110
/// §15).
#[must_use]
pub fn execution_by(status: StatusCode) -> Execution {
    match status.as_u16() {
        303 | 408 => Execution::Unknown,
        300..=499 => Execution::NotStarted,
        _ => Execution::Unknown,
    }
}

/// True for a server error: 5xx, and 600 and above, which count as such (RFC 9110 §15).
#[must_use]
pub fn server_failed(status: StatusCode) -> bool {
    status.as_u16() >= 500
}

/// Refuses an answer whose body is in a coding: the sidecar asks for `identity`, and what is not
/// decoded must not be read as if it were.
pub(super) fn uncoded(response: &Response) -> Result<(), Error> {
    let Some(coding) = coding(&response.headers).filter(|_| !response.body.is_empty()) else {
        return Ok(());
    };
    let status = response.status;
    Err(Error::new(
        Kind::Internal,
        reason::RESPONSE_NOT_UNDERSTOOD,
        format!(
            "The upstream answered HTTP {} with a body in the coding {coding}, which the sidecar did not ask for.",
            status.as_u16()
        ),
    )
    .component(if server_failed(status) {
        Component::Gateway
    } else {
        Component::Service
    })
    .execution(execution_by(status))
    .transient(server_failed(status) || matches!(status.as_u16(), 408 | 429))
    .with(|facts| facts.http_status = Some(status.as_u16())))
}

/// The first coding of a body other than `identity`, as a plain word. `chunked` is how HTTP/1.1
/// frames a body, and not a coding of what it says.
fn coding(headers: &HeaderMap) -> Option<String> {
    let said = headers.get_all(CONTENT_ENCODING).iter();
    let said = said.chain(headers.get_all(TRANSFER_ENCODING));
    let words = said.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words
        .map(|word| {
            let word = word.trim_ascii().iter().take(20);
            let plain = word.map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(*byte),
                b'A'..=b'Z' => char::from(byte.to_ascii_lowercase()),
                _ => '?',
            });
            plain.collect::<String>()
        })
        .find(|word| !matches!(word.as_str(), "" | "identity" | "chunked"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_status_says_not_started_only_where_it_refuses() {
        for (status, expected) in [
            (101, Execution::Unknown),
            (200, Execution::Unknown),
            (204, Execution::Unknown),
            (302, Execution::NotStarted),
            (303, Execution::Unknown),
            (304, Execution::NotStarted),
            (404, Execution::NotStarted),
            (408, Execution::Unknown),
            (429, Execution::NotStarted),
            (500, Execution::Unknown),
            (599, Execution::Unknown),
            (600, Execution::Unknown),
            (999, Execution::Unknown),
        ] {
            assert_eq!(
                execution_by(StatusCode::from_u16(status).unwrap()),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn a_body_in_any_coding_is_refused_and_the_coding_named() {
        let refused = |name: http::HeaderName, value: &'static [u8], body: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
            let response = Response {
                status: StatusCode::OK,
                headers,
                body: Bytes::from_static(body),
            };
            uncoded(&response).err().map(|error| error.message.clone())
        };
        for (value, word) in [
            (&b"gzip"[..], "gzip"),
            (b"GZip", "gzip"),
            (b"identity, br", "br"),
            (b"zst<d>", "zst?d?"),
            (b"\xff", "?"),
        ] {
            let told = refused(CONTENT_ENCODING, value, b"x").unwrap();
            assert!(told.contains(&format!("the coding {word},")), "{told}");
        }
        assert!(refused(TRANSFER_ENCODING, b"gzip, chunked", b"x").is_some());
        for value in [&b""[..], b"identity", b"Identity", b" , identity"] {
            assert_eq!(refused(CONTENT_ENCODING, value, b"x"), None);
        }
        assert_eq!(refused(TRANSFER_ENCODING, b"chunked", b"x"), None);
        // Nothing is in no coding.
        assert_eq!(refused(CONTENT_ENCODING, b"gzip", b""), None);
    }
}
