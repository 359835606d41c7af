//! The window of time that a list of records looks at, kept over its pages.

use prost_types::Timestamp;

use super::{PAGE_DEFAULT, PAGE_MAX, PAGING, WINDOW_DEFAULT_S};
use crate::error::Faults;
use crate::proto::ListActivationsRequest;
use crate::provider::functiongraph::time;
use crate::provider::paging::{self, Position};

/// A page of records over a fixed window: its marker is an offset, so the window must not move
/// between two pages.
pub(super) struct Window {
    pub(super) from: Position,
    pub(super) size: usize,
    pub(super) begin: Option<String>,
    pub(super) end: Option<String>,
    fingerprint: u64,
}

impl Window {
    pub(super) fn parse(request: &ListActivationsRequest, faults: &mut Faults) -> Option<Self> {
        let size = paging::page_size(request.page_size, PAGE_DEFAULT, PAGE_MAX, faults);
        let mut value = |at: &Option<Timestamp>, field: &str| {
            let at = at.as_ref()?;
            faults.require(at.nanos == 0, field, || "must be whole seconds.");
            let value = time::query_value(at);
            faults.require(
                value.is_some(),
                field,
                || "is not a time between 1970 and 9999.",
            );
            value
        };
        let (begin, end) = (
            value(&request.start_time, "start_time"),
            value(&request.end_time, "end_time"),
        );
        if let (Some(start), Some(end)) = (&request.start_time, &request.end_time) {
            faults.require(
                start.seconds <= end.seconds,
                "end_time",
                || "is before start_time.",
            );
        }
        let scope = (
            &request.package_name,
            &request.action_name,
            size,
            &begin,
            &end,
        );
        let fingerprint = paging::fingerprint(scope);
        let Some(text) = paging::read(&request.page_token, fingerprint, faults) else {
            // The first page leaves to the cloud what the caller left open: a clock that is behind
            // hides nothing then.
            return Some(Self {
                from: Position::start(PAGING),
                size,
                begin,
                end,
                fingerprint,
            });
        };
        let mut parts = text.split(' ');
        let from = parts.next().and_then(Position::parse);
        let mut time = || {
            parts
                .next()
                .filter(|text| paging::is_time(text))
                .map(ToOwned::to_owned)
        };
        let (begin, end) = (time(), time());
        let (Some(from), Some(_), Some(_), None) = (from, &begin, &end, parts.next()) else {
            paging::foreign(faults);
            return None;
        };
        Some(Self {
            from,
            size,
            begin,
            end,
            fingerprint,
        })
    }

    /// `now` is the cloud's time, so many seconds later.
    pub(super) fn token(&self, next: &Position, now: impl Fn(i64) -> Timestamp) -> String {
        let end = self
            .end
            .clone()
            .or_else(|| time::query_value(&now(0)))
            .unwrap_or_default();
        let begin = self
            .begin
            .clone()
            .or_else(|| time::query_value(&now(-WINDOW_DEFAULT_S)))
            .unwrap_or_default();
        paging::write(&format!("{next} {begin} {end}"), self.fingerprint)
    }
}
