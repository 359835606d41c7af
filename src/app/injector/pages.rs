//! What the webhook answers to each request: a review, or a clear word on why there is none.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::Shared;
use crate::inject::{MAX_BODY, Verdict, review};

/// A request that has not come whole by then is refused; the API server waits 30 s at most.
const BODY: Duration = Duration::from_secs(10);

/// Bytes of each body that need no room of their own: an ordinary pod is answered whatever large
/// ones do.
const SMALL: usize = 32 << 10;
/// Bytes of all bodies together beyond [`SMALL`] each.
pub(super) const ROOM: usize = 8 << 20;
/// After so many seconds a caller that found no room may ask again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A status, and one sentence.
type Refusal = (StatusCode, String);

pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/inject" => match reviewed(request, shared).await {
            Ok(body) => response(StatusCode::OK, JSON, body),
            Err((status, why)) => {
                warn!(
                    status = status.as_u16(),
                    "a request cannot be answered: {why}"
                );
                let mut refused = response(status, TEXT, format!("{why}\n").into());
                let (name, value) = match status {
                    StatusCode::METHOD_NOT_ALLOWED => {
                        (header::ALLOW, HeaderValue::from_static("POST"))
                    }
                    StatusCode::SERVICE_UNAVAILABLE => (header::RETRY_AFTER, RETRY_AFTER),
                    _ => return refused,
                };
                refused.headers_mut().insert(name, value);
                refused
            }
        },
        "/livez" | "/readyz" if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "use GET\n".into());
            refused
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
        "/readyz" if shared.leaving.load(Ordering::Relaxed) => response(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            "stopping: the process is shutting down\n".into(),
        ),
        "/livez" | "/readyz" => response(StatusCode::OK, TEXT, "ok\n".into()),
        _ => response(
            StatusCode::NOT_FOUND,
            TEXT,
            "pages: /inject /livez /readyz\n".into(),
        ),
    }
}

async fn reviewed(request: Request<Incoming>, shared: &Shared) -> Result<Bytes, Refusal> {
    if request.method() != Method::POST {
        return Err((
            StatusCode::METHOD_NOT_ALLOWED,
            "use POST, with an AdmissionReview".to_owned(),
        ));
    }
    let media = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send application/json".to_owned(),
        ));
    }
    let (body, _held) = read(request.into_body(), &shared.room).await?;
    let template = shared.template.load_full();
    let answered =
        review(&body, &template).map_err(|refused| (StatusCode::BAD_REQUEST, refused.message))?;
    let (namespace, pod) = (answered.namespace.as_str(), answered.name.as_str());
    match &answered.verdict {
        Verdict::Injected => info!(namespace, pod, "sidecar added"),
        Verdict::Denied(why) => warn!(namespace, pod, "denied: {why}"),
        Verdict::Already => debug!(namespace, pod, "has its sidecar already"),
        Verdict::NotAsked => debug!(namespace, pod, "does not ask"),
        Verdict::NotAPod => warn!(
            namespace,
            "asked about something else than a new pod; correct the webhook's rules"
        ),
    }
    Ok(answered.body.into())
}

/// The whole body, and the room that it takes while it is held.
async fn read(
    body: Incoming,
    room: &Semaphore,
) -> Result<(Bytes, Vec<SemaphorePermit<'_>>), Refusal> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    match timeout(BODY, collect(body, room)).await {
        Ok(read) => read,
        Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not come within {} s", BODY.as_secs()),
        )),
    }
}

async fn collect(
    mut body: Incoming,
    room: &Semaphore,
) -> Result<(Bytes, Vec<SemaphorePermit<'_>>), Refusal> {
    let (mut bytes, mut held) = (BytesMut::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|why| {
            (
                StatusCode::BAD_REQUEST,
                format!("the body broke off ({why})"),
            )
        })?;
        // Trailers say nothing to a webhook.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let (before, after) = (bytes.len().max(SMALL), bytes.len() + data.len());
        if after > MAX_BODY {
            return Err(too_large());
        }
        let more = u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX);
        if more > 0 {
            held.push(room.try_acquire_many(more).map_err(|_| no_room())?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), held))
}

fn too_large() -> Refusal {
    let why = format!("the body is larger than {} MiB", MAX_BODY >> 20);
    (StatusCode::PAYLOAD_TOO_LARGE, why)
}

fn no_room() -> Refusal {
    let why = format!(
        "too many large requests at once, more than {} MiB together; ask again",
        ROOM >> 20
    );
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

fn response(status: StatusCode, media: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}
