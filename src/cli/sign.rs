//! `sign`: what is signed, and the signed headers, to find the cause of a 401.

mod ncp;

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use crate::env::Env;

use super::exit::Exit;
use super::io::Io;
use super::keys::{KeyArgs, Keys};

const HELP: &str = "\
The URL is signed as it is written, path and query, byte for byte: compare the string to sign with
the one of a client that is refused. The secret is never printed.

Examples:
  faas-sidecar sign GET 'https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc'
  faas-sidecar sign POST \"$URL\" --timestamp 1505290625682 -o json
  curl \"$URL\" $(faas-sidecar sign GET \"$URL\" -o curl)";

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct SignArgs {
    /// The HTTP method
    #[arg(value_parser = parse_method)]
    pub method: http::Method,
    /// The whole URL; quote it, for the shell reads & and ?
    #[arg(value_parser = parse_url)]
    pub url: String,
    /// Whose signature
    #[arg(long, value_enum, default_value_t = SignProvider::Ncp)]
    pub provider: SignProvider,
    /// The time to sign, in milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MILLIS")]
    pub timestamp: Option<u64>,
    /// The keys to sign with.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How the outcome is printed
    #[arg(short, long, value_enum, default_value_t = SignOutput::Text)]
    pub output: SignOutput,
}

/// Whose signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignProvider {
    /// NAVER Cloud, signature v2
    Ncp,
}

/// How the outcome is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignOutput {
    /// For people
    Text,
    /// For programs
    Json,
    /// The headers as arguments of curl
    Curl,
}

/// What the signer is asked.
#[derive(Debug)]
pub struct SignInput<'a> {
    /// The method.
    pub method: &'a http::Method,
    /// The URL as it was written.
    pub url: &'a str,
    /// Milliseconds since 1970; `None` = now.
    pub timestamp: Option<u64>,
    /// The keys.
    pub keys: &'a Keys,
}

/// What the signer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The method.
    pub method: String,
    /// The URL as it was written.
    pub url: String,
    /// The exact text that went into the HMAC.
    pub string_to_sign: String,
    /// The headers that a request must carry, in order.
    pub headers: Vec<(String, String)>,
}

/// Signs and prints the outcome.
pub(super) fn run(args: &SignArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    match args.provider {
        SignProvider::Ncp => run_with(args, env, io, ncp::sign),
    }
}

/// Signs by the function given, and prints the outcome.
pub fn run_with(
    args: &SignArgs,
    env: &Env,
    io: &mut Io<'_>,
    sign: impl FnOnce(&SignInput<'_>) -> Result<Signed, String>,
) -> Exit {
    let keys = match args.keys.read(env) {
        Ok(keys) => keys,
        Err(fault) => return io.misused(&fault),
    };
    let input = SignInput {
        method: &args.method,
        url: &args.url,
        timestamp: args.timestamp,
        keys: &keys,
    };
    match sign(&input) {
        Ok(signed) => io.print(&signed.render(args.output)),
        Err(fault) => {
            io.complain(&format!("faas-sidecar sign: {fault}"));
            Exit::Failed
        }
    }
}

impl Signed {
    /// The outcome as text.
    #[must_use]
    pub fn render(&self, output: SignOutput) -> String {
        match output {
            SignOutput::Text => self.text(),
            SignOutput::Json => format!("{:#}", self.json()),
            SignOutput::Curl => self.curl(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::from("string to sign (each line end is one \\n, none after the last):\n");
        for line in self.string_to_sign.split('\n') {
            let _ = writeln!(text, "  {line}");
        }
        text.push_str("\nheaders:\n");
        for (name, value) in &self.headers {
            let _ = writeln!(text, "  {name}: {value}");
        }
        let _ = writeln!(
            text,
            "\nas a command, while the signature is fresh:\n  {}",
            self.command()
        );
        text
    }

    fn json(&self) -> serde_json::Value {
        let headers: serde_json::Map<_, _> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        serde_json::json!({ "stringToSign": self.string_to_sign, "headers": headers })
    }

    /// A whole curl command that sends what was signed, byte for byte.
    fn command(&self) -> String {
        let mut command = String::from("curl");
        match self.method.as_str() {
            "GET" => {}
            // With -X HEAD curl would wait for a body.
            "HEAD" => command.push_str(" -I"),
            method => {
                let _ = write!(command, " -X {method}");
            }
        }
        // Left to itself curl resolves dots in a path and expands brackets.
        if self.url.contains("/.") {
            command.push_str(" --path-as-is");
        }
        if self.url.contains(['[', ']', '{', '}']) {
            command.push_str(" -g");
        }
        let _ = write!(command, " {} {}", quoted(&self.url), self.curl());
        command
    }

    /// Without spaces inside an argument, so that an unquoted `$(…)` splits where it should.
    fn curl(&self) -> String {
        let mut arguments: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("-H {name}:{value}"))
            .collect();
        // Not signed, but the API refuses requests without it.
        arguments.push("-H content-type:application/json".to_owned());
        arguments.join(" ")
    }
}

/// One argument for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Methods are written in capitals on the wire, whatever was typed.
fn parse_method(text: &str) -> Result<http::Method, String> {
    text.to_ascii_uppercase()
        .parse()
        .map_err(|_| "write a method such as GET or POST".to_owned())
}

/// Checks that it is a URL, and keeps the text: what is signed is what was written.
fn parse_url(text: &str) -> Result<String, String> {
    // A parser drops these silently; on the wire they would end the request line.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("a URL holds no spaces and no line ends; write %20 for a space".to_owned());
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        Ok(_) => Err("write a whole http or https URL".to_owned()),
        Err(error) => Err(format!(
            "{error}; write a whole URL, such as https://host.example/path?a=b"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> Signed {
        let headers = vec![
            ("x-a".to_owned(), "1".to_owned()),
            ("x-b".to_owned(), "2=".to_owned()),
        ];
        Signed {
            method: "POST".to_owned(),
            url: "https://h/p?q=it's".to_owned(),
            string_to_sign: "GET /p?q=1\n15\nid".to_owned(),
            headers,
        }
    }

    #[test]
    fn the_outcome_is_shown_in_three_ways() {
        let text = signed().render(SignOutput::Text);
        assert!(
            text.contains("  GET /p?q=1\n  15\n  id\n\nheaders:\n  x-a: 1\n  x-b: 2=\n\n"),
            "{text}"
        );
        assert!(text.ends_with("  curl -X POST 'https://h/p?q=it'\\''s' -H x-a:1 -H x-b:2= -H content-type:application/json\n"), "{text}");
        assert_eq!(
            signed().render(SignOutput::Curl),
            "-H x-a:1 -H x-b:2= -H content-type:application/json"
        );
        let json: serde_json::Value = serde_json::from_str(&signed().render(SignOutput::Json)).unwrap();
        assert_eq!(json["stringToSign"], "GET /p?q=1\n15\nid");
        assert_eq!(json["headers"]["x-b"], "2=");
    }

    #[test]
    fn the_url_stays_as_it_was_written() {
        let text = "https://h/a/../b?x=%7e&y=가";
        assert_eq!(parse_url(text), Ok(text.to_owned()));
        assert!(parse_url("/ncf/api/v2/packages").is_err());
        assert!(parse_url("ftp://h/x").is_err());
        assert!(parse_url("https://h/a b").is_err() && parse_url("https://h/x\n").is_err());
        assert_eq!(parse_method("get"), Ok(http::Method::GET));
    }
}
