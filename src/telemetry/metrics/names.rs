//! Every family that the process has: the one table behind the registry, both text formats, OTLP
//! and `docs/metrics.md`.
//!
//! Names are those of OpenTelemetry's semantic conventions where one exists (RPC:
//! `rpc.server.call.duration`, release candidate; HTTP: `http.client.request.duration`, stable),
//! else our own under `faas_sidecar`. In Prometheus dots turn into underscores, the unit and
//! `_total` are appended ("Prometheus and OpenMetrics Compatibility" of the OpenTelemetry
//! specification). The process has the names that every Prometheus client library gives it
//! (`process_cpu_seconds_total`): the conventions' own are in development, and those that end in
//! `count` fail `promtool check metrics`.

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
    /// Connections that fell silent.
    SILENT_CONNECTIONS = "faas_sidecar.connections.silent", Unit::Things("{connection}"), Kind::Counter,
        [TARGET, "network.protocol.version"],
        "Connections to the cloud given up for silence: HTTP/2 (2) left a ping unanswered, HTTP/1.1 (1.1) a request until its wait ended";
    /// Slots in use.
    SLOTS = "faas_sidecar.slots.in_use", Unit::Things("{slot}"), Kind::UpDown, [TARGET],
        "Calls that hold one of the target's slots (limits.max_in_flight)";
    /// Queue.
    QUEUE = "faas_sidecar.queue.length", Unit::Things("{call}"), Kind::UpDown, [TARGET],
        "Calls that wait for a slot (limits.max_queue)";
    /// Waits.
    QUEUE_WAIT = "faas_sidecar.queue.wait.duration", Unit::Seconds, WAIT, [TARGET],
        "Time that calls waited for a slot, of those that had to wait";
    /// Shed.
    SHED = "faas_sidecar.shed", Unit::Things("{call}"), Kind::Counter, [TARGET, "reason"],
        "Calls and retries refused before they were sent, by the reason that the caller is told";
    /// Memory in use.
    BODY_MEMORY = "faas_sidecar.body_memory.in_use", Unit::Bytes, Kind::UpDown, [],
        "Memory counted for calls and their bodies (max_body_memory)";
    /// Its bound.
    BODY_MEMORY_LIMIT = "faas_sidecar.body_memory.limit", Unit::Bytes, Kind::UpDown, [],
        "The bound on memory for calls and their bodies";
    /// Calls refused for it.
    BODY_MEMORY_REFUSED = "faas_sidecar.body_memory.refused", Unit::Things("{call}"), Kind::Counter, [],
        "Calls refused before they were read, because they or their message found no room (MEMORY_LIMIT)";
    /// Answers that waited for it.
    BODY_MEMORY_WAITED = "faas_sidecar.body_memory.waited", Unit::Things("{answer}"), Kind::Counter, [],
        "Answers of the cloud that had to wait for room";
    /// Retries.
    RETRIES = "faas_sidecar.retries", Unit::Things("{retry}"), Kind::Counter, [TARGET, "origin"],
        "Repeated requests paid for from the retry budget, the sidecar's own and the callers'";
    /// Retries refused.
    RETRIES_REFUSED = "faas_sidecar.retries.refused", Unit::Things("{retry}"), Kind::Counter, [TARGET, "origin"],
        "Repeated requests that the spent retry budget stopped, the sidecar's own and the callers'";
    /// Learnt rate.
    RATE_LIMIT = "faas_sidecar.rate_limit", Unit::Things("{request}/s"), Kind::Gauge, [TARGET],
        "Requests a second that the rate learnt from refusals allows; absent while none is learnt";
    /// Circuit.
    CIRCUIT = "faas_sidecar.circuit.state", Unit::Things("{circuit}"), Kind::Gauge, [TARGET, "state"],
        "1 for the state that the target's circuit is in, 0 for the others";
    /// Circuit changes.
    CIRCUIT_CHANGES = "faas_sidecar.circuit.transitions", Unit::Things("{transition}"), Kind::Counter, [TARGET, "state"],
        "Times that the target's circuit opened or closed";
    /// Credentials ready.
    CREDENTIALS_READY = "faas_sidecar.credentials.ready", Unit::Things("{credential}"), Kind::Gauge, [TARGET],
        "1 when a call would have credentials now, else 0";
    /// Credentials' age.
    CREDENTIALS_AGE = "faas_sidecar.credentials.age", Unit::Seconds, Kind::Gauge, [TARGET],
        "How long the present credentials have been in use";
    /// Credentials' end.
    CREDENTIALS_EXPIRE = "faas_sidecar.credentials.time_to_expiry", Unit::Seconds, Kind::Gauge, [TARGET],
        "What is left of the present credentials' life; absent when they have no end";
    /// Credentials' generation.
    CREDENTIALS_GENERATION = "faas_sidecar.credentials.generation", Unit::Things("{generation}"), Kind::Gauge, [TARGET],
        "Names the present credentials; it changes when they do";
    /// Credentials' refreshes.
    CREDENTIALS_REFRESHES = "faas_sidecar.credentials.refreshes", Unit::Things("{refresh}"), Kind::Counter,
        [TARGET, "outcome"],
        "Looks at the source of credentials, by what they found";
    /// Clock.
    CLOCK_SKEW = "faas_sidecar.clock.skew", Unit::Seconds, Kind::Gauge, [TARGET],
        "How far this machine's clock is ahead of the cloud's (negative: behind), as learnt from its answers";
    /// Configuration.
    CONFIG_GENERATION = "faas_sidecar.config.generation", Unit::Things("{generation}"), Kind::Gauge, [],
        "The configuration in use: 1 at the start, one more with each reload";
    /// Reloads.
    CONFIG_RELOADS = "faas_sidecar.config.reloads", Unit::Things("{reload}"), Kind::Counter, ["outcome"],
        "Reloads of the configuration, by outcome";
    /// The last reload.
    CONFIG_RELOADED = "faas_sidecar.config.last_reload.success", Unit::Things("{reload}"), Kind::Gauge, [],
        "1 when the configuration was taken over the last time it was read, 0 when the one before was kept";
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
    INIT_DURATION = "faas_sidecar.invocation.init.duration", Unit::Seconds, DURATION, [TARGET, ACTION],
        "Time that the cloud took to prepare cold starts, as it reports it; the count is that of cold starts";
    /// Members of answers that cannot be read.
    UNREADABLE_MEMBERS = "faas_sidecar.unreadable_members", Unit::Things("{member}"), Kind::Counter, [TARGET, "member"],
        "Members of the cloud's answers that cannot be read and are taken as absent, by name";
    /// Repeated calls.
    DEDUP = "faas_sidecar.dedup.calls", Unit::Things("{call}"), Kind::Counter, ["outcome"],
        "Calls with a request_id, by whether they started, joined a call in flight, got a stored answer or were refused";
    /// Telemetry that the collector rejected.
    OTLP_REJECTED = "faas_sidecar.otlp.rejected", Unit::Things("{item}"), Kind::Counter, ["signal"],
        "Spans and data points that the collector rejected although it answered OK (partial success)";
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
