//! Lists that the upstream pages by an offset, read to their end.
//!
//! What ends a list is not documented; Terraform's provider (`services/fgs`, read 2026-10) ends it with an empty page, or
//! a next marker of 0 or not beyond the one just sent. Some back ends ignore the marker or the page size, and some leave
//! out the next marker or the total. So the list goes on while pages bring new items and anything speaks for more.

use std::collections::HashSet;

use super::Said;
use crate::error::{Component, Error, Execution, Kind, Result};

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

    /// Takes a page of `bytes` bytes in. True: another page is to be read. `id` tells items apart; an item with an empty
    /// one cannot be addressed and is left out.
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
            next.or(own.filter(|_| full || more_by_total)).filter(|_| !whole)
        };
        let Some(at) = following else {
            return Ok(false);
        };
        if self.pages >= PAGES_MAX || self.bytes > BYTES_MAX {
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
    unusable("LIST_WITHOUT_END", "The upstream's list does not end.")
}

/// The upstream answers every page with the first one, and says that there is more.
pub(super) fn not_paged() -> Error {
    unusable(
        "LIST_NOT_PAGED",
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
    use super::*;

    const ASKED: usize = 3;

    /// A back end of `count` items by what it does with marker and size, and what it says.
    struct BackEnd {
        count: usize,
        page: fn(at: usize, size: usize, count: usize) -> std::ops::Range<usize>,
        next: fn(at: usize, end: usize) -> Option<i64>,
        total: fn(length: usize, count: usize) -> Option<i64>,
    }

    fn honest(at: usize, size: usize, count: usize) -> std::ops::Range<usize> {
        at.min(count)..(at + size).min(count)
    }

    fn read(back_end: &BackEnd) -> Result<(Vec<usize>, usize)> {
        let mut list = WholeList::new(ASKED);
        let mut requests = 0;
        loop {
            requests += 1;
            let at: usize = list.marker().parse().unwrap();
            let range = (back_end.page)(at, ASKED, back_end.count);
            let said = Said {
                next: (back_end.next)(at, range.end),
                total: (back_end.total)(range.len(), back_end.count),
            };
            if !list.take(range.collect(), usize::to_string, said, 100)? {
                return Ok((list.into_items(), requests));
            }
        }
    }

    /// Which items a back end answers: the marker, the size asked for and how many there are.
    type Pages = fn(usize, usize, usize) -> std::ops::Range<usize>;

    #[test]
    fn every_item_comes_once_whatever_the_back_end_says() {
        let pages: [Pages; 5] = [
            honest,
            // Ignores marker and size.
            |_, _, count| 0..count,
            // Ignores the size.
            |at, _, count| at.min(count)..count,
            // One more than asked.
            |at, size, count| honest(at, size + 1, count),
            // Repeats the last item.
            |at, size, count| honest(at.saturating_sub(1), size, count),
        ];
        let nexts: [fn(usize, usize) -> Option<i64>; 4] = [
            |_, end| i64::try_from(end).ok(),
            |_, _| None,
            |_, _| Some(0),
            |at, _| i64::try_from(at).ok(),
        ];
        let totals: [fn(usize, usize) -> Option<i64>; 3] = [
            |_, count| i64::try_from(count).ok(),
            |_, _| None,
            // The items of this page.
            |length, _| i64::try_from(length).ok(),
        ];
        for (p, page) in pages.into_iter().enumerate() {
            for (n, next) in nexts.into_iter().enumerate() {
                for (t, total) in totals.into_iter().enumerate() {
                    for count in 0..=10 {
                        let back_end = BackEnd {
                            count,
                            page,
                            next,
                            total,
                        };
                        let (items, requests) = read(&back_end).unwrap();
                        let all: Vec<_> = (0..count).collect();
                        assert_eq!(items, all, "page {p} next {n} total {t} of {count}");
                        assert!(requests <= count + 2, "{requests} requests for {count}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_back_end_with_small_pages_of_its_own_is_read_to_the_end() {
        let back_end = BackEnd {
            count: 7,
            page: |at, _, count| honest(at, 2, count),
            next: |_, end| i64::try_from(end).ok(),
            total: |_, _| None,
        };
        assert_eq!(read(&back_end).unwrap().0.len(), 7);
    }

    #[test]
    fn a_list_without_end_and_one_that_is_stuck_are_refused() {
        let endless = BackEnd {
            count: usize::MAX,
            page: honest,
            next: |_, end| i64::try_from(end).ok(),
            total: |_, _| None,
        };
        let stuck = BackEnd {
            count: 9,
            page: |_, size, _| 0..size,
            next: |_, _| Some(3),
            total: |_, count| i64::try_from(count).ok(),
        };
        assert_eq!(read(&endless).unwrap_err().reason, "LIST_WITHOUT_END");
        assert_eq!(read(&stuck).unwrap_err().reason, "LIST_NOT_PAGED");
    }

    #[test]
    fn empty_pages_with_a_marker_end() {
        let back_end = BackEnd {
            count: 0,
            page: honest,
            next: |at, _| i64::try_from(at + 5).ok(),
            total: |_, _| Some(7),
        };
        let (items, requests) = read(&back_end).unwrap();
        assert_eq!(items, [0_usize; 0]);
        assert!(requests <= EMPTY_MAX + 1, "{requests}");
    }
}
