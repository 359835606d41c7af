//! The families as an OTLP message: the same names, labels and numbers as on the page, cumulative since the start.

use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::family::{Description, Family, Kind, Sample, Unit, Value};

/// The conventions that the names follow.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.40.0";

/// From when to when the numbers count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// When counting began.
    pub(super) start: SystemTime,
    /// Now.
    pub(super) now: SystemTime,
}

/// All families that have series.
pub(super) fn message<'a>(
    families: impl Iterator<Item = &'a Family>,
    resource: Resource,
    span: Span,
) -> ExportMetricsServiceRequest {
    let metrics = families
        .map(|family| (family.description(), family.samples()))
        .filter(|(_, samples)| !samples.is_empty())
        .map(|(description, samples)| metric(description, &samples, span))
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

fn metric(description: &Description, samples: &[Sample], span: Span) -> Metric {
    let numbers = || {
        samples
            .iter()
            .filter_map(|sample| number(description, sample, span))
            .collect()
    };
    let temporality = AggregationTemporality::Cumulative.into();
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
    let whole =
        matches!(unit, Unit::Things(_) | Unit::Bytes) && value.fract() == 0.0 && value.abs() < 2f64.powi(53);
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
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
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
        metrics.family(&names::CALLS_IN_FLIGHT).gauge(&["main"]).set(3);
        let span = Span {
            start: at(100),
            now: at(160),
        };
        let sent = message(metrics.families(), Resource::default(), span);
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
}
