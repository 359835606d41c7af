//! Reads request bodies field by field, each mistake with the code that its operation documents.

use serde_json::{Map, Value};

use super::codes::{self, Code, Refusal};
use super::model::MAX_DESCRIPTION;

/// The three body codes of an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyCodes {
    pub(super) kind: Code,
    pub(super) missing: Code,
    pub(super) value: Code,
}

pub(super) const PACKAGE: BodyCodes = BodyCodes {
    kind: codes::PACKAGE_BODY_TYPE,
    missing: codes::PACKAGE_BODY_MISSING,
    value: codes::PACKAGE_BODY_VALUE,
};
pub(super) const ACTION: BodyCodes = BodyCodes {
    kind: codes::ACTION_BODY_TYPE,
    missing: codes::ACTION_BODY_MISSING,
    value: codes::ACTION_BODY_VALUE,
};
pub(super) const TRIGGER: BodyCodes = BodyCodes {
    kind: codes::TRIGGER_BODY_TYPE,
    missing: codes::TRIGGER_BODY_MISSING,
    value: codes::TRIGGER_BODY_VALUE,
};
/// Links have no code for a wrong value.
pub(super) const RULE: BodyCodes = BodyCodes {
    kind: codes::RULE_BODY_TYPE,
    missing: codes::RULE_BODY_MISSING,
    value: codes::RULE_BODY_TYPE,
};

/// A body that must be a JSON object, `{}` when there is nothing to say.
pub(super) fn object(body: &[u8], code: Code) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(code.refuse("the body must be a JSON object")),
        Err(error) => Err(code.refuse(format!("the body is not JSON: {error}"))),
    }
}

/// The fields of one object in a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
    codes: BodyCodes,
}

impl<'a> Fields<'a> {
    /// `path` stands before the names of fields in messages, for example `exec.`.
    pub(super) fn new(map: &'a Map<String, Value>, path: &'a str, codes: BodyCodes) -> Self {
        Self { map, path, codes }
    }

    fn wrong_type<T>(&self, name: &str, wanted: &str) -> Result<T, Refusal> {
        Err(self
            .codes
            .kind
            .refuse(format!("{}{name} must be {wanted}", self.path)))
    }

    /// A field of the right type with a value that is not allowed.
    pub(super) fn wrong_value<T>(&self, name: &str, rule: &str) -> Result<T, Refusal> {
        Err(self
            .codes
            .value
            .refuse(format!("{}{name} {rule}", self.path)))
    }

    /// Makes an optional field required. INFERRED: `null` counts as missing there and as a wrong
    /// type elsewhere.
    pub(super) fn need<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<Option<T>, Refusal>,
    ) -> Result<T, Refusal> {
        let missing = || {
            self.codes
                .missing
                .refuse(format!("{}{name} is required", self.path))
        };
        if self.map.get(name).is_some_and(Value::is_null) {
            return Err(missing());
        }
        read(self, name)?.ok_or_else(missing)
    }

    pub(super) fn string(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.map.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong_type(name, "a string"),
        }
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.map.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map_or_else(|| self.wrong_type(name, "an integer"), |n| Ok(Some(n))),
        }
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.map.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => self.wrong_type(name, "true or false"),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        match self.map.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => self.wrong_type(name, "an object"),
        }
    }

    pub(super) fn strings(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(value) = self.map.get(name) else {
            return Ok(None);
        };
        let strings = value.as_array().and_then(|items| {
            items
                .iter()
                .map(|item| item.as_str().map(ToOwned::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        strings.map_or_else(
            || self.wrong_type(name, "an array of strings"),
            |strings| Ok(Some(strings)),
        )
    }

    pub(super) fn objects(
        &self,
        name: &str,
    ) -> Result<Option<Vec<&'a Map<String, Value>>>, Refusal> {
        let Some(value) = self.map.get(name) else {
            return Ok(None);
        };
        let objects = value.as_array().and_then(|items| {
            items
                .iter()
                .map(Value::as_object)
                .collect::<Option<Vec<_>>>()
        });
        objects.map_or_else(
            || self.wrong_type(name, "an array of objects"),
            |objects| Ok(Some(objects)),
        )
    }

    /// A string that is not empty.
    pub(super) fn filled(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.string(name)? {
            Some("") => self.wrong_value(name, "must not be empty"),
            other => Ok(other),
        }
    }

    /// `description`: up to 3000 bytes.
    pub(super) fn description(&self) -> Result<Option<String>, Refusal> {
        match self.string("description")? {
            Some(text) if text.len() > MAX_DESCRIPTION => {
                self.wrong_value("description", "must have 3000 bytes at most")
            }
            other => Ok(other.map(ToOwned::to_owned)),
        }
    }

    /// `parameters`: an object of up to 1 MB (NCP docs: cloudfunctions-spec).
    pub(super) fn parameters(&self) -> Result<Option<Map<String, Value>>, Refusal> {
        let Some(map) = self.object("parameters")? else {
            return Ok(None);
        };
        if Value::Object(map.clone()).to_string().len() > super::engine::MAX_PARAMETERS {
            return self.wrong_value("parameters", "must have 1 MB at most");
        }
        Ok(Some(map.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_mistake_has_its_code() {
        let value = json!({"s": 1, "n": null, "i": 1.5, "a": ["x", 2], "e": ""});
        let map = value.as_object().unwrap();
        let fields = Fields::new(map, "top.", PACKAGE);
        let code = |refusal: Refusal| refusal.code.number;
        assert_eq!(code(fields.string("s").unwrap_err()), "80103");
        assert_eq!(code(fields.string("n").unwrap_err()), "80103");
        assert_eq!(code(fields.need("n", Fields::string).unwrap_err()), "80104");
        assert_eq!(
            code(fields.need("gone", Fields::string).unwrap_err()),
            "80104"
        );
        assert_eq!(code(fields.integer("i").unwrap_err()), "80103");
        assert_eq!(code(fields.strings("a").unwrap_err()), "80103");
        assert_eq!(code(fields.filled("e").unwrap_err()), "80105");
        assert_eq!(
            fields.need("s", Fields::string).unwrap_err().details,
            "top.s must be a string"
        );
    }
}
