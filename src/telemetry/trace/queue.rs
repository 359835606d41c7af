//! Finished calls on their way to the collector: a bounded queue and one thread that empties it.
//!
//! A call never waits and never fails for it: what does not fit is dropped and counted. A call
//! wakes the thread only when a batch is full; otherwise it comes by itself after the schedule's
//! delay.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{
    Compression, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::spans::{KeptCall, scope};
use crate::telemetry::metrics::Counter;
use crate::telemetry::otlp::{self, Collector, Read, millis, number};

/// `OTEL_BSP_*`, with the standard's defaults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Longest time that a span waits for a batch to fill.
    delay: Duration,
    /// Bound of one export.
    timeout: Duration,
    /// Spans that may wait.
    max_queue: usize,
    /// Spans of one export, give or take one call's.
    max_batch: usize,
}

/// Spans so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken by the collector.
    pub exported: u64,
    /// Not queued, because the queue was full.
    pub dropped: u64,
    /// Sent and not taken, or rejected.
    pub failed: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    /// Hears when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
    wake: Notify,
    stopping: AtomicBool,
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: Vec<KeptCall>,
    spans: usize,
}

impl Bounds {
    pub(super) fn read(read: Read<'_>, warnings: &mut Vec<String>) -> Self {
        let mut ask = |name: &str, default, most| number(name, read(name), default, most, warnings);
        let max_queue = ask("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1 << 20);
        let max_batch = ask("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1 << 16).min(max_queue);
        let mut time = |name: &str, default| millis(name, read(name), default, warnings);
        Self {
            delay: time("OTEL_BSP_SCHEDULE_DELAY", 5000),
            timeout: time("OTEL_BSP_EXPORT_TIMEOUT", 30_000),
            max_queue: usize::try_from(max_queue).unwrap_or(usize::MAX),
            max_batch: usize::try_from(max_batch).unwrap_or(usize::MAX),
        }
    }
}

impl Queue {
    /// Starts the thread. Spans that the collector rejects are counted in `rejected`.
    ///
    /// # Errors
    /// When the settings make no exporter, or no thread can be had.
    pub(super) fn start(
        settings: &otlp::Settings,
        resource: &Resource,
        bounds: Bounds,
        rejected: Counter,
    ) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            bounds,
            waiting: Mutex::default(),
            wake: Notify::new(),
            stopping: AtomicBool::new(false),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let mut exporter = exporter(settings, rejected.clone())?;
        exporter.set_resource(resource);
        let (ends, ended) = sync_channel(1);
        let worker = Worker {
            shared: Arc::clone(&shared),
            exporter,
            scope: scope(),
            endpoint: settings.shown(),
            failing: false,
            rejected,
            _ends: ends,
        };
        // The runtime is made where it ends: one that is dropped inside another ends the process
        // with a panic.
        let run = move || match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime.block_on(worker.run()),
            Err(fault) => warn!("no traces are exported: the runtime cannot be started ({fault})"),
        };
        std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn(run)
            .map_err(|fault| format!("its thread cannot be started ({fault})"))?;
        Ok(Self {
            shared,
            ended: Mutex::new(ended),
        })
    }

    pub(super) fn push(&self, call: KeptCall) {
        let spans = call.spans();
        let bounds = &self.shared.bounds;
        let mut waiting = self.shared.waiting();
        if waiting.spans + spans > bounds.max_queue || self.shared.stopping.load(Ordering::Relaxed)
        {
            drop(waiting);
            self.shared
                .dropped
                .fetch_add(spans as u64, Ordering::Relaxed);
            return;
        }
        let before = waiting.spans;
        waiting.spans += spans;
        waiting.calls.push(call);
        let full = before < bounds.max_batch && waiting.spans >= bounds.max_batch;
        drop(waiting);
        if full {
            self.shared.wake.notify_one();
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            exported: read(&self.shared.exported),
            dropped: read(&self.shared.dropped),
            failed: read(&self.shared.failed),
        }
    }

    /// Exports what waits, and ends the thread; gives up after `bound`.
    pub(super) fn stop(&self, bound: Duration) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Disconnected when the thread has ended; a time-out leaves it to the process's end.
        let _ = ended.recv_timeout(bound);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The crate's exporter: it encodes, and repeats what may be repeated.
fn exporter(settings: &otlp::Settings, rejected: Counter) -> Result<SpanExporter, String> {
    let mut builder = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&settings.endpoint)
        .with_timeout(settings.timeout)
        .with_http_client(Collector::new(settings, rejected));
    if settings.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    builder
        .build()
        .map_err(|fault| format!("its exporter cannot be built ({fault})"))
}

struct Worker {
    shared: Arc<Shared>,
    exporter: SpanExporter,
    scope: InstrumentationScope,
    endpoint: String,
    /// Whether the latest export failed, so that an outage is told once.
    failing: bool,
    rejected: Counter,
    _ends: SyncSender<()>,
}

impl Worker {
    async fn run(mut self) {
        loop {
            let bounds = self.shared.bounds;
            let _ = tokio::time::timeout(bounds.delay, self.shared.wake.notified()).await;
            // Read before the queue is emptied: what was pushed before the stop is exported.
            let stopping = self.shared.stopping.load(Ordering::Relaxed);
            let calls = {
                let mut waiting = self.shared.waiting();
                waiting.spans = 0;
                mem::take(&mut waiting.calls)
            };
            let mut batch = Vec::new();
            for call in calls {
                call.build(&self.scope, &mut batch);
                if batch.len() >= bounds.max_batch {
                    self.export(mem::take(&mut batch)).await;
                }
            }
            if !batch.is_empty() {
                self.export(batch).await;
            }
            if stopping {
                return;
            }
        }
    }

    async fn export(&mut self, batch: Vec<opentelemetry_sdk::trace::SpanData>) {
        let spans = batch.len() as u64;
        let rejected = self.rejected.get();
        let sent =
            tokio::time::timeout(self.shared.bounds.timeout, self.exporter.export(batch)).await;
        let failure = match sent {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        match failure {
            None => {
                // Nobody else exports spans: what was counted meanwhile was rejected of this batch.
                let rejected = (self.rejected.get() - rejected).min(spans);
                self.shared
                    .exported
                    .fetch_add(spans - rejected, Ordering::Relaxed);
                self.shared.failed.fetch_add(rejected, Ordering::Relaxed);
                if mem::take(&mut self.failing) {
                    let failed = self.shared.failed.load(Ordering::Relaxed);
                    info!(
                        endpoint = self.endpoint,
                        lost = failed,
                        "traces are exported again"
                    );
                }
            }
            Some(why) => {
                self.shared.failed.fetch_add(spans, Ordering::Relaxed);
                if !mem::replace(&mut self.failing, true) {
                    warn!(
                        endpoint = self.endpoint,
                        "traces cannot be exported, calls go on: {why}"
                    );
                }
            }
        }
    }
}
