//! One value against the type of its key.

mod allow;

pub use allow::{AllowRule, OPERATIONS};

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::key::{Key, Kind, Rule};
use super::listen::{self, Listen};
use super::suggest::nearest;
use super::tree::{Node, Scalar, Value};
use super::units::{format_duration, format_size, parse_duration, parse_size, quoted};

/// A value that fits its key.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// A text or word.
    Text(String),
    /// A whole number, or bytes.
    Integer(u64),
    /// A number.
    Number(f64),
    /// True or false.
    Bool(bool),
    /// A duration.
    Duration(Duration),
    /// Addresses.
    Listen(Vec<Listen>),
    /// An address, or off.
    Admin(Option<Listen>),
    /// A URL.
    Url(Url),
    /// A path.
    Path(PathBuf),
    /// Texts, or patterns.
    Texts(Vec<String>),
    /// Rules.
    Allow(Vec<AllowRule>),
}

/// Reads a node as the key wants it; `None` = the node is null, which counts as absent.
///
/// # Errors
/// What is wrong and what to do, without the path.
pub(crate) fn read(key: &Key, node: &Node) -> Result<Option<Setting>, String> {
    match (&node.value, key.kind) {
        (Value::Null, _) => Ok(None),
        (Value::Scalar(text, scalar), kind) => one(kind, text, *scalar).map(Some),
        (Value::List(items), Kind::Listen) => addresses(texts(items)?).map(Some),
        (Value::List(items), Kind::Patterns) => patterns(texts(items)?).map(Some),
        (Value::List(items), Kind::Texts(rule)) => each(rule, &texts(items)?).map(Some),
        (Value::List(items), Kind::Allow) => allow::rules(items).map(Setting::Allow).map(Some),
        (Value::List(_), kind) => Err(format!("is a list; write {}", wanted(kind))),
        (Value::Map(_), kind) => Err(format!("is a map of keys; write {}", wanted(kind))),
    }
}

/// What a key wants, for a fault and for the reference.
pub(crate) fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Section | Kind::Targets => "a map of keys".to_owned(),
        Kind::Text(rule) => rule.says.to_owned(),
        Kind::Word(words) => format!("one of {}", words.join(", ")),
        Kind::Integer(min, max) => format!("a whole number from {min} to {max}"),
        Kind::Number(min, max) => format!("a number from {min} to {max}"),
        Kind::Bool => "true or false".to_owned(),
        Kind::Duration(min, max) => {
            format!(
                "a duration from {} to {}",
                format_duration(min),
                format_duration(max)
            )
        }
        Kind::Size(min, max) => format!("a size from {} to {}", format_size(min), format_size(max)),
        Kind::Listen => "an IP address with a port or unix:/path, or a list of them".to_owned(),
        Kind::Admin => "an IP address with a port, unix:/path, or off".to_owned(),
        Kind::Address => "an IP address with a port, or off".to_owned(),
        Kind::Url => "an http or https URL".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Patterns => "a list of package/action patterns".to_owned(),
        Kind::Texts(rule) => format!("a list, each {}", rule.says),
        Kind::Allow => {
            "a list of rules such as {actions: [\"reports/*\"], operations: [invoke]}".to_owned()
        }
    }
}

fn one(kind: Kind, text: &str, scalar: Scalar) -> Result<Setting, String> {
    let shown = quoted(text);
    let refused = || format!("{shown} is not {}", wanted(kind));
    // A quoted number is text; taking it for a number would make the schema and this check differ.
    let typed = |scalars: &[Scalar]| {
        if scalars.contains(&scalar) {
            Ok(())
        } else {
            Err(format!("{}, without quotes", refused()))
        }
    };
    match kind {
        Kind::Section | Kind::Targets => {
            Err(format!("{shown} stands where {} belongs", wanted(kind)))
        }
        Kind::Text(rule) => (rule.obeys)(text)
            .then(|| Setting::Text(text.to_owned()))
            .ok_or_else(refused),
        Kind::Word(words) => words
            .contains(&text)
            .then(|| Setting::Text(text.to_owned()))
            .ok_or_else(|| match nearest(text, words.iter().copied()) {
                Some(word) => format!("{}; did you mean {word}?", refused()),
                None => refused(),
            }),
        Kind::Integer(min, max) => match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => {
                typed(&[Scalar::Number, Scalar::Untyped]).map(|()| Setting::Integer(number))
            }
            _ => Err(refused()),
        },
        Kind::Number(min, max) => match text.parse::<f64>() {
            Ok(number) if (min..=max).contains(&number) => {
                typed(&[Scalar::Number, Scalar::Untyped]).map(|()| Setting::Number(number))
            }
            _ => Err(refused()),
        },
        Kind::Bool => match text {
            "true" => typed(&[Scalar::Bool, Scalar::Untyped]).map(|()| Setting::Bool(true)),
            "false" => typed(&[Scalar::Bool, Scalar::Untyped]).map(|()| Setting::Bool(false)),
            _ => Err(refused()),
        },
        Kind::Duration(min, max) => match parse_duration(text)? {
            duration if (min..=max).contains(&duration) => Ok(Setting::Duration(duration)),
            _ => Err(refused()),
        },
        Kind::Size(min, max) => match parse_size(text)? {
            size if (min..=max).contains(&size) => Ok(Setting::Integer(size)),
            _ => Err(refused()),
        },
        Kind::Listen if scalar == Scalar::Untyped => {
            addresses(text.split(',').map(str::trim).collect())
        }
        Kind::Listen => addresses(vec![text]),
        Kind::Admin | Kind::Address if text == "off" => Ok(Setting::Admin(None)),
        Kind::Admin => text
            .parse()
            .map(|address| Setting::Admin(Some(address)))
            .map_err(|fault| format!("{fault}, or off")),
        Kind::Address => listen::address(text)
            .map(|address| Setting::Admin(Some(Listen::Tcp(address))))
            .map_err(|fault| format!("{fault}, or off")),
        Kind::Url => url(text).map(Setting::Url),
        Kind::Path if text.is_empty() => Err("is empty; write a path".to_owned()),
        Kind::Path => Ok(Setting::Path(PathBuf::from(text))),
        Kind::Texts(rule) if scalar == Scalar::Untyped => {
            let texts: Vec<_> = text.split(',').map(str::trim).collect();
            each(rule, &texts)
        }
        Kind::Patterns | Kind::Texts(_) => Err(format!(
            "{shown} is one value; write {}: [{shown}]",
            wanted(kind)
        )),
        Kind::Allow => Err(format!("{shown} is one value; write {}", wanted(kind))),
    }
}

fn each(rule: Rule, texts: &[&str]) -> Result<Setting, String> {
    match texts.iter().find(|text| !(rule.obeys)(text)) {
        Some(wrong) => Err(format!("{} is not {}", quoted(wrong), rule.says)),
        None => Ok(Setting::Texts(
            texts.iter().map(|text| (*text).to_owned()).collect(),
        )),
    }
}

fn texts(items: &[Node]) -> Result<Vec<&str>, String> {
    items
        .iter()
        .map(|item| match &item.value {
            Value::Scalar(text, _) => Ok(text.as_str()),
            _ => Err("holds something other than text; write a list of plain values".to_owned()),
        })
        .collect()
}

fn addresses(texts: Vec<&str>) -> Result<Setting, String> {
    if texts.is_empty() {
        return Err("is an empty list; write at least one address".to_owned());
    }
    let mut addresses: Vec<Listen> = Vec::new();
    for text in texts {
        let address = text.parse()?;
        // Port 0 asks the system for a port, each time for another.
        let fixed = !matches!(&address, Listen::Tcp(tcp) if tcp.port() == 0);
        if fixed && addresses.contains(&address) {
            return Err(format!("{} stands there twice; remove one", quoted(text)));
        }
        addresses.push(address);
    }
    Ok(Setting::Listen(addresses))
}

fn patterns(texts: Vec<&str>) -> Result<Setting, String> {
    for text in &texts {
        pattern(text)?;
    }
    Ok(Setting::Texts(
        texts.into_iter().map(str::to_owned).collect(),
    ))
}

/// Checks one `package/action` pattern.
fn pattern(text: &str) -> Result<(), String> {
    let halves: Vec<&str> = text.split('/').collect();
    if halves.len() != 2 || halves.iter().any(|half| half.is_empty()) {
        return Err(format!(
            "{} is not package/action; write both, with - for no package and * for any characters",
            quoted(text)
        ));
    }
    Ok(())
}

fn url(text: &str) -> Result<Url, String> {
    // The text itself is not repeated: it may hold a password before the @.
    let url = Url::parse(text).map_err(|error| {
        format!("is not a URL ({error}); write one such as https://host.example")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(
            "is not an http or https URL; write one such as https://host.example".to_owned(),
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds a user or password; remove it, requests are signed with the target's credentials"
                .to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            "holds a query or a fragment; write scheme, host and, if needed, a path prefix"
                .to_owned(),
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
