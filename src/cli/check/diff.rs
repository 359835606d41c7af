//! `check --diff`: what a configuration would change against a running sidecar's, or against
//! another file's.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::CheckFormat;
use crate::cli::config_args::read;
use crate::cli::exit::Exit;
use crate::cli::io::Io;
use crate::config::{Config, Difference, Sources, diff, effective_json};

/// The pages are near, and made from what is at hand.
const PATIENCE: Duration = Duration::from_secs(5);
/// Far more than any configuration.
const MAX_PAGE: u64 = 16 << 20;

/// What is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The admin pages of a running sidecar: `host:port`, or `unix:/path`.
    Sidecar(String),
    /// Another file.
    File(PathBuf),
}

impl FromStr for Base {
    type Err = String;

    /// A host and a port are an address, and so is `unix:` with a path; everything else is a file.
    /// `./` before it makes any name a file.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("unix:") {
            return Ok(Self::Sidecar(text.to_owned()));
        }
        let bare = text
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        let address = bare.unwrap_or(text);
        let port = address.rsplit_once(':').and_then(|(host, port)| {
            let is_host = !host.is_empty() && !host.contains('/');
            port.parse::<u16>().ok().filter(|_| is_host)
        });
        match (port, bare) {
            (Some(_), _) => Ok(Self::Sidecar(address.to_owned())),
            (None, Some(_)) => Err("write host:port, such as 127.0.0.1:9901".to_owned()),
            (None, None) => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

pub(super) fn run(
    config: &Config,
    base: &Base,
    format: CheckFormat,
    sources: &Sources,
    io: &mut Io<'_>,
) -> Exit {
    let before = match base {
        Base::Sidecar(address) => match page(address) {
            Ok(page) => page["configuration"].clone(),
            Err(why) => {
                io.complain(&format!(
                    "the sidecar's admin pages at {address} cannot be asked: {why}"
                ));
                return Exit::Failed;
            }
        },
        // The same flags and variables hold for both.
        Base::File(file) => {
            let sources = Sources {
                file: Some(file.clone()),
                ..sources.clone()
            };
            match read(&sources, io) {
                Ok(config) => value(&config),
                Err(exit) => {
                    io.complain(&format!(
                        "in {}, which was to be compared with",
                        file.display()
                    ));
                    return exit;
                }
            }
        }
    };
    let found = diff(&before, &value(config));
    let shown = match format {
        CheckFormat::Json => serde_json::to_string_pretty(&found).unwrap_or_default(),
        CheckFormat::Yaml => lines(&found),
    };
    match io.print(&shown) {
        Exit::Clean if !found.is_empty() => Exit::Differs,
        exit => exit,
    }
}

fn lines(found: &[Difference]) -> String {
    if found.is_empty() {
        return "nothing differs".to_owned();
    }
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn value(config: &Config) -> Value {
    // What was written as JSON a moment ago reads as JSON.
    serde_json::from_str(&effective_json(config)).unwrap_or_default()
}

/// The page `/config`.
fn page(address: &str) -> Result<Value, String> {
    let told = |why: std::io::Error| why.to_string();
    if let Some(path) = address.strip_prefix("unix:") {
        let stream = UnixStream::connect(path).map_err(told)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
        return read_page(stream, "localhost");
    }
    let resolved = address.to_socket_addrs().map_err(told)?.next();
    let resolved = resolved.ok_or_else(|| "the name has no address".to_owned())?;
    let stream = TcpStream::connect_timeout(&resolved, PATIENCE).map_err(told)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    read_page(stream, address)
}

fn read_page(mut stream: impl Read + Write, host: &str) -> Result<Value, String> {
    let told = |why: std::io::Error| why.to_string();
    let ask = format!("GET /config HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).map_err(told)?;
    let mut answer = String::new();
    stream
        .take(MAX_PAGE)
        .read_to_string(&mut answer)
        .map_err(told)?;
    let not_ours = || "no page /config of a sidecar came; is this its admin address?".to_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(not_ours)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(not_ours());
    }
    let page: Value = serde_json::from_str(body).map_err(|_| not_ours())?;
    if page["configuration"].is_object() {
        Ok(page)
    } else {
        Err(not_ours())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_makes_an_address_and_a_slash_a_file() {
        let sidecar = |text: &str| Ok(Base::Sidecar(text.to_owned()));
        assert_eq!("127.0.0.1:9901".parse(), sidecar("127.0.0.1:9901"));
        assert_eq!("http://pod:9901/".parse(), sidecar("pod:9901"));
        assert_eq!("[::1]:1".parse(), sidecar("[::1]:1"));
        assert_eq!(
            "unix:/run/admin.sock".parse(),
            sidecar("unix:/run/admin.sock")
        );
        for file in ["old.yaml", "/etc/faas.yaml", "./a:1", "a:b"] {
            assert_eq!(file.parse(), Ok(Base::File(file.into())));
        }
        assert!("http://pod".parse::<Base>().is_err());
    }
}
