//! `sign`: what is signed, and the signed headers, to find the cause of a 401.

mod body;
mod compare;
mod explain;
mod functiongraph;
mod ncp;

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::env::Env;

use super::exit::Exit;
use super::io::Io;
use super::keys::{HUAWEI, KeyArgs, Keys, NCLOUD};

/// Goes with a temporary key of Huawei Cloud.
const HUAWEI_SECURITY_TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";

const HELP: &str = "\
Compare the string to sign with that of a client whose signature is refused. Secrets are never printed.

ncp: the URL is signed as it is written, path and query, byte for byte, and no body.
functiongraph: signed are method, path, query, host, Content-Type (application/json), X-Sdk-Date, the body's
hash, the project that the path names, and X-Security-Token when HUAWEICLOUD_SDK_SECURITY_TOKEN is set.

--explain shows every step of the signature, each line end as \\n. --compare takes what another
client sent or signed: its signature, its Authorization header, its headers (one a line), its canonical
request or its string to sign, as text or as @ and a file; the first difference is shown with its cause, and
the exit code is 1 when there is one.

Examples:
  faas-sidecar sign GET 'https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc'
  faas-sidecar sign POST \"$URL\" --timestamp 1505290625682 -o json
  curl \"$URL\" $(faas-sidecar sign GET \"$URL\" -o curl)
  faas-sidecar sign POST \"$URL\" --provider functiongraph --body @event.json --timestamp 20240102T030405Z
  eval \"curl '$URL' $(faas-sidecar sign GET \"$URL\" --provider functiongraph -o curl)\"";

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct SignArgs {
    /// The HTTP method
    #[arg(value_parser = parse_method)]
    pub method: http::Method,
    /// The whole URL; quote it, because the shell interprets & and ?
    #[arg(value_parser = parse_url)]
    pub url: String,
    /// Cloud whose signature is made
    #[arg(long, value_enum, default_value_t = SignProvider::Ncp)]
    pub provider: SignProvider,
    /// The time to sign: milliseconds since 1970, or as in X-Sdk-Date [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_timestamp)]
    pub timestamp: Option<u64>,
    /// The body to sign (functiongraph alone): text, or @ and a file
    #[arg(long, value_name = "TEXT|@FILE")]
    pub body: Option<String>,
    /// Show every step of the signature
    #[arg(long)]
    pub explain: bool,
    /// Compare with what another client sent or signed: text, or @ and a file
    #[arg(long, value_name = "TEXT|@FILE")]
    pub compare: Option<String>,
    /// The keys to sign with.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How the outcome is printed
    #[arg(short, long, value_enum, default_value_t = SignOutput::Text)]
    pub output: SignOutput,
}

/// Cloud whose signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignProvider {
    /// NAVER Cloud, signature v2
    Ncp,
    /// Huawei Cloud, SDK-HMAC-SHA256
    Functiongraph,
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
    /// What goes with a temporary key.
    pub security_token: Option<&'a str>,
    /// The body, if one was given.
    pub body: Option<&'a [u8]>,
}

/// What the signer answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signed {
    /// The method.
    pub method: String,
    /// The URL that was signed.
    pub url: String,
    /// The text whose hash is in the string to sign, where there is one.
    pub canonical_request: Option<String>,
    /// The exact text that went into the HMAC.
    pub string_to_sign: String,
    /// The headers that a request must carry, in order.
    pub headers: Vec<(String, String)>,
    /// The body as it was given: text, or `@` and a file.
    pub body: Option<String>,
    /// The steps on the way: a name and what came out, in order.
    pub steps: Vec<(&'static str, String)>,
}

/// Signs and prints the outcome.
pub(super) fn run(args: &SignArgs, env: &Env, io: &mut Io<'_>) -> Exit {
    match args.provider {
        SignProvider::Ncp => run_with(args, env, io, ncp::sign),
        SignProvider::Functiongraph => run_with(args, env, io, functiongraph::sign),
    }
}

/// Signs by the function given, and prints the outcome.
pub fn run_with(
    args: &SignArgs,
    env: &Env,
    io: &mut Io<'_>,
    sign: impl FnOnce(&SignInput<'_>) -> Result<Signed, String>,
) -> Exit {
    let (variables, security_token) = match args.provider {
        SignProvider::Ncp => (NCLOUD, None),
        SignProvider::Functiongraph => (HUAWEI, env.get(HUAWEI_SECURITY_TOKEN)),
    };
    let given = args.keys.read_from(env, variables).and_then(|keys| {
        let body = args.body.as_deref().map(body::read).transpose()?;
        let other = args.compare.as_deref().map(body::read).transpose()?;
        Ok((keys, body, other))
    });
    let (keys, body, other) = match given {
        Ok(given) => given,
        Err(fault) => return io.misused(&fault),
    };
    let input = SignInput {
        method: &args.method,
        url: &args.url,
        timestamp: args.timestamp,
        keys: &keys,
        security_token: security_token.as_deref(),
        body: body.as_deref(),
    };
    match sign(&input) {
        Ok(signed) => {
            let signed = Signed {
                body: args.body.clone(),
                ..signed
            };
            match other {
                Some(other) => {
                    let verdict =
                        compare::compare(args.provider, &signed, &String::from_utf8_lossy(&other));
                    let shown = io.print(&verdict.render(args.output));
                    if verdict.is_same() {
                        shown
                    } else {
                        Exit::Failed
                    }
                }
                None if args.explain => io.print(&explain::render(&signed, args.output)),
                None => io.print(&signed.render(args.output)),
            }
        }
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
        let mut text = String::new();
        let canonical = self.canonical_request.as_deref();
        let shown = [
            ("canonical request", canonical),
            ("string to sign", Some(self.string_to_sign.as_str())),
        ];
        for (name, lines) in shown {
            let Some(lines) = lines else { continue };
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(
                text,
                "{name} (each line end is one \\n, none after the last):"
            );
            for line in lines.split('\n') {
                let _ = writeln!(text, "  {line}");
            }
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
        let mut document =
            serde_json::json!({ "stringToSign": self.string_to_sign, "headers": headers });
        if let Some(canonical) = &self.canonical_request {
            document["canonicalRequest"] = canonical.as_str().into();
        }
        document
    }

    /// A whole curl command that sends what was signed, byte for byte.
    fn command(&self) -> String {
        let mut command = String::from("curl");
        match self.method.as_str() {
            // With a body curl would make it a POST.
            "GET" if self.body.is_none() => {}
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
        if let Some(body) = &self.body {
            // Neither line ends nor anything else may be taken out of what was hashed.
            let _ = write!(command, " --data-binary {}", quoted(body));
        }
        command
    }

    /// NAVER Cloud's have no spaces inside an argument, so that an unquoted `$(…)` splits where it
    /// should; Huawei Cloud's have, and are quoted for a shell.
    fn curl(&self) -> String {
        let mut arguments: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| match format!("{name}:{value}") {
                header if header.contains([' ', ';', '\'']) => format!("-H {}", quoted(&header)),
                header => format!("-H {header}"),
            })
            .collect();
        if !self.headers.iter().any(|(name, _)| name == "content-type") {
            // Not signed, but the API refuses requests without it.
            arguments.push("-H content-type:application/json".to_owned());
        }
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

/// Milliseconds since 1970, or `YYYYMMDDTHHMMSSZ`.
fn parse_timestamp(text: &str) -> Result<u64, String> {
    if let Ok(millis) = text.parse() {
        return Ok(millis);
    }
    let wrong = || "write milliseconds since 1970, or a time such as 20240102T030405Z".to_owned();
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = PrimitiveDateTime::parse(text, format).map_err(|_| wrong())?;
    let seconds = u64::try_from(at.assume_utc().unix_timestamp()).map_err(|_| wrong())?;
    Ok(seconds * 1000)
}

/// Checks that it is a URL, and keeps the text: what is signed is what was written.
fn parse_url(text: &str) -> Result<String, String> {
    // A parser drops these silently; on the wire they would end the request line.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("a URL holds no spaces and no line ends; write %20 for a space".to_owned());
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.to_owned())
        }
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
            ..Signed::default()
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
        let with_body = Signed {
            method: "GET".to_owned(),
            body: Some("@a b.json".to_owned()),
            ..signed()
        };
        let text = with_body.render(SignOutput::Text);
        assert!(
            text.contains("  curl -X GET '") && text.ends_with(" --data-binary '@a b.json'\n"),
            "{text}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&signed().render(SignOutput::Json)).unwrap();
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

    #[test]
    fn a_time_is_written_in_two_ways() {
        assert_eq!(parse_timestamp("1704164645000"), Ok(1_704_164_645_000));
        assert_eq!(parse_timestamp("20240102T030405Z"), Ok(1_704_164_645_000));
        assert!(parse_timestamp("2024-01-02").is_err() && parse_timestamp("-5").is_err());
    }
}
