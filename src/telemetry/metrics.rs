//! The numbers of the process: one registry, read by the `/metrics` page and by the OTLP export
//! alike.
//!
//! Families and labels are one table (`names.rs`). Each family has a bound on its series and one
//! series for whatever is beyond it (`family.rs`). What counts holds a cell and touches nothing but
//! its atomics (`value.rs`); what is looked up is looked up once a target, method and outcome
//! (`resolved.rs`). State that other rooms keep anyway is read at each scrape. Knows no other room
//! but the clock.

use std::sync::Arc;

mod calls;
mod export;
mod family;
mod functions;
pub mod names;
mod otlp;
mod process;
mod reference;
mod repeats;
mod requests;
mod resolved;
mod target;
mod text;
mod unreadable;
mod value;

pub use calls::{Calls, InFlight};
pub use export::Export;
pub use family::{Description, Family, Kind, Labels, OTHER, Reader, Reading, Sample, Unit, Value};
pub use functions::{Functions, Outcome, Run};
pub use reference::reference;
pub use repeats::Repeats;
pub use requests::{Attempt, Requests};
pub use target::{SilentConnections, TargetMetrics};
pub use text::Format;
pub use unreadable::Unreadable;
pub use value::{Counter, Gauge, Histogram, Spread};

/// Series that a family may have. Far above what targets, methods and status codes make in
/// practice.
const MAX_SERIES: usize = 1_000;

/// All families of the process.
#[derive(Debug)]
pub struct Metrics {
    families: Box<[Family]>,
    directory: functions::Directory,
}

impl Metrics {
    /// Every family of the table. The function view tells `max_actions` actions apart; the rest are
    /// `other`.
    #[must_use]
    pub fn new(max_actions: usize) -> Arc<Self> {
        let families = names::ALL
            .iter()
            .map(|description| {
                let by_action = description.labels.contains(&names::ACTION);
                let max_series = if by_action {
                    Outcome::ALL.len() * max_actions + MAX_SERIES
                } else {
                    MAX_SERIES
                };
                Family::new(description, max_series)
            })
            .collect();
        let metrics = Self {
            families,
            directory: functions::Directory::new(max_actions),
        };
        process::register(&metrics);
        let emulator = if cfg!(feature = "emulator") {
            "true"
        } else {
            "false"
        };
        metrics
            .family(&names::BUILD_INFO)
            .gauge(&[env!("CARGO_PKG_VERSION"), emulator])
            .set(1);
        Arc::new(metrics)
    }

    /// The family of a description of the table.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::panic,
        reason = "descriptions are made by the table alone, and all of the table is here; a test asks for each"
    )]
    pub fn family(&self, description: &'static Description) -> &Family {
        let found = self
            .families
            .iter()
            .find(|family| family.description().name == description.name);
        found.unwrap_or_else(|| panic!("{} is in no registry", description.name))
    }

    /// All of them, in the table's order.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.iter()
    }

    /// Every family that has series, as text.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        text::render(self.families(), format)
    }
}

#[cfg(test)]
mod tests;
