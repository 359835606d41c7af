//! The export over OTLP: a thread of its own that reads the registry at an interval and sends it.
//!
//! It holds nothing between two exports: what could not be sent is in the next, since numbers are cumulative. A collector
//! that is slow or gone costs no call anything.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use opentelemetry_http::HttpClient as _;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tracing::warn;

use super::{Metrics, otlp};
use crate::clock;
use crate::telemetry::otlp::{Connection, Http, Read, Settings, Signal, millis, resource};

/// The standard's default interval, in milliseconds.
const INTERVAL: u64 = 60_000;

/// The running export; dropped, it ends without a last one.
#[derive(Debug)]
pub struct Export {
    stop: watch::Sender<bool>,
    /// Ends with the thread.
    ended: Mutex<Receiver<()>>,
    told: String,
}

/// What the thread needs.
struct Exporter {
    metrics: Arc<Metrics>,
    settings: Settings,
    resource: Resource,
    interval: Duration,
    start: SystemTime,
}

impl Export {
    /// As the standard variables say; `None` unless they ask for it. `warnings` tell of what is ignored.
    #[must_use]
    pub fn start(metrics: &Arc<Metrics>, read: Read<'_>, warnings: &mut Vec<String>) -> Option<Self> {
        let settings = Settings::read(Signal::Metrics, read, warnings)?;
        let interval = millis(
            "OTEL_METRIC_EXPORT_INTERVAL",
            read("OTEL_METRIC_EXPORT_INTERVAL"),
            INTERVAL,
            warnings,
        );
        let told = format!(
            "{} over {:?}, every {} s",
            settings.shown(),
            settings.protocol,
            interval.as_secs_f64()
        );
        let exporter = Exporter {
            metrics: Arc::clone(metrics),
            resource: (&resource(read, warnings)).into(),
            settings,
            interval,
            start: clock::now(),
        };
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = sync_channel(0);
        let thread = std::thread::Builder::new().name("metrics-export".to_owned());
        let started = thread.spawn(move || {
            exporter.run(stopped);
            drop(end);
        });
        match started {
            Ok(_) => Some(Self {
                stop,
                ended: Mutex::new(ended),
                told,
            }),
            Err(why) => {
                warnings.push(format!("no metrics are exported: {why}"));
                None
            }
        }
    }

    /// Where metrics go, for the log's first lines.
    #[must_use]
    pub fn told(&self) -> &str {
        &self.told
    }

    /// Exports a last time, and nothing afterwards.
    pub fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the last export, within `bound`.
    pub fn wait(&self, bound: Duration) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(bound);
    }
}

impl Exporter {
    fn run(self, mut stopped: watch::Receiver<bool>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(fault) => return warn!("no metrics are exported: {fault}"),
        };
        runtime.block_on(async {
            let mut sender = match Sender::new(&self.settings) {
                Ok(sender) => sender,
                Err(fault) => return warn!("no metrics are exported: {fault}"),
            };
            let mut failing = false;
            loop {
                // An end of the channel is a stop that nobody waits for.
                let last = tokio::select! {
                    told = stopped.wait_for(|stop| *stop) => match told {
                        Ok(_) => true,
                        Err(_) => return,
                    },
                    () = tokio::time::sleep(self.interval) => false,
                };
                let span = otlp::Span { start: self.start, now: clock::now() };
                let message = otlp::message(self.metrics.families(), self.resource.clone(), span);
                let sent = tokio::time::timeout(self.settings.timeout, sender.send(message)).await;
                let sent = sent.unwrap_or_else(|_| Err("the collector did not answer in time".to_owned()));
                // Told when it begins, not every minute.
                if let (Err(why), false) = (&sent, failing) {
                    warn!("metrics cannot be exported: {why}; they are kept, and sent when the collector is back");
                }
                failing = sent.is_err();
                if last {
                    return;
                }
            }
        });
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one of it")]
enum Sender {
    Grpc {
        client: MetricsServiceClient<tonic::transport::Channel>,
        metadata: MetadataMap,
    },
    Http {
        client: Http,
        endpoint: String,
        gzip: bool,
    },
}

impl Sender {
    fn new(settings: &Settings) -> Result<Self, String> {
        let connection = Connection::new(settings).map_err(|fault| fault.to_string())?;
        Ok(match connection {
            Connection::Grpc(channel) => {
                let client = MetricsServiceClient::new(channel);
                Self::Grpc {
                    client: if settings.gzip {
                        client.send_compressed(Gzip)
                    } else {
                        client
                    },
                    metadata: MetadataMap::from_headers(settings.headers.clone()),
                }
            }
            Connection::Http(client) => Self::Http {
                client: *client,
                endpoint: settings.endpoint.clone(),
                gzip: settings.gzip,
            },
        })
    }

    async fn send(&mut self, message: ExportMetricsServiceRequest) -> Result<(), String> {
        match self {
            Self::Grpc { client, metadata } => {
                let mut request = tonic::Request::new(message);
                *request.metadata_mut() = metadata.clone();
                let sent = client.export(request).await;
                // The status' message may be the collector's own words; its code is enough.
                sent.map(drop)
                    .map_err(|status| format!("the collector answered {}", status.code()))
            }
            Self::Http {
                client,
                endpoint,
                gzip,
            } => {
                let body = message.encode_to_vec();
                let mut request = Request::post(endpoint.as_str()).header(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/x-protobuf"),
                );
                let body = if *gzip {
                    request = request.header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    gzipped(&body).map_err(|fault| fault.to_string())?
                } else {
                    body
                };
                let request = request
                    .body(Bytes::from(body))
                    .map_err(|fault| fault.to_string())?;
                let answer = client
                    .send_bytes(request)
                    .await
                    .map_err(|fault| fault.to_string())?;
                if answer.status().is_success() {
                    Ok(())
                } else {
                    Err(format!("the collector answered {}", answer.status()))
                }
            }
        }
    }
}

fn gzipped(body: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}
