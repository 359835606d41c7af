//! Watching a run: a look from time to time, until it has ended.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::Observer;
use super::pauses::{Pauses, not_over_yet};
use crate::call::{Call, Why};
use crate::error::{Kind, Result};
use crate::proto::{Activation, ActivationStatus};

/// One look is given up after this: a record is read in milliseconds, and another look may fare
/// better.
pub(super) const LOOK: Duration = Duration::from_secs(15);

/// A run that can be looked at.
#[async_trait]
pub(super) trait WatchedRun: Send {
    /// What is known of the run, if anything; it has been watched for so long.
    async fn look(&mut self, call: &mut Call, watched: Duration) -> Result<Option<Activation>>;
}

/// Reports each change of what is known, until the run has ended, the caller has gone, or its time
/// is over.
pub(super) async fn watch(
    call: &mut Call,
    mut run: impl WatchedRun,
    observer: Observer<'_>,
) -> Result<()> {
    let (mut pauses, began, mut last) = (Pauses::new(), Instant::now(), None);
    loop {
        let mut asked = Duration::ZERO;
        let state = match run.look(call, began.elapsed()).await {
            Ok(state) => state,
            // A failed look says nothing of the run.
            Err(error) if error.transient && !call.remaining().is_zero() => {
                asked = error.retry_after.unwrap_or_default();
                None
            }
            Err(error) if error.kind == Kind::DeadlineExceeded => return Err(not_over_yet()),
            Err(error) => return Err(error),
        };
        if let Some(state) = state {
            let (status, over) = (state.status, has_ended(&state));
            if (last.replace(status) != Some(status) && !observer(state)) || over {
                return Ok(());
            }
        }
        let (now, pause) = (Instant::now(), pauses.next().max(asked));
        let next = now + pause;
        if next >= call.deadline {
            return Err(not_over_yet());
        }
        call.pauses(Why::Poll, now, pause);
        sleep_until(next).await;
    }
}

pub(super) fn has_ended(activation: &Activation) -> bool {
    !matches!(
        activation.status(),
        ActivationStatus::Running | ActivationStatus::Queued
    )
}
