//! What operators may know of a target's credentials: everything but the credentials.

use std::time::{Duration, SystemTime};

use crate::clock;

/// A target's credentials at one moment; for pages, metrics and diagnosis. Holds no secret.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where they come from, as configured.
    pub source: String,
    /// Whether a call made now would have credentials; else why not, and what to do.
    pub ready: Result<(), String>,
    /// The first eight hex digits of SHA-256 of the access key id; none for tokens, which have no
    /// id.
    pub fingerprint: Option<String>,
    /// How long the present ones have been in use.
    pub age: Option<Duration>,
    /// What is left of their life; none when they have no end.
    pub expires_in: Option<Duration>,
    /// Names the present ones; 0 for none. A fall-back to the key before returns to its lower
    /// number.
    pub generation: u64,
    /// Whether the key before is at hand, should the present one be refused.
    pub previous_kept: bool,
    /// What the last look at the source found.
    pub last_refresh: Option<Refresh>,
    /// How many looks found what, in the order of [`Outcome::ALL`].
    pub refreshes: [u64; 6],
}

/// One look at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// When.
    pub at: SystemTime,
    /// With what outcome.
    pub outcome: Outcome,
    /// Why, unless all is well; never a value.
    pub why: Option<String>,
}

/// The outcome of one look at a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The same as before.
    Unchanged,
    /// New ones are in use.
    Rotated,
    /// The source cannot be read, or what it holds cannot be a key; the last good ones stay.
    Failed,
    /// The cloud refused the new ones; the last good ones stay.
    Refused,
    /// The new ones could not be tried yet; the last good ones stay meanwhile.
    Pending,
    /// The cloud refused the present ones in a call and took the ones before, which are in use
    /// again.
    FellBack,
}

/// Looks at a source so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pub(super) last: Option<Refresh>,
    pub(super) counts: [u64; 6],
}

impl Looks {
    /// Notes one; true when it says something else than the one before.
    pub(super) fn note(&mut self, outcome: Outcome, why: Option<String>) -> bool {
        if let Some(count) = self.counts.get_mut(outcome as usize) {
            *count += 1;
        }
        let fresh = Refresh {
            at: clock::now(),
            outcome,
            why,
        };
        let news = self
            .last
            .as_ref()
            .is_none_or(|old| old.outcome != fresh.outcome || old.why != fresh.why);
        self.last = Some(fresh);
        news
    }
}

impl Outcome {
    /// Every outcome, for tables with a row each.
    pub const ALL: [Self; 6] = [
        Self::Unchanged,
        Self::Rotated,
        Self::Failed,
        Self::Refused,
        Self::Pending,
        Self::FellBack,
    ];

    /// The word used in logs, metrics and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Rotated => "rotated",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Pending => "pending",
            Self::FellBack => "fell_back",
        }
    }
}
