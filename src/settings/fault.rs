//! One mistake in the configuration, and all of them together.

use std::fmt;

/// One mistake: where it stands, what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The dotted path of the key (`targets.prod.retry.max_attempts`), or empty for the whole file.
    pub path: String,
    /// Where the value came from.
    pub place: Place,
    /// What is wrong and what to do: one plain sentence, with no secret in it.
    pub message: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A command-line flag, by name.
    Flag(String),
    /// An environment variable, by name.
    Variable(String),
    /// A line of the file, counted from 1.
    Line(u64),
    /// Nowhere: the key is absent, or the file could not be read.
    Nowhere,
}

/// Every mistake found, in the order of the file. Displays one numbered line a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a mistake.
    pub(crate) fn push(
        &mut self,
        path: impl Into<String>,
        place: Place,
        message: impl Into<String>,
    ) {
        let fault = Fault {
            path: path.into(),
            place,
            message: message.into(),
        };
        // One cause may be met twice (a default repeated through an anchor, say): it is told once.
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// The mistakes.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts the mistakes in reading order: flags, variables, then the file from top to bottom.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|a, b| a.place.cmp(&b.place));
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.path.is_empty() {
            "the file"
        } else {
            &self.path
        })?;
        match &self.place {
            Place::Flag(name) | Place::Variable(name) => write!(f, " ({name})")?,
            Place::Line(line) => write!(f, " (line {line})")?,
            Place::Nowhere => {}
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}. {fault}", index + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
