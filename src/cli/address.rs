//! Where a running sidecar is called.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::env::Env;

/// The variable that says where the sidecar is, for `invoke`, `probe` and `wait`.
pub const ADDRESS_VARIABLE: &str = "FAAS_SIDECAR_ADDRESS";
pub(super) const ADDRESS_HELP: &str = "The sidecar: host:port, https://host:port or unix:/path [env: FAAS_SIDECAR_ADDRESS] [default: 127.0.0.1:50051]";
const DEFAULT: &str = "127.0.0.1:50051";

/// Where a running sidecar is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port`
    Tcp(String),
    /// `host:port`, with TLS.
    Tls(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The address of the flag, else of the environment, else the default.
    ///
    /// # Errors
    /// A sentence, if the variable holds no address.
    pub fn resolve(flag: Option<&Self>, env: &Env) -> Result<Self, String> {
        if let Some(address) = flag {
            return Ok(address.clone());
        }
        match env.get(ADDRESS_VARIABLE) {
            Some(text) => text
                .parse()
                .map_err(|fault| format!("{ADDRESS_VARIABLE}: {fault}")),
            None => DEFAULT.parse(),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is no address; write host:port, https://host:port or unix:/path, such as {DEFAULT}"
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(refused())
            } else {
                Ok(Self::Unix(PathBuf::from(path)))
            };
        }
        // Plain gRPC has no scheme, but people copy one along.
        let secure = text.strip_prefix("https://");
        let bare = secure
            .or_else(|| text.strip_prefix("http://"))
            .unwrap_or(text);
        let bare = bare.trim_end_matches('/');
        let (host, port) = bare.rsplit_once(':').ok_or_else(refused)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.contains([':', '/', '@', ' ', '[', ']', '?', '#']);
        if host.is_empty() || port.parse::<u16>().is_err() || !(bracketed || plain) {
            return Err(refused());
        }
        Ok(match secure {
            Some(_) => Self::Tls(bare.to_owned()),
            None => Self::Tcp(bare.to_owned()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Tls(address) => write!(f, "https://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_sockets_are_addresses() {
        for text in [
            "127.0.0.1:1",
            "localhost:50051",
            "[::1]:1",
            "faas.default.svc:80",
        ] {
            assert_eq!(text.parse(), Ok(Address::Tcp(text.into())));
        }
        assert_eq!("http://h:1/".parse(), Ok(Address::Tcp("h:1".into())));
        assert_eq!("https://h:1/".parse(), Ok(Address::Tls("h:1".into())));
        assert_eq!("unix:///run/x".parse(), Ok(Address::Unix("/run/x".into())));
        for text in [
            "",
            "h",
            ":1",
            "h:x",
            "h:70000",
            "::1",
            "https://h",
            "unix:",
            "a b:1",
            "h:1/p",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_flag_wins_over_the_variable() {
        let env = Env::fixed([(ADDRESS_VARIABLE, "v:1")]);
        assert_eq!(
            Address::resolve(Some(&Address::Tcp("f:1".into())), &env)
                .unwrap()
                .to_string(),
            "f:1"
        );
        assert_eq!(Address::resolve(None, &env).unwrap().to_string(), "v:1");
        let none = Env::fixed::<String, String>([]);
        assert_eq!(Address::resolve(None, &none).unwrap().to_string(), DEFAULT);
        let bad = Env::fixed([(ADDRESS_VARIABLE, "nonsense")]);
        assert!(
            Address::resolve(None, &bad)
                .unwrap_err()
                .starts_with(ADDRESS_VARIABLE)
        );
    }
}
