//! How a step is printed: what was called, what went out, what came back.

use std::fmt::Write as _;

use faas_emulator::RecordedRequest;

/// Headers that any HTTP client sends, which say nothing about the sidecar; and the project, which
/// the path names too.
const ROUTINE: [&str; 7] = [
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-project-id",
];
/// Of a body this much is shown.
const LONGEST: usize = 110;
const INDENT: &str = "         ";

/// What a step does, in words and in the API's names.
#[derive(Debug)]
pub(super) struct Step<'t> {
    /// One line that says what for.
    pub(super) title: &'t str,
    /// `Service/Method`.
    pub(super) method: &'t str,
    /// The request's fields, shortened.
    pub(super) request: String,
    /// With which status the cloud must answer each request that goes out.
    pub(super) sends: &'t [u16],
}

/// The call and the requests that it caused.
pub(super) fn step(number: usize, step: &Step<'_>, sent: &[RecordedRequest]) -> String {
    let mut text = format!(
        "{number}. {}\n   call  {} {{ {} }}\n",
        step.title, step.method, step.request
    );
    if sent.is_empty() {
        text.push_str("   sent  nothing\n");
    }
    for request in sent {
        let _ = writeln!(text, "   sent  {} {}", request.method, request.target);
        for (name, value) in &request.headers {
            let name = name.to_ascii_lowercase();
            if !ROUTINE.contains(&name.as_str()) {
                let _ = writeln!(text, "{INDENT}{name}: {value}");
            }
        }
        if !request.body.is_empty() {
            let _ = writeln!(text, "{INDENT}{}", shortened(&request.body));
        }
    }
    text
}

/// What the application got, and an empty line.
pub(super) fn answer(lines: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { "   got   " } else { INDENT };
        let _ = writeln!(text, "{label}{line}");
    }
    text.push('\n');
    text
}

/// The beginning of what is long.
pub(super) fn shortened(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ... ({} bytes)", &text[..end], body.len()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_between_characters() {
        assert_eq!(shortened("{\"a\":\"가\"}".as_bytes()), "{\"a\":\"가\"}");
        let long = "가".repeat(200);
        assert_eq!(
            shortened(long.as_bytes()),
            format!("{} ... (600 bytes)", "가".repeat(110))
        );
    }

    #[test]
    fn signing_headers_are_shown_and_routine_ones_are_not() {
        let request = RecordedRequest {
            method: "GET".to_owned(),
            target: "/p?q".to_owned(),
            headers: vec![
                ("Host".to_owned(), "h".to_owned()),
                ("X-Ncp-Apigw-Timestamp".to_owned(), "15".to_owned()),
            ],
            body: bytes::Bytes::new(),
            status: Some(200),
            time_ms: 0,
        };
        let step = Step {
            title: "Look",
            method: "S/M",
            request: "a: 1".to_owned(),
            sends: &[200],
        };
        assert_eq!(
            super::step(3, &step, &[request]),
            "3. Look\n   call  S/M { a: 1 }\n   sent  GET /p?q\n         x-ncp-apigw-timestamp: 15\n"
        );
    }
}
