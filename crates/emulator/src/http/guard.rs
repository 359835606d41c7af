//! Which requests are let in at all: `Host` must name this emulator, and so must `Origin` when
//! there is one.
//!
//! A web page can reach a port of loopback from the browser of whoever works here: across origins,
//! or by a DNS name of its own that it lets point to loopback (DNS rebinding). Such requests carry
//! the page's name in `Host` or in `Origin`.

use std::net::IpAddr;

use super::Request;

/// Names that requests may carry besides `localhost` and addresses.
#[derive(Debug, Default)]
pub(super) struct Guard {
    names: Vec<String>,
}

impl Guard {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// `own` is the address at which the connection came in. An error is the sentence to answer
    /// with.
    pub(super) fn check(&self, request: &Request, own: IpAddr) -> Result<(), String> {
        let mut hosts = values(request, "host");
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err("the request must have one header Host".to_owned());
        };
        self.known(host, own)
            .map_err(|name| refusal("Host", host, &name))?;
        for origin in values(request, "origin") {
            let authority = origin
                .split_once("://")
                .map_or("", |(_, authority)| authority);
            self.known(authority, own)
                .map_err(|name| refusal("Origin", origin, &name))?;
        }
        Ok(())
    }

    /// The name of a `name[:port]` that is not one of this emulator's is the error.
    fn known(&self, authority: &str, own: IpAddr) -> Result<(), String> {
        let name = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
            None => authority
                .rsplit_once(':')
                .map_or(authority, |(name, _)| name),
        };
        let is_own = match name.parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || address == own.to_canonical(),
            Err(_) => {
                let named = |known: &str| known.eq_ignore_ascii_case(name);
                named("localhost") || self.names.iter().any(|known| named(known))
            }
        };
        if is_own { Ok(()) } else { Err(name.to_owned()) }
    }
}

fn values<'r>(request: &'r Request, name: &'static str) -> impl Iterator<Item = &'r str> {
    let named = request.headers.iter();
    named
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn refusal(header: &str, value: &str, name: &str) -> String {
    let cut = |text: &str| text.chars().take(100).collect::<String>();
    format!(
        "the header {header} is {:?}, which does not name this emulator: use localhost or its address, or start it with \
         --allow-host {}\n",
        cut(value),
        cut(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)]) -> Result<(), String> {
        let request = Request {
            method: "GET".into(),
            target: "/".into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: bytes::Bytes::new(),
            too_large: false,
        };
        Guard::new(vec!["emulator.test".into()]).check(&request, "10.1.2.3".parse().unwrap())
    }

    #[test]
    fn loopback_the_own_address_and_given_names_are_let_in() {
        for host in [
            "localhost",
            "LocalHost:8081",
            "127.0.0.1:8081",
            "127.9.9.9",
            "[::1]:8081",
            "[::1]",
            "10.1.2.3:80",
            "Emulator.test:1",
        ] {
            assert_eq!(check(&[("HOST", host)]), Ok(()), "{host}");
            let origin = format!("http://{host}");
            assert_eq!(
                check(&[("host", "localhost"), ("Origin", &origin)]),
                Ok(()),
                "{origin}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for host in [
            "",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example:80@localhost.",
            "0.0.0.0",
            "10.1.2.4",
            "[::2]",
            "::1",
            "2130706433",
        ] {
            let why = check(&[("host", host)]).unwrap_err();
            assert!(
                why.contains("the header Host is") && why.contains("--allow-host"),
                "{host}: {why}"
            );
        }
        for origin in [
            "null",
            "http://evil.example:8081",
            "https://evil.example",
            "localhost",
            "",
        ] {
            let why = check(&[("host", "localhost"), ("origin", origin)]).unwrap_err();
            assert!(why.contains("the header Origin is"), "{origin}: {why}");
        }
        assert!(check(&[]).unwrap_err().contains("one header Host"));
        assert!(check(&[("host", "localhost"), ("Host", "localhost")]).is_err());
    }
}
