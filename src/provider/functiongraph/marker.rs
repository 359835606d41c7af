//! Lists that page by marker.
//!
//! The marker acts as an offset. What ends a list is not documented; the rule is that of Terraform's provider
//! (`services/fgs`, read 2026-10): an empty page, or a next marker of 0 or not beyond the one just sent.

use super::rules::PAGE;
use crate::error::Faults;
use crate::provider::lenient::Loose;
use crate::provider::paging;

/// A page of such a list.
#[derive(Debug)]
pub(super) struct Marker {
    at: i64,
    size: usize,
    pub(super) at_text: String,
    pub(super) size_text: String,
    fingerprint: u64,
}

impl Marker {
    /// Reads `page_size` and `page_token`; `scope` names what is listed.
    pub(super) fn parse(size: i32, token: &str, scope: impl std::hash::Hash, faults: &mut Faults) -> Self {
        let size = paging::page_size(size, PAGE, PAGE, faults);
        let fingerprint = paging::fingerprint((scope, size));
        let at = paging::read(token, fingerprint, faults)
            .and_then(|at| at.parse().ok())
            .unwrap_or(0);
        Self::new(at, size, fingerprint)
    }

    /// The first page of a whole list.
    pub(super) fn first() -> Self {
        Self::new(0, PAGE, 0)
    }

    /// The page after this one, which had `seen` items.
    pub(super) fn next(&self, seen: usize, next: Loose) -> Option<Self> {
        let at = following(self.at, seen, self.size, next)?;
        Some(Self::new(at, self.size, self.fingerprint))
    }

    /// The token of this page.
    pub(super) fn token(&self) -> String {
        paging::write(&self.at_text, self.fingerprint)
    }

    fn new(at: i64, size: usize, fingerprint: u64) -> Self {
        Self {
            at,
            size,
            at_text: at.to_string(),
            size_text: size.to_string(),
            fingerprint,
        }
    }
}

/// Where the next page begins; none after the last.
pub(super) fn following(at: i64, seen: usize, size: usize, next: Loose) -> Option<i64> {
    if seen == 0 {
        return None;
    }
    match next.whole() {
        Some(next) => (next > at).then_some(next),
        // Samples leave it out: then only a full page can have a next one.
        None if seen >= size => at.checked_add(i64::try_from(seen).ok()?),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_by_any_of_the_signs() {
        let next = |number: Option<f64>| Loose(number);
        for (at, seen, said, expected) in [
            (0, 400, Some(400.0), Some(400)),
            (0, 3, Some(3.0), Some(3)),
            (400, 0, Some(400.0), None),
            (400, 10, Some(400.0), None),
            (400, 10, Some(0.0), None),
            (400, 10, Some(20.0), None),
            (0, 400, None, Some(400)),
            (0, 399, None, None),
        ] {
            assert_eq!(
                following(at, seen, 400, next(said)),
                expected,
                "{at} {seen} {said:?}"
            );
        }
    }
}
