//! `--explain`: every step from the request to the signature, line ends shown.

use std::fmt::Write as _;

use super::{SignOutput, Signed};

/// The steps as text, or as a list for programs. Neither holds a secret.
pub(super) fn render(signed: &Signed, output: SignOutput) -> String {
    match output {
        SignOutput::Json => {
            let steps: Vec<_> = signed
                .steps
                .iter()
                .map(|(name, value)| serde_json::json!({ "step": name, "value": value }))
                .collect();
            format!("{:#}", serde_json::json!({ "steps": steps }))
        }
        SignOutput::Text | SignOutput::Curl => text(signed),
    }
}

fn text(signed: &Signed) -> String {
    let mut text = String::new();
    for (number, (name, value)) in signed.steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {name}", number + 1);
        for line in visible(value) {
            let _ = writeln!(text, "   {line}");
        }
    }
    text
}

/// The lines of a text, each with the `\n` that ends it; what cannot be seen is written out.
pub(super) fn visible(value: &str) -> Vec<String> {
    let mut lines: Vec<_> = value
        .split('\n')
        .map(|line| {
            format!(
                "{}\\n",
                line.escape_debug()
                    .to_string()
                    .replace("\\\"", "\"")
                    .replace("\\'", "'")
            )
        })
        .collect();
    // None ends the last one.
    if let Some(last) = lines.last_mut() {
        last.truncate(last.len() - 2);
        if last.is_empty() {
            "(empty)".clone_into(last);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_what_cannot_be_seen_are_written_out() {
        assert_eq!(visible("GET /a\n\n15"), ["GET /a\\n", "\\n", "15"]);
        assert_eq!(visible("a\r\tb\u{200b}\"'"), ["a\\r\\tb\\u{200b}\"'"]);
        assert_eq!(visible(""), ["(empty)"]);
    }
}
