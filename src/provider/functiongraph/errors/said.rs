//! What the body of an error answer says, in every envelope that these services use.
//!
//! The order is the official SDK's (`huaweicloudsdkcore` 3.1.219, exception handlers):
//! `error_code`, `errorCode`, `code`, then the same inside any nested object.

use serde_json::Value as Tree;

use crate::error::{NAME, Violation};
use crate::provider::error_body::{self, Body};
use crate::provider::status::plain_within;

/// The family of the functions service's codes.
pub(crate) const SERVICE: &str = "FSS";

/// Code, words and request id, as far as they are there.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) violations: Vec<Violation>,
}

impl Said {
    /// The family and the number of a code such as `FSS.1051`. `APIG.` is Open Telekom Cloud's
    /// spelling of `APIGW.`.
    pub(crate) fn number(&self) -> Option<(&'static str, u32)> {
        number(self.code.as_deref()?)
    }

    /// The code as the documents spell it.
    pub(crate) fn documented_code(&self) -> Option<String> {
        let (family, number) = self.number()?;
        Some(format!("{family}.{number:04}"))
    }
}

/// True for a code such as `FSS.1051`.
pub(crate) fn is_code(code: &str) -> bool {
    number(code).is_some()
}

fn number(code: &str) -> Option<(&'static str, u32)> {
    let (family, number) = code.trim().split_once('.')?;
    let family = match family.to_ascii_uppercase().as_str() {
        SERVICE => SERVICE,
        "APIGW" | "APIG" => "APIGW",
        "IAM" => "IAM",
        _ => return None,
    };
    Some((family, number.parse().ok()?))
}

/// Reads an error body: the code in the order of the official SDK, the words wherever they stand.
/// Markup says nothing: the status speaks then.
pub(crate) fn read(body: &[u8]) -> Said {
    let body = Body::read(body, |_| None);
    let tree = body.tree.as_ref();
    Said {
        code: tree.and_then(|tree| find(tree, 0)),
        request_id: tree.and_then(|tree| {
            tree.get("request_id")?
                .as_str()
                .map(|id| plain_within(id, NAME))
        }),
        message: body.words,
        violations: body.violations,
    }
}

/// The first code, at the top or in a nested object.
fn find(tree: &Tree, depth: u8) -> Option<String> {
    let object = tree.as_object()?;
    let code = ["error_code", "errorCode", "code"]
        .into_iter()
        .find_map(|name| error_body::code(tree, name))
        // Zero is how a good answer says that there is none.
        .filter(|code| code != "0");
    let deeper = || object.values().find_map(|inner| find(inner, depth + 1));
    code.or_else(|| (depth <= 2).then(deeper)?)
}

/// What the gateway says that it signed, as it is written: it holds header values, and is for
/// comparing alone.
pub(crate) fn signed_text(body: &[u8]) -> Option<String> {
    fn find(tree: &Tree) -> Option<&str> {
        match tree {
            Tree::String(text) => Some(&**text).filter(|text| text.contains("canonicalRequest")),
            Tree::Array(items) => items.iter().find_map(find),
            Tree::Object(members) => members.values().find_map(find),
            _ => None,
        }
    }
    let tree: Tree = serde_json::from_slice(body).ok()?;
    find(&tree).map(ToOwned::to_owned)
}
