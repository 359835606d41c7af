//! Field faults, collected so that a caller hears of all of them at once.

use super::reason;
use super::{Error, Kind};

/// One broken rule of one request field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Proto field path: `action.limits.timeout`.
    pub field: String,
    /// The rule and what to do, as one sentence.
    pub description: String,
}

/// The faults found so far in one request.
#[derive(Debug, Default)]
pub struct Faults(Vec<Violation>);

impl Faults {
    /// Starts with none.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a fault of `field`.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            description: description.into(),
        });
    }

    /// Notes a fault of `field` unless `holds`; the sentence is only built when needed.
    pub fn require<D: Into<String>>(
        &mut self,
        holds: bool,
        field: &str,
        description: impl FnOnce() -> D,
    ) {
        if !holds {
            self.add(field, description());
        }
    }

    /// True when nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All faults as one error.
    ///
    /// # Errors
    /// `InvalidArgument` with one violation a fault, if there is any.
    pub fn into_result(self) -> Result<(), Error> {
        let Some(first) = self.0.first() else {
            return Ok(());
        };
        let message = match self.0.len() {
            1 => format!("{}: {}", first.field, first.description),
            n => format!(
                "{n} fields are wrong; the first is {}: {}",
                first.field, first.description
            ),
        };
        let violations = self.0;
        Err(
            Error::new(Kind::InvalidArgument, reason::INVALID_FIELDS, message)
                .with(|f| f.violations = violations),
        )
    }

    /// One fault as an error.
    #[must_use]
    pub fn single(field: &str, description: impl Into<String>) -> Error {
        let description = description.into();
        let message = format!("{field}: {description}");
        Error::new(Kind::InvalidArgument, reason::INVALID_FIELDS, message).with(|f| {
            f.violations.push(Violation {
                field: field.to_owned(),
                description,
            });
        })
    }
}
