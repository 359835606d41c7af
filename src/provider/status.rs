//! What an HTTP status means when a cloud's own code says nothing: one default table for all
//! providers.
//!
//! Also the rule that upstream text reaches a caller only as a short plain sentence.

use http::StatusCode;

use crate::error::{Component, Error, Execution, Kind, reason};
use crate::transport::{Response, execution_by, server_failed};

/// Longest upstream text passed on, in the bytes of a `grpc-message` (see [`written`]): the head of
/// an answer holds it twice, and many clients take heads of 8 KiB at most.
pub const WORDS_MAX: usize = 2048;

/// The error for a status alone.
#[must_use]
pub fn by_http_status(status: StatusCode) -> Error {
    use Kind::{
        DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound,
        PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable,
    };
    let (kind, reason, transient) = match status.as_u16() {
        200..=299 => (Internal, reason::ERROR_IN_GOOD_STATUS, false),
        300..=399 => (Internal, reason::UNEXPECTED_REDIRECT, false),
        400 | 422 => (InvalidArgument, reason::BAD_REQUEST, false),
        401 => (Unauthenticated, reason::AUTHENTICATION_FAILED, false),
        403 => (PermissionDenied, reason::PERMISSION_DENIED, false),
        404 => (NotFound, reason::NOT_FOUND, false),
        408 => (Unavailable, reason::REQUEST_TIMEOUT, true),
        409 | 412 => (FailedPrecondition, reason::CONFLICT, false),
        413 => (ResourceExhausted, reason::REQUEST_TOO_LARGE, false),
        429 => (ResourceExhausted, reason::RATE_LIMITED, true),
        400..=499 => (Internal, reason::UNEXPECTED_STATUS, false),
        502 | 503 => (Unavailable, reason::UPSTREAM_UNAVAILABLE, true),
        504 => (DeadlineExceeded, reason::UPSTREAM_TIMEOUT, true),
        500..=599 => (Internal, reason::UPSTREAM_FAILED, true),
        // A status of 600 and above counts as a server error (RFC 9110 §15).
        600.. => (Internal, reason::UNEXPECTED_STATUS, true),
        _ => (Internal, reason::UNEXPECTED_STATUS, false),
    };
    let hint = match reason {
        reason::UNEXPECTED_REDIRECT => {
            " Redirects are never followed: check the target's base_url."
        }
        reason::ERROR_IN_GOOD_STATUS => " Its body reports an error all the same.",
        reason::AUTHENTICATION_FAILED => {
            " Check the credentials, the clock and the target's base_url."
        }
        _ => "",
    };
    Error::new(
        kind,
        reason,
        format!("The upstream answered HTTP {}.{hint}", status.as_u16()),
    )
    .component(if server_failed(status) {
        Component::Gateway
    } else {
        Component::Service
    })
    .execution(execution_by(status))
    .transient(transient)
    .with(|facts| facts.http_status = Some(status.as_u16()))
}

/// What keeps an answer from being read.
#[derive(Debug, PartialEq)]
pub enum Unreadable {
    /// It has more items than the sidecar may hold, and they are not built.
    TooManyItems,
    /// It is not the documented JSON, for this reason.
    Malformed(String),
}

impl From<&str> for Unreadable {
    fn from(why: &str) -> Self {
        Self::Malformed(why.to_owned())
    }
}

impl From<String> for Unreadable {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

/// The error for an answer that arrived and cannot be understood: `unknown`, as it may be anybody's
/// word.
#[must_use]
pub fn not_understood(response: &Response, why: impl Into<Unreadable>) -> Error {
    let status = response.status.as_u16();
    match why.into() {
        Unreadable::TooManyItems => too_many_items(),
        Unreadable::Malformed(why) => Error::new(
            Kind::Internal,
            reason::RESPONSE_NOT_UNDERSTOOD,
            format!(
                "The upstream answered HTTP {status} with a body that is not the documented JSON ({why})."
            ),
        )
        .component(Component::Service)
        .execution(Execution::Unknown),
    }
    .with(|facts| facts.http_status = Some(status))
}

/// The error for an answer whose items take more memory than one answer may.
#[must_use]
pub fn too_many_items() -> Error {
    Error::new(
        Kind::ResourceExhausted,
        reason::RESPONSE_TOO_LARGE,
        "The upstream's answer is not passed on, for it has more items than the sidecar may hold; raise max_message_size if \
         that is right.",
    )
    .execution(Execution::Unknown)
}

/// The upstream's own words, after ours. Some gateways append the text they signed, which holds
/// header values.
#[must_use]
pub fn explained(words: &str) -> String {
    let words = words.split("canonicalRequest").next().unwrap_or_default();
    match words.trim_end() {
        "" => String::new(),
        words => format!(" It said: {words}"),
    }
}

/// Refuses an answer that is about another resource than `asked`: the cloud, or something before
/// it, mixed two answers up. What says no name at all is taken for the one that was asked for; a
/// name may stand behind its package (`package/name`).
///
/// # Errors
/// `ANSWER_OF_ANOTHER`, `unknown`.
pub fn about(what: &str, found: &str, asked: &str) -> Result<(), Error> {
    let name = found.rsplit('/').next().unwrap_or_default();
    if found.is_empty() || name == asked {
        return Ok(());
    }
    let found = plain(found);
    Err(Error::new(
        Kind::Internal,
        reason::ANSWER_OF_ANOTHER,
        format!("The upstream's answer is about the {what} {found}; the request is about {asked}."),
    )
    .component(Component::Service)
    .execution(Execution::Unknown))
}

/// What is wrong with a JSON text, without a word of it: the parser's own message quotes what it
/// met, and that may be a page, code or a token.
#[must_use]
pub fn json_fault(fault: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match fault.classify() {
        Category::Eof => "it ends too early",
        Category::Data => "a field is missing or of another type",
        Category::Syntax | Category::Io => "it is not JSON",
    };
    format!("{what}, line {} column {}", fault.line(), fault.column())
}

/// Upstream text as one plain line: tags, control and layout characters taken out, white space
/// folded, cut at a bound.
#[must_use]
pub fn plain(text: &str) -> String {
    plain_within(text, WORDS_MAX)
}

/// The same with a bound of its own, in bytes as [`written`] counts them. What is cut ends with an
/// ellipsis.
#[must_use]
pub fn plain_within(text: &str, most: usize) -> String {
    const ELLIPSIS: char = '…';
    let (mut out, mut taken, mut whole) = (String::new(), 0, 0);
    let mut blank = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let width = tag(rest).unwrap_or(next.len_utf8());
        rest = rest.get(width..).unwrap_or_default();
        if matches!(next, '<' | '>') || next.is_whitespace() || next.is_control() || is_layout(next)
        {
            blank = true;
            continue;
        }
        let space = usize::from(blank && !out.is_empty());
        taken += cost(next) + space;
        if taken > most {
            out.truncate(whole);
            if cost(ELLIPSIS) <= most {
                out.push(ELLIPSIS);
            }
            return out;
        }
        if space == 1 {
            out.push(' ');
        }
        out.push(next);
        blank = false;
        if taken + cost(ELLIPSIS) <= most {
            whole = out.len();
        }
    }
    out
}

/// How many bytes a text takes in `grpc-message`, which writes every byte beyond printable ASCII as
/// three (gRPC over HTTP/2, "Percent-Encoded").
#[must_use]
pub fn written(text: &str) -> usize {
    text.chars().map(cost).sum()
}

fn cost(character: char) -> usize {
    if matches!(character, ' '..='~') && character != '%' {
        1
    } else {
        3 * character.len_utf8()
    }
}

/// The length of the tag that `text` begins with, a script or a style with all that it holds. One
/// that does not end takes the rest along. None where `<` begins no tag.
fn tag(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('<')?;
    inner
        .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
        .then_some(())?;
    let closing = ["script", "style"].into_iter().find_map(|name| {
        let found = inner.get(..name.len())?.eq_ignore_ascii_case(name);
        found.then(|| find_ignoring_case(text, &format!("</{name}")))
    });
    let from = closing.unwrap_or(Some(0)).unwrap_or(text.len());
    let end = text.get(from..).and_then(|rest| rest.find('>'));
    Some(end.map_or(text.len(), |end| from + end + 1))
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.as_bytes()
        .windows(what.len())
        .position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

/// Characters without a shape of their own, which can hide or turn around what stands beside them.
fn is_layout(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// True for a symbol of a cloud's own that can serve as the reason of an error: `UPPER_SNAKE` of 3
/// to 61 characters.
#[must_use]
pub fn is_symbol(text: &str) -> bool {
    (3..=61).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_never_reaches_a_caller() {
        assert_eq!(
            plain("<strong>Please try again</strong><br>\n later"),
            "Please try again later"
        );
        assert_eq!(plain("a < b"), "a b");
        assert_eq!(plain("a <b"), "a");
        assert_eq!(plain("1<2<3"), "1 2 3");
        assert_eq!(
            plain("<SCRIPT>alert(1)</script >x<style>p{}</style><!-- c -->y"),
            "x y"
        );
        assert_eq!(
            plain("a\u{0}b\u{7f}c\u{85}d\u{202e}e\u{200b}f\r\n\tg"),
            "a b c d e f g"
        );
    }

    #[test]
    fn a_text_is_cut_between_characters_at_what_it_takes_on_the_wire() {
        assert_eq!(plain(&"x".repeat(WORDS_MAX)), "x".repeat(WORDS_MAX));
        for long in ["x", "가", "%", "🦀", "x ", "<b>é"] {
            for most in [0, 5, 9, 10, 100, WORDS_MAX] {
                let cut = plain_within(&long.repeat(5_000), most);
                assert!(written(&cut) <= most, "{long} {most}");
                assert_eq!(cut.ends_with('…'), most >= 9, "{long} {most}");
            }
            let cut = plain(&long.repeat(5_000));
            assert!(written(&cut) > WORDS_MAX - 40, "{long}");
        }
        assert_eq!(plain_within("short", 5), "short");
    }

    #[test]
    fn a_json_fault_quotes_nothing() {
        let told = |json| json_fault(&serde_json::from_str::<Vec<u8>>(json).unwrap_err());
        assert_eq!(
            told("\"canary\""),
            "a field is missing or of another type, line 1 column 8"
        );
        assert_eq!(told("<canary>"), "it is not JSON, line 1 column 1");
        assert_eq!(told(""), "it ends too early, line 1 column 0");
    }

    #[test]
    fn refusals_did_not_start_and_failures_are_unknown() {
        for (status, kind, execution, transient) in [
            (200, Kind::Internal, Execution::Unknown, false),
            (302, Kind::Internal, Execution::NotStarted, false),
            (303, Kind::Internal, Execution::Unknown, false),
            (404, Kind::NotFound, Execution::NotStarted, false),
            (600, Kind::Internal, Execution::Unknown, true),
            (999, Kind::Internal, Execution::Unknown, true),
            (401, Kind::Unauthenticated, Execution::NotStarted, false),
            (429, Kind::ResourceExhausted, Execution::NotStarted, true),
            (500, Kind::Internal, Execution::Unknown, true),
            (503, Kind::Unavailable, Execution::Unknown, true),
            (504, Kind::DeadlineExceeded, Execution::Unknown, true),
        ] {
            let error = by_http_status(StatusCode::from_u16(status).unwrap());
            assert_eq!(
                (error.kind, error.execution, error.transient),
                (kind, execution, transient),
                "{status}"
            );
        }
    }
}
