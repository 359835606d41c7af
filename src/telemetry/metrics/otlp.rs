//! The families as an OTLP message: the same names, labels and numbers as on the page.
//!
//! Sums and histograms are cumulative since the start, or what has come since the last export that
//! was delivered, as `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` asks (OpenTelemetry
//! specification, "Metrics Exporter - OTLP").

use std::collections::HashMap;
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::family::{Description, Family, Kind, Labels, Sample, Unit, Value};
use crate::telemetry::otlp::SCHEMA;

/// Which numbers are told as what has come since the last export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Temporality {
    /// None.
    #[default]
    Cumulative,
    /// Counters and histograms.
    Delta,
    /// Counters and histograms, but no counter that is read at each export.
    LowMemory,
}

/// All families that have series, read at one moment.
pub(super) type Snapshot = Vec<(&'static Description, Vec<Sample>)>;

/// What has been delivered, so that the next message tells the rest.
#[derive(Debug)]
pub(super) struct Delivered {
    temporality: Temporality,
    /// When counting began.
    start: SystemTime,
    /// The last delivered export; that of the start before the first.
    last: SystemTime,
    /// The numbers of the families that are told as differences.
    numbers: HashMap<(&'static str, Labels), Value>,
}

impl Temporality {
    /// Whether a family's numbers are told as differences; what goes up and down never is.
    fn is_delta(self, description: &Description, samples: &[Sample]) -> bool {
        match (self, description.kind) {
            (Self::Cumulative, _) | (_, Kind::UpDown | Kind::Gauge) => false,
            (Self::LowMemory, Kind::Counter) => !samples.iter().any(|sample| sample.read),
            (Self::Delta, Kind::Counter) | (_, Kind::Histogram(_)) => true,
        }
    }
}

impl Delivered {
    pub(super) fn nothing(temporality: Temporality, start: SystemTime) -> Self {
        Self {
            temporality,
            start,
            last: start,
            numbers: HashMap::new(),
        }
    }

    /// Notes that the message of a snapshot taken at `now` has arrived.
    pub(super) fn note(&mut self, snapshot: Snapshot, now: SystemTime) {
        self.last = now;
        self.numbers = snapshot
            .into_iter()
            .filter(|(description, samples)| self.temporality.is_delta(description, samples))
            .flat_map(|(description, samples)| {
                let named = move |sample: Sample| ((description.name, sample.labels), sample.value);
                samples.into_iter().map(named)
            })
            .collect();
    }

    /// The family's samples without what has been delivered.
    fn rest(&self, description: &Description, samples: &[Sample]) -> Vec<Sample> {
        let rest = |sample: &Sample| {
            let mut rest = sample.clone();
            let before = self.numbers.get(&(description.name, sample.labels.clone()));
            match (&mut rest.value, before) {
                // A number that is smaller than before has begun anew.
                (Value::Number(value), Some(Value::Number(before))) if *value >= *before => {
                    *value -= before;
                }
                (Value::Spread(spread), Some(Value::Spread(before))) => spread.subtract(before),
                _ => {}
            }
            rest
        };
        samples.iter().map(rest).collect()
    }
}

/// Reads all families.
pub(super) fn snapshot<'a>(families: impl Iterator<Item = &'a Family>) -> Snapshot {
    families
        .map(|family| (family.description(), family.samples()))
        .filter(|(_, samples)| !samples.is_empty())
        .collect()
}

/// The message of a snapshot taken at `now`.
pub(super) fn message(
    snapshot: &Snapshot,
    resource: Resource,
    delivered: &Delivered,
    now: SystemTime,
) -> ExportMetricsServiceRequest {
    let metrics = snapshot
        .iter()
        .map(|(description, samples)| {
            if delivered.temporality.is_delta(description, samples) {
                let span = Span {
                    start: delivered.last,
                    now,
                    temporality: AggregationTemporality::Delta,
                };
                metric(description, &delivered.rest(description, samples), span)
            } else {
                let span = Span {
                    start: delivered.start,
                    now,
                    temporality: AggregationTemporality::Cumulative,
                };
                metric(description, samples, span)
            }
        })
        .collect();
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                schema_url: SCHEMA.to_owned(),
            }],
            schema_url: SCHEMA.to_owned(),
        }],
    }
}

/// From when to when the numbers count, and how.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: SystemTime,
    now: SystemTime,
    temporality: AggregationTemporality,
}

fn metric(description: &Description, samples: &[Sample], span: Span) -> Metric {
    let numbers = || {
        samples
            .iter()
            .filter_map(|sample| number(description, sample, span))
            .collect()
    };
    let temporality = span.temporality.into();
    let data = match description.kind {
        Kind::Counter | Kind::UpDown => Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: temporality,
            is_monotonic: description.kind == Kind::Counter,
        }),
        Kind::Gauge => Data::Gauge(Gauge {
            data_points: numbers(),
        }),
        Kind::Histogram(_) => Data::Histogram(Histogram {
            data_points: samples
                .iter()
                .filter_map(|sample| histogram(description, sample, span))
                .collect(),
            aggregation_temporality: temporality,
        }),
    };
    Metric {
        name: description.name.to_owned(),
        description: format!("{}.", description.help),
        unit: description.unit.ucum().to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(description: &Description, sample: &Sample, span: Span) -> Option<NumberDataPoint> {
    let Value::Number(value) = sample.value else {
        return None;
    };
    Some(NumberDataPoint {
        attributes: attributes(description, sample),
        start_time_unix_nano: nanos(span.start),
        time_unix_nano: nanos(span.now),
        value: Some(as_number(description.unit, value)),
        ..NumberDataPoint::default()
    })
}

/// Things and bytes are counted in whole numbers, and stay so.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a whole number below 2^53 loses nothing"
)]
fn as_number(unit: Unit, value: f64) -> Number {
    let whole = matches!(unit, Unit::Things(_) | Unit::Bytes)
        && value.fract() == 0.0
        && value.abs() < 2f64.powi(53);
    if whole {
        Number::AsInt(value as i64)
    } else {
        Number::AsDouble(value)
    }
}

fn histogram(description: &Description, sample: &Sample, span: Span) -> Option<HistogramDataPoint> {
    let Value::Spread(spread) = &sample.value else {
        return None;
    };
    let in_unit = |raw: &u64| description.unit.number(*raw);
    Some(HistogramDataPoint {
        attributes: attributes(description, sample),
        start_time_unix_nano: nanos(span.start),
        time_unix_nano: nanos(span.now),
        count: spread.count(),
        sum: Some(in_unit(&spread.sum)),
        bucket_counts: spread.counts.clone(),
        explicit_bounds: spread.bounds.iter().map(in_unit).collect(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(description: &Description, sample: &Sample) -> Vec<KeyValue> {
    let labels = description.labels.iter().zip(&sample.labels);
    labels
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue {
                value: Some(typed(key, value)),
            }),
            ..KeyValue::default()
        })
        .collect()
}

/// The conventions have these two as whole numbers.
fn typed(key: &str, value: &str) -> any_value::Value {
    match value.parse() {
        Ok(number) if matches!(key, "server.port" | "http.response.status_code") => {
            any_value::Value::IntValue(number)
        }
        _ => any_value::Value::StringValue(value.to_owned()),
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Metrics, names};
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn names_units_and_numbers_are_those_of_the_page() {
        let metrics = Metrics::new(10);
        let labels = ["GET", "gw.example", "443", "404", "404", "main"];
        let attempts = metrics.family(&names::HTTP_DURATION).histogram(&labels);
        attempts.observe_time(Duration::from_millis(20));
        attempts.observe_time(Duration::from_secs(1_000));
        metrics
            .family(&names::BILLED_TIME)
            .counter(&["main", "-/hello"])
            .add_time(Duration::from_millis(1_500));
        metrics
            .family(&names::CALLS_IN_FLIGHT)
            .gauge(&["main"])
            .set(3);
        let nothing = Delivered::nothing(Temporality::Cumulative, at(100));
        let read = snapshot(metrics.families());
        let sent = message(&read, Resource::default(), &nothing, at(160));
        let sent = &sent.resource_metrics[0].scope_metrics[0].metrics;
        let find = |name: &str| sent.iter().find(|metric| metric.name == name).unwrap();

        let attempts = find("http.client.request.duration");
        assert_eq!(attempts.unit, "s");
        let Some(Data::Histogram(histogram)) = &attempts.data else {
            panic!("{attempts:?}");
        };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum), (2, Some(1_000.02)));
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(
            (point.bucket_counts[2], point.bucket_counts.last()),
            (1, Some(&1))
        );
        assert_eq!(point.explicit_bounds[..2], [0.005, 0.01]);
        assert_eq!(
            (point.start_time_unix_nano, point.time_unix_nano),
            (100_000_000_000, 160_000_000_000)
        );
        let port = point
            .attributes
            .iter()
            .find(|one| one.key == "server.port")
            .unwrap();
        assert_eq!(
            port.value.as_ref().unwrap().value,
            Some(any_value::Value::IntValue(443))
        );

        let Some(Data::Sum(billed)) = &find("faas_sidecar.invocation.billed_time").data else {
            panic!("a counter is a sum");
        };
        assert!(billed.is_monotonic);
        assert_eq!(billed.data_points[0].value, Some(Number::AsDouble(1.5)));
        let Some(Data::Sum(in_flight)) = &find("faas_sidecar.calls.in_flight").data else {
            panic!("what goes up and down is a sum");
        };
        assert!(!in_flight.is_monotonic);
        assert_eq!(in_flight.data_points[0].value, Some(Number::AsInt(3)));
        assert!(
            sent.iter()
                .all(|metric| metric.name != "faas_sidecar.invocations"),
            "a family without series is not sent"
        );
    }

    #[test]
    fn a_delta_is_what_was_not_delivered_yet() {
        let metrics = Metrics::new(10);
        let repeats = metrics.family(&names::DEDUP).counter(&["started"]);
        let waits = metrics.family(&names::QUEUE_WAIT).histogram(&["main"]);
        let in_flight = metrics.family(&names::CALLS_IN_FLIGHT).gauge(&["main"]);
        let shed = metrics.family(&names::SHED);
        shed.read(
            &["main", "QUEUE_FULL"],
            Box::new(|| super::super::Reading::Value(5.0)),
        );
        let told = |message: &ExportMetricsServiceRequest, name: &str| {
            let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
            match metrics
                .iter()
                .find(|metric| metric.name == name)
                .unwrap()
                .data
                .clone()
            {
                Some(Data::Sum(sum)) => {
                    let point = &sum.data_points[0];
                    let number = match point.value.unwrap() {
                        Number::AsInt(number) => number,
                        Number::AsDouble(number) => panic!("{number}"),
                    };
                    (
                        number,
                        sum.aggregation_temporality,
                        point.start_time_unix_nano / 1_000_000_000,
                    )
                }
                Some(Data::Histogram(histogram)) => {
                    let point = &histogram.data_points[0];
                    assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
                    let count = i64::try_from(point.count).unwrap();
                    (
                        count,
                        histogram.aggregation_temporality,
                        point.start_time_unix_nano / 1_000_000_000,
                    )
                }
                other => panic!("{other:?}"),
            }
        };
        let (delta, cumulative) = (1, 2);
        for (temporality, read) in [
            (Temporality::Delta, delta),
            (Temporality::LowMemory, cumulative),
        ] {
            let mut delivered = Delivered::nothing(temporality, at(100));
            let first = snapshot(metrics.families());
            let message_of = |snapshot: &Snapshot, delivered: &Delivered, now| {
                message(snapshot, Resource::default(), delivered, at(now))
            };
            let before = repeats.get();
            repeats.add(2);
            waits.observe(7);
            in_flight.set(3);
            let second = snapshot(metrics.families());
            // The first was lost on its way: the second tells all.
            let lost = message_of(&second, &delivered, 120);
            let all = i64::try_from(before).unwrap() + 2;
            assert_eq!(told(&lost, "faas_sidecar.dedup.calls"), (all, delta, 100));
            delivered.note(first, at(110));
            let sent = message_of(&second, &delivered, 120);
            assert_eq!(told(&sent, "faas_sidecar.dedup.calls"), (2, delta, 110));
            assert_eq!(told(&sent, "faas_sidecar.queue.wait.duration").0, 1);
            assert_eq!(
                told(&sent, "faas_sidecar.calls.in_flight"),
                (3, cumulative, 100)
            );
            assert_eq!(told(&sent, "faas_sidecar.shed").1, read);
            delivered.note(second, at(120));
            let third = message_of(&snapshot(metrics.families()), &delivered, 130);
            assert_eq!(told(&third, "faas_sidecar.dedup.calls"), (0, delta, 120));
            assert_eq!(
                told(&third, "faas_sidecar.queue.wait.duration"),
                (0, delta, 120)
            );
        }
    }
}
