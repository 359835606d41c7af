//! The REST documents' shapes, read as tolerantly as the documents' quirks demand and written exactly.
//!
//! Quirks (NCP docs, all read 2026-10): `action` or `actions`; `vpc` object or array; numbers as strings; times as
//! milliseconds (2.1) or local-time text (2.0); `response` and `result` called String but objects; fields null or absent.
//! Unknown fields are ignored.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::provider::lenient::{Scalar, Text, Token, Whole};

/// `{"content": …}` around every answer.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) content: T,
}

/// A package, in lists, on its own, and as the answer to a put.
#[derive(Deserialize)]
pub(super) struct Package<'a> {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    #[serde(borrow)]
    pub(super) parameters: Option<&'a RawValue>,
    pub(super) namespace: Option<String>,
    #[serde(rename = "resourceId")]
    pub(super) resource_id: Option<String>,
    pub(super) platform: Option<String>,
    #[serde(flatten)]
    pub(super) actions: ActionList,
}

/// The list of a package's actions, under the name of the examples or that of the tables.
#[derive(Deserialize)]
pub(super) struct ActionList {
    #[serde(default, deserialize_with = "list")]
    actions: Vec<ActionItem>,
    #[serde(default, deserialize_with = "list")]
    action: Vec<ActionItem>,
}

impl ActionList {
    pub(super) fn into_items(self) -> Vec<ActionItem> {
        if self.actions.is_empty() {
            self.action
        } else {
            self.actions
        }
    }
}

/// An action in a list: an object, or in old answers its bare name.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum ActionItem {
    Name(String),
    Summary(ActionSummary),
}

#[derive(Deserialize)]
pub(super) struct ActionSummary {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) runtime: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "word")]
    pub(super) kind: Option<String>,
    pub(super) web: Option<bool>,
}

/// An action on its own. Its code stays raw: it may be tens of megabytes that nobody asked for.
#[derive(Deserialize)]
pub(super) struct Action<'a> {
    pub(super) name: Option<String>,
    #[serde(rename = "resourceId")]
    pub(super) resource_id: Option<String>,
    pub(super) path: Option<String>,
    pub(super) description: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "word")]
    pub(super) kind: Option<String>,
    pub(super) web: Option<bool>,
    #[serde(borrow)]
    pub(super) parameters: Option<&'a RawValue>,
    #[serde(rename = "raw-http")]
    pub(super) raw_http: Option<bool>,
    #[serde(rename = "custom-options")]
    pub(super) custom_options: Option<bool>,
    #[serde(borrow)]
    pub(super) exec: Option<Exec<'a>>,
    pub(super) limits: Option<Limits>,
    #[serde(default, deserialize_with = "list")]
    pub(super) vpc: Vec<Vpc>,
    pub(super) version: Option<Text>,
}

#[derive(Deserialize)]
pub(super) struct Exec<'a> {
    pub(super) kind: Option<String>,
    pub(super) main: Option<String>,
    pub(super) binary: Option<bool>,
    #[serde(borrow)]
    pub(super) code: Option<&'a RawValue>,
    #[serde(rename = "imageUri")]
    pub(super) image_uri: Option<String>,
    pub(super) components: Option<Vec<String>>,
}

#[derive(Deserialize, Serialize, Clone, Copy)]
pub(super) struct Limits {
    #[serde(deserialize_with = "whole")]
    pub(super) timeout: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) memory: i32,
}

#[derive(Deserialize, Serialize, Clone, Copy)]
pub(super) struct Vpc {
    #[serde(default, rename = "vpcNo", deserialize_with = "whole")]
    pub(super) vpc_no: i64,
    #[serde(default, rename = "subnetNo", deserialize_with = "whole")]
    pub(super) subnet_no: i64,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

/// A page of activations.
#[derive(Deserialize)]
pub(super) struct ActivationList {
    #[serde(default, deserialize_with = "list")]
    pub(super) activations: Vec<ActivationItem>,
    #[serde(rename = "totalCount")]
    pub(super) total_count: Option<Whole>,
}

#[derive(Deserialize)]
pub(super) struct ActivationItem {
    #[serde(rename = "activationId")]
    pub(super) activation_id: String,
    pub(super) duration: Option<Whole>,
    pub(super) status: Option<String>,
    pub(super) success: Option<bool>,
    pub(super) start: Option<Time>,
    pub(super) end: Option<Time>,
    pub(super) name: Option<String>,
}

/// An activation: the answer of a run, or its record.
#[derive(Deserialize)]
pub(super) struct Activation<'a> {
    #[serde(rename = "activationId")]
    pub(super) activation_id: Option<String>,
    pub(super) duration: Option<Whole>,
    pub(super) start: Option<Time>,
    pub(super) end: Option<Time>,
    pub(super) logs: Option<Vec<String>>,
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) subject: Option<String>,
    #[serde(borrow)]
    pub(super) response: Option<Answered<'a>>,
    /// Read only where it is needed, and whatever it holds: NCP documents none.
    #[serde(borrow)]
    pub(super) annotations: Option<&'a RawValue>,
}

impl Activation<'_> {
    /// How long a cold start took: Apache OpenWhisk, which NCP runs, notes `initTime` in milliseconds among an
    /// activation's annotations, and only then (INFERRED for NCP).
    pub(super) fn init_millis(&self) -> Option<i64> {
        #[derive(Deserialize)]
        struct Annotation<'a> {
            #[serde(borrow)]
            key: Cow<'a, str>,
            #[serde(borrow)]
            value: &'a RawValue,
        }
        let annotations: Vec<Annotation<'_>> = serde_json::from_str(self.annotations?.get()).ok()?;
        let init = annotations.into_iter().find(|found| found.key == "initTime")?;
        serde_json::from_str(init.value.get())
            .ok()
            .filter(|millis| *millis >= 0)
    }
}

/// `response`: an object, which 2.0 documents as a String that holds the object.
pub(super) enum Answered<'a> {
    Object(Outcome<'a>),
    Text(Cow<'a, str>),
}

/// What the function answered.
#[derive(Deserialize)]
pub(super) struct Outcome<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) result: Option<&'a RawValue>,
    pub(super) status: Option<String>,
    pub(super) success: Option<bool>,
}

/// `{"activationId": …}`, the answer of a fired trigger.
#[derive(Deserialize)]
pub(super) struct Fired {
    #[serde(rename = "activationId")]
    pub(super) activation_id: String,
}

/// The answer to a link.
#[derive(Deserialize)]
pub(super) struct Linked {
    pub(super) status: Option<String>,
    pub(super) namespace: Option<String>,
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

/// Reads both forms in one pass: a result may be large, and this is the path of every call.
struct AnsweredVisitor;

impl<'de> Visitor<'de> for AnsweredVisitor {
    type Value = Answered<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a response object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Answered<'de>, A::Error> {
        Outcome::deserialize(MapAccessDeserializer::new(entries)).map(Answered::Object)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Answered<'de>, E> {
        Ok(Answered::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Answered<'de>, E> {
        Ok(Answered::Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Answered<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(AnsweredVisitor)
    }
}

/// A list: an array, one object where a table says Object, or null.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(json: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Listed<T> {
        Many(Vec<T>),
        Nothing(()),
        One(T),
    }
    Ok(match Listed::deserialize(json)? {
        Listed::Many(many) => many,
        Listed::One(one) => vec![one],
        Listed::Nothing(()) => Vec::new(),
    })
}

/// A text; anything else is as if it were absent.
fn word<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(json)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

/// A whole number that may be spelt as a string.
fn whole<'de, T: TryFrom<i64>, D: Deserializer<'de>>(json: D) -> Result<T, D::Error> {
    let Whole(number) = Whole::deserialize(json)?;
    T::try_from(number).map_err(|_| serde::de::Error::custom("number out of range"))
}

/// A result that is there, `null` included.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(json: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(json).map(Some)
}

/// A point in time: milliseconds since the epoch (2.1) or local time as text (2.0).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Time {
    Millis(i64),
    Local(String),
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Scalar(|token| match token {
            Token::Whole(number) => Some(Self::Millis(number)),
            Token::Text(text) => Some(
                text.trim()
                    .parse()
                    .map_or_else(|_| Self::Local(text.to_owned()), Self::Millis),
            ),
        }))
    }
}
