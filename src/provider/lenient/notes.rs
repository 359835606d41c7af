//! What could not be read of one document.

use super::{Clock, NotJson};
use crate::json;

/// Notes while a document is read.
#[derive(Debug)]
pub(in crate::provider) struct Notes {
    /// How the document writes times.
    pub(super) clock: Clock,
    /// The member being read; empty for the document itself.
    member: &'static str,
    /// Names are those that the code has for members, so they are few.
    unreadable: Vec<(&'static str, u64)>,
    /// Bytes that may still be built; none when more would have been.
    room: Option<usize>,
}

impl Notes {
    /// Of a document whose times are those of `clock`.
    pub(in crate::provider) fn new(clock: Clock) -> Self {
        Self {
            clock,
            member: "",
            unreadable: Vec::new(),
            room: Some(json::largest_build()),
        }
    }

    /// The member `name` is read next.
    pub(in crate::provider) fn enter(&mut self, name: &'static str) {
        self.member = name;
    }

    /// The member being read.
    pub(super) fn member(&self) -> &'static str {
        self.member
    }

    /// What stands at the member being read is none of its kind, or out of its range.
    pub(in crate::provider) fn unreadable_here(&mut self) {
        // The document itself: that is an error, and no member.
        if self.member.is_empty() {
            return;
        }
        let known = self
            .unreadable
            .iter_mut()
            .find(|(name, _)| *name == self.member);
        match known {
            Some((_, times)) => *times = times.saturating_add(1),
            None => self.unreadable.push((self.member, 1)),
        }
    }

    /// One more item of this kind is built: itself, twice as lists grow, what is made of it, and a
    /// text of its own.
    ///
    /// # Errors
    /// When that is more than one answer may take; the reading ends there.
    pub(super) fn item<T>(&mut self) -> Result<(), NotJson> {
        let bytes = 3 * size_of::<T>() + 16;
        self.room = self.room.and_then(|room| room.checked_sub(bytes));
        self.room.map(drop).ok_or(NotJson)
    }

    /// The reading ended for want of room.
    pub(super) fn too_much(&self) -> bool {
        self.room.is_none()
    }

    /// The members that could not be read, and how often.
    pub(super) fn unreadable(&self) -> &[(&'static str, u64)] {
        &self.unreadable
    }

    /// How often a member could not be read.
    pub(super) fn count(&self) -> u64 {
        self.unreadable
            .iter()
            .fold(0, |sum, (_, times)| sum.saturating_add(*times))
    }
}
