//! The pages that change something: `/loglevel` for a while, `/quitquitquit` for good.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Notify;
use tracing::info;
use url::form_urlencoded;

use super::page;
use crate::telemetry::log::{LEVELS, Level};

/// How long a changed level holds when the request does not say.
const DEFAULT_HOLD: Duration = Duration::from_secs(600);
/// How long it may hold.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

/// What the pages may change.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// The log's level; `None` when the process has no log of ours.
    pub level: Option<Level>,
    /// Woken when the process is to end; `None` when no page may end it.
    pub quit: Option<Arc<Notify>>,
}

impl Control {
    /// The answer, if the request is for one of these pages.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let (method, uri) = (request.method(), request.uri());
        match uri.path() {
            "/loglevel" => Some(match (&self.level, method) {
                (None, _) => page(
                    StatusCode::NOT_FOUND,
                    "text/plain",
                    "this process has no log of its own\n",
                ),
                (Some(level), &(Method::GET | Method::HEAD)) => shown(level),
                (Some(level), &Method::PUT) => change(level, uri.query().unwrap_or_default()),
                _ => refused("use GET, or PUT with ?level=debug&duration=10m\n"),
            }),
            "/quitquitquit" => Some(match (&self.quit, method) {
                (None, _) => page(
                    StatusCode::NOT_FOUND,
                    "text/plain",
                    "off: set admin_quit: true\n",
                ),
                (Some(quit), &Method::POST) => {
                    info!("an admin request ends the process");
                    quit.notify_one();
                    page(StatusCode::OK, "text/plain", "draining\n")
                }
                _ => refused("use POST\n"),
            }),
            _ => None,
        }
    }
}

fn change(level: &Level, query: &str) -> Response<Full<Bytes>> {
    let (mut wanted, mut hold) = (None, DEFAULT_HOLD);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "level" => wanted = Some(value.into_owned()),
            "duration" => match duration(&value) {
                Some(duration) => hold = duration,
                None => {
                    return wrong(
                        "duration is a whole number of s, m or h, from 1s to 24h, such as 10m\n",
                    );
                }
            },
            _ => return wrong("the parameters are level and duration\n"),
        }
    }
    match wanted {
        Some(wanted) if level.change(&wanted, hold) => shown(level),
        _ => wrong(&format!("level is one of {}\n", LEVELS.join(", "))),
    }
}

/// `90s`, `10m`, `2h`.
fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    let duration = Duration::from_secs(number.checked_mul(seconds)?);
    (Duration::from_secs(1)..=LONGEST_HOLD)
        .contains(&duration)
        .then_some(duration)
}

fn shown(level: &Level) -> Response<Full<Bytes>> {
    let shown = level.shown();
    let document = serde_json::json!({
        "level": shown.level,
        "configured": shown.configured,
        "reverts_in_seconds": shown.reverts_in.map(|left| left.as_secs()),
    });
    page(StatusCode::OK, "application/json", &format!("{document}\n"))
}

fn wrong(why: &str) -> Response<Full<Bytes>> {
    page(StatusCode::BAD_REQUEST, "text/plain", why)
}

fn refused(why: &str) -> Response<Full<Bytes>> {
    page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_and_bounded() {
        for (text, expected) in [
            ("1s", Some(1)),
            ("10m", Some(600)),
            ("24h", Some(86_400)),
            ("0s", None),
            ("25h", None),
            ("1.5h", None),
            ("10", None),
            ("", None),
            ("é", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(
                duration(text).map(|hold| hold.as_secs()),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn only_what_is_switched_on_answers() {
        let request = |method: Method| {
            let request = Request::builder().method(method).uri("/quitquitquit");
            request.body(()).unwrap()
        };
        let status = |control: &Control, request: &Request<()>| {
            control.answer(request).unwrap().status().as_u16()
        };
        let off = Control::default();
        assert_eq!(status(&off, &request(Method::POST)), 404);
        let on = Control {
            quit: Some(Arc::default()),
            ..Control::default()
        };
        assert_eq!(status(&on, &request(Method::GET)), 405);
        assert_eq!(status(&on, &request(Method::POST)), 200);
        let other = Request::builder().uri("/livez").body(()).unwrap();
        assert!(on.answer(&other).is_none());
    }
}
