//! JavaScript actions in QuickJS, each run on a thread of its own with a fresh engine.
//!
//! `javascript/prelude.js` supplies what an action may expect of Node.js; this file supplies the
//! engine, its limits and the event loop. The interrupt handler ends code that never yields, the
//! engine's allocator ends code that takes too much.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::thread;
use std::time::Duration;

use rquickjs::function::Func;
use rquickjs::promise::PromiseState;
use rquickjs::{Context, Ctx, Function, Object, Promise, Runtime, Value as JsValue};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::logs::Logs;
use super::{Code, Failure, Job, Outcome, Stop, archive};
use crate::clock::Clock;

const PRELUDE: &str = include_str!("javascript/prelude.js");
const THREAD_STACK: usize = 8 << 20;
/// Less than the thread has, so that deep recursion ends as a JavaScript error.
const ENGINE_STACK: usize = 2 << 20;
/// How long the event loop sleeps at most before it looks at the stop switch again.
const NAP: Duration = Duration::from_millis(10);
/// How long a thread may stay inside one native call past its limit before the run is given up.
const GRACE: Duration = Duration::from_secs(5);

/// Memory that given-up runs may still take, in MB. Beyond it no run begins: each of them can hold
/// all that it was allowed.
const STRAYS_MAX: u64 = 256;
static STRAYS: AtomicU64 = AtomicU64::new(0);

/// What becomes of the thread of a run.
#[derive(Debug)]
struct Fate {
    memory_mb: u64,
    state: AtomicU8,
}

const RUNNING: u8 = 0;
const GIVEN_UP: u8 = 1;
const ENDED: u8 = 2;

impl Fate {
    /// Nobody waits for it any more; while it goes on, it counts.
    fn give_up(&self) {
        STRAYS.fetch_add(self.memory_mb, SeqCst);
        if self
            .state
            .compare_exchange(RUNNING, GIVEN_UP, SeqCst, SeqCst)
            .is_err()
        {
            STRAYS.fetch_sub(self.memory_mb, SeqCst);
        }
    }
}

/// Ends with the thread.
struct Going(Arc<Fate>);

impl Drop for Going {
    fn drop(&mut self) {
        if self.0.state.swap(ENDED, SeqCst) == GIVEN_UP {
            STRAYS.fetch_sub(self.0.memory_mb, SeqCst);
        }
    }
}

pub(super) async fn run(job: Job, clock: &Clock, stop: &Stop) -> Outcome {
    let strays = STRAYS.load(SeqCst);
    if strays >= STRAYS_MAX {
        return Outcome {
            result: Err(Failure::Internal(format!(
                "runs that were given up inside one native call go on and may hold {strays} MB; try again when they have ended, \
                 or start the emulator anew"
            ))),
            logs: Vec::new(),
            logs_cut: false,
            memory_used: None,
        };
    }
    let fate = Arc::new(Fate {
        memory_mb: job.memory_mb,
        state: AtomicU8::new(RUNNING),
    });
    let going = Going(Arc::clone(&fate));
    let logs = Logs::new(job.max_log_bytes, clock);
    let (sender, receiver) = oneshot::channel();
    let limit = job.time_limit;
    let (thread_logs, thread_stop) = (logs.clone(), stop.clone());
    let started = thread::Builder::new()
        .name("action".into())
        .stack_size(THREAD_STACK)
        .spawn(move || {
            let _going = going;
            // The receiver is gone when the run was given up.
            let _ = sender.send(execute(&job, &thread_logs, &thread_stop));
        });
    let lost = |failure| (Err(failure), None);
    let (result, memory_used) = match started {
        Err(error) => lost(Failure::Internal(format!(
            "no thread for the action: {error}"
        ))),
        Ok(_) => match tokio::time::timeout(limit.saturating_add(GRACE), receiver).await {
            Ok(Ok((result, memory_used))) => (result, memory_used),
            Ok(Err(_)) => lost(Failure::Internal(
                "the engine ended without a result".into(),
            )),
            Err(_) => {
                fate.give_up();
                lost(Failure::OutOfTime { loading: false })
            }
        },
    };
    let (logs, logs_cut) = logs.take();
    Outcome {
        result,
        logs,
        logs_cut,
        memory_used,
    }
}

/// How the engine is held to its limits.
struct Watch {
    deadline: Instant,
    stop: Stop,
    interrupted: Cell<bool>,
}

impl Watch {
    /// Whether the run must end now.
    fn is_over(&self) -> bool {
        let over = self.stop.is_stopped() || Instant::now() >= self.deadline;
        if over {
            self.interrupted.set(true);
        }
        over
    }

    fn why(&self, loading: bool) -> Failure {
        if self.stop.is_stopped() {
            return Failure::Internal("the emulator is stopping".into());
        }
        Failure::OutOfTime { loading }
    }
}

/// The result, and how many bytes the engine held at the end.
type Ended = (Result<Value, Failure>, Option<u64>);

fn execute(job: &Job, logs: &Logs, stop: &Stop) -> Ended {
    let mut memory_used = None;
    let result = execute_measured(job, logs, stop, &mut memory_used);
    (result, memory_used)
}

fn files(job: &Job) -> Result<HashMap<String, String>, Failure> {
    match (&job.code, &job.file) {
        (Code::Source(_), None) => Ok(HashMap::new()),
        (Code::Source(source), Some(file)) => {
            Ok(HashMap::from([(format!("{file}.js"), source.clone())]))
        }
        (Code::Archive(bytes), _) => archive::text_files(bytes).map_err(Failure::NotLoaded),
    }
}

fn execute_measured(
    job: &Job,
    logs: &Logs,
    stop: &Stop,
    memory_used: &mut Option<u64>,
) -> Result<Value, Failure> {
    let files = files(job)?;
    let started = Instant::now();
    let watch = Rc::new(Watch {
        deadline: started.checked_add(job.time_limit).unwrap_or(started),
        stop: stop.clone(),
        interrupted: Cell::new(false),
    });
    let engine = Runtime::new().map_err(|error| internal(&error))?;
    engine.set_max_stack_size(ENGINE_STACK);
    let context = Context::full(&engine).map_err(|error| internal(&error))?;
    // The engine and the prelude count as well, as Node.js itself does in its container.
    engine.set_memory_limit(usize::try_from(job.memory_mb << 20).unwrap_or(usize::MAX));
    let handler = Rc::clone(&watch);
    engine.set_interrupt_handler(Some(Box::new(move || handler.is_over())));
    let result = context.with(|ctx| {
        let driver = prepare(&ctx, job, logs, files, started).map_err(|error| internal(&error))?;
        drive(&ctx, &driver, job, &watch)
    });
    *memory_used = u64::try_from(engine.memory_usage().malloc_size).ok();
    // Freeing everything may need a little memory itself.
    engine.set_memory_limit(0);
    engine.set_interrupt_handler(None);
    result
}

fn internal(error: &rquickjs::Error) -> Failure {
    Failure::Internal(format!("the JavaScript engine failed: {error}"))
}

/// Evaluates the prelude and hands it the host's functions.
fn prepare<'js>(
    ctx: &Ctx<'js>,
    job: &Job,
    logs: &Logs,
    files: HashMap<String, String>,
    started: Instant,
) -> rquickjs::Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let logs = logs.clone();
    host.set(
        "log",
        Func::from(move |is_error: bool, text: String| logs.write(is_error, &text)),
    )?;
    host.set(
        "now",
        Func::from(move || started.elapsed().as_secs_f64() * 1000.0),
    )?;
    let files = Arc::new(files);
    host.set(
        "file",
        Func::from(move |path: String| files.get(&path).cloned()),
    )?;
    host.set(
        "compile",
        Func::from(|ctx: Ctx<'js>, name: String, source: String| {
            let mut options = rquickjs::context::EvalOptions::default();
            options.strict = false;
            options.filename = Some(name);
            ctx.eval_with_options::<Function<'js>, _>(source, options)
        }),
    )?;
    let env: serde_json::Map<_, _> = job
        .env
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    host.set("env", Value::Object(env).to_string())?;
    let version = job.runtime.split(':').nth(1).unwrap_or("22");
    host.set("version", format!("v{version}.0.0"))?;
    let prelude: Function<'js> = ctx.eval(PRELUDE)?;
    prelude.call((host,))
}

/// The event loop: promise jobs first, then the timer that is due, until the action's promise is
/// settled.
fn drive<'js>(
    ctx: &Ctx<'js>,
    driver: &Object<'js>,
    job: &Job,
    watch: &Watch,
) -> Result<Value, Failure> {
    let source = match (&job.code, &job.file) {
        (Code::Source(text), None) => Some(text.as_str()),
        _ => None,
    };
    let file = job.file.as_deref();
    let limit_ms = u64::try_from(job.time_limit.as_millis()).unwrap_or(u64::MAX);
    let context = match job.convention.described(limit_ms) {
        Value::Null => None,
        described => Some(described.to_string()),
    };
    let function = |name: &str| {
        driver
            .get::<_, Function<'js>>(name)
            .map_err(|error| internal(&error))
    };
    let check = |loading: bool, error: rquickjs::Error| failed(ctx, watch, loading, &error);
    let load = function("load")?.call::<_, ()>((source, file, job.entry.as_str(), context));
    load.map_err(|error| check(true, error))?;
    if !kind(driver)?.is_empty() {
        return settled(driver);
    }
    let params = Value::Object(job.params.clone()).to_string();
    let promise = function("start")?.call::<_, Option<Promise<'js>>>((params,));
    let promise = promise.map_err(|error| check(false, error))?;
    let (wait, fire) = (function("wait")?, function("fire")?);
    let probe = function("probe")?;
    loop {
        while !watch.is_over() && ctx.execute_pending_job() {}
        let reaction = match promise
            .as_ref()
            .map_or(PromiseState::Pending, Promise::state)
        {
            PromiseState::Pending => None,
            PromiseState::Resolved => Some("returned"),
            PromiseState::Rejected => Some("rejected"),
        };
        if let (Some(reaction), Some(promise)) = (reaction, &promise) {
            let value = promise
                .result::<JsValue<'js>>()
                .unwrap_or(Err(rquickjs::Error::Unknown));
            // A rejection is thrown by the look at it.
            let value = value.unwrap_or_else(|_| ctx.catch());
            function(reaction)?
                .call::<_, ()>((value,))
                .map_err(|error| check(false, error))?;
        }
        if !kind(driver)?.is_empty() {
            return settled(driver);
        }
        if watch.is_over() {
            return Err(watch.why(false));
        }
        let milliseconds: f64 = wait.call(()).map_err(|error| check(false, error))?;
        let nap = if milliseconds < 0.0 {
            // An await that found no memory ends without a trace.
            if !probe
                .call::<_, bool>(())
                .map_err(|error| check(false, error))?
            {
                return Err(Failure::OutOfMemory);
            }
            // Without timers the promise can never settle; the platform waits for its limit all the
            // same.
            NAP
        } else {
            Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(NAP)
        };
        if nap.is_zero() {
            fire.call::<_, ()>(())
                .map_err(|error| check(false, error))?;
        } else {
            thread::sleep(nap.min(NAP));
        }
    }
}

/// The driver catches what the action throws; what comes through is the engine giving up.
fn failed(ctx: &Ctx<'_>, watch: &Watch, loading: bool, error: &rquickjs::Error) -> Failure {
    ctx.catch();
    match error {
        _ if watch.interrupted.get() => watch.why(loading),
        rquickjs::Error::Exception => Failure::OutOfMemory,
        other => internal(other),
    }
}

fn kind(driver: &Object<'_>) -> Result<String, Failure> {
    text(driver, "kind")
}

fn text(driver: &Object<'_>, name: &str) -> Result<String, Failure> {
    let function: Function<'_> = driver.get(name).map_err(|error| internal(&error))?;
    function.call(()).map_err(|_| Failure::OutOfMemory)
}

fn settled(driver: &Object<'_>) -> Result<Value, Failure> {
    let text = text(driver, "text")?;
    match kind(driver)?.as_str() {
        "value" => serde_json::from_str(&text).map_err(|error| Failure::NotJson(error.to_string())),
        "threw" => Err(Failure::Threw(text)),
        "rejected" => Err(Failure::Rejected(
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )),
        "init" => Err(Failure::NotInitialized(
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )),
        "load" => Err(Failure::NotLoaded(text)),
        "memory" => Err(Failure::OutOfMemory),
        "json" => Err(Failure::NotJson(text)),
        _ => Err(Failure::Exited),
    }
}
