//! Runs the code of an action under its time and memory limits and hands back what it returned and
//! logged.
//!
//! JavaScript runs in QuickJS on a thread of its own, Python in a `python3` process. Limits are
//! enforced, but this is no sandbox: Python code may do whatever the user who started the emulator
//! may do, unless [`Job::processes`] is off. Knows no cloud: how a [`Failure`] reads to a caller is
//! the business of the cloud that is emulated.

mod archive;
mod convention;
mod javascript;
mod logs;
mod python;
mod stop;

use std::time::Duration;

use serde_json::{Map, Value};

use super::clock::Clock;
pub(super) use archive::is_archive;
pub use convention::{Convention, EventContext};
pub use logs::LogLine;
pub use stop::Stop;

/// How much of a result that is too long is shown.
const SHOWN_OF_LONG_RESULT: usize = 1024;

/// One run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The runtime id, for example `nodejs:22` or `python:3.13`.
    pub runtime: String,
    /// The code.
    pub code: Code,
    /// The file that holds the entry function, without its ending; source text becomes this file.
    /// `None`: the source as it stands, or the file with which an archive of Apache OpenWhisk
    /// begins.
    pub file: Option<String>,
    /// The entry function.
    pub entry: String,
    /// How it is called.
    pub convention: Convention,
    /// Its first argument.
    pub params: Map<String, Value>,
    /// The run is ended after this time.
    pub time_limit: Duration,
    /// The run is ended when it needs more than this.
    pub memory_mb: u64,
    /// Bytes of log lines that are kept; the rest is dropped with a warning.
    pub max_log_bytes: usize,
    /// Bytes of a result that are kept.
    pub max_result: usize,
    /// `process.env`, `os.environ`.
    pub env: Vec<(String, String)>,
    /// Whether a process may be started for it.
    pub processes: bool,
}

/// Code in one of the two forms in which clouds take it.
#[derive(Debug, Clone)]
pub enum Code {
    /// Source text.
    Source(String),
    /// A zip archive.
    Archive(Vec<u8>),
}

/// How a run ended, and its log.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The JSON value that the function returned (`null` for nothing), or why there is none.
    pub result: Result<Value, Failure>,
    /// Log lines in the order in which they were written.
    pub logs: Vec<LogLine>,
    /// Lines were dropped because the log was full.
    pub logs_cut: bool,
    /// Bytes that the run needed, as far as its end could be seen.
    pub memory_used: Option<u64>,
}

/// Why a run gave no value.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// Past its time limit.
    OutOfTime {
        /// While the code was loaded, before the entry function was called.
        loading: bool,
    },
    /// Past its memory limit.
    OutOfMemory,
    /// The code could not be loaded: syntax error, no entry function, broken archive.
    NotLoaded(String),
    /// The entry function threw.
    Threw(String),
    /// The entry function returned a promise that was rejected, here as JSON. An error is an object
    /// of `name`, `message` and `stack`. With [`Convention::Event`] everything that is thrown ends
    /// here.
    Rejected(Value),
    /// The initializer threw; the value as in [`Self::Rejected`].
    NotInitialized(Value),
    /// The process ended without a result.
    Exited,
    /// The result cannot be written as JSON.
    NotJson(String),
    /// The result is longer than [`Job::max_result`].
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// How it begins.
        head: String,
    },
    /// This emulator cannot run it.
    Unsupported(String),
    /// The emulator itself failed or is stopping.
    Internal(String),
}

impl Outcome {
    fn failed(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            logs: Vec::new(),
            logs_cut: false,
            memory_used: None,
        }
    }
}

/// Runs a job to its end. Never blocks the caller's thread.
pub async fn run(job: Job, clock: &Clock, stop: &Stop) -> Outcome {
    let max_result = job.max_result;
    let family = job.runtime.split(':').next().unwrap_or_default();
    let mut outcome = match family {
        "nodejs" => javascript::run(job, clock, stop).await,
        "python" if !job.processes => Outcome::failed(Failure::Unsupported(
            "python actions run in a process of their own, and this emulator starts none (--no-processes)"
                .into(),
        )),
        "python" => python::run(job, clock, stop).await,
        _ => Outcome::failed(Failure::Unsupported(format!(
            "this emulator runs nodejs and python only, so the runtime `{}` was not run",
            job.runtime
        ))),
    };
    if let Ok(value) = &outcome.result {
        let text = value.to_string();
        if text.len() > max_result {
            outcome.result = Err(too_long(&text));
        }
    }
    outcome
}

fn too_long(text: &str) -> Failure {
    let mut end = SHOWN_OF_LONG_RESULT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Failure::TooLong {
        length: text.len(),
        head: text[..end].to_owned(),
    }
}
