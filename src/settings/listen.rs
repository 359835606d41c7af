//! An address to listen on: loopback or other TCP, or a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::units::quoted;

/// The longest path of a Unix socket in bytes: `sun_path` of 108 less its final zero (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix("unix:") else {
            return address(text).map(Self::Tcp).map_err(|fault| {
                format!("{fault}, or unix: and a path such as unix:/run/faas.sock")
            });
        };
        // gRPC's own spelling of an absolute path has three slashes: unix:///run/faas.sock.
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.len() > MAX_SOCKET_PATH {
            return Err(format!(
                "{} needs a path of 1 to {MAX_SOCKET_PATH} bytes after unix:; shorten it",
                quoted(text)
            ));
        }
        Ok(Self::Unix(PathBuf::from(path)))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads an IP address with a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not an IP address with a port; write one such as 127.0.0.1:50051 or [::1]:50051",
            quoted(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        for text in [
            "127.0.0.1:50051",
            "[::1]:1",
            "0.0.0.0:0",
            "unix:/run/faas.sock",
            "unix:faas.sock",
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        assert_eq!("unix:///run/x".parse(), Ok(Listen::Unix("/run/x".into())));
    }

    #[test]
    fn others_are_refused_with_an_example() {
        for text in [
            "",
            "50051",
            ":50051",
            "localhost:50051",
            "127.0.0.1",
            "127.0.0.1:70000",
        ] {
            assert!(
                text.parse::<Listen>()
                    .unwrap_err()
                    .contains("127.0.0.1:50051"),
                "{text}"
            );
        }
        assert!("unix:".parse::<Listen>().is_err());
        assert!(
            format!("unix:/{}", "x".repeat(107))
                .parse::<Listen>()
                .is_err()
        );
    }

    #[test]
    fn only_loopback_and_sockets_are_local() {
        assert!("127.9.9.9:1".parse::<Listen>().unwrap().is_local());
        assert!("unix:/x".parse::<Listen>().unwrap().is_local());
        assert!(!"0.0.0.0:1".parse::<Listen>().unwrap().is_local());
    }
}
