//! Asking for an activation again until it has ended.
//!
//! The record of a run appears 30–40 s after its end (LIVE, 2026-09), and a run may take 300 s:
//! until then not-found means "not yet", and a failed look is only a failed look.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Ncp;
use super::action::ActionName;
use super::errors::RECORD_NOT_FOUND;
use crate::call::{Call, Why};
use crate::error::{Error, Kind, Result};
use crate::names::NcpActivationId;
use crate::proto::*;
use crate::provider::pauses::Pauses;
use crate::provider::watch::{LOOK, WatchedRun, has_ended};

/// The longest run (300 s) and the longest lag of its record (40 s), with some room: after that,
/// not-found is true.
const BELIEVE_NOT_FOUND: Duration = Duration::from_secs(360);

/// Which record: the action, the run's id, the platform, and the encoding of its result.
pub(super) type Record<'a> = (&'a ActionName, &'a NcpActivationId, Platform, JsonEncoding);

/// Looks until the run has ended or `ends` has come; then answers what is known, which may be
/// `started` still.
pub(super) async fn until_ended(
    ncp: &Ncp,
    call: &mut Call,
    mut started: Activation,
    record: Record<'_>,
    ends: Instant,
) -> Result<Activation> {
    let (mut pauses, mut asked) = (Pauses::new(), Duration::ZERO);
    loop {
        let (now, pause) = (
            Instant::now(),
            pauses.next().max(std::mem::take(&mut asked)),
        );
        let next = now + pause;
        if next >= ends {
            sleep_until(ends).await;
            return Ok(started);
        }
        call.pauses(Why::Poll, now, pause);
        sleep_until(next).await;
        let look = timeout_at(ends, ncp.read_record(call, record, Some(LOOK)));
        let Ok(look) = look.await else {
            return Ok(started);
        };
        match look {
            Ok(activation) if has_ended(&activation) => return Ok(activation),
            Ok(_) => {}
            Err(error) if is_record_pending(&error) => {}
            Err(error) if error.transient => asked = error.retry_after.unwrap_or_default(),
            Err(error) if error.kind == Kind::DeadlineExceeded => return Ok(started),
            // The run was started and its id is known: that is the truth, and worth more than this
            // look's failure.
            Err(error) => {
                started.status_text = format!("started; its record cannot be read: {error}");
                return Ok(started);
            }
        }
    }
}

/// A run whose record is looked at.
pub(super) struct Watched<'a>(pub(super) &'a Ncp, pub(super) Record<'a>);

#[async_trait]
impl WatchedRun for Watched<'_> {
    async fn look(&mut self, call: &mut Call, watched: Duration) -> Result<Option<Activation>> {
        let Self(ncp, record) = *self;
        match ncp.read_record(call, record, Some(LOOK)).await {
            Err(error) if is_record_pending(&error) && watched < BELIEVE_NOT_FOUND => {
                Ok(Some(unseen(record.1.as_str(), record.0)))
            }
            found => found.map(Some),
        }
    }
}

/// NCP shows a record only after the end: until then the run counts as running, as the API says,
/// and the text tells the doubt.
fn unseen(id: &str, action: &ActionName) -> Activation {
    Activation {
        activation_id: id.to_owned(),
        package_name: action.package().to_owned(),
        action_name: action.name().to_owned(),
        status: ActivationStatus::Running.into(),
        status_text: "not visible yet: running, just ended, or unknown to the cloud".to_owned(),
        ..Activation::default()
    }
}

/// True when not-found may only mean that the record is not visible yet.
pub(super) fn is_record_pending(error: &Error) -> bool {
    let code = error.upstream_code.as_deref();
    error.kind == Kind::NotFound && code.is_some_and(|code| RECORD_NOT_FOUND.contains(&code))
}
