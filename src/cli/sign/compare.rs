//! `--compare`: our signature beside that of another client. The first difference is shown with its
//! cause.

use std::fmt::Write as _;

use super::explain::visible;
use super::{SignOutput, SignProvider, Signed};
use crate::provider::diagnosis::Cause;
use crate::provider::functiongraph::{Difference, difference, told_canonical};

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the other text was taken for.
    kind: &'static str,
    /// The first difference; none when there is none.
    first: Option<First>,
}

/// Where two clients part ways.
#[derive(Debug, Clone, PartialEq, Eq)]
struct First {
    part: String,
    ours: String,
    theirs: String,
    cause: Cause,
}

impl First {
    /// A hash or a signature says that something differs, not what.
    fn also(&self) -> &'static [Cause] {
        match self.part.as_str() {
            "signature"
            | "Signature"
            | "x-ncp-apigw-signature-v2"
            | "hash of the canonical request" => &[
                Cause::SecretWrong,
                Cause::PathChanged,
                Cause::QueryChanged,
                Cause::HeaderChanged,
                Cause::BodyChanged,
            ],
            _ => &[],
        }
    }

    /// The others, without the cause itself.
    fn others(&self) -> Vec<&'static str> {
        let others = self.also().iter().filter(|cause| **cause != self.cause);
        others.map(|cause| cause.symbol()).collect()
    }
}

impl Verdict {
    pub(super) fn is_same(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn render(&self, output: SignOutput) -> String {
        match output {
            SignOutput::Json => {
                let first = self.first.as_ref().map(|first| {
                    serde_json::json!({
                        "part": first.part,
                        "ours": first.ours,
                        "theirs": first.theirs,
                        "cause": first.cause.symbol(),
                        "also_possible": first.others(),
                        "fix": first.cause.fix(),
                    })
                });
                let document = serde_json::json!({ "compared": self.kind, "same": self.is_same(), "difference": first });
                format!("{document:#}")
            }
            SignOutput::Text | SignOutput::Curl => self.text(),
        }
    }

    fn text(&self) -> String {
        let Some(first) = &self.first else {
            return format!("the same {}\n", self.kind);
        };
        let mut text = format!(
            "compared: {}\nfirst difference: {}\n",
            self.kind, first.part
        );
        for (side, value) in [("ours", &first.ours), ("theirs", &first.theirs)] {
            let _ = writeln!(text, "  {side:<7} {}", visible(value).join("\n          "));
        }
        let others = match first.others().as_slice() {
            [] => String::new(),
            some => format!(
                " (or {}; compare the string to sign to tell)",
                some.join(", ")
            ),
        };
        let _ = writeln!(
            text,
            "cause: {}{others}\nfix: {}",
            first.cause,
            first.cause.fix()
        );
        text
    }
}

/// Finds out what `other` is, and compares it with its counterpart of ours.
pub(super) fn compare(provider: SignProvider, ours: &Signed, other: &str) -> Verdict {
    let other = other.trim_end_matches(['\r', '\n']);
    match provider {
        SignProvider::Ncp => ncp(ours, other),
        SignProvider::Functiongraph => functiongraph(ours, other),
    }
}

fn ncp(ours: &Signed, other: &str) -> Verdict {
    let headers = headers(other);
    if headers.iter().any(|(name, _)| name.starts_with("x-ncp-")) {
        let causes = [
            ("x-ncp-iam-access-key", Cause::AccessKeyUnknown),
            ("x-ncp-apigw-timestamp", Cause::ClockSkew),
            // Same time, same key, another signature: the secret or the request target differs, and
            // only the latter shows.
            ("x-ncp-apigw-signature-v2", Cause::SecretWrong),
        ];
        return compare_headers(ours, &headers, &causes);
    }
    let lines: Vec<_> = other
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    if lines.len() >= 3 {
        return Verdict {
            kind: "string to sign",
            first: string_to_sign(&ours.string_to_sign, &lines),
        };
    }
    signature(ours, other, "x-ncp-apigw-signature-v2")
}

/// `METHOD target`, time, access key.
fn string_to_sign(ours: &str, theirs: &[&str]) -> Option<First> {
    let ours: Vec<_> = ours.split('\n').collect();
    let line = |lines: &[&str], at: usize| lines.get(at).copied().unwrap_or_default().to_owned();
    let split = |lines: &[&str]| {
        let first = line(lines, 0);
        let (method, target) = first.split_once(' ').unwrap_or((&first, ""));
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query)));
        (method.to_owned(), path.to_owned(), query.map(str::to_owned))
    };
    let (a, b) = (split(&ours), split(theirs));
    let first = |part: &str, ours: String, theirs: String, cause| {
        Some(First {
            part: part.to_owned(),
            ours,
            theirs,
            cause,
        })
    };
    if a.0 != b.0 {
        return first("method", a.0, b.0, Cause::MethodChanged);
    }
    if a.1 != b.1 {
        return first("path", a.1, b.1, Cause::PathChanged);
    }
    if a.2 != b.2 {
        let sorted = |query: &Option<String>| {
            let mut pairs: Vec<_> = query
                .as_deref()
                .unwrap_or_default()
                .split('&')
                .map(str::to_owned)
                .collect();
            pairs.sort_unstable();
            pairs
        };
        let cause = if sorted(&a.2) == sorted(&b.2) {
            Cause::QueryReordered
        } else {
            Cause::QueryChanged
        };
        return first(
            "query",
            a.2.unwrap_or_default(),
            b.2.unwrap_or_default(),
            cause,
        );
    }
    for (at, part, cause) in [
        (1, "timestamp", Cause::ClockSkew),
        (2, "access key", Cause::AccessKeyUnknown),
        (3, "line after the access key", Cause::Unknown),
    ] {
        let (a, b) = (line(&ours, at), line(theirs, at));
        if a != b {
            return first(part, a, b, cause);
        }
    }
    (theirs.len() > ours.len()).then(|| First {
        part: "end".to_owned(),
        ours: "none".to_owned(),
        theirs: "a line end more".to_owned(),
        cause: Cause::Unknown,
    })
}

fn functiongraph(ours: &Signed, other: &str) -> Verdict {
    let canonical = ours.canonical_request.as_deref().unwrap_or_default();
    let shown = told_canonical(other);
    let is_canonical =
        other.lines().count() >= 6 && other.lines().last().is_some_and(|last| last.len() == 64);
    if let Some(theirs) = shown.as_deref().or(is_canonical.then_some(other)) {
        return Verdict {
            kind: "canonical request",
            first: difference(canonical, theirs).map(|found| describe(found, canonical, theirs)),
        };
    }
    if let Some(rest) = other.strip_prefix("SDK-HMAC-SHA256\n") {
        let lines: Vec<_> = rest.lines().collect();
        let own: Vec<_> = ours.string_to_sign.lines().skip(1).collect();
        let parts = [
            ("X-Sdk-Date", Cause::ClockSkew),
            // Which part of the canonical request it is cannot be told from its hash.
            ("hash of the canonical request", Cause::HeaderChanged),
        ];
        let first = parts.iter().enumerate().find_map(|(at, (part, cause))| {
            let (a, b) = (
                own.get(at).copied().unwrap_or_default(),
                lines.get(at).copied().unwrap_or_default(),
            );
            (a != b).then(|| First {
                part: (*part).to_owned(),
                ours: a.to_owned(),
                theirs: b.to_owned(),
                cause: *cause,
            })
        });
        return Verdict {
            kind: "string to sign",
            first,
        };
    }
    let headers = headers(other);
    let authorization = headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .map(|(_, value)| value.as_str())
        .or_else(|| other.starts_with("SDK-HMAC-SHA256 ").then_some(other));
    match authorization {
        Some(theirs) => {
            let dates = compare_headers(
                ours,
                &headers,
                &[
                    ("x-sdk-date", Cause::ClockSkew),
                    ("x-project-id", Cause::HeaderChanged),
                ],
            );
            Verdict {
                kind: "Authorization header",
                first: dates.first.or_else(|| parts_of_authorization(ours, theirs)),
            }
        }
        None => signature(ours, other, "authorization"),
    }
}

/// `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`
fn parts_of_authorization(ours: &Signed, theirs: &str) -> Option<First> {
    let own = ours
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")?
        .1
        .as_str();
    let field = |text: &str, name: &str| -> String {
        let found = text
            .split([' ', ','])
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    [
        ("Access", Cause::AccessKeyUnknown),
        ("SignedHeaders", Cause::HeaderChanged),
        ("Signature", Cause::SecretWrong),
    ]
    .into_iter()
    .find_map(|(part, cause)| {
        let (a, b) = (field(own, part), field(theirs, part));
        (a != b).then(|| First {
            part: part.to_owned(),
            ours: a,
            theirs: b,
            cause,
        })
    })
}

fn describe(found: Difference, ours: &str, theirs: &str) -> First {
    let first = |part: &str, ours: String, theirs: String, cause| First {
        part: part.to_owned(),
        ours,
        theirs,
        cause,
    };
    match found {
        Difference::Method(a, b) => first("method", a, b, Cause::MethodChanged),
        Difference::Path(a, b) => first("canonical path", a, b, Cause::PathChanged),
        Difference::Query(a, b) => first("canonical query", a, b, Cause::QueryChanged),
        Difference::Header(name) => {
            let value = |text: &str| match name.as_str() {
                "x-security-token" | "x-auth-token" => "<hidden>".to_owned(),
                _ => text
                    .lines()
                    .find_map(|line| line.strip_prefix(&name)?.strip_prefix(':'))
                    .unwrap_or("(absent)")
                    .to_owned(),
            };
            let cause = match name.as_str() {
                "host" => Cause::HostChanged,
                "x-sdk-date" => Cause::ClockSkew,
                _ => Cause::HeaderChanged,
            };
            first(&format!("header {name}"), value(ours), value(theirs), cause)
        }
        Difference::SignedHeaders(a, b) => {
            first("names of the signed headers", a, b, Cause::HeaderChanged)
        }
        Difference::BodyHash(a, b) => first("hash of the body", a, b, Cause::BodyChanged),
    }
}

/// `name: value` lines, names in lower case; lines of another form are left out, `curl`'s own marks
/// too.
fn headers(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim().trim_start_matches(['>', '<']).trim_start();
            let (name, value) = line.split_once(':')?;
            let good =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            good.then(|| (name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect()
}

/// The first of these headers that the other side has with another value.
fn compare_headers(
    ours: &Signed,
    theirs: &[(String, String)],
    causes: &[(&str, Cause)],
) -> Verdict {
    let find = |headers: &[(String, String)], name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let first = causes.iter().find_map(|(name, cause)| {
        let (a, b) = (find(&ours.headers, name)?, find(theirs, name)?);
        (a != b).then(|| First {
            part: (*name).to_owned(),
            ours: a,
            theirs: b,
            cause: *cause,
        })
    });
    Verdict {
        kind: "headers",
        first,
    }
}

/// A signature by itself says whether it is the same, and no more.
fn signature(ours: &Signed, other: &str, header: &str) -> Verdict {
    let own = ours
        .headers
        .iter()
        .find(|(name, _)| name == header)
        .map_or("", |(_, value)| value.as_str());
    let own = own
        .rsplit_once("Signature=")
        .map_or(own, |(_, signature)| signature);
    Verdict {
        kind: "signature",
        first: (own != other.trim()).then(|| First {
            part: "signature".to_owned(),
            ours: own.to_owned(),
            theirs: other.trim().to_owned(),
            cause: Cause::SecretWrong,
        }),
    }
}
