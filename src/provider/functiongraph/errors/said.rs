//! What the body of an error answer says, in every envelope that these services use.
//!
//! The order is the official SDK's (`huaweicloudsdkcore` 3.1.219, exception handlers): `error_code`, `errorCode`, `code`,
//! then the same inside any nested object.

use serde_json::Value as Tree;

/// Code, words and request id, as far as they are there.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
}

impl Said {
    /// The family and the number of a code such as `FSS.1051`. `APIG.` is Open Telekom Cloud's spelling of `APIGW.`.
    pub(crate) fn number(&self) -> Option<(&'static str, u32)> {
        number(self.code.as_deref()?)
    }
}

/// True for a code such as `FSS.1051`.
pub(crate) fn is_code(code: &str) -> bool {
    number(code).is_some()
}

fn number(code: &str) -> Option<(&'static str, u32)> {
    let (family, number) = code.trim().split_once('.')?;
    let family = match family.to_ascii_uppercase().as_str() {
        "FSS" => "FSS",
        "APIGW" | "APIG" => "APIGW",
        "IAM" => "IAM",
        _ => return None,
    };
    Some((family, number.parse().ok()?))
}

/// Reads an error body. Markup and plain text say nothing: the status speaks then.
pub(crate) fn read(body: &[u8]) -> Said {
    let Ok(tree) = serde_json::from_slice::<Tree>(body) else {
        return Said::default();
    };
    let mut said = find(&tree, 0).unwrap_or_default();
    if said.message.is_empty() {
        // Some calls put the words aside (terraform-otc issue #3426).
        said.message = text(tree.get("details"), &["error_msg"]).unwrap_or_default();
    }
    said.request_id = text(Some(&tree), &["request_id"]);
    said
}

fn find(tree: &Tree, depth: u8) -> Option<Said> {
    let object = tree.as_object()?;
    for (code, message) in [
        ("error_code", "error_msg"),
        ("errorCode", "errorMsg"),
        ("code", "message"),
    ] {
        let (code, message) = (text(Some(tree), &[code]), text(Some(tree), &[message]));
        // An empty or zero code is how a good answer says that there is none.
        let code = code.filter(|code| !matches!(code.trim(), "" | "0"));
        if code.is_some() || (message.is_some() && depth > 0) {
            return Some(Said {
                code,
                message: message.unwrap_or_default(),
                request_id: None,
            });
        }
    }
    if depth > 2 {
        return None;
    }
    object.values().find_map(|inner| find(inner, depth + 1))
}

fn text(tree: Option<&Tree>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match tree?.get(name)? {
        Tree::String(text) if !text.is_empty() => Some(text.clone()),
        Tree::Number(number) => Some(number.to_string()),
        _ => None,
    })
}
