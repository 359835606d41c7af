//! The REST documents' shapes, read as tolerantly as the documents' quirks demand and written
//! exactly.
//!
//! Quirks (NCP docs, all read 2026-10): `action` or `actions`; `vpc` object or array; numbers as
//! strings; times as milliseconds (2.1) or local-time text (2.0); `response` and `result` called
//! String but objects; fields null or absent. Unknown fields are ignored.

use std::borrow::Cow;

use prost_types::{Duration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::json;
use crate::proto::{Json, JsonEncoding};
use crate::provider::lenient::{
    self, Clock, Flag, List, Member, Millis, NotJson, Notes, Place, Present, Words, object,
};

object! {
    /// A package, in lists, on its own, and as the answer to a put.
    pub(super) struct Package<'a>, identity: name {
        pub(super) name: Words,
        pub(super) description: Words,
        pub(super) parameters: Parameters<'a>,
        pub(super) namespace: Words,
        pub(super) resource_id: Words = "resourceId",
        pub(super) platform: Words,
        pub(super) actions: Vec<ActionItem>,
        pub(super) action: Vec<ActionItem>,
    }

    /// The list of a package's actions, under the name of the examples or that of the tables.
    pub(super) struct ActionList {
        pub(super) actions: List<ActionItem>,
        pub(super) action: List<ActionItem>,
    }

    /// The envelope of an activation.
    pub(super) struct Enveloped<'a> {
        pub(super) content: Option<Activation<'a>>,
    }

    /// An action in a list.
    pub(super) struct ActionSummary, identity: name {
        pub(super) name: Words,
        pub(super) description: Words,
        pub(super) runtime: Words,
        pub(super) kind: Words = "type",
        pub(super) web: Flag,
    }

    /// An action on its own. Its code stays raw: it may be tens of megabytes that nobody asked for.
    pub(super) struct Action<'a> {
        pub(super) name: Words,
        pub(super) resource_id: Words = "resourceId",
        pub(super) path: Words,
        pub(super) description: Words,
        pub(super) kind: Words = "type",
        pub(super) web: Flag,
        pub(super) parameters: Parameters<'a>,
        pub(super) raw_http: Flag = "raw-http",
        pub(super) custom_options: Flag = "custom-options",
        pub(super) exec: Option<Exec<'a>>,
        pub(super) limits: Option<ReadLimits>,
        pub(super) vpc: Vec<ReadVpc>,
        pub(super) version: Words,
    }

    /// What an action runs.
    pub(super) struct Exec<'a> {
        pub(super) kind: Words,
        pub(super) main: Words,
        pub(super) binary: Flag,
        pub(super) code: Option<&'a RawValue>,
        pub(super) image_uri: Words = "imageUri",
        pub(super) components: Vec<String>,
    }

    /// Limits as they are read; `timeout` in milliseconds.
    pub(super) struct ReadLimits {
        pub(super) timeout: Option<Millis>,
        pub(super) memory: Option<i32>,
    }

    /// A VPC connection as it is read.
    pub(super) struct ReadVpc {
        pub(super) vpc_no: i64 = "vpcNo",
        pub(super) subnet_no: i64 = "subnetNo",
    }

    /// A page of activations.
    pub(super) struct ActivationList {
        pub(super) activations: List<ActivationItem>,
        pub(super) total_count: Option<i64> = "totalCount",
    }

    /// An activation in a list.
    pub(super) struct ActivationItem, identity: activation_id {
        pub(super) activation_id: Words = "activationId",
        pub(super) duration: Option<Millis>,
        pub(super) status: Words,
        pub(super) success: Flag,
        pub(super) start: Option<Timestamp>,
        pub(super) end: Option<Timestamp>,
        pub(super) name: Words,
    }

    /// An activation: the answer of a run, or its record.
    pub(super) struct Activation<'a> {
        pub(super) activation_id: Words = "activationId",
        pub(super) duration: Option<Millis>,
        pub(super) start: Option<Timestamp>,
        pub(super) end: Option<Timestamp>,
        pub(super) logs: Vec<String>,
        pub(super) name: Words,
        pub(super) namespace: Words,
        pub(super) subject: Words,
        pub(super) response: Option<Answered<'a>>,
        /// Read only where it is needed, and whatever it holds: NCP documents none.
        pub(super) annotations: Option<&'a RawValue>,
    }

    /// What the function answered.
    pub(super) struct Outcome<'a> {
        pub(super) result: Option<Present<'a>>,
        pub(super) status: Words,
        pub(super) success: Flag,
    }

    /// One of an activation's annotations.
    struct Annotation<'a> {
        key: Words,
        value: Option<&'a RawValue>,
    }

    /// The answer to a link.
    pub(super) struct Linked {
        pub(super) status: Words,
        pub(super) namespace: Words,
    }
}

/// Default arguments: an object, exact. The empty list of Apache OpenWhisk is none.
#[derive(Default)]
pub(super) struct Parameters<'a>(Option<&'a RawValue>);

/// An action in a list: an object, or in old answers its bare name.
pub(super) enum ActionItem {
    Name(String),
    Summary(ActionSummary),
}

/// `response`: an object, which 2.0 documents as a String that holds the object.
pub(super) enum Answered<'a> {
    Object(Outcome<'a>),
    Text(Cow<'a, str>),
    /// A value of another kind.
    Unreadable,
}

/// The list that is there.
pub(super) fn either<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    if first.is_empty() { second } else { first }
}

impl Activation<'_> {
    /// How long a cold start took: Apache OpenWhisk, which NCP runs, notes `initTime` in
    /// milliseconds among an activation's annotations, and only then (INFERRED for NCP).
    pub(super) fn init_duration(&self) -> Option<Duration> {
        let annotations: Vec<Annotation<'_>> =
            lenient::quietly(self.annotations?.get().as_bytes(), Clock::UTC)?;
        let init = annotations
            .into_iter()
            .find(|found| found.key.0.as_deref() == Some("initTime"))?;
        lenient::quietly(init.value?.get().as_bytes(), Clock::UTC).map(|Millis(took)| took)
    }
}

impl Parameters<'_> {
    /// In the encoding asked for, and whether not exact.
    pub(super) fn answer(self, encoding: JsonEncoding) -> Result<(Option<Json>, bool), Error> {
        let Some(raw) = self.0 else {
            return Ok((None, false));
        };
        json::answer(raw, encoding).map(|(json, inexact)| (Some(json), inexact))
    }
}

impl<'a, 'document: 'a> Member<'document> for Parameters<'a> {
    fn read(place: &mut Place<'document>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        let is_object = place.next() == Some(b'{');
        let raw: Option<&RawValue> = Member::read(place, notes)?;
        if raw.is_some_and(|raw| !is_object && !matches!(raw.get(), "[]" | "\"\"")) {
            notes.unreadable_here();
        }
        Ok(Some(Self(raw.filter(|_| is_object))))
    }
}

impl<'a> Member<'a> for ActionItem {
    fn read(place: &mut Place<'a>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        if place.next() == Some(b'{') {
            return Ok(ActionSummary::read(place, notes)?.map(Self::Summary));
        }
        Ok(Words::read(place, notes)?.and_then(|Words(name)| name.map(Self::Name)))
    }

    fn is_usable(&self) -> bool {
        match self {
            Self::Name(_) => true,
            Self::Summary(summary) => summary.is_usable(),
        }
    }
}

/// An object is read in the same pass as what it stands in: a result may be large, and this is the
/// path of every call.
impl<'a, 'document: 'a> Member<'document> for Answered<'a> {
    fn read(place: &mut Place<'document>, notes: &mut Notes) -> Result<Option<Self>, NotJson> {
        if place.next() == Some(b'{') {
            return Ok(Outcome::read(place, notes)?.map(Self::Object));
        }
        let raw = place.value()?;
        if raw.is_nothing() {
            return Ok(None);
        }
        if raw.bytes().starts_with(b"\"") {
            return Ok(Some(Self::Text(raw.text().text)));
        }
        notes.unreadable_here();
        Ok(Some(Self::Unreadable))
    }
}

/// Limits as they are sent; `timeout` in milliseconds, `memory` in MB.
#[derive(Serialize, Clone, Copy)]
pub(super) struct Limits {
    pub(super) timeout: u64,
    pub(super) memory: i32,
}

/// A VPC connection as it is sent.
#[derive(Serialize, Clone, Copy)]
pub(super) struct Vpc {
    #[serde(rename = "vpcNo")]
    pub(super) vpc_no: i64,
    #[serde(rename = "subnetNo")]
    pub(super) subnet_no: i64,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

/// The body of a link and of an unlink.
#[derive(Serialize)]
pub(super) struct Link<'a> {
    pub(super) action: &'a str,
    pub(super) package: &'a str,
}

/// The body of a package put; absent fields are left out, so that nothing to say is `{}`.
#[derive(Serialize)]
pub(super) struct PutPackage<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<&'a RawValue>,
}

/// The body of an action put. `web` is sent in 2.0 only, where it stands for 2.1's query `type`.
#[derive(Serialize)]
pub(super) struct PutAction<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Limits>,
    pub(super) exec: PutExec<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vpc: Option<OneOrMany<Vpc>>,
    #[serde(rename = "raw-http", skip_serializing_if = "Option::is_none")]
    pub(super) raw_http: Option<bool>,
    #[serde(rename = "custom-options", skip_serializing_if = "Option::is_none")]
    pub(super) custom_options: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) web: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct PutExec<'a> {
    pub(super) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binary: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'a str>,
    #[serde(rename = "imageUri", skip_serializing_if = "Option::is_none")]
    pub(super) image_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) main: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) components: &'a [String],
}
