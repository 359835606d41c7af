//! Pages of records (NCP docs: getactionactivationlist, getactivationlist,
//! gettriggeractivationlist).

use prost_types::Timestamp;

use crate::call::Call;
use crate::error::{Faults, Result};
use crate::proto::Platform;
use crate::provider::lenient::times;
use crate::provider::ncp::{Ncp, time, wire};
use crate::provider::paging::{self, ListPart, Paging, Position, Said};

/// Items of a page of activations when the caller names no number; the upstream's own default.
const PAGE_DEFAULT: usize = 20;
/// Pages are numbered from 1; the documents name no largest one.
const PAGING: Paging = Paging {
    first: 1,
    numbered: true,
    max: usize::MAX,
};

/// A page of records over a fixed window: the items carry no time to continue from, so the window
/// must not move.
pub(in crate::provider::ncp) struct Window {
    from: Position,
    size: usize,
    start: Option<String>,
    end: Option<String>,
    fingerprint: u64,
}

impl Window {
    pub(in crate::provider::ncp) fn check(
        ncp: &Ncp,
        (page_size, page_token): (i32, &str),
        (start_time, end_time): (Option<Timestamp>, Option<Timestamp>),
        scope: impl std::hash::Hash,
        faults: &mut Faults,
    ) -> Option<Self> {
        let size = paging::page_size(page_size, PAGE_DEFAULT, i32::MAX as usize, faults);
        let mut value = |at: &Option<Timestamp>, field: &str| {
            let at = at.as_ref()?;
            let value = time::query_value(at, &ncp.endpoint);
            faults.require(
                value.is_some(),
                field,
                || "is not a time between 1970 and 9999.",
            );
            value
        };
        let (start, mut end) = (
            value(&start_time, "start_time"),
            value(&end_time, "end_time"),
        );
        if let (Some(start), Some(end)) = (&start_time, &end_time) {
            let ordered = (start.seconds, start.nanos) <= (end.seconds, end.nanos);
            faults.require(ordered, "end_time", || "is before start_time.");
        }
        let fingerprint = paging::fingerprint((scope, size, &start, &end));
        let text = paging::read(page_token, fingerprint, faults);
        let (from, pinned) = match text.as_deref() {
            None => (Position::start(PAGING), None),
            Some(text) => {
                let parts = text.split_once(' ').filter(|(_, end)| paging::is_time(end));
                let read =
                    parts.and_then(|(from, end)| Some((Position::parse(from)?, end.to_owned())));
                let Some((from, end)) = read else {
                    paging::foreign(faults);
                    return None;
                };
                (from, Some(end))
            }
        };
        if end.is_none() {
            let now = times::at_millis(i64::try_from(crate::clock::epoch_millis(ncp.now())).ok()?)?;
            end = pinned.or_else(|| time::query_value(&now, &ncp.endpoint));
        }
        Some(Self {
            from,
            size,
            start,
            end,
            fingerprint,
        })
    }

    fn query<'a>(&'a self, page: &'a str, size: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut query = vec![("pageNo", page), ("pageSize", size)];
        if let Some(start) = &self.start {
            query.push(("start", start.as_str()));
        }
        if let Some(end) = &self.end {
            query.push(("end", end.as_str()));
        }
        query
    }

    fn token(&self, next: &Position) -> String {
        let end = self.end.as_deref().unwrap_or_default();
        paging::write(&format!("{next} {end}"), self.fingerprint)
    }
}

impl Ncp {
    /// A page of the records below `path`, the token of the next and the upstream's total.
    pub(in crate::provider::ncp) async fn page_of_records(
        &self,
        call: &mut Call,
        path: &str,
        platform: Platform,
        window: &Window,
    ) -> Result<(Vec<wire::ActivationItem>, String, i64)> {
        let mut part = ListPart::new(PAGING, window.size, window.from.clone());
        while let Some((page, size)) = part.ask() {
            let url = self
                .endpoint
                .url(path, platform, &window.query(&page, &size));
            let response = self.get(call, url).await?;
            let list: wire::ActivationList = self.content(&response)?;
            let said = Said {
                next: None,
                total: list.total_count,
            };
            let activations = self.list(&response, list.activations)?;
            part.take(activations, said, |item| {
                item.activation_id.0.as_deref().unwrap_or_default()
            })?;
        }
        let (items, next, total) = part.finish();
        let token = next.map(|next| window.token(&next)).unwrap_or_default();
        Ok((items, token, total))
    }
}
