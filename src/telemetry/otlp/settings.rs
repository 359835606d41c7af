//! Where telemetry goes and how: the standard `OTEL_*` variables (OpenTelemetry specification,
//! "OTLP exporter" and "Environment variables"; the signal's own variable wins over the general
//! one).
//!
//! As the standard asks, a value that cannot be used is told and ignored: telemetry never keeps a
//! service from starting.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use percent_encoding::percent_decode_str;

/// Reads a variable; empty counts as absent.
pub type Read<'r> = &'r dyn Fn(&str) -> Option<String>;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
}

/// How it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, protobuf bodies.
    Http,
}

/// One signal's way to its collector.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is sent.
    pub signal: Signal,
    /// Absolute URL: for HTTP the signal's own, for gRPC the server's.
    pub endpoint: String,
    /// gRPC or HTTP.
    pub protocol: Protocol,
    /// Sent with every request. Values are marked sensitive, since they hold tokens: they print as
    /// `Sensitive`.
    pub headers: HeaderMap,
    /// Bound of one request; of spans, with its repetitions. A century when there is none.
    pub timeout: Duration,
    /// Bodies are compressed with gzip.
    pub gzip: bool,
    /// PEM bundle trusted in place of the built-in web roots.
    pub certificate: Option<PathBuf>,
    /// The client's own certificate chain and key, PEM, for mutual TLS.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Signal {
    /// As in the variables' names.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    /// OTLP/HTTP's path.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
        }
    }

    /// OTLP/gRPC's path.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    /// What is counted of it.
    pub(super) fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "data points",
        }
    }
}

/// A time that never comes: the standard's 0 for a timeout.
const INDEFINITE: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Settings {
    /// The signal's settings; `None` unless the variables ask for it: by an endpoint, or by
    /// `OTEL_<SIGNAL>_EXPORTER=otlp`.
    pub fn read(signal: Signal, read: Read<'_>, warnings: &mut Vec<String>) -> Option<Self> {
        if read("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        let own = format!("OTEL_EXPORTER_OTLP_{}_", signal.name());
        let either = |name: &str| {
            read(&format!("{own}{name}")).or_else(|| read(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let exporter = format!("OTEL_{}_EXPORTER", signal.name());
        match read(&exporter) {
            Some(listed) => {
                let names: Vec<_> = listed.split(',').map(str::trim).collect();
                let otlp = names.contains(&"otlp");
                if names
                    .iter()
                    .any(|name| !matches!(*name, "otlp" | "none" | ""))
                {
                    let rest = if otlp {
                        "otlp alone is used"
                    } else {
                        "nothing is exported"
                    };
                    warnings.push(format!(
                        "{exporter} names others than otlp and none: {rest}"
                    ));
                }
                if !otlp {
                    return None;
                }
            }
            None if either("ENDPOINT").is_none() => return None,
            None => {}
        }
        let protocol = match either("PROTOCOL").as_deref() {
            Some("grpc") => Protocol::Grpc,
            None | Some("http/protobuf") => Protocol::Http,
            Some(_) => {
                warnings.push(
                    "OTEL_EXPORTER_OTLP_PROTOCOL is neither grpc nor http/protobuf: http/protobuf is used"
                        .to_owned(),
                );
                Protocol::Http
            }
        };
        let gzip = match either("COMPRESSION").as_deref() {
            Some("gzip") => true,
            None | Some("none") => false,
            Some(_) => {
                warnings.push(
                    "OTEL_EXPORTER_OTLP_COMPRESSION is neither gzip nor none: none is used"
                        .to_owned(),
                );
                false
            }
        };
        let endpoint = match endpoint(signal, protocol, read, &own) {
            Ok(endpoint) => endpoint,
            Err(wrong) => {
                // The text itself may hold a password.
                warnings.push(format!(
                    "{wrong} is no http or https URL such as http://collector:4318: no {} are exported",
                    signal.name().to_lowercase()
                ));
                return None;
            }
        };
        let client = match (either("CLIENT_CERTIFICATE"), either("CLIENT_KEY")) {
            (Some(chain), Some(key)) => Some((PathBuf::from(chain), PathBuf::from(key))),
            (None, None) => None,
            _ => {
                warnings.push(
                    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY need each other: no client \
                     certificate is used"
                        .to_owned(),
                );
                None
            }
        };
        let settings = Self {
            signal,
            endpoint,
            protocol,
            headers: either("HEADERS")
                .map(|text| headers(&text, warnings))
                .unwrap_or_default(),
            timeout: match either("TIMEOUT").as_deref().map(str::trim) {
                Some("0") => INDEFINITE,
                text => millis(
                    "OTEL_EXPORTER_OTLP_TIMEOUT",
                    text.map(str::to_owned),
                    10_000,
                    warnings,
                ),
            },
            gzip,
            certificate: either("CERTIFICATE").map(PathBuf::from),
            client,
        };
        if settings.endpoint.starts_with("https:")
            && let Err(why) = super::connect::look_at_files(&settings)
        {
            warnings.push(format!(
                "{} cannot be exported for now: {why}; its files are read again for each connection",
                signal.name().to_lowercase()
            ));
        }
        Some(settings)
    }
}

impl Settings {
    /// The endpoint for the log: without what may be a password.
    #[must_use]
    pub fn shown(&self) -> String {
        match url::Url::parse(&self.endpoint) {
            Ok(mut url) => {
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.to_string()
            }
            Err(_) => "an endpoint that is no URL".to_owned(),
        }
    }
}

/// The signal's own endpoint as it stands; the general one with the signal's path for HTTP.
///
/// # Errors
/// The name of the variable whose value is no URL.
fn endpoint(
    signal: Signal,
    protocol: Protocol,
    read: Read<'_>,
    own: &str,
) -> Result<String, String> {
    let own_name = format!("{own}ENDPOINT");
    let (name, text) = match read(&own_name) {
        Some(text) => (own_name, Some(text)),
        None => {
            let general = "OTEL_EXPORTER_OTLP_ENDPOINT";
            let text = read(general).map(|text| match protocol {
                Protocol::Http => format!("{}/{}", text.trim_end_matches('/'), signal.path()),
                Protocol::Grpc => text,
            });
            (general.to_owned(), text)
        }
    };
    let text = match (protocol, text) {
        (Protocol::Http, None) => format!("http://localhost:4318/{}", signal.path()),
        (Protocol::Grpc, None) => "http://localhost:4317".to_owned(),
        // OTLP over gRPC may leave the scheme out (OpenTelemetry specification, "Endpoint URLs for
        // OTLP/gRPC").
        (Protocol::Grpc, Some(text)) if !text.contains("://") && !text.starts_with("unix:") => {
            let insecure =
                read(&format!("{own}INSECURE")).or_else(|| read("OTEL_EXPORTER_OTLP_INSECURE"));
            let plain = insecure.is_some_and(|text| text.eq_ignore_ascii_case("true"));
            format!("{}://{text}", if plain { "http" } else { "https" })
        }
        (_, Some(text)) => text,
    };
    let url: Option<http::Uri> = text.parse().ok();
    let usable = url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.authority().is_some_and(|authority| {
                !authority.host().is_empty() && !authority.as_str().ends_with(':')
            })
    });
    if usable && url::Url::parse(&text).is_ok() {
        Ok(text)
    } else {
        Err(name)
    }
}

/// `name=value,…`, values percent-encoded.
fn headers(text: &str, warnings: &mut Vec<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let parsed = pair.split_once('=').and_then(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            let value: Vec<u8> = percent_decode_str(value.trim()).collect();
            let mut value = HeaderValue::from_bytes(&value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        match parsed {
            Some((name, value)) => drop(headers.insert(name, value)),
            // The pair itself is not repeated: it is most likely a token.
            None => warnings.push(
                "OTEL_EXPORTER_OTLP_HEADERS holds a pair that is no header: it is left out"
                    .to_owned(),
            ),
        }
    }
    headers
}

/// Whole milliseconds, at least one and at most an hour.
pub(crate) fn millis(
    name: &str,
    text: Option<String>,
    default: u64,
    warnings: &mut Vec<String>,
) -> Duration {
    let millis = number(name, text, default, 3_600_000, warnings);
    Duration::from_millis(millis)
}

/// A whole number from 1 to `most`.
pub(crate) fn number(
    name: &str,
    text: Option<String>,
    default: u64,
    most: u64,
    warnings: &mut Vec<String>,
) -> u64 {
    let Some(text) = text else { return default };
    match text.trim().parse::<u64>() {
        Ok(number) if (1..=most).contains(&number) => number,
        _ => {
            warnings.push(format!(
                "{name} is no whole number from 1 to {most}: {default} is used"
            ));
            default
        }
    }
}

/// Who sends: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, with our own name and version
/// below them.
pub fn resource(read: Read<'_>, warnings: &mut Vec<String>) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        // Tells replicas apart; a pod's name, if it is wanted, comes with OTEL_RESOURCE_ATTRIBUTES
        // and wins.
        KeyValue::new(
            "service.instance.id",
            format!("{:032x}", fastrand::u128(..)),
        ),
    ];
    let listed = read("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    for pair in listed
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let value = percent_decode_str(value.trim()).decode_utf8_lossy();
                attributes.push(KeyValue::new(key.trim().to_owned(), value.into_owned()));
            }
            _ => warnings.push(
                "OTEL_RESOURCE_ATTRIBUTES holds something that is no key=value: it is left out"
                    .to_owned(),
            ),
        }
    }
    if let Some(name) = read("OTEL_SERVICE_NAME") {
        attributes.push(KeyValue::new("service.name", name));
    }
    // The last of a key wins. Spans and numbers are recorded by code of our own, and the
    // conventions keep the name `opentelemetry` for its own SDKs.
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("telemetry.sdk.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("telemetry.sdk.language", "rust"),
            KeyValue::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_attributes(attributes)
        .build()
}

#[cfg(test)]
mod tests;
