//! The `Json` message and JSON text: exact both ways, and no tree for either arm.
//!
//! `text` passes through as it stands, checked for well-formedness only. `value` keeps its protobuf
//! wire bytes and is walked straight to JSON text; an answer's JSON is streamed straight into wire
//! bytes (see [`Value`]).

use std::cell::Cell;

use bytes::Bytes;
use prost::Message as _;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::error::{Error, Execution, Faults, Kind, reason};
use crate::proto::{Json, JsonEncoding, json::Encoding};

mod exact;
mod read;
mod surrogate;
mod value;
mod write;

pub use surrogate::{spelt_out, string_bytes};
pub use value::{Unreadable, Value};

/// Levels of nesting accepted in a `value`; protobuf decoders stop at 100 too.
const MAX_DEPTH: usize = 100;

thread_local! {
    static LARGEST_ANSWER: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Sets the size of the largest [`answer`] in the `value` arm, in bytes, for all calls that this
/// thread serves. A serving thread belongs to one sidecar, and an answer that its edge would refuse
/// need not be built.
pub fn set_largest_answer(bytes: usize) {
    LARGEST_ANSWER.set(bytes);
}

/// Bytes that may be built of one answer of a cloud, beside the answer itself: what an answer of
/// the largest size takes at most, four times its size as everywhere. A list of very short items
/// would become far more.
#[must_use]
pub fn largest_build() -> usize {
    LARGEST_ANSWER.get().saturating_mul(4)
}

/// Which arm an answer uses: what the request asked for, else the arm its own JSON used, else
/// `value`.
#[must_use]
pub fn answer_encoding(asked: i32, request: Option<&Json>) -> JsonEncoding {
    match JsonEncoding::try_from(asked) {
        Ok(JsonEncoding::Text) => JsonEncoding::Text,
        Ok(JsonEncoding::Value) => JsonEncoding::Value,
        _ => match request.and_then(|json| json.encoding.as_ref()) {
            Some(Encoding::Text(_)) => JsonEncoding::Text,
            _ => JsonEncoding::Value,
        },
    }
}

/// Values up to this many bytes are not looked at beforehand.
const SMALL: usize = 8 << 10;

/// By how many bytes the JSON text will be longer than it came. A value may grow: a control
/// character is six characters of JSON, and a number up to twice as long as its bits.
#[must_use]
pub fn grows_by(json: &Json) -> usize {
    match &json.encoding {
        Some(Encoding::Value(value)) if value.encoded_len() > SMALL => {
            value.json_length().saturating_sub(value.encoded_len())
        }
        _ => 0,
    }
}

/// The JSON text of a request field that must hold an object of at most `limit` bytes; absent means
/// `None`.
///
/// Whatever is wrong is noted in `faults` under `field`.
pub fn object_text(
    json: Option<Json>,
    field: &str,
    limit: usize,
    faults: &mut Faults,
) -> Option<Bytes> {
    let text = match json?.encoding {
        None => return None,
        Some(Encoding::Text(text)) => {
            if let Err(fault) = serde_json::from_str::<IgnoredAny>(&text) {
                faults.add(
                    format!("{field}.text"),
                    format!("is not JSON ({fault}). Send one JSON object."),
                );
                return None;
            }
            Bytes::from(text)
        }
        Some(Encoding::Value(value)) => match value.to_json_within(limit) {
            Ok(text) => text,
            Err(fault) if fault.is_too_long() => {
                faults.add(
                    field,
                    format!("is more than {limit} bytes of JSON, which is the limit."),
                );
                return None;
            }
            Err(fault) => {
                faults.add(format!("{field}.value{}", fault.path()), fault.why());
                return None;
            }
        },
    };
    if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        faults.add(
            field,
            "must be a JSON object, such as {\"name\": \"value\"}.",
        );
        return None;
    }
    if text.len() > limit {
        faults.add(
            field,
            format!(
                "is {} bytes of JSON; the limit is {limit} bytes.",
                text.len()
            ),
        );
        return None;
    }
    Some(text)
}

/// An upstream's JSON in the encoding asked for, and whether it could not be held exactly: a
/// number, a repeated key, or a lone surrogate, which a `value` holds as the six characters of its
/// escape.
///
/// # Errors
/// `Internal` when the text cannot be held as a `value` (nesting beyond 100 levels),
/// `ResourceExhausted` when the value is larger than any answer may be; `text` never fails.
pub fn answer(raw: &RawValue, encoding: JsonEncoding) -> Result<(Json, bool), Error> {
    if encoding == JsonEncoding::Text {
        return Ok((
            Json {
                encoding: Some(Encoding::Text(raw.get().to_owned())),
            },
            false,
        ));
    }
    let limit = LARGEST_ANSWER.get();
    let (value, inexact) = Value::from_json_within(raw.get(), limit).map_err(|unreadable| {
        let error = match unreadable {
            Unreadable::Json(fault) => Error::new(
                Kind::Internal,
                reason::RESULT_NOT_REPRESENTABLE,
                format!("The result cannot be held as a google.protobuf.Value ({fault}); ask for it with result_encoding = JSON_ENCODING_TEXT."),
            ),
            Unreadable::TooLarge => Error::new(
                Kind::ResourceExhausted,
                reason::MESSAGE_TOO_LARGE,
                format!("The result is larger than {limit} bytes (max_message_size) as a google.protobuf.Value; ask for it with result_encoding = JSON_ENCODING_TEXT."),
            ),
        };
        error.execution(Execution::Completed)
    })?;
    Ok((
        Json {
            encoding: Some(Encoding::Value(value)),
        },
        inexact,
    ))
}

/// Validated JSON text as a raw value to embed in a larger document.
///
/// # Errors
/// `InvalidArgument` naming `field` when the bytes are not one JSON document.
pub fn embed(text: &Bytes, field: &str) -> Result<Box<RawValue>, Error> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| RawValue::from_string(text.to_owned()).ok())
        .ok_or_else(|| Faults::single(field, "is not JSON text."))
}

#[cfg(test)]
mod tests;
