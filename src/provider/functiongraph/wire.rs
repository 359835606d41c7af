//! The REST documents' shapes, read as tolerantly as the documents' quirks demand and written
//! exactly.
//!
//! API-Explorer definitions (2026-03-13), SDK models 3.1.219. Quirks: fields null or absent at
//! will, also those called required; numbers as texts; JSON as text within JSON; bare arrays as
//! lists. Unknown fields are ignored.

use std::borrow::Cow;

use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::provider::lenient::{JsonText, List, Loose, Seconds, Words, object};

pub(super) mod action;
pub(super) mod put;

/// The members of an object that may hold the code of an error.
#[derive(Deserialize)]
pub(super) struct Coded<'a> {
    #[serde(borrow, default, rename = "error_code")]
    pub(super) snake: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "errorCode")]
    pub(super) camel: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "code")]
    pub(super) plain: Option<&'a RawValue>,
}

object! {
    /// Header `X-Cff-Invoke-Summary`.
    pub(super) struct Summary {
        pub(super) duration: Loose,
        pub(super) billing_duration: Loose = "billingDuration",
        pub(super) memory_used: Loose = "memoryUsed",
    }

    /// The answer of an asynchronous run.
    pub(super) struct Accepted {
        // The hyphen is what one old client looks for; INFERRED that some back end wrote it.
        pub(super) request_id: Words = "request_id" | "request-id",
    }

    /// A page of records of asynchronous runs.
    pub(super) struct Records {
        pub(super) invocations: List<Record>,
        pub(super) count: Option<i64>,
        pub(super) next_marker: Loose,
    }

    /// One record.
    pub(super) struct Record, identity: request_id {
        pub(super) request_id: Words,
        pub(super) status: Words,
        pub(super) error_message: Words,
        pub(super) error_code: Option<i64>,
        pub(super) start_time: Option<Timestamp>,
        pub(super) end_time: Option<Timestamp>,
    }
}

/// The body of a cancel. The page's prose speaks of flags that its schema lacks; its sample sends
/// this alone.
#[derive(Serialize)]
pub(super) struct Cancel<'a> {
    pub(super) request_id: &'a str,
}

object! {
    /// Settings of asynchronous runs, both ways.
    #[derive(Serialize)]
    pub(super) struct AsyncConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) max_async_event_age_in_seconds: Option<Seconds>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) max_async_retry_attempts: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) destination_config: Option<Destinations>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) enable_async_status_log: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) log_group_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) log_group_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) log_stream_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) log_stream_name: Option<String>,
        #[serde(skip_serializing)]
        pub(super) func_urn: Words,
        #[serde(skip_serializing)]
        pub(super) created_time: Option<Timestamp>,
        #[serde(skip_serializing)]
        pub(super) last_modified: Option<Timestamp>,
    }

    /// Where outcomes go.
    #[derive(Serialize)]
    pub(super) struct Destinations {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) on_success: Option<Destination>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) on_failure: Option<Destination>,
    }

    /// One place, with JSON as text for what belongs to it.
    #[derive(Serialize)]
    pub(super) struct Destination {
        pub(super) destination: String,
        pub(super) param: JsonText,
    }
}

/// The text of a raw value, if it is one.
pub(super) fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str(raw?.get()).ok()
}
