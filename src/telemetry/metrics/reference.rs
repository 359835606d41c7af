//! The table of families for `docs/metrics.md`, so that the document cannot say otherwise than the
//! program.

use std::fmt::Write as _;

use super::family::{Description, Kind};
use super::names;

/// Markdown: one row a family.
#[must_use]
pub fn reference() -> String {
    let mut table = String::from(
        "| in Prometheus | in OTLP | kind | labels | what |\n| --- | --- | --- | --- | --- |\n",
    );
    for description in names::ALL {
        let labels: Vec<_> = description
            .prometheus_labels()
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(
            table,
            "| `{}` | `{}`, {} | {} | {} | {}. |",
            description.prometheus_name(),
            description.name,
            description.unit.ucum(),
            kind(description),
            labels.join(" "),
            description.help,
        );
    }
    table
}

fn kind(description: &Description) -> &'static str {
    match description.kind {
        Kind::Counter => "counter",
        Kind::UpDown => "gauge that adds up",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    }
}
