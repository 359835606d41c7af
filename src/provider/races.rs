//! What a refusal means that is not the whole truth: an earlier attempt, or somebody else, came
//! first. One rule for all providers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pauses::Pauses;
use crate::call::{Call, Why};
use crate::error::{Component, Error, Execution, Kind};

/// How often a put looks again because the resource was made or deleted in between.
pub(super) const ROUNDS: usize = 3;
/// A new resource may not be visible at once. INFERRED: it is within this time.
const VISIBLE_WITHIN: Duration = Duration::from_secs(30);

/// True when a delete that was refused as not found is done all the same: an earlier attempt may
/// have carried it out, and the functions service itself says that there is nothing any more. A 404
/// without the service's code may come from a proxy and proves nothing.
pub(super) fn is_deleted(error: &Error) -> bool {
    error.kind == Kind::NotFound
        && error.execution != Execution::NotStarted
        && error.component == Component::Service
        && error.upstream_code.is_some()
}

/// True when a creation was refused because the name is taken.
pub(super) fn is_taken(error: &Error) -> bool {
    error.kind == Kind::AlreadyExists || error.http_status == Some(409)
}

/// Waits for a new resource to become visible.
pub(super) struct Visibility {
    began: Instant,
    pauses: Pauses,
}

impl Visibility {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            pauses: Pauses::new(),
        }
    }

    /// Pauses before another look. False: it was waited long enough, or the call's time is nearly
    /// over.
    pub(super) async fn pause(&mut self, call: &mut Call) -> bool {
        let (now, pause) = (Instant::now(), self.pauses.next());
        if self.began.elapsed() + pause > VISIBLE_WITHIN || call.remaining() <= pause {
            return false;
        }
        call.pauses(Why::Poll, now, pause);
        sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_services_own_word_after_an_attempt_of_unknown_outcome_means_deleted() {
        let gone = Error::new(Kind::NotFound, "ACTION_NOT_FOUND", "gone")
            .component(Component::Service)
            .execution(Execution::Unknown)
            .with(|facts| facts.upstream_code = Some("80301".to_owned()));
        assert!(is_deleted(&gone));
        assert!(!is_deleted(&gone.clone().execution(Execution::NotStarted)));
        assert!(!is_deleted(&gone.clone().component(Component::Gateway)));
        assert!(!is_deleted(
            &gone.clone().with(|facts| facts.upstream_code = None)
        ));
        assert!(!is_deleted(
            &gone.with(|facts| facts.kind = Kind::Unavailable)
        ));
    }
}
