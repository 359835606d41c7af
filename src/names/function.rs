//! Names of Huawei FunctionGraph.
//!
//! FunctionGraph docs: "Creating a Function" (`functiongraph_06_0108`), "Publishing a Function
//! Version" (zh 2025-07-17), alias pages (0114–0118), "Function Model" (0102). Every name is plain
//! ASCII without `/`, `?`, `#` or `%`, so that in a path only the `:` and `!` of a URN need
//! percent-encoding.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

use crate::error::Faults;

/// Longest function name, in characters.
pub const FUNCTION_NAME_MAX: usize = 60;
/// Longest alias name, in characters.
const ALIAS_NAME_MAX: usize = 64;
/// Longest version name, in characters.
const VERSION_NAME_MAX: usize = 42;

/// A function's name within its package.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionName(String);

/// The package label of functions; "no package" is `default`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionPackage(String);

/// A version's name; `latest` is the one that can be edited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionVersion(String);

/// An alias's name, without `!`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AliasName(String);

/// The id of an asynchronous run: a UUID as documented, open as ids are the cloud's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AsyncRequestId(String);

/// What follows the function in a URN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `:version`
    Version(FunctionVersion),
    /// `:!alias`
    Alias(AliasName),
}

/// A function's URN as the cloud spells it:
/// `urn:fss:{region}:{project}:function:{package}:{function}`, perhaps with `:{version}` or
/// `:!{alias}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionUrn {
    /// Region id.
    pub region: String,
    /// Project id.
    pub project: String,
    /// Package.
    pub package: String,
    /// Function.
    pub function: String,
    /// Version name, `!alias`, or nothing.
    pub qualifier: Option<String>,
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// The name as it goes into a URN.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text!(
    FunctionName,
    FunctionPackage,
    FunctionVersion,
    AliasName,
    AsyncRequestId
);

impl FunctionName {
    /// Reads a required function name; what is wrong goes to `faults`.
    pub fn parse(name: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        accept(name, name_fault(name, FUNCTION_NAME_MAX), field, faults).map(Self)
    }
}

impl FunctionPackage {
    /// Reads a package; empty and `-` both mean `default`.
    ///
    /// No rule is published. INFERRED: the letters and length of function names, but any of them at
    /// either end.
    pub fn parse(name: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        if matches!(name, "" | "-") {
            return Some(Self("default".to_owned()));
        }
        accept(
            name,
            letters_fault(name, FUNCTION_NAME_MAX, ""),
            field,
            faults,
        )
        .map(Self)
    }

    /// True for the package of functions that belong to no other.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == "default"
    }
}

impl AliasName {
    /// Reads a required alias name, without `!`.
    pub fn parse(name: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        let fault = if name.starts_with('!') {
            Some("begins with !, which belongs to a call's version only; leave it out.".to_owned())
        } else {
            name_fault(name, ALIAS_NAME_MAX)
        };
        accept(name, fault, field, faults).map(Self)
    }
}

impl FunctionVersion {
    /// Reads a required version name; `latest` is one.
    pub fn parse(name: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        accept(name, version_fault(name), field, faults).map(Self)
    }

    /// Reads a name that the cloud says.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        version_fault(name).is_none().then(|| Self(name.to_owned()))
    }

    /// True for the version that can be edited and always exists.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.0 == "latest"
    }
}

impl Qualifier {
    /// Reads a version or `!alias`; empty means none, which the cloud takes for `latest`.
    pub fn parse(text: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        match text.strip_prefix('!') {
            _ if text.is_empty() => None,
            Some(alias) => AliasName::parse(alias, field, faults).map(Self::Alias),
            None => FunctionVersion::parse(text, field, faults).map(Self::Version),
        }
    }
}

impl AsyncRequestId {
    /// Reads a required id.
    pub fn parse(id: &str, field: &str, faults: &mut Faults) -> Option<Self> {
        let fault = (!super::is_run_id(id))
            .then(|| "must be the activation_id that InvokeAsync answered, a UUID.".to_owned());
        accept(id, fault, field, faults).map(Self)
    }

    /// Reads an id that the cloud says: it goes into URLs and to callers, so that nothing else may
    /// be in it.
    #[must_use]
    pub fn read(id: &str) -> Option<Self> {
        super::is_run_id(id).then(|| Self(id.to_owned()))
    }
}

impl FunctionUrn {
    /// Reads a URN of seven or eight fields, raw or percent-encoded; anything else is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = if text.contains('%') {
            decode(text)?
        } else {
            Cow::Borrowed(text)
        };
        let fields: Vec<_> = text.split(':').collect();
        let (["urn", "fss", region, project, "function", package, function], rest) =
            fields.split_first_chunk::<7>()?
        else {
            return None;
        };
        let qualifier = match rest {
            [] => None,
            [qualifier] if !qualifier.is_empty() => Some((*qualifier).to_owned()),
            _ => return None,
        };
        Some(Self {
            region: (*region).to_owned(),
            project: (*project).to_owned(),
            package: (*package).to_owned(),
            function: (*function).to_owned(),
            qualifier,
        })
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "{version}"),
            Self::Alias(alias) => write!(f, "!{alias}"),
        }
    }
}

impl fmt::Display for FunctionUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "urn:fss:{}:{}:function:{}:{}",
            self.region, self.project, self.package, self.function
        )?;
        self.qualifier
            .as_ref()
            .map_or(Ok(()), |qualifier| write!(f, ":{qualifier}"))
    }
}

fn accept(name: &str, fault: Option<String>, field: &str, faults: &mut Faults) -> Option<String> {
    match fault {
        None => Some(name.to_owned()),
        Some(fault) => {
            faults.add(field, fault);
            None
        }
    }
}

/// Letters, digits and those in `more`, within a length.
fn letters_fault(name: &str, max: usize, more: &str) -> Option<String> {
    if name.is_empty() {
        return Some("is required.".to_owned());
    }
    let count = name.chars().count();
    if count > max {
        return Some(format!("has {count} characters; the limit is {max}."));
    }
    let bad = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || more.contains(*c)))?;
    Some(format!(
        "holds {bad:?}; only letters, digits, _ and -{} are allowed.",
        if more.is_empty() { "" } else { " and ." }
    ))
}

/// The rule of function and alias names: the first a letter, the last a letter or digit.
fn name_fault(name: &str, max: usize) -> Option<String> {
    letters_fault(name, max, "").or_else(|| {
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Some("must begin with a letter.".to_owned());
        }
        (!name.ends_with(|c: char| c.is_ascii_alphanumeric()))
            .then(|| "must end with a letter or digit.".to_owned())
    })
}

fn version_fault(name: &str) -> Option<String> {
    letters_fault(name, VERSION_NAME_MAX, ".").or_else(|| {
        let ends = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric());
        (!ends).then(|| "must begin and end with a letter or digit.".to_owned())
    })
}

/// Percent-decodes ASCII; none when that is not what it holds.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    // What is no valid escape stays, and no name has a percent sign.
    (decoded.is_ascii() && !decoded.contains('%')).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(parse: impl FnOnce(&mut Faults)) -> Option<String> {
        let mut faults = Faults::new();
        parse(&mut faults);
        faults
            .into_result()
            .err()
            .map(|error| error.message.clone())
    }

    #[test]
    fn each_rule_of_a_function_name_is_told() {
        for (name, part) in [
            ("", "required"),
            ("1a", "begin with a letter"),
            ("-a", "begin with a letter"),
            ("a-", "end with a letter or digit"),
            ("a/b", "'/'"),
            ("..", "'.'"),
            ("a:b", "':'"),
            ("函数", "'函'"),
            (&"n".repeat(61), "61 characters"),
        ] {
            let found = fault(|faults| drop(FunctionName::parse(name, "action_name", faults)));
            assert!(
                found.as_ref().is_some_and(|fault| fault.contains(part)),
                "{name}: {found:?}"
            );
        }
        for name in ["a", "A_1", "a-_b", &"n".repeat(60)] {
            assert_eq!(
                fault(|faults| drop(FunctionName::parse(name, "action_name", faults))),
                None
            );
        }
    }

    #[test]
    fn a_version_or_an_alias() {
        let mut faults = Faults::new();
        assert_eq!(Qualifier::parse("", "version", &mut faults), None);
        assert_eq!(
            Qualifier::parse("!prod", "version", &mut faults)
                .unwrap()
                .to_string(),
            "!prod"
        );
        assert_eq!(
            Qualifier::parse("v20240102-030405", "version", &mut faults)
                .unwrap()
                .to_string(),
            "v20240102-030405"
        );
        assert_eq!(
            Qualifier::parse("1.0", "version", &mut faults)
                .unwrap()
                .to_string(),
            "1.0"
        );
        assert!(faults.is_empty());
        for (text, part) in [
            ("!", "required"),
            ("!!a", "begins with !"),
            ("a/..", "'/'"),
            ("..", "begin and end"),
        ] {
            let found = fault(|faults| drop(Qualifier::parse(text, "version", faults)));
            assert!(
                found.as_ref().is_some_and(|fault| fault.contains(part)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn urns_are_read_in_both_spellings_and_written_in_one() {
        let plain = "urn:fss:cn-north-4:p1:function:default:hello";
        for (text, expected) in [
            (plain.to_owned(), plain.to_owned()),
            (format!("{plain}:latest"), format!("{plain}:latest")),
            (format!("{plain}:!prod"), format!("{plain}:!prod")),
            (
                format!("{plain}:!prod")
                    .replace(':', "%3A")
                    .replace('!', "%21"),
                format!("{plain}:!prod"),
            ),
        ] {
            assert_eq!(FunctionUrn::parse(&text).unwrap().to_string(), expected);
        }
        for bad in [
            "",
            "hello",
            "urn:fss:r:p:trigger:d:h",
            "urn:fss:r:p:function:d:h:v:x",
            "urn%3",
            "urn%zz",
        ] {
            assert_eq!(FunctionUrn::parse(bad), None, "{bad}");
        }
    }
}
