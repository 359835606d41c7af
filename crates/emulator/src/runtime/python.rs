//! Python actions: a `python3` process with a supervisor above it for each run, fed with
//! `python/wrapper.py`.
//!
//! The job goes in as JSON on standard input. The result comes back on standard output behind a
//! mark that is drawn anew for each run; every other line is the action's log. The wrapper limits
//! its own memory before it runs any foreign line.
//!
//! Nothing that a run starts outlives it: the supervisor ends all processes below it when the
//! action ends, and when its standard input closes, which a time-out, a stop and the end of the
//! emulator do. Both are a process group of their own, which is ended afterwards.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use super::logs::Logs;
use super::{Code, Failure, Job, Outcome, Stop};
use crate::clock::Clock;

const WRAPPER: &str = include_str!("python/wrapper.py");
/// A line longer than so many times the limit of a result is cut: enough for one somewhat over it
/// with everything escaped.
const MAX_LINE: usize = 8;
/// What of this process's environment `python3` needs to be found and to start, also when it is a
/// shim of a version manager.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
/// The supervisor may take so long to end everything.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn run(job: Job, clock: &Clock, stop: &Stop) -> Outcome {
    let logs = Logs::new(job.max_log_bytes, clock);
    let mut told = Told::default();
    let result = match start() {
        Ok(mut child) => supervise(&mut child, &job, &logs, stop, &mut told).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::Unsupported(
            "python3 was not found on PATH: install Python 3 to run python actions in this emulator".into(),
        )),
        Err(error) => Err(Failure::Internal(format!(
            "python3 could not be started: {error}"
        ))),
    };
    let (logs, logs_cut) = logs.take();
    Outcome {
        result,
        logs,
        logs_cut,
        memory_used: told.memory_used,
    }
}

fn start() -> io::Result<Child> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a child process gets these variables and no others"
    )]
    let needed = ENVIRONMENT.map(|name| (name, std::env::var_os(name)));
    let needed = needed
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    // Not killed when dropped: its standard input closes then, and the supervisor ends the rest
    // before itself.
    Command::new("python3")
        .args(["-I", "-B", "-X", "utf8", "-c", WRAPPER])
        .env_clear()
        .envs(needed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Ends everything that the run has started.
async fn end(child: &mut Child, stdin: Option<ChildStdin>) {
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    drop(stdin);
    // A supervisor that does not end was stopped by the action.
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
    // Nothing is left of the group unless the action ended its supervisor.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill().await;
}

/// What the marked lines have said so far.
#[derive(Default)]
struct Told {
    loaded: bool,
    memory_used: Option<u64>,
    end: Option<(String, String)>,
}

async fn supervise(
    child: &mut Child,
    job: &Job,
    logs: &Logs,
    stop: &Stop,
    told: &mut Told,
) -> Result<Value, Failure> {
    let mark = format!("{:032x}", fastrand::u128(..));
    let mut stdin = child.stdin.take();
    let finished = tokio::select! {
        finished = tokio::time::timeout(job.time_limit, talk(child, &mut stdin, job, &mark, logs, told)) => Some(finished),
        () = stop.stopped() => None,
    };
    end(child, stdin).await;
    match finished {
        None => Err(Failure::Internal("the emulator is stopping".into())),
        Some(Err(_)) => Err(Failure::OutOfTime {
            loading: !told.loaded,
        }),
        Some(Ok(Err(error))) if told.end.is_none() => Err(Failure::Internal(format!(
            "talking to python3 failed: {error}"
        ))),
        Some(Ok(_)) => ended(told, job.max_result),
    }
}

fn ended(told: &mut Told, max_result: usize) -> Result<Value, Failure> {
    let Some((kind, text)) = told.end.take() else {
        return Err(Failure::Exited);
    };
    let message = || match serde_json::from_str(&text) {
        Ok(Value::String(message)) => message,
        _ => text.clone(),
    };
    match kind.as_str() {
        "value" => serde_json::from_str(&text).map_err(|error| match text.len() > max_result {
            true => super::too_long(&text),
            false => Failure::NotJson(error.to_string()),
        }),
        "threw" => Err(Failure::Threw(message())),
        "rejected" | "init" => {
            let error = serde_json::from_str(&text).unwrap_or_else(|_| text.clone().into());
            match kind.as_str() {
                "init" => Err(Failure::NotInitialized(error)),
                _ => Err(Failure::Rejected(error)),
            }
        }
        "load" => Err(Failure::NotLoaded(message())),
        "json" => Err(Failure::NotJson(message())),
        "memory" => Err(Failure::OutOfMemory),
        _ => Err(Failure::Exited),
    }
}

async fn talk(
    child: &mut Child,
    stdin: &mut Option<ChildStdin>,
    job: &Job,
    mark: &str,
    logs: &Logs,
    told: &mut Told,
) -> io::Result<()> {
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (stdin, child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("a pipe to the process is missing"));
    };
    let (source, archive) = match &job.code {
        Code::Source(text) => (Some(text), None),
        Code::Archive(bytes) => (None, Some(STANDARD.encode(bytes))),
    };
    let env: serde_json::Map<_, _> = job
        .env
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let limit_ms = u64::try_from(job.time_limit.as_millis()).unwrap_or(u64::MAX);
    let input = json!({
        "mark": mark, "source": source, "archive": archive, "file": job.file, "entry": job.entry,
        "params": job.params, "context": job.convention.described(limit_ms), "env": env, "memory_mb": job.memory_mb,
    })
    .to_string();
    let feed = async move {
        // A process that ends at once closes the pipe early; its end says more than this error.
        let _ = stdin
            .write_all(format!("{}\n{input}", input.len()).as_bytes())
            .await;
    };
    // The wrapper puts a line end before each mark, which shows as an empty line unless one was
    // open.
    let mut held_blank = false;
    let max_line = job.max_result.saturating_mul(MAX_LINE);
    let out = lines(stdout, max_line, |line| {
        if let Some(words) = line.strip_prefix(mark) {
            let (kind, text) = words
                .trim_start()
                .split_once(' ')
                .unwrap_or((words.trim(), ""));
            match kind {
                "loaded" => told.loaded = true,
                "memory_used" => told.memory_used = text.trim().parse().ok(),
                _ => told.end = Some((kind.to_owned(), text.trim_end().to_owned())),
            }
            held_blank = false;
            return;
        }
        if std::mem::replace(&mut held_blank, line.is_empty()) {
            logs.write(false, "");
        }
        if !line.is_empty() {
            logs.write(false, line);
        }
    });
    let err = lines(stderr, max_line, |line| logs.write(true, line));
    let ((), out, err) = tokio::join!(feed, out, err);
    out.and(err)
}

/// Calls `each` with every line. A line that is too long is cut; its rest is dropped.
async fn lines(
    mut from: impl AsyncRead + Unpin,
    max_line: usize,
    mut each: impl FnMut(&str),
) -> io::Result<()> {
    let mut line: Vec<u8> = Vec::new();
    let mut part = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut part).await?;
        if read == 0 {
            break;
        }
        let mut pieces = part[..read].split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = max_line.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if pieces.peek().is_some() {
                each(&String::from_utf8_lossy(&line));
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        each(&String::from_utf8_lossy(&line));
    }
    Ok(())
}
