//! Lists that the upstream pages by an offset, read to their end.
//!
//! What ends a list is not documented; Terraform's provider (`services/fgs`, read 2026-10) ends it
//! with an empty page, or a next marker of 0 or not beyond the one just sent. Some back ends ignore
//! the marker or the page size, and some leave out the next marker or the total. So the list goes
//! on while pages bring new items and anything speaks for more.

use std::collections::HashSet;

use super::Said;
use crate::error::{Component, Error, Execution, Kind, Result, reason};
use crate::json;
use crate::provider::status::too_many_items;

/// Most pages read of one list.
const PAGES_MAX: usize = 250;
/// Most bytes read of one list.
const BYTES_MAX: usize = 64 << 20;
/// Most empty pages in a row that name a next one and are believed.
const EMPTY_MAX: usize = 4;

/// A list while it is read.
#[derive(Debug)]
pub(in crate::provider) struct WholeList<T> {
    /// The offset to ask for.
    at: i64,
    /// Items asked for in a page.
    asked: usize,
    items: Vec<T>,
    seen: HashSet<String>,
    pages: usize,
    bytes: usize,
    empty: usize,
}

impl<T> WholeList<T> {
    /// A list that is asked for in pages of `asked` items.
    pub(in crate::provider) fn new(asked: usize) -> Self {
        Self {
            at: 0,
            asked,
            items: Vec::new(),
            seen: HashSet::new(),
            pages: 0,
            bytes: 0,
            empty: 0,
        }
    }

    /// The marker of the page to ask for.
    pub(in crate::provider) fn marker(&self) -> String {
        self.at.to_string()
    }

    /// Takes a page of `bytes` bytes in. True: another page is to be read. `id` tells items apart;
    /// an item with an empty one cannot be addressed and is left out.
    ///
    /// # Errors
    /// For a list without end, and for one of which only the first page can be had.
    pub(in crate::provider) fn take(
        &mut self,
        page: Vec<T>,
        id: impl Fn(&T) -> String,
        said: Said,
        bytes: usize,
    ) -> Result<bool> {
        self.pages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let (length, before) = (page.len(), self.seen.len());
        let mut of_page = HashSet::new();
        for item in page {
            let id = id(&item);
            of_page.insert(id.clone());
            if !id.is_empty() && self.seen.insert(id) {
                self.items.push(item);
            }
        }
        let new = self.seen.len() > before;
        let total = said.total.and_then(|total| usize::try_from(total).ok());
        let more_by_total = total.is_some_and(|total| total > self.seen.len());
        let next = said.next.filter(|next| *next > self.at);
        let following = if length == 0 {
            self.empty += 1;
            next.filter(|_| self.empty <= EMPTY_MAX)
        } else if !new {
            // The marker is ignored: the first page is all that can be had.
            if more_by_total && length >= self.asked {
                return Err(not_paged());
            }
            None
        } else {
            self.empty = 0;
            let full = length >= self.asked;
            let whole = total == Some(self.seen.len()) && !full;
            let own = i64::try_from(of_page.len())
                .ok()
                .and_then(|length| self.at.checked_add(length));
            next.or(own.filter(|_| full || more_by_total))
                .filter(|_| !whole)
        };
        let Some(at) = following else {
            return Ok(false);
        };
        if self.bytes > BYTES_MAX.min(json::largest_build()) {
            return Err(too_many_items());
        }
        if self.pages >= PAGES_MAX {
            return Err(without_end());
        }
        self.at = at;
        Ok(true)
    }

    /// The items, each once.
    pub(in crate::provider) fn into_items(self) -> Vec<T> {
        self.items
    }
}

/// More pages came than a list can have.
fn without_end() -> Error {
    unusable(
        reason::LIST_WITHOUT_END,
        "The upstream's list does not end.",
    )
}

/// The upstream answers every page with the first one, and says that there is more.
pub(super) fn not_paged() -> Error {
    unusable(
        reason::LIST_NOT_PAGED,
        "The upstream answers every page of the list with the first one, so the rest of the list cannot be read.",
    )
}

fn unusable(reason: &'static str, message: &str) -> Error {
    Error::new(Kind::Internal, reason, message)
        .component(Component::Service)
        .execution(Execution::Completed)
}

#[cfg(test)]
mod tests {
    use super::super::back_ends::{BackEnd, Cut, Next, Served, Total};
    use super::*;

    const ASKED: usize = 3;

    /// All items by what is served at a marker, and how many requests they took.
    fn read(serve: impl Fn(usize) -> Served) -> Result<(Vec<usize>, usize)> {
        let mut list = WholeList::new(ASKED);
        let mut requests = 0;
        loop {
            requests += 1;
            let Served { items, next, total } = serve(list.marker().parse().unwrap());
            if !list.take(items, usize::to_string, Said { next, total }, 100)? {
                return Ok((list.into_items(), requests));
            }
        }
    }

    #[test]
    fn every_item_comes_once_whatever_the_back_end_says() {
        // The first page is all that is to be had of a back end that ignores the marker alone.
        let cuts = Cut::ALL
            .into_iter()
            .filter(|cut| *cut != Cut::IgnoresMarker);
        for back_end in BackEnd::all(cuts, 10).filter(|back_end| back_end.total != Total::TooLarge)
        {
            if back_end.ends_early() {
                continue;
            }
            let (items, requests) = read(|at| back_end.page(at, ASKED)).unwrap();
            let all: Vec<_> = (0..back_end.count).collect();
            assert_eq!(items, all, "{back_end:?}");
            assert!(
                requests <= back_end.count + 2,
                "{requests} requests: {back_end:?}"
            );
        }
    }

    #[test]
    fn a_list_without_end_and_one_that_is_stuck_are_refused() {
        let endless = BackEnd {
            count: usize::MAX,
            cut: Cut::Honest,
            next: Next::Truth,
            total: Total::Nothing,
        };
        let stuck = BackEnd {
            count: 9,
            cut: Cut::IgnoresMarker,
            total: Total::Truth,
            ..endless
        };
        for (back_end, reason) in [(endless, "LIST_WITHOUT_END"), (stuck, "LIST_NOT_PAGED")] {
            assert_eq!(
                read(|at| back_end.page(at, ASKED)).unwrap_err().reason,
                reason
            );
        }
    }

    #[test]
    fn empty_pages_with_a_marker_end() {
        let (items, requests) = read(|at| Served {
            items: Vec::new(),
            next: i64::try_from(at + 5).ok(),
            total: Some(7),
        })
        .unwrap();
        assert_eq!(items, [0_usize; 0]);
        assert!(requests <= EMPTY_MAX + 1, "{requests}");
    }
}
