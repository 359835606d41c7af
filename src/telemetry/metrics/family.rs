//! A family: one name, its label names, and its series, never more than a fixed number of them.
//!
//! Asked for a series beyond the bound it hands out the one whose labels all read `other`, so that
//! numbers are never lost and memory never grows. A lock is taken to find a series and to read all,
//! never to count: what counts keeps the cell.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::value::{Counter, Gauge, Histogram, Spread};

/// Value of every label of the series that takes what is beyond the bound.
pub const OTHER: &str = "other";

/// What a family is, as its table says.
#[derive(Debug)]
pub struct Description {
    /// Name in dots, as OpenTelemetry has it.
    pub name: &'static str,
    /// What its values count.
    pub unit: Unit,
    /// How its values behave.
    pub kind: Kind,
    /// Label names in dots.
    pub labels: &'static [&'static str],
    /// One sentence, without the full stop.
    pub help: &'static str,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds; cells hold nanoseconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share between 0 and 1.
    Ratio,
    /// Things, named for people: `{call}`.
    Things(&'static str),
}

/// How values behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A sum that goes up and down; adding series together makes sense.
    UpDown,
    /// A present value.
    Gauge,
    /// A spread over these bounds, in the cells' own unit.
    Histogram(&'static [u64]),
}

/// Reads a value at each scrape.
pub type Reader = Box<dyn Fn() -> Reading + Send + Sync>;

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// This, in the family's unit (seconds, bytes).
    Value(f64),
    /// Nothing at present: the series is left out of this scrape.
    Absent,
    /// What it reads is gone for good, and the series with it.
    Gone,
}

/// One family with its series.
pub struct Family {
    description: &'static Description,
    max_series: usize,
    series: Mutex<BTreeMap<Labels, Cell>>,
}

/// Label values, in the order of the description's names; an empty one is as if it were absent.
pub type Labels = Box<[Box<str>]>;

enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Read(Reader),
}

/// One series as read at one moment, in the family's unit.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Label values.
    pub labels: Labels,
    /// Its value.
    pub value: Value,
    /// It is read at each scrape, and not counted here.
    pub read: bool,
}

/// A value in the family's unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Number(f64),
    /// A histogram, still in its cell's own unit.
    Spread(Spread),
}

impl Family {
    /// Without series yet, and never more than `max_series` of them (at least 2).
    #[must_use]
    pub fn new(description: &'static Description, max_series: usize) -> Self {
        Self {
            description,
            max_series: max_series.max(2),
            series: Mutex::default(),
        }
    }

    /// What it is.
    #[must_use]
    pub fn description(&self) -> &'static Description {
        self.description
    }

    /// The counter with these label values.
    #[must_use]
    pub fn counter(&self, labels: &[&str]) -> Counter {
        match &self.cell(labels) {
            Cell::Counter(counter) => counter.clone(),
            _ => Counter::default(),
        }
    }

    /// The gauge with these label values.
    #[must_use]
    pub fn gauge(&self, labels: &[&str]) -> Gauge {
        match &self.cell(labels) {
            Cell::Gauge(gauge) => gauge.clone(),
            _ => Gauge::default(),
        }
    }

    /// The histogram with these label values.
    #[must_use]
    pub fn histogram(&self, labels: &[&str]) -> Histogram {
        match &self.cell(labels) {
            Cell::Histogram(histogram) => histogram.clone(),
            _ => Histogram::new(&[]),
        }
    }

    /// Has the series with these label values read at each scrape. It takes the place of an earlier
    /// one.
    pub fn read(&self, labels: &[&str], reader: Reader) {
        let mut series = self.lock();
        let labels = self.place(&series, labels);
        series.insert(labels, Cell::Read(reader));
    }

    /// All series, in the order of their labels.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        let number = |raw: u64| Value::Number(self.description.unit.number(raw));
        self.lock().retain(|labels, cell| {
            let value = match cell {
                Cell::Counter(counter) => number(counter.get()),
                Cell::Gauge(gauge) => Value::Number(exact(gauge.get())),
                Cell::Histogram(histogram) => Value::Spread(histogram.spread()),
                Cell::Read(reader) => match reader() {
                    Reading::Value(value) => Value::Number(value),
                    Reading::Absent => return true,
                    Reading::Gone => return false,
                },
            };
            samples.push(Sample {
                labels: labels.clone(),
                value,
                read: matches!(cell, Cell::Read(_)),
            });
            true
        });
        samples
    }

    fn cell(&self, labels: &[&str]) -> Cell {
        let mut series = self.lock();
        let labels = self.place(&series, labels);
        series.entry(labels).or_insert_with(|| self.fresh()).share()
    }

    fn fresh(&self) -> Cell {
        match self.description.kind {
            Kind::Counter => Cell::Counter(Counter::default()),
            Kind::UpDown | Kind::Gauge => Cell::Gauge(Gauge::default()),
            Kind::Histogram(bounds) => Cell::Histogram(Histogram::new(bounds)),
        }
    }

    /// Where a series belongs: its own place while there is room, else the one that all others
    /// share.
    fn place(&self, series: &BTreeMap<Labels, Cell>, labels: &[&str]) -> Labels {
        debug_assert_eq!(
            labels.len(),
            self.description.labels.len(),
            "{:?}",
            self.description
        );
        let own: Labels = labels.iter().map(|value| Box::from(*value)).collect();
        // One place is kept for the others.
        if labels.is_empty() || series.contains_key(&own) || series.len() < self.max_series - 1 {
            return own;
        }
        labels.iter().map(|_| Box::from(OTHER)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Labels, Cell>> {
        // A reading that panics leaves the map whole.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cell {
    /// Another hold on the same numbers. A reading has none to share: a fresh cell is what asks for
    /// it gets.
    fn share(&self) -> Self {
        match self {
            Self::Counter(counter) => Self::Counter(counter.clone()),
            Self::Gauge(gauge) => Self::Gauge(gauge.clone()),
            Self::Histogram(histogram) => Self::Histogram(histogram.clone()),
            Self::Read(_) => Self::Gauge(Gauge::default()),
        }
    }
}

impl Unit {
    /// A cell's raw number in this unit.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "exposition formats know only doubles; 2^53 is beyond what a process counts"
    )]
    pub fn number(self, raw: u64) -> f64 {
        match self {
            Self::Seconds => raw as f64 / 1e9,
            Self::Bytes | Self::Ratio | Self::Things(_) => raw as f64,
        }
    }

    /// As UCUM writes it, for OTLP.
    #[must_use]
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "By",
            Self::Ratio => "1",
            Self::Things(things) => things,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what is counted up and down here is far below 2^53"
)]
fn exact(value: i64) -> f64 {
    value as f64
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} series)",
            self.description.name,
            self.lock().len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static RUNS: Description = Description {
        name: "test.runs",
        unit: Unit::Things("{run}"),
        kind: Kind::Counter,
        labels: &["action", "outcome"],
        help: "Runs",
    };
    static AGE: Description = Description {
        name: "test.age",
        unit: Unit::Seconds,
        kind: Kind::Gauge,
        labels: &["target"],
        help: "Age",
    };

    fn shown(family: &Family) -> Vec<(String, Value)> {
        let join = |sample: Sample| (sample.labels.join("/"), sample.value);
        family.samples().into_iter().map(join).collect()
    }

    #[test]
    fn beyond_the_bound_all_share_one_series_and_no_count_is_lost() {
        let family = Family::new(&RUNS, 3);
        for action in ["a", "b", "c", "d", "a"] {
            family.counter(&[action, "ok"]).inc();
        }
        assert_eq!(
            shown(&family),
            [
                ("a/ok".to_owned(), Value::Number(2.0)),
                ("b/ok".to_owned(), Value::Number(1.0)),
                ("other/other".to_owned(), Value::Number(2.0)),
            ]
        );
    }

    #[test]
    fn a_reading_is_replaced_and_goes_with_what_it_reads() {
        let family = Family::new(&AGE, 10);
        family.read(&["main"], Box::new(|| Reading::Value(1.0)));
        family.read(&["main"], Box::new(|| Reading::Value(2.5)));
        family.read(&["unknown"], Box::new(|| Reading::Absent));
        let owner = std::sync::Arc::new(7.0);
        let weak = std::sync::Arc::downgrade(&owner);
        let read = move || {
            weak.upgrade()
                .map_or(Reading::Gone, |value| Reading::Value(*value))
        };
        family.read(&["gone"], Box::new(read));
        assert_eq!(family.samples().len(), 2);
        drop(owner);
        assert_eq!(shown(&family), [("main".to_owned(), Value::Number(2.5))]);
        assert_eq!(format!("{family:?}"), "test.age (2 series)");
    }
}
