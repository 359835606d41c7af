//! Function URNs in the path slot, short and long, and the rules of names ("Function Model",
//! `functiongraph_06_0102`; the create, alias and version pages).

use super::codes::{self, Refusal};

/// The version that can be changed.
pub(super) const LATEST: &str = "latest";
const MAX_NAME: usize = 60;
const MAX_ALIAS: usize = 64;
const MAX_VERSION: usize = 42;
/// OpenAPI, `func_urn` of the asynchronous configuration.
const MAX_URN: usize = 269;

/// What the slot names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Urn {
    pub(super) package: String,
    pub(super) name: String,
    pub(super) qualifier: Qualifier,
}

/// What stands behind the function's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Qualifier {
    /// Nothing: the latest version, or the whole function.
    None,
    Version(String),
    /// Written with `!` in front.
    Alias(String),
}

impl Urn {
    /// Reads 1, 2, 3, 4, 7 or 8 fields. A URN of another project or region names nothing here: 404
    /// `FSS.1051` (INFERRED).
    pub(super) fn parse(text: &str, project: &str, region: &str) -> Result<Self, Refusal> {
        let malformed = || codes::PARAMETER.refuse(format!("the function urn is invalid: {text}"));
        if text.len() > MAX_URN {
            return Err(malformed());
        }
        let fields: Vec<&str> = text.split(':').collect();
        let (place, package, name, qualifier) = match *fields.as_slice() {
            [name] => (None, "default", name, None),
            [package, name] => (None, package, name, None),
            [project, package, name] => (Some((region, project)), package, name, None),
            [project, package, name, last] => (Some((region, project)), package, name, Some(last)),
            ["urn", "fss", region, project, "function", package, name] => {
                (Some((region, project)), package, name, None)
            }
            [
                "urn",
                "fss",
                region,
                project,
                "function",
                package,
                name,
                last,
            ] => (Some((region, project)), package, name, Some(last)),
            _ => return Err(malformed()),
        };
        if !is_package(package) || !is_name(name) {
            return Err(malformed());
        }
        let qualifier = match qualifier {
            None => Qualifier::None,
            Some(last) => match last.strip_prefix('!') {
                Some(alias) if is_alias(alias) => Qualifier::Alias(alias.to_owned()),
                None if is_version(last) => Qualifier::Version(last.to_owned()),
                _ => return Err(malformed()),
            },
        };
        if place.is_some_and(|place| place != (region, project)) {
            return Err(codes::FUNCTION_MISSING.into());
        }
        Ok(Self {
            package: package.to_owned(),
            name: name.to_owned(),
            qualifier,
        })
    }
}

/// INFERRED, as no rule is published: 1 to 60 of the characters of a function's name, in any order.
pub(super) fn is_package(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Functions: 1 to 60 of letters, digits, `-` and `_`, first a letter, last a letter or a digit
/// (create page).
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && shaped(text, b"-_")
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Aliases: 1 to 64, otherwise as functions (alias page).
pub(super) fn is_alias(text: &str) -> bool {
    text.len() <= MAX_ALIAS
        && shaped(text, b"-_")
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Versions: 1 to 42 of letters, digits, `-`, `_` and `.`, both ends a letter or a digit (version
/// page, 2025-07-17).
pub(super) fn is_version(text: &str) -> bool {
    text.len() <= MAX_VERSION
        && shaped(text, b"-_.")
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn shaped(text: &str, also: &[u8]) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_the_slot() {
        let parse = |text: &str| {
            Urn::parse(text, "p1", "r-1")
                .map(|urn| (urn.package, urn.name, urn.qualifier))
                .map_err(|refusal| refusal.code.number)
        };
        let ok = |package: &str, qualifier| Ok((package.to_owned(), "f".to_owned(), qualifier));
        let version = |text: &str| Qualifier::Version(text.into());
        assert_eq!(parse("f"), ok("default", Qualifier::None));
        assert_eq!(parse("a:f"), ok("a", Qualifier::None));
        assert_eq!(parse("p1:a:f"), ok("a", Qualifier::None));
        assert_eq!(parse("p1:a:f:!x"), ok("a", Qualifier::Alias("x".into())));
        assert_eq!(
            parse("urn:fss:r-1:p1:function:a:f"),
            ok("a", Qualifier::None)
        );
        assert_eq!(
            parse("urn:fss:r-1:p1:function:a:f:v1.0"),
            ok("a", version("v1.0"))
        );
        for bad in [
            "",
            "a:",
            "a:f g",
            "a:b:c:d:e",
            "urn:fss:r-1:p1:func:a:f",
            "p1:a:f:!",
            "p1:a:f:-",
            "p1:a:f:!!a",
        ] {
            assert_eq!(parse(bad), Err("FSS.0400"), "{bad}");
        }
        assert_eq!(parse(&"a".repeat(270)), Err("FSS.0400"));
        for elsewhere in [
            "p2:a:f",
            "urn:fss:r-2:p1:function:a:f",
            "urn:fss:r-1:p2:function:a:f",
        ] {
            assert_eq!(parse(elsewhere), Err("FSS.1051"), "{elsewhere}");
        }
    }

    #[test]
    fn name_rules() {
        assert!(
            is_name("a")
                && is_name("A-b_9")
                && is_name(&"a".repeat(60))
                && is_alias(&"a".repeat(64))
        );
        for bad in ["", "9a", "a-", "_a", "a.b", "é", &"a".repeat(61)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(
            is_version("1.0-rc_1") && is_version("9") && !is_version(".1") && !is_version("1.")
        );
        assert!(!is_version(&"1".repeat(43)) && !is_version(""));
    }
}
