//! One function as a request names it: package, name, and perhaps a version or an alias.

use http::Method;
use url::Url;

use super::endpoint::Place;
use crate::error::{Error, Faults, Result};
use crate::names::{FunctionName, FunctionPackage, Qualifier};

/// A checked function.
#[derive(Debug)]
pub(super) struct Function {
    package: FunctionPackage,
    name: FunctionName,
    qualifier: Option<Qualifier>,
}

impl Function {
    /// Reads `package_name` and `action_name`.
    pub(super) fn parse(package: &str, name: &str, faults: &mut Faults) -> Option<Self> {
        let package = FunctionPackage::parse(package, "package_name", faults);
        let name = FunctionName::parse(name, "action_name", faults);
        Some(Self {
            package: package?,
            name: name?,
            qualifier: None,
        })
    }

    /// The same with `version`, a version or `!alias`.
    pub(super) fn qualified(
        package: &str,
        name: &str,
        version: &str,
        faults: &mut Faults,
    ) -> Option<Self> {
        let function = Self::parse(package, name, faults);
        let qualifier = Qualifier::parse(version, "version", faults);
        function.map(|function| Self {
            qualifier,
            ..function
        })
    }

    pub(super) fn package(&self) -> &str {
        self.package.as_str()
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn qualifier(&self) -> Option<&Qualifier> {
        self.qualifier.as_ref()
    }

    /// `package/action`, for error details.
    pub(super) fn full(&self) -> String {
        format!("{}/{}", self.package, self.name)
    }

    /// The spellings that a configuration pattern may mean: `-` is "no package".
    pub(super) fn spellings(&self) -> [Option<String>; 2] {
        [
            Some(self.full()),
            self.package
                .is_default()
                .then(|| format!("-/{}", self.name)),
        ]
    }

    /// The URL of `rest` below this function, version and all.
    pub(super) fn url(&self, place: &Place, rest: &str, query: Vec<(&str, &str)>) -> Result<Url> {
        place.function(
            (&self.package, &self.name),
            self.qualifier.as_ref(),
            rest,
            query,
        )
    }

    /// Adds this function to an error.
    pub(super) fn named(&self, error: Error) -> Error {
        if error.resource.is_some() {
            error
        } else {
            error.resource("action", self.full())
        }
    }
}

/// True for methods whose repetition leaves the same state: all but POST, as the cloud has no
/// idempotency keys.
pub(super) fn repeatable(method: &Method) -> bool {
    method != Method::POST
}
