//! Query strings, read without a URL library so that nothing is tidied up on the way.

use percent_encoding::percent_decode_str;

/// The pairs of a query string, decoded.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(raw: &str) -> Self {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        Self {
            pairs: pairs.collect(),
        }
    }

    /// The first value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A whole number from `min` to `max`, or `default` when absent.
    pub(super) fn integer(
        &self,
        name: &str,
        default: i64,
        min: i64,
        max: i64,
    ) -> Result<i64, String> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(format!(
                "{name} must be a whole number from {min} to {max}, not `{text}`"
            )),
        }
    }
}

/// Undoes percent encoding; what is no valid escape stays as it is.
pub(super) fn decode(raw: &str) -> String {
    percent_decode_str(raw).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        let query = Query::parse("a=1&b=%3A%ed%95%a8&&c&a=2&d=%zz%4&e=%é&g=%+f%-1");
        assert_eq!(query.get("g"), Some("%+f%-1"));
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some(":함"));
        assert_eq!(query.get("c"), Some(""));
        assert_eq!(query.get("d"), Some("%zz%4"));
        assert_eq!(query.get("e"), Some("%é"));
        assert_eq!(query.get("f"), None);
    }

    #[test]
    fn integers_have_a_range() {
        let query = Query::parse("n=5&x=5.0&y=");
        assert_eq!(query.integer("n", 1, 0, 5), Ok(5));
        assert_eq!(query.integer("m", 1, 0, 5), Ok(1));
        assert!(query.integer("n", 1, 0, 4).is_err());
        assert!(query.integer("x", 1, 0, 9).is_err());
        assert!(query.integer("y", 1, 0, 9).is_err());
    }
}
