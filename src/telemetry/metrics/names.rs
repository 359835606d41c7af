//! Every family that the process has: the one table behind the registry, both text formats, OTLP and `docs/metrics.md`.
//!
//! Names are those of OpenTelemetry's semantic conventions where one exists (RPC: `rpc.server.call.duration`, release
//! candidate; HTTP: `http.client.request.duration`, stable), else our own under `faas_sidecar`. In Prometheus dots turn into
//! underscores, the unit and `_total` are appended ("Prometheus and OpenMetrics Compatibility" of the OpenTelemetry
//! specification). The process has the names that every Prometheus client library gives it (`process_cpu_seconds_total`):
//! the conventions' own are in development, and those that end in `count` fail `promtool check metrics`.

use super::family::{Description, Kind, Unit};

const TARGET: &str = "faas_sidecar.target";
pub(super) const ACTION: &str = "faas.invoked_name";

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// The conventions' bounds (5 ms to 10 s), and above them what long functions need.
const DURATION: Kind = Kind::Histogram(&[
    5 * MILLI,
    10 * MILLI,
    25 * MILLI,
    50 * MILLI,
    75 * MILLI,
    100 * MILLI,
    250 * MILLI,
    500 * MILLI,
    750 * MILLI,
    SECOND,
    2_500 * MILLI,
    5 * SECOND,
    7_500 * MILLI,
    10 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    300 * SECOND,
]);

/// Waits are bounded by the queue's patience, a second unless configured.
const WAIT: Kind = Kind::Histogram(&[
    MILLI,
    5 * MILLI,
    10 * MILLI,
    25 * MILLI,
    50 * MILLI,
    100 * MILLI,
    250 * MILLI,
    500 * MILLI,
    SECOND,
    5 * SECOND,
    30 * SECOND,
]);

/// From an empty object to the largest code archive.
const SIZE: Kind = Kind::Histogram(&[
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
    64 << 20,
]);

macro_rules! families {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $unit:expr, $kind:expr, [$($label:expr),*], $help:literal;)*) => {
        $($(#[$doc])* pub static $id: Description = Description {
            name: $name,
            unit: $unit,
            kind: $kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order in which they are shown.
        pub static ALL: &[&Description] = &[$(&$id),*];
    };
}

families! {
    /// Calls served.
    RPC_DURATION = "rpc.server.call.duration", Unit::Seconds, DURATION,
        ["rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type", TARGET],
        "Duration of calls served, from the request's head to the last byte of the answer";
    /// Calls in flight.
    CALLS_IN_FLIGHT = "faas_sidecar.calls.in_flight", Unit::Things("{call}"), Kind::UpDown, [TARGET],
        "Calls being served";
    /// Attempts.
    HTTP_DURATION = "http.client.request.duration", Unit::Seconds, DURATION,
        ["http.request.method", "server.address", "server.port", "http.response.status_code", "error.type", TARGET],
        "Duration of HTTP requests to the cloud, one for each attempt";
    /// Request bodies.
    HTTP_REQUEST_SIZE = "http.client.request.body.size", Unit::Bytes, SIZE,
        ["http.request.method", "server.address", "server.port", TARGET],
        "Size of HTTP request bodies sent to the cloud";
    /// Response bodies.
    HTTP_RESPONSE_SIZE = "http.client.response.body.size", Unit::Bytes, SIZE,
        ["http.request.method", "server.address", "server.port", TARGET],
        "Size of HTTP response bodies received from the cloud";
    /// Requests in flight.
    HTTP_IN_FLIGHT = "http.client.active_requests", Unit::Things("{request}"), Kind::UpDown,
        ["server.address", "server.port", TARGET],
        "HTTP requests to the cloud that are under way";
    /// Runs.
    INVOCATIONS = "faas_sidecar.invocations", Unit::Things("{invocation}"), Kind::Counter,
        [TARGET, ACTION, "outcome"],
        "Runs of functions that were started, or may have been, by what the caller was told of them";
    /// Run time.
    RUN_DURATION = "faas_sidecar.invocation.run.duration", Unit::Seconds, DURATION, [TARGET, ACTION],
        "Time that functions ran, as the cloud reports it";
    /// Billed time.
    BILLED_TIME = "faas_sidecar.invocation.billed_time", Unit::Seconds, Kind::Counter, [TARGET, ACTION],
        "Time that the cloud bills for runs, as it reports it";
    /// Cold starts.
    COLD_STARTS = "faas_sidecar.invocation.cold_starts", Unit::Things("{invocation}"), Kind::Counter, [TARGET, ACTION],
        "Runs whose record tells of an initialisation before them";
    /// Repeated calls.
    DEDUP = "faas_sidecar.dedup.calls", Unit::Things("{call}"), Kind::Counter, ["outcome"],
        "Calls with a request_id, by whether they started, joined a call in flight, got a stored answer or were refused";
    /// Targets.
    TARGET_INFO = "faas_sidecar.target.info", Unit::Things("{target}"), Kind::Gauge,
        [TARGET, "faas.invoked_provider", "faas.invoked_region"],
        "Configured targets; always 1";
    /// Build.
    BUILD_INFO = "faas_sidecar.build.info", Unit::Things("{build}"), Kind::Gauge, ["version", "emulator"],
        "The running build; always 1";
    /// CPU.
    PROCESS_CPU = "process.cpu", Unit::Seconds, Kind::Counter, [],
        "Processor time that the process has used";
    /// Memory.
    PROCESS_RESIDENT = "process.resident_memory", Unit::Bytes, Kind::UpDown, [],
        "Resident memory of the process";
    /// Address space.
    PROCESS_VIRTUAL = "process.virtual_memory", Unit::Bytes, Kind::UpDown, [],
        "Virtual memory of the process";
    /// File descriptors.
    PROCESS_FDS = "process.open_fds", Unit::Things("{file_descriptor}"), Kind::UpDown, [],
        "File descriptors that the process has open";
    /// File descriptor limit.
    PROCESS_MAX_FDS = "process.max_fds", Unit::Things("{file_descriptor}"), Kind::Gauge, [],
        "File descriptors that the process may have open";
    /// Threads.
    PROCESS_THREADS = "process.threads", Unit::Things("{thread}"), Kind::UpDown, [],
        "Threads of the process";
    /// Start.
    PROCESS_START = "process.start_time", Unit::Seconds, Kind::Gauge, [],
        "When the process started, since the Unix epoch";
}
