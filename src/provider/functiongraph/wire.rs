//! The REST documents' shapes, read as tolerantly as the documents' quirks demand and written exactly.
//!
//! API-Explorer definitions (2026-03-13), SDK models 3.1.219. Quirks: fields null or absent at will, also those called
//! required; numbers as texts; JSON as text within JSON; bare arrays as lists. Unknown fields are ignored.

use std::borrow::Cow;

use prost_types::Timestamp;
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::provider::lenient::{JsonText, Loose, Seconds, Words, object};

pub(super) mod action;
pub(super) mod put;

/// The answer of a run in envelope v1. What is no text or number where it should be is as if it were absent.
#[derive(Deserialize)]
pub(super) struct Run<'a> {
    #[serde(borrow, default)]
    pub(super) request_id: Option<&'a RawValue>,
    /// Tells `null`, which a function may return, from an absent field.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) log: Option<&'a RawValue>,
    /// Raw, since what is there and is no number must not pass for 200.
    #[serde(borrow, default)]
    pub(super) status: Option<&'a RawValue>,
    /// Raw, since it may be a number of the run's or a text of the service's.
    #[serde(borrow, default)]
    pub(super) error_code: Option<&'a RawValue>,
}

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

/// Header `X-Cff-Invoke-Summary`.
#[derive(Deserialize, Default)]
pub(super) struct Summary {
    #[serde(default)]
    pub(super) duration: Loose,
    #[serde(default, rename = "billingDuration")]
    pub(super) billing_duration: Loose,
    #[serde(default, rename = "memoryUsed")]
    pub(super) memory_used: Loose,
}

/// The answer of an asynchronous run.
#[derive(Deserialize)]
pub(super) struct Accepted {
    // The hyphen is what one old client looks for; INFERRED that some back end wrote it.
    #[serde(alias = "request-id")]
    pub(super) request_id: Option<String>,
}

object! {
    /// A page of records of asynchronous runs.
    pub(super) struct Records {
        pub(super) invocations: Vec<Record>,
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

/// The body of a cancel. The page's prose speaks of flags that its schema lacks; its sample sends this alone.
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

/// The number of a raw value, if it is one, in digits or as text.
pub(super) fn number(raw: Option<&RawValue>) -> Option<i64> {
    let loose: Loose = serde_json::from_str(raw?.get()).ok()?;
    loose.whole()
}

pub(super) fn present<'de, D: Deserializer<'de>>(json: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(json).map(Some)
}
