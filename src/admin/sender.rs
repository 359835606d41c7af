//! Who may ask for a page: programs, and people by their own browser; no page of another site.
//!
//! A site can send requests from the browser of whoever visits it, and with a name that it points
//! at 127.0.0.1 (DNS rebinding) it reads the answers too. Such requests bear the site's name as
//! `Host`, its origin as `Origin`, or say that they come from elsewhere in `Sec-Fetch-Site`.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, Request, header};

/// Why a request is refused; `None` when it is not. At an address of loopback the host must be one
/// of loopback.
pub(super) fn refusal<B>(request: &Request<B>, loopback: bool) -> Option<&'static str> {
    let headers = request.headers();
    let foreign = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "none" && site != "same-origin");
    if headers.contains_key(header::ORIGIN) || foreign {
        return Some("refused: no web page may ask for these pages\n");
    }
    if loopback && !names_loopback(request.uri().authority(), headers) {
        return Some("refused: the host must be localhost or an address of loopback\n");
    }
    None
}

/// A program of HTTP/1.0 may leave the host out; a browser never does.
fn names_loopback(target: Option<&Authority>, headers: &HeaderMap) -> bool {
    let target = target.is_none_or(|authority| is_loopback(authority.host()));
    let hosts = headers.get_all(header::HOST).iter();
    target
        && hosts.into_iter().all(|host| {
            let authority = host
                .to_str()
                .ok()
                .and_then(|host| host.parse::<Authority>().ok());
            authority.is_some_and(|authority| is_loopback(authority.host()))
        })
}

fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_and_no_web_page_are_answered() {
        let asked = |uri: &str, headers: &[(&'static str, &'static str)], loopback: bool| {
            let mut request = Request::get(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            refusal(&request.body(()).unwrap(), loopback).is_none()
        };
        for host in [
            "localhost",
            "localhost:9901",
            "LOCALHOST:1",
            "127.0.0.1:9901",
            "127.9.9.9",
            "[::1]:9901",
            "[::1]",
        ] {
            assert!(asked("/", &[("host", host)], true), "{host}");
        }
        assert!(asked("/", &[], true));
        for host in [
            "evil.example:9901",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:9901",
            "[::2]",
            "0.0.0.0:9901",
            "",
            "a b",
        ] {
            assert!(!asked("/", &[("host", host)], true), "{host}");
            assert!(asked("/", &[("host", host)], false), "{host}");
        }
        assert!(!asked(
            "/",
            &[("host", "localhost"), ("host", "evil.example")],
            true
        ));
        assert!(!asked(
            "http://evil.example/",
            &[("host", "localhost")],
            true
        ));
        for (name, value) in [
            ("origin", "http://localhost:9901"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            for loopback in [true, false] {
                assert!(
                    !asked("/", &[("host", "localhost"), (name, value)], loopback),
                    "{name}: {value}"
                );
            }
        }
        assert!(asked(
            "/",
            &[("host", "localhost"), ("sec-fetch-site", "none")],
            true
        ));
    }
}
