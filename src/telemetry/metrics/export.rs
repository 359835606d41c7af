//! The export over OTLP: a thread of its own that reads the registry at an interval and sends it.
//!
//! What could not be sent is in the next export: cumulative numbers hold it anyway, and differences
//! are counted from the last export that was delivered. A collector that is slow or gone costs no
//! call anything.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use opentelemetry_http::HttpClient as _;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::otlp::{Delivered, Temporality, message, snapshot};
use super::{Metrics, names};
use crate::clock;
use crate::telemetry::otlp::{Collector, Read, Settings, Signal, millis, resource};

/// The standard's default interval, in milliseconds.
const INTERVAL: u64 = 60_000;
/// The pause before the first repetition; each one after is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The running export; dropped, it ends without a last one.
#[derive(Debug)]
pub struct Export {
    stop: watch::Sender<bool>,
    /// Ends with the thread.
    ended: Mutex<Receiver<()>>,
    told: String,
}

/// What the standard variables ask for, before anything is started.
struct Asked {
    settings: Settings,
    interval: Duration,
    temporality: Temporality,
    resource: Resource,
}

impl Asked {
    fn read(read: Read<'_>, warnings: &mut Vec<String>) -> Option<Self> {
        let settings = Settings::read(Signal::Metrics, read, warnings)?;
        let name = "OTEL_METRIC_EXPORT_INTERVAL";
        Some(Self {
            settings,
            interval: millis(name, read(name), INTERVAL, warnings),
            temporality: temporality(read, warnings),
            resource: (&resource(read, warnings)).into(),
        })
    }
}

fn temporality(read: Read<'_>, warnings: &mut Vec<String>) -> Temporality {
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    match read(name)
        .map(|text| text.trim().to_ascii_lowercase())
        .as_deref()
    {
        None | Some("cumulative") => Temporality::Cumulative,
        Some("delta") => Temporality::Delta,
        Some("lowmemory") => Temporality::LowMemory,
        Some(_) => {
            warnings.push(format!(
                "{name} is none of cumulative, delta and lowmemory: cumulative is used"
            ));
            Temporality::Cumulative
        }
    }
}

/// What the thread needs.
struct Exporter {
    metrics: Arc<Metrics>,
    asked: Asked,
    collector: Collector,
    start: SystemTime,
}

impl Export {
    /// As the standard variables say; `None` unless they ask for it. `warnings` tell of what is
    /// ignored.
    #[must_use]
    pub fn start(
        metrics: &Arc<Metrics>,
        read: Read<'_>,
        warnings: &mut Vec<String>,
    ) -> Option<Self> {
        let asked = Asked::read(read, warnings)?;
        let told = format!(
            "{} over {:?}, every {} s, {:?}",
            asked.settings.shown(),
            asked.settings.protocol,
            asked.interval.as_secs_f64(),
            asked.temporality
        );
        let rejected = metrics.family(&names::OTLP_REJECTED).counter(&["metrics"]);
        let exporter = Exporter {
            metrics: Arc::clone(metrics),
            collector: Collector::new(&asked.settings, rejected),
            asked,
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

    /// Tells in `warnings` what [`Export::start`] would ignore, and starts nothing.
    pub(in crate::telemetry) fn check(read: Read<'_>, warnings: &mut Vec<String>) {
        let _ = Asked::read(read, warnings);
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
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(fault) => return warn!("no metrics are exported: {fault}"),
        };
        runtime.block_on(async {
            let mut delivered = Delivered::nothing(self.asked.temporality, self.start);
            let mut failing = false;
            loop {
                // An end of the channel is a stop that nobody waits for.
                let last = tokio::select! {
                    told = stopped.wait_for(|stop| *stop) => match told {
                        Ok(_) => true,
                        Err(_) => return,
                    },
                    () = tokio::time::sleep(self.asked.interval) => false,
                };
                let (read, now) = (snapshot(self.metrics.families()), clock::now());
                let message = message(&read, self.asked.resource.clone(), &delivered, now);
                match self.deliver(message.encode_to_vec(), &mut stopped, last).await {
                    Ok(()) => {
                        delivered.note(read, now);
                        if failing {
                            info!("metrics are exported again");
                        }
                        failing = false;
                    }
                    // Told when it begins, not every minute.
                    Err(why) if !failing => {
                        failing = true;
                        warn!("metrics cannot be exported: {why}; they are kept, and sent when the collector is back");
                    }
                    Err(_) => {}
                }
                if last {
                    return;
                }
            }
        });
    }

    /// Sends one message, and repeats it as OTLP allows until the next one is due or the process
    /// stops.
    async fn deliver(
        &self,
        message: Vec<u8>,
        stopped: &mut watch::Receiver<bool>,
        last: bool,
    ) -> Result<(), String> {
        let due = Instant::now() + self.asked.interval;
        let body = if self.asked.settings.gzip {
            gzipped(&message).map_err(|fault| fault.to_string())?
        } else {
            message
        };
        let body = Bytes::from(body);
        let mut pause = FIRST_PAUSE;
        loop {
            let request = self
                .request(body.clone())
                .map_err(|fault| fault.to_string())?;
            let (why, asked) =
                match tokio::time::timeout_at(due, self.collector.send_bytes(request)).await {
                    Ok(Ok(answer)) if answer.status().is_success() => return Ok(()),
                    Ok(Ok(answer)) if may_repeat(answer.status()) => {
                        let why = format!("the collector answered {}", answer.status());
                        (why, retry_after(&answer))
                    }
                    Ok(Ok(answer)) => {
                        return Err(format!("the collector answered {}", answer.status()));
                    }
                    Ok(Err(fault)) if fault.is::<tokio::time::error::Elapsed>() => {
                        ("the collector did not answer in time".to_owned(), None)
                    }
                    Ok(Err(fault)) => (fault.to_string(), None),
                    Err(_) => return Err("the collector did not answer in time".to_owned()),
                };
            let wait = asked.unwrap_or_else(|| pause.mul_f64(0.5 + fastrand::f64() / 2.0));
            if Instant::now() + wait >= due {
                return Err(why);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // What waits is sent once more with all that came since.
                _ = stopped.wait_for(|stop| *stop), if !last => return Err(why),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn request(&self, body: Bytes) -> Result<Request<Bytes>, http::Error> {
        let mut request = Request::post(self.asked.settings.endpoint.as_str()).header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        if self.asked.settings.gzip {
            request = request.header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        request.body(body)
    }
}

/// OTLP, "Retryable Response Codes".
fn may_repeat(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// The pause that the collector asks for, in seconds or until a date (RFC 9110 §10.2.3).
fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            Some(date.duration_since(clock::now()).unwrap_or_default())
        }
    }
}

fn gzipped(body: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}
