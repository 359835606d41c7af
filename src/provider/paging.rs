//! Pages of lists: each item once, no page larger than asked, and an end, whatever the upstream
//! does with its own paging.
//!
//! Three parts. [`Page`] cuts a list that is read whole. [`WholeList`] reads a list whole that the
//! upstream pages. [`ListPart`] passes on the upstream's own pages, for lists that are too long to
//! be read whole.
//!
//! A page token is opaque to callers. It holds the position and a fingerprint of the request it
//! continues, so that a token used with other fields is refused instead of answering the wrong
//! page.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Faults;

#[cfg(test)]
#[allow(unreachable_pub, reason = "the tests at the gRPC seam take it in, too")]
mod back_ends;
mod part;
mod whole;

pub(super) use part::{ListPart, Paging, Position};
pub(super) use whole::WholeList;

/// What an upstream's page says of its list; nothing of it is relied on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// Where the next page begins.
    pub(super) next: Option<i64>,
    /// How many items the list has.
    pub(super) total: Option<i64>,
}

/// Most items a page holds of a list that is read whole: NCP's own limit of items (NCP guide:
/// cloudfunctions-spec).
const MAX_PAGE: usize = 500;

/// A page of a list that the upstream answers whole.
#[derive(Debug)]
pub(super) struct Page {
    size: usize,
    after: Option<String>,
    fingerprint: u64,
}

impl Page {
    /// Reads `page_size` and `page_token`; `scope` names what is listed.
    pub(super) fn parse(size: i32, token: &str, scope: impl Hash, faults: &mut Faults) -> Self {
        let fingerprint = fingerprint(scope);
        let after = read(token, fingerprint, faults);
        Self {
            size: page_size(size, MAX_PAGE, MAX_PAGE, faults),
            after,
            fingerprint,
        }
    }

    /// This page of `items`, in the order of their names, and the token of the next.
    ///
    /// The position is a name, so items that come or go between two pages neither repeat nor hide
    /// others. Of several items with one name the first counts.
    pub(super) fn take<T>(&self, mut items: Vec<T>, name: impl Fn(&T) -> &str) -> (Vec<T>, String) {
        items.sort_by(|a, b| name(a).cmp(name(b)));
        items.dedup_by(|later, kept| name(later) == name(kept));
        if let Some(after) = &self.after {
            items.retain(|item| name(item) > after.as_str());
        }
        let more = items.len() > self.size;
        items.truncate(self.size);
        let next = match items.last() {
            Some(last) if more => write(name(last), self.fingerprint),
            _ => String::new(),
        };
        (items, next)
    }
}

/// A page size: 0 = `default`, more than `max` = `max`.
pub(super) fn page_size(asked: i32, default: usize, max: usize, faults: &mut Faults) -> usize {
    match usize::try_from(asked) {
        Ok(0) => default,
        Ok(size) => size.min(max),
        Err(_) => {
            faults.add(
                "page_size",
                format!("is {asked}; use 0 for the default, or 1 to {max}."),
            );
            default
        }
    }
}

/// What a token belongs to.
pub(super) fn fingerprint(scope: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    scope.hash(&mut hasher);
    hasher.finish()
}

/// The items, each id once and in the upstream's order.
fn once<T>(items: Vec<T>, id: impl Fn(&T) -> &str) -> Vec<T> {
    let mut seen = HashSet::new();
    let first: Vec<bool> = items.iter().map(|item| seen.insert(id(item))).collect();
    let pairs = items.into_iter().zip(first);
    pairs
        .filter_map(|(item, first)| first.then_some(item))
        .collect()
}

/// True for a time as the clouds' queries spell it: the only text that goes from a token into a
/// URL.
pub(super) fn is_time(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-:T".contains(&byte))
}

/// The token's position cannot be continued from.
pub(super) fn foreign(faults: &mut Faults) {
    faults.add(
        "page_token",
        "was not made by this sidecar; leave it empty for the first page.",
    );
}

/// A token that stands for `position`.
pub(super) fn write(position: &str, fingerprint: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{fingerprint:016x}{position}"))
}

/// The position of a token; an empty token has none.
pub(super) fn read(token: &str, fingerprint: u64, faults: &mut Faults) -> Option<String> {
    if token.is_empty() {
        return None;
    }
    let text = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let position = text
        .as_deref()
        .and_then(|text| text.strip_prefix(&format!("{fingerprint:016x}")));
    if position.is_none() {
        faults.add(
            "page_token",
            "does not belong to this request; repeat the request that gave it, or leave it empty.",
        );
    }
    position.map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: i32, token: &str, scope: &str) -> Result<Page, crate::error::Error> {
        let mut faults = Faults::new();
        let page = Page::parse(size, token, scope, &mut faults);
        faults.into_result().map(|()| page)
    }

    #[test]
    fn pages_cover_everything_once_even_when_items_come_and_go() {
        let names = ["d", "a", "c", "b", "e"].map(str::to_owned).to_vec();
        let (first, token) = page(2, "", "x").unwrap().take(names.clone(), |name| name);
        assert_eq!(first, ["a", "b"]);
        let without_b: Vec<_> = names.into_iter().filter(|name| name != "b").collect();
        let (second, token) = page(2, &token, "x")
            .unwrap()
            .take(without_b.clone(), |name| name);
        assert_eq!(second, ["c", "d"]);
        let (third, token) = page(2, &token, "x").unwrap().take(without_b, |name| name);
        assert_eq!(
            (third.as_slice(), token.as_str()),
            (&["e".to_owned()][..], "")
        );
    }

    #[test]
    fn an_upstream_that_repeats_an_item_repeats_none_to_the_caller() {
        let names = ["b", "a", "b", "a", "c"].to_vec();
        let (first, token) = page(2, "", "x").unwrap().take(names.clone(), |name| name);
        let (second, end) = page(2, &token, "x").unwrap().take(names, |name| name);
        assert_eq!(
            (first, second, end.as_str()),
            (vec!["a", "b"], vec!["c"], "")
        );
    }

    #[test]
    fn a_foreign_token_and_a_negative_size_are_refused() {
        let (_, token) = page(1, "", "x").unwrap().take(vec!["a", "b"], |name| name);
        for (size, token, field) in [
            (1, token.as_str(), "page_token"),
            (1, "!!", "page_token"),
            (-1, "", "page_size"),
        ] {
            let error = page(size, token, "y").unwrap_err();
            assert_eq!(error.violations[0].field, field);
        }
    }
}
