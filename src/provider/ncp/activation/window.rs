//! Pages of records (NCP docs: getactionactivationlist, getactivationlist, gettriggeractivationlist).

use prost_types::Timestamp;

use crate::error::Faults;
use crate::provider::lenient::times;
use crate::provider::ncp::{Ncp, time, wire};
use crate::provider::paging;

/// Items of a page of activations when the caller names no number; the upstream's own default.
const PAGE_DEFAULT: usize = 20;

/// A page of records over a fixed window: the items carry no time to continue from, so the window must not move.
pub(in crate::provider::ncp) struct Window {
    page: usize,
    size: usize,
    page_text: String,
    size_text: String,
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
            faults.require(value.is_some(), field, || "is not a time between 1970 and 9999.");
            value
        };
        let (start, mut end) = (value(&start_time, "start_time"), value(&end_time, "end_time"));
        if let (Some(start), Some(end)) = (&start_time, &end_time) {
            let ordered = (start.seconds, start.nanos) <= (end.seconds, end.nanos);
            faults.require(ordered, "end_time", || "is before start_time.");
        }
        let fingerprint = paging::fingerprint((scope, size, &start, &end));
        let position = paging::read(page_token, fingerprint, faults);
        let (page, pinned) = match position.as_deref().map(|position| position.split_once(' ')) {
            // Tokens pass through callers' hands, and their parts go into a URL.
            Some(Some((page, pinned)))
                if page.parse::<u32>().is_ok()
                    && pinned
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || b"-:T".contains(&byte)) =>
            {
                (page.parse().unwrap_or(1), Some(pinned.to_owned()))
            }
            Some(_) => {
                faults.add(
                    "page_token",
                    "was not made by this sidecar; leave it empty for the first page.",
                );
                (1, None)
            }
            None => (1, None),
        };
        if end.is_none() {
            let now = times::at_millis(i64::try_from(crate::clock::epoch_millis(ncp.now())).ok()?)?;
            end = pinned.or_else(|| time::query_value(&now, &ncp.endpoint));
        }
        let (page_text, size_text) = (page.to_string(), size.to_string());
        Some(Self {
            page,
            size,
            page_text,
            size_text,
            start,
            end,
            fingerprint,
        })
    }

    pub(in crate::provider::ncp) fn query(&self) -> Vec<(&'static str, &str)> {
        let mut query = vec![
            ("pageNo", self.page_text.as_str()),
            ("pageSize", self.size_text.as_str()),
        ];
        if let Some(start) = &self.start {
            query.push(("start", start.as_str()));
        }
        if let Some(end) = &self.end {
            query.push(("end", end.as_str()));
        }
        query
    }

    /// The total and the token of the next page.
    pub(in crate::provider::ncp) fn rest(&self, list: &wire::ActivationList) -> (i64, String) {
        let seen = self
            .page
            .saturating_sub(1)
            .saturating_mul(self.size)
            .saturating_add(list.activations.len());
        let total = list.total_count.filter(|total| *total >= 0);
        let more = match total.and_then(|total| usize::try_from(total).ok()) {
            Some(total) => !list.activations.is_empty() && seen < total,
            None => list.activations.len() >= self.size,
        };
        let token = if more {
            let position = format!(
                "{} {}",
                self.page.saturating_add(1),
                self.end.as_deref().unwrap_or_default()
            );
            paging::write(&position, self.fingerprint)
        } else {
            String::new()
        };
        (total.unwrap_or(0), token)
    }
}
