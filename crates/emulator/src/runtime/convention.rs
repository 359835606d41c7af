//! How an entry function is called: with one object of parameters, or with an event and a context.
//!
//! The names of a context's methods differ by cloud, so they are data here; the runtimes build the
//! methods.

use serde_json::{Map, Value, json};

/// How the entry function is called.
#[derive(Debug, Clone)]
pub enum Convention {
    /// `main(params)`, as in Apache OpenWhisk: one object in, one object out.
    Params,
    /// `handler(event, context)` with any result. JavaScript may also take a callback as third
    /// argument: it is waited for when the function names it and returns no promise.
    Event(Box<EventContext>),
}

/// What a function can ask its context.
#[derive(Debug, Clone, Default)]
pub struct EventContext {
    /// A function of the same file that is called with the context before the entry function.
    pub initializer: Option<String>,
    /// Methods without arguments and what they return.
    pub values: Map<String, Value>,
    /// Methods that take a name, and the objects in which they look it up.
    pub tables: Map<String, Value>,
    /// The method that returns how many milliseconds are left.
    pub remaining: String,
    /// The method that returns a logger with `debug`, `info`, `warn` and `error`.
    pub logger: String,
}

impl Convention {
    /// For the wrappers that build the context; `null` without one.
    pub(super) fn described(&self, limit_ms: u64) -> Value {
        match self {
            Self::Params => Value::Null,
            Self::Event(context) => json!({
                "initializer": context.initializer,
                "values": context.values,
                "tables": context.tables,
                "remaining": context.remaining,
                "logger": context.logger,
                "limit": limit_ms,
            }),
        }
    }
}
