//! What the body of an error answer says, whatever shape it has: the words for people, and faults
//! of single fields.
//!
//! Seen on both clouds and the engines below them: `{"error": {"errorCode", "message",
//! "details"}}`, `{"error": "words"}` beside a transaction id (Apache OpenWhisk), `{"error_code",
//! "error_msg"}`, `{"responseError": {"returnMessage"}}`, `fieldErrors` (NCP's standard), `details`
//! as text, object or list, plain text. A page says nothing.

use serde_json::Value as Tree;

use super::status::{WORDS_MAX, plain, plain_within, written};
use crate::error::Violation;

/// Members that hold words, the most telling ones first.
const WORDS: [&str; 16] = [
    "message",
    "error_msg",
    "errorMsg",
    "errorMessage",
    "returnMessage",
    "msg",
    "error",
    "responseError",
    "error_description",
    "detail",
    "details",
    "title",
    "reason",
    "description",
    "cause",
    "fault",
];
/// Members that name things and say nothing to people; the last one is long and encrypted.
const NO_WORDS: [&str; 12] = [
    "code",
    "error_code",
    "errorCode",
    "returnCode",
    "status",
    "timestamp",
    "path",
    "request_id",
    "requestId",
    "trace_id",
    "traceId",
    "encoded_authorization_message",
];
/// How deep words are looked for.
const DEPTH: u8 = 6;
/// Most words and faults taken from one body.
const MOST: usize = 16;
/// Longest code of a cloud.
const CODE_MAX: usize = 64;
/// Longest name of a field.
const FIELD_MAX: usize = 128;

/// The body of an error answer.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// The document, where it is JSON.
    pub(super) tree: Option<Tree>,
    /// The words for people: one line, bounded, without markup.
    pub(super) words: String,
    /// Faults of single fields of the request.
    pub(super) violations: Vec<Violation>,
}

impl Body {
    /// Reads `body`. `without` is a symbol that its words need not repeat.
    pub(super) fn read(body: &[u8], without: impl Fn(&Tree) -> Option<String>) -> Self {
        let Some(tree) = parse(body) else {
            return Self {
                words: text(body),
                ..Self::default()
            };
        };
        let symbol = without(&tree);
        let violations = violations(&tree);
        let taken: usize = violations
            .iter()
            .map(|fault| written(&fault.field) + written(&fault.description))
            .sum();
        let mut found = Vec::new();
        words(&tree, DEPTH, &mut found);
        if found.is_empty() {
            leaves(&tree, DEPTH, &mut found);
        }
        let mut lines: Vec<String> = Vec::new();
        for line in found.into_iter().map(plain) {
            if !line.is_empty() && Some(&line) != symbol.as_ref() && !lines.contains(&line) {
                lines.push(line);
            }
        }
        Self {
            words: plain_within(&lines.join("; "), WORDS_MAX.saturating_sub(taken)),
            tree: Some(tree),
            violations,
        }
    }
}

/// The member of this name that is text or number and looks like a code of a cloud: a number of up
/// to six digits, a family with a number (`FSS.1051`), or a word. Ids of transactions are none.
pub(super) fn code(object: &Tree, name: &str) -> Option<String> {
    let code = match object.get(name)? {
        Tree::String(text) => text.trim().to_owned(),
        Tree::Number(number) => number.to_string(),
        _ => return None,
    };
    is_code(&code).then_some(code)
}

fn is_code(code: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'.')
    };
    let family =
        |(family, number): (&str, &str)| word(family) && digits(number) && number.len() <= 6;
    code.len() <= CODE_MAX
        && ((digits(code) && code.len() <= 6)
            || word(code)
            || code.rsplit_once(['.', '_']).is_some_and(family))
}

fn parse(body: &[u8]) -> Option<Tree> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let tree: Tree = serde_json::from_slice(body)
        .or_else(|_| serde_json::from_str(&String::from_utf8_lossy(body)))
        .ok()?;
    (tree.is_object() || tree.is_array()).then_some(tree)
}

/// Plain text, also as a JSON text; a page or other markup says nothing to people.
fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = match serde_json::from_str::<Tree>(&text) {
        Ok(Tree::String(text)) => text,
        Ok(Tree::Null) => String::new(),
        _ => text.into_owned(),
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('<') {
        return String::new();
    }
    plain(text)
}

/// What stands in the members that hold words, from the outside in.
fn words<'a>(tree: &'a Tree, depth: u8, found: &mut Vec<&'a str>) {
    if found.len() >= MOST || depth == 0 {
        return;
    }
    match tree {
        Tree::String(text) => found.push(text),
        Tree::Array(items) => items
            .iter()
            .take(MOST)
            .for_each(|item| words(item, depth - 1, found)),
        Tree::Object(object) => {
            for name in WORDS {
                if let Some(value) = object.get(name) {
                    words(value, depth - 1, found);
                }
            }
        }
        _ => {}
    }
}

/// Of a document that nobody knows, every text that is not the name of something.
fn leaves<'a>(tree: &'a Tree, depth: u8, found: &mut Vec<&'a str>) {
    if found.len() >= MOST || depth == 0 {
        return;
    }
    match tree {
        Tree::String(text) => found.push(text),
        Tree::Array(items) => items
            .iter()
            .take(MOST)
            .for_each(|item| leaves(item, depth - 1, found)),
        Tree::Object(object) => object
            .iter()
            .filter(|(name, _)| !NO_WORDS.contains(&name.as_str()))
            .for_each(|(_, value)| leaves(value, depth - 1, found)),
        _ => {}
    }
}

/// `fieldErrors: [{field, message}]`, at the top or in the error; half of the words' room is
/// theirs.
fn violations(tree: &Tree) -> Vec<Violation> {
    let lists = [Some(tree), tree.get("error"), tree.get("responseError")];
    let items = lists
        .into_iter()
        .flatten()
        .find_map(|outer| outer.get("fieldErrors")?.as_array());
    let text = |item: &Tree, name: &str, most: usize| match item.get(name) {
        Some(Tree::String(text)) => plain_within(text, most),
        _ => String::new(),
    };
    let mut left = WORDS_MAX / 2;
    let mut faults = Vec::new();
    for item in items.into_iter().flatten().take(MOST) {
        let field = text(item, "field", FIELD_MAX.min(left));
        left = left.saturating_sub(written(&field));
        let description = text(item, "message", left);
        left = left.saturating_sub(written(&description));
        if !field.is_empty() || !description.is_empty() {
            faults.push(Violation { field, description });
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Body {
        Body::read(body.as_bytes(), |_| None)
    }

    #[test]
    fn the_words_of_every_shape_are_found() {
        for (body, expected) in [
            (
                r#"{"code":"BWm0N3Qemn4u","error":"Too many requests."}"#,
                "Too many requests.",
            ),
            (r#"{"error":"gone","code":173953}"#, "gone"),
            (r#"{"error":{"message":"no","details":"x"}}"#, "no; x"),
            (
                r#"{"error":{"errorCode":"InvalidParameter","message":"bad","detail":"platform"}}"#,
                "bad; platform",
            ),
            (
                r#"{"error":{"message":"no","details":{"error_msg":"why","list":[1]}}}"#,
                "no; why",
            ),
            (
                r#"{"error":{"message":"no","details":["a",{"message":"b"},null]}}"#,
                "no; a; b",
            ),
            (
                r#"{"responseError":{"returnCode":"1","returnMessage":"no"}}"#,
                "no",
            ),
            (
                r#"{"error_code":"FSS.1011","error_msg":"","details":{"error_msg":"zip"}}"#,
                "zip",
            ),
            (r#"{"error_msg":"same","message":"same"}"#, "same"),
            (
                r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/x"}"#,
                "Not Found",
            ),
            (
                r#"{"Fault":{"Text":"something else broke","Id":7},"trace_id":"ab12"}"#,
                "something else broke",
            ),
            (r#"["first","second"]"#, "first; second"),
            ("\u{feff}{\"message\":\"marked\"}", "marked"),
            ("Unauthorized", "Unauthorized"),
            ("\"quoted\"", "quoted"),
            ("<html><h1>Bad Gateway</h1></html>", ""),
            ("  <?xml version=\"1.0\"?><error/>", ""),
            (
                r#"{"message":"<b>Please</b> try\u0000 again\n\u202enow"}"#,
                "Please try again now",
            ),
            ("", ""),
            ("{}", ""),
            ("null", ""),
        ] {
            assert_eq!(read(body).words, expected, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_not_utf_8_still_speaks() {
        let body = Body::read(b"{\"message\":\"caf\xe9\",\"code\":1}", |_| None);
        assert_eq!(body.words, "caf\u{fffd}");
        assert_eq!(Body::read(b"caf\xe9", |_| None).words, "caf\u{fffd}");
    }

    #[test]
    fn faults_of_fields_come_one_by_one_and_all_of_it_is_bounded() {
        let body = read(
            r#"{"error":{"message":"bad","fieldErrors":[{"field":"limits.timeout","message":"too long"},7,{}]}}"#,
        );
        assert_eq!(
            body.violations,
            [Violation {
                field: "limits.timeout".to_owned(),
                description: "too long".to_owned()
            }]
        );
        let many: Vec<_> = (0..500)
            .map(|n| serde_json::json!({"field": "f".repeat(400), "message": format!("{n} 너무 길다").repeat(50)}))
            .collect();
        let huge =
            serde_json::json!({"error": {"message": "가".repeat(100_000), "fieldErrors": many}});
        let body = read(&huge.to_string());
        let faults: usize = body
            .violations
            .iter()
            .map(|fault| written(&fault.field) + written(&fault.description))
            .sum();
        assert!(body.violations.len() <= MOST);
        assert!(faults + written(&body.words) <= WORDS_MAX + 64, "{faults}");
        assert!(read(&"x".repeat(1 << 20)).words.len() <= WORDS_MAX);
    }

    #[test]
    fn ids_are_no_codes() {
        for code in [
            "80301",
            "200",
            "FSS.1051",
            "APIGW.0301",
            "IAM.0101",
            "InvalidParameter",
            "ABC_12",
        ] {
            assert!(is_code(code), "{code}");
        }
        for id in [
            "",
            "BWm0N3Qemn4uMAcZWY0JCy8PjTAQ191A",
            "1234567",
            "0f3c2b1a0f3c2b1a",
            "a b",
            "x\n",
            "<b>",
            "7aad83af3e8d42e99ac194e8419e2c9b",
        ] {
            assert!(!is_code(id), "{id}");
        }
    }
}
