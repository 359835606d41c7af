//! Pages that the upstream cuts itself, for lists that are too long to be read whole.
//!
//! The upstream is not believed. A token remembers the first item of the list and the last one
//! given: a later page that holds the first one shows that the upstream ignores the marker, and
//! what lies before the last one given is a repetition. Where the upstream's signs of a next page
//! contradict each other, the next page is looked at before a token is given.

use std::collections::HashSet;
use std::fmt;

use super::whole::not_paged;
use super::{Said, fingerprint, once};
use crate::error::Result;

/// How an upstream numbers the pages of a list.
#[derive(Clone, Copy, Debug)]
pub(in crate::provider) struct Paging {
    /// What the first page is called: the offset 0, or the page number 1.
    pub(in crate::provider) first: i64,
    /// True: pages are numbered. False: they are called by the offset of their first item, or by
    /// the upstream's own next marker.
    pub(in crate::provider) numbered: bool,
    /// Most items that may be asked for in a page.
    pub(in crate::provider) max: usize,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::provider) struct Position {
    /// The marker or page number to ask for.
    at: i64,
    /// How many items were given before.
    given: usize,
    /// Fingerprints of the ids of the list's first item and of the last one given.
    first: u64,
    last: u64,
    /// The upstream ignores the marker: its first page is cut here.
    stuck: bool,
}

/// Most empty pages in a row that name a next one and are believed.
const EMPTY_MAX: usize = 4;

/// A page while it is read: [`ask`](Self::ask), then [`take`](Self::take), until nothing more is to
/// be asked.
#[derive(Debug)]
pub(in crate::provider) struct ListPart<T> {
    paging: Paging,
    size: usize,
    from: Position,
    step: Step,
    page: Vec<T>,
    next: Option<Position>,
    total: Option<i64>,
    empty: usize,
}

#[derive(Debug)]
enum Step {
    /// The page itself.
    Page,
    /// The page after it, which this position would give.
    Following(Position),
    /// The first page, as large as this one's end needs.
    FromTheStart,
    Done,
}

impl Position {
    /// The first page.
    pub(in crate::provider) fn start(paging: Paging) -> Self {
        Self {
            at: paging.first,
            given: 0,
            first: 0,
            last: 0,
            stuck: false,
        }
    }

    /// Reads what [`fmt::Display`] wrote; none for anything else.
    pub(in crate::provider) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut part = || parts.next();
        let position = Self {
            at: part()?.parse().ok().filter(|at| *at >= 0)?,
            given: part()?.parse().ok()?,
            first: u64::from_str_radix(part()?, 16).ok()?,
            last: u64::from_str_radix(part()?, 16).ok()?,
            stuck: match part()? {
                "0" => false,
                "1" => true,
                _ => return None,
            },
        };
        (part().is_none() && position.to_string() == text).then_some(position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            given,
            first,
            last,
            stuck,
        } = self;
        write!(f, "{at}.{given}.{first:x}.{last:x}.{}", u8::from(*stuck))
    }
}

impl<T> ListPart<T> {
    /// A page of `size` items from there on.
    pub(in crate::provider) fn new(paging: Paging, size: usize, from: Position) -> Self {
        let step = if from.stuck {
            Step::FromTheStart
        } else {
            Step::Page
        };
        Self {
            paging,
            size,
            from,
            step,
            page: Vec::new(),
            next: None,
            total: None,
            empty: 0,
        }
    }

    /// What to ask the upstream for, as marker (or page number) and size; none when the page is
    /// complete.
    pub(in crate::provider) fn ask(&self) -> Option<(String, String)> {
        let (at, size) = match &self.step {
            Step::Page => (self.from.at, self.size),
            Step::Following(next) => (next.at, self.size),
            Step::FromTheStart => (self.paging.first, self.reach_of_the_start()),
            Step::Done => return None,
        };
        Some((at.to_string(), size.to_string()))
    }

    /// Takes the upstream's answer in. `id` tells items apart.
    ///
    /// # Errors
    /// For a list of which only the first page can be had.
    pub(in crate::provider) fn take(
        &mut self,
        items: Vec<T>,
        said: Said,
        id: impl Fn(&T) -> &str,
    ) -> Result<()> {
        let length = items.len();
        let items = once(items, &id);
        let keys: Vec<u64> = items.iter().map(|item| fingerprint(id(item))).collect();
        match std::mem::replace(&mut self.step, Step::Done) {
            Step::Page => {
                self.total = said.total;
                self.take_page(items, &keys, length, said)
            }
            Step::Following(next) => {
                let known: HashSet<u64> =
                    self.page.iter().map(|item| fingerprint(id(item))).collect();
                let stuck = keys.contains(&next.first);
                if !stuck && keys.iter().any(|key| !known.contains(key)) {
                    self.next = Some(next);
                } else if stuck && self.page.len() >= self.size {
                    // The upstream ignores the marker; whether it has more shows when it is asked
                    // for more at once.
                    self.step = Step::FromTheStart;
                }
                Ok(())
            }
            Step::FromTheStart => {
                self.total = self.total.or(said.total);
                self.take_reach_of_the_start(items, &keys, said)
            }
            Step::Done => Ok(()),
        }
    }

    /// The page, the position of the next one if there is one, and the upstream's total.
    pub(in crate::provider) fn finish(self) -> (Vec<T>, Option<Position>, i64) {
        (
            self.page,
            self.next,
            self.total.filter(|total| *total >= 0).unwrap_or(0),
        )
    }

    fn take_page(&mut self, items: Vec<T>, keys: &[u64], length: usize, said: Said) -> Result<()> {
        let later = self.from.given > 0;
        if later && keys.contains(&self.from.first) {
            // The upstream ignores the marker.
            let enough = keys.len() > self.from.given.saturating_add(self.size);
            let all = length < self.size;
            if enough || all {
                return self.take_reach_of_the_start(items, keys, said);
            }
            self.step = Step::FromTheStart;
            return Ok(());
        }
        let repeated = if later {
            keys.iter()
                .rposition(|key| *key == self.from.last)
                .map_or(0, |at| at + 1)
        } else {
            0
        };
        let left = keys.len() - repeated;
        self.page = items.into_iter().skip(repeated).take(self.size).collect();
        let keys = &keys[repeated..][..self.page.len()];
        if left > self.size {
            // The upstream ignores the size. It is asked for the same page again, and what was
            // given is skipped.
            self.next = self.after(self.from.at, keys, false);
            return Ok(());
        }
        let named = said
            .next
            .filter(|next| !self.paging.numbered && *next > self.from.at);
        if let (0, Some(next)) = (length, named) {
            self.empty += 1;
            if self.empty <= EMPTY_MAX {
                self.from.at = next;
                self.step = Step::Page;
            }
            return Ok(());
        }
        let (Some(at), false) = (
            named.or_else(|| self.own_next(left + repeated)),
            keys.is_empty(),
        ) else {
            return Ok(());
        };
        let given = self.from.given + left;
        let full = length >= self.size;
        let distinct = left + repeated == length;
        let total = said.total.and_then(|total| usize::try_from(total).ok());
        let more = match total {
            Some(total) if total > given && full && distinct => Some(true),
            Some(total) if total > given => None,
            // A total that is the page's own says nothing of the list.
            Some(total) if total == given && !(full && total == length) => Some(false),
            _ if full || named.is_some() => None,
            _ => Some(false),
        };
        let next = self.after(at, keys, false);
        match (more, next) {
            (Some(true), next) => self.next = next,
            (None, Some(next)) => self.step = Step::Following(next),
            _ => {}
        }
        Ok(())
    }

    /// The same page, cut out of the upstream's first one.
    fn take_reach_of_the_start(&mut self, items: Vec<T>, keys: &[u64], said: Said) -> Result<()> {
        let given = self.from.given;
        let asked = self.reach_of_the_start();
        let total = said.total.and_then(|total| usize::try_from(total).ok());
        // More cannot be asked for, and there is more.
        let kept_back = asked == self.paging.max
            && keys.len() >= asked
            && total.is_none_or(|total| total > keys.len());
        let page: Vec<T> = items.into_iter().skip(given).take(self.size).collect();
        if page.is_empty() {
            return if kept_back && self.page.is_empty() {
                Err(not_paged())
            } else {
                Ok(())
            };
        }
        let end = given + page.len();
        if keys.len() > end || kept_back {
            self.next = self.after(self.paging.first, &keys[given..end], true);
        }
        self.page = page;
        Ok(())
    }

    /// How many items of the list's start show whether there is an item after this page.
    fn reach_of_the_start(&self) -> usize {
        let needed = self.from.given.saturating_add(self.size).saturating_add(1);
        needed.min(self.paging.max)
    }

    /// What the page after one of so many different items is called, where the upstream does not
    /// say.
    fn own_next(&self, length: usize) -> Option<i64> {
        let step = if self.paging.numbered {
            1
        } else {
            i64::try_from(length).ok()?
        };
        self.from.at.checked_add(step)
    }

    /// The position after a page of these items.
    fn after(&self, at: i64, keys: &[u64], stuck: bool) -> Option<Position> {
        Some(Position {
            at,
            given: self.from.given + keys.len(),
            first: if self.from.given == 0 {
                *keys.first()?
            } else {
                self.from.first
            },
            last: *keys.last()?,
            stuck,
        })
    }
}

#[cfg(test)]
mod tests;
