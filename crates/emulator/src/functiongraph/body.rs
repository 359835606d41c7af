//! Reads request bodies field by field, each mistake with the code that belongs to the field.

use serde_json::{Map, Value};

use super::codes::{self, Code, Refusal};

/// A body that must be a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(codes::PARAMETER.refuse("the request body must be a JSON object")),
        Err(error) => {
            Err(codes::PARAMETER.refuse(format!("the request body is not JSON: {error}")))
        }
    }
}

/// The fields of one object. `null` counts as absent, as the service's own answers mean it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self { map }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        name: &str,
        code: Code,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(code.refuse(format!("{name} must be {wanted}"))),
        }
    }

    pub(super) fn string(&self, name: &str, code: Code) -> Result<Option<&'a str>, Refusal> {
        self.read(name, code, "a string", Value::as_str)
    }

    pub(super) fn integer(&self, name: &str, code: Code) -> Result<Option<i64>, Refusal> {
        self.read(name, code, "an integer", Value::as_i64)
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.read(name, codes::PARAMETER, "true or false", Value::as_bool)
    }

    pub(super) fn object(
        &self,
        name: &str,
        code: Code,
    ) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        self.read(name, code, "an object", Value::as_object)
    }

    pub(super) fn strings(&self, name: &str) -> Result<Option<&'a Value>, Refusal> {
        self.read(name, codes::PARAMETER, "an array of strings", |value| {
            let all = value.as_array()?.iter().all(Value::is_string);
            all.then_some(value)
        })
    }

    /// An integer in a range, or the default.
    pub(super) fn within(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
        default: i64,
        code: Code,
    ) -> Result<i64, Refusal> {
        match self.integer(name, code)? {
            None => Ok(default),
            Some(number) if range.contains(&number) => Ok(number),
            Some(_) => {
                let (from, to) = range.into_inner();
                Err(code.refuse(format!("{name} must be from {from} to {to}")))
            }
        }
    }

    /// A string that must be there and not be empty.
    pub(super) fn need_string(&self, name: &str, code: Code) -> Result<&'a str, Refusal> {
        self.string(name, code)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| code.refuse(format!("{name} is required")))
    }

    pub(super) fn need_integer(&self, name: &str, code: Code) -> Result<i64, Refusal> {
        self.integer(name, code)?
            .ok_or_else(|| code.refuse(format!("{name} is required")))
    }
}
