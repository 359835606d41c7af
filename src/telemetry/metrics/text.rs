//! The families as text for a scrape: the Prometheus text format 0.0.4, or OpenMetrics 1.0 for
//! those who ask for it.
//!
//! The two differ in the name that a counter's type line bears, in unit lines, and in the end mark.

use std::fmt::Write as _;

use super::family::{Description, Family, Kind, Sample, Unit, Value};
use super::value::Spread;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4: what everything can read.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What a request's `Accept` header asks for: OpenMetrics when it is named and preferred to (or
    /// as good as) plain text, else the Prometheus format, whatever is asked.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let quality = |wanted: &[&str]| {
            accept
                .split(',')
                .filter_map(|range| {
                    let mut parts = range.split(';').map(str::trim);
                    let media = parts.next()?;
                    wanted
                        .iter()
                        .any(|name| media.eq_ignore_ascii_case(name))
                        .then(|| {
                            parts
                                .find_map(|part| part.strip_prefix("q="))
                                .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0))
                        })
                })
                .fold(0.0, f32::max)
        };
        let open = quality(&["application/openmetrics-text"]);
        if open > 0.0 && open >= quality(&["text/plain"]) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Description {
    /// The name in Prometheus, without a counter's `_total`.
    #[must_use]
    pub fn prometheus_base(&self) -> String {
        let mut name = underscored(self.name);
        let unit = match self.unit {
            Unit::Seconds => "_seconds",
            Unit::Bytes => "_bytes",
            Unit::Ratio => "_ratio",
            Unit::Things(_) => "",
        };
        name.push_str(unit);
        name
    }

    /// The name in Prometheus, as a query has it (a histogram's is followed by `_bucket`, `_sum`,
    /// `_count`).
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let mut name = self.prometheus_base();
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }

    /// The label names in Prometheus.
    pub fn prometheus_labels(&self) -> impl Iterator<Item = String> {
        self.labels.iter().map(|label| underscored(label))
    }
}

/// All families that have series.
pub(super) fn render<'a>(families: impl Iterator<Item = &'a Family>, format: Format) -> String {
    let mut text = String::with_capacity(16 << 10);
    for family in families {
        let samples = family.samples();
        if !samples.is_empty() {
            render_family(&mut text, family.description(), &samples, format);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// Writing to a `String` cannot fail, so results of `write!` are dropped here.
fn render_family(text: &mut String, description: &Description, samples: &[Sample], format: Format) {
    let (base, full) = (description.prometheus_base(), description.prometheus_name());
    let (name, kind) = match (format, description.kind) {
        (Format::OpenMetrics, Kind::Counter) => (&base, "counter"),
        (Format::Prometheus, Kind::Counter) => (&full, "counter"),
        (_, Kind::UpDown | Kind::Gauge) => (&base, "gauge"),
        (_, Kind::Histogram(_)) => (&base, "histogram"),
    };
    let _ = writeln!(text, "# HELP {name} {}.", description.help);
    let _ = writeln!(text, "# TYPE {name} {kind}");
    if format == Format::OpenMetrics
        && let Unit::Seconds | Unit::Bytes | Unit::Ratio = description.unit
        && let Some(unit) = base.rsplit('_').next()
    {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let names: Vec<String> = description.prometheus_labels().collect();
    for sample in samples {
        let labels = labels(&names, sample);
        match &sample.value {
            Value::Number(value) => line(text, &full, &labels, None, *value),
            Value::Spread(spread) => histogram(text, &base, &labels, spread, description.unit),
        }
    }
}

fn histogram(text: &mut String, base: &str, labels: &str, spread: &Spread, unit: Unit) {
    let bucket = format!("{base}_bucket");
    let mut below = 0;
    for (at, count) in spread.counts.iter().enumerate() {
        below += count;
        let bound = spread.bounds.get(at).map(|bound| unit.number(*bound));
        line(text, &bucket, labels, Some(bound), whole(below));
    }
    line(
        text,
        &format!("{base}_sum"),
        labels,
        None,
        unit.number(spread.sum),
    );
    line(text, &format!("{base}_count"), labels, None, whole(below));
}

/// One sample; `bound` is that of a bucket, without one for the bucket above all.
fn line(text: &mut String, name: &str, labels: &str, bound: Option<Option<f64>>, value: f64) {
    text.push_str(name);
    let bound = bound.map(|bound| {
        bound.map_or_else(
            || "le=\"+Inf\"".to_owned(),
            |bound| format!("le=\"{}\"", float(bound)),
        )
    });
    match (labels, bound) {
        ("", None) => {}
        ("", Some(bound)) => {
            let _ = write!(text, "{{{bound}}}");
        }
        (labels, None) => {
            let _ = write!(text, "{{{labels}}}");
        }
        (labels, Some(bound)) => {
            let _ = write!(text, "{{{labels},{bound}}}");
        }
    }
    // Whole numbers without a fraction, as both formats allow.
    let _ = writeln!(text, " {value}");
}

/// OpenMetrics wants bounds spelt as floats: `1.0`, not `1`.
fn float(bound: f64) -> String {
    format!("{bound:?}")
}

fn labels(names: &[String], sample: &Sample) -> String {
    let mut text = String::new();
    for (name, value) in names.iter().zip(&sample.labels) {
        if value.is_empty() {
            continue;
        }
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{name}=\"");
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text
}

fn underscored(name: &str) -> String {
    name.replace('.', "_")
}

fn whole(count: u64) -> f64 {
    Unit::Things("").number(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::names;

    static WAITS: Description = Description {
        name: "test.wait.duration",
        unit: Unit::Seconds,
        kind: Kind::Histogram(&[5_000_000, 1_000_000_000]),
        labels: &["a.name", "outcome"],
        help: "Waits",
    };

    #[test]
    fn a_histogram_is_cumulative_and_labels_are_escaped() {
        let family = Family::new(&WAITS, 10);
        let series = family.histogram(&["say \"hi\\\"\n", ""]);
        series.observe(5_000_000);
        series.observe(2_000_000_000);
        let text = render(std::iter::once(&family), Format::OpenMetrics);
        let label = r#"a_name="say \"hi\\\"\n""#;
        assert_eq!(
            text,
            format!(
                "# HELP test_wait_duration_seconds Waits.\n# TYPE test_wait_duration_seconds histogram\n\
                 # UNIT test_wait_duration_seconds seconds\n\
                 test_wait_duration_seconds_bucket{{{label},le=\"0.005\"}} 1\n\
                 test_wait_duration_seconds_bucket{{{label},le=\"1.0\"}} 1\n\
                 test_wait_duration_seconds_bucket{{{label},le=\"+Inf\"}} 2\n\
                 test_wait_duration_seconds_sum{{{label}}} 2.005\n\
                 test_wait_duration_seconds_count{{{label}}} 2\n# EOF\n"
            )
        );
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants() {
        let family = Family::new(&names::BILLED_TIME, 10);
        family.counter(&["main", "-/hello"]).add(1_500_000_000);
        let prometheus = render(std::iter::once(&family), Format::Prometheus);
        assert!(
            prometheus
                .contains("# TYPE faas_sidecar_invocation_billed_time_seconds_total counter\n")
        );
        let open = render(std::iter::once(&family), Format::OpenMetrics);
        assert!(open.contains("# TYPE faas_sidecar_invocation_billed_time_seconds counter\n"));
        for text in [prometheus, open] {
            assert!(text.contains(
                "faas_sidecar_invocation_billed_time_seconds_total{faas_sidecar_target=\"main\",faas_invoked_name=\"-/hello\"} 1.5\n"
            ));
        }
    }

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/plain", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;q=0.2, text/plain;q=0.4",
                Format::Prometheus,
            ),
        ] {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }
}
