//! A documented error code of a cloud: all that a caller and the retry rules need to know, in one
//! row.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::diagnosis::Cause;
use super::status::explained;
use crate::error::{Component, Error, Execution, Kind, Scope};

/// One row of a cloud's table. Rows of one code that depend on words or status come before the one
/// that does not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ErrorRow {
    /// As the cloud documents it, without leading zeros where it is a number alone.
    pub(super) code: &'static str,
    pub(super) component: Component,
    pub(super) reason: &'static str,
    pub(super) kind: Kind,
    /// What to tell the caller.
    pub(super) help: &'static str,
    pub(super) execution: Execution,
    /// True when the same request may succeed later.
    pub(super) transient: bool,
    pub(super) scope: Scope,
    /// The row applies where the cloud's message holds one of these, in lower case.
    pub(super) words: &'static [&'static str],
    /// The row applies to these HTTP statuses.
    pub(super) statuses: RangeInclusive<u16>,
    /// True when the cloud's message may hold what was signed, and is not passed on.
    quiet: bool,
    /// Seconds that the caller waits, between two bounds.
    pause: Option<(f64, f64)>,
    /// Whose quota is used up.
    quota: Option<&'static str>,
    cause: Option<Cause>,
    link: Option<(&'static str, &'static str)>,
}

/// A refusal of the functions service: nothing happened, and a repetition fares no better.
pub(super) const fn service(
    code: &'static str,
    reason: &'static str,
    kind: Kind,
    help: &'static str,
) -> ErrorRow {
    ErrorRow {
        code,
        component: Component::Service,
        reason,
        kind,
        help,
        execution: Execution::NotStarted,
        transient: false,
        scope: Scope::Upstream,
        words: &[],
        statuses: 0..=u16::MAX,
        quiet: false,
        pause: None,
        quota: None,
        cause: None,
        link: None,
    }
}

/// The same of the API gateway.
pub(super) const fn gateway(
    code: &'static str,
    reason: &'static str,
    kind: Kind,
    help: &'static str,
) -> ErrorRow {
    ErrorRow {
        component: Component::Gateway,
        ..service(code, reason, kind, help)
    }
}

/// The same of the service about one function or its network.
pub(super) const fn function(
    code: &'static str,
    reason: &'static str,
    kind: Kind,
    help: &'static str,
) -> ErrorRow {
    ErrorRow {
        scope: Scope::Resource,
        ..service(code, reason, kind, help)
    }
}

impl ErrorRow {
    pub(super) const fn execution(self, execution: Execution) -> Self {
        Self { execution, ..self }
    }

    pub(super) const fn unknown(self) -> Self {
        self.execution(Execution::Unknown)
    }

    pub(super) const fn transient(self) -> Self {
        Self {
            transient: true,
            ..self
        }
    }

    pub(super) const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    pub(super) const fn statuses(self, statuses: RangeInclusive<u16>) -> Self {
        Self { statuses, ..self }
    }

    pub(super) const fn quiet(self) -> Self {
        Self {
            quiet: true,
            ..self
        }
    }

    pub(super) const fn pause(self, from: f64, to: f64) -> Self {
        Self {
            pause: Some((from, to)),
            ..self
        }
    }

    pub(super) const fn quota(self, of: &'static str) -> Self {
        Self {
            quota: Some(of),
            ..self
        }
    }

    pub(super) const fn cause(self, cause: Cause) -> Self {
        Self {
            cause: Some(cause),
            ..self
        }
    }

    pub(super) const fn link(self, text: &'static str, url: &'static str) -> Self {
        Self {
            link: Some((text, url)),
            ..self
        }
    }

    /// The first row of `table` that is about this answer.
    pub(super) fn find(
        table: &'static [Self],
        code: &str,
        status: StatusCode,
        words: &str,
    ) -> Option<&'static Self> {
        let words = words.to_ascii_lowercase();
        table.iter().find(|row| {
            row.code == code
                && row.statuses.contains(&status.as_u16())
                && (row.words.is_empty() || row.words.iter().any(|part| words.contains(part)))
        })
    }

    /// The error that the row stands for; `words` are the cloud's own.
    pub(super) fn error(&self, words: &str) -> Error {
        let words = if self.quiet { "" } else { words };
        Error::new(
            self.kind,
            self.reason,
            format!("{}{}", self.help, explained(words)),
        )
        .component(self.component)
        .execution(self.execution)
        .scope(self.scope)
        .transient(self.transient)
        .with(|facts| {
            facts.retry_after = self
                .pause
                .map(|(from, to)| Duration::from_secs_f64(from + (to - from) * fastrand::f64()));
            facts.quota = self.quota.map(|of| (of.to_owned(), self.help.to_owned()));
            facts.cause = self.cause.map(Cause::symbol);
            facts.help = self.link;
        })
    }
}

#[cfg(test)]
mod tests;
