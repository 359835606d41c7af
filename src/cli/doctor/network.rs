//! The steps before any request: name, TCP, TLS.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use url::Url;

use super::report::Step;
use crate::clock;
use crate::transport::Tls;
use crate::transport::survey::{self, Failure, Handshake, Problem};

/// A certificate that ends within this time is told as a warning.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Name, TCP and TLS of one host. The steps are always three.
pub(super) async fn steps(
    url: &Url,
    tls: Option<&Tls>,
    connect: Duration,
    ends: Instant,
) -> [Step; 3] {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let began = Instant::now();
    let addresses = match survey::resolve(host, port, ends).await {
        Ok(addresses) => addresses,
        Err(why) => {
            let skipped = |name| Step::skipped(name, "dns").of(host);
            return [failed("dns", &why).of(host), skipped("tcp"), skipped("tls")];
        }
    };
    let named = timed(resolved(host, &addresses), began);
    let began = Instant::now();
    let (stream, peer, took) = match survey::connect(&addresses, connect, ends).await {
        Ok(connected) => connected,
        Err(why) => {
            return [
                named,
                timed(failed("tcp", &why).of(host), began),
                Step::skipped("tls", "tcp").of(host),
            ];
        }
    };
    let connected = Step::ok("tcp", format!("{peer} accepts connections"))
        .of(host)
        .with("peer", peer.to_string());
    let connected = Step { took, ..connected };
    if url.scheme() != "https" {
        drop(stream);
        let local = peer.ip().is_loopback();
        let plain = match local {
            true => Step::not_needed("tls", "plain HTTP to this machine itself"),
            false => Step::warn(
                "tls",
                "plain HTTP leaves this machine",
                "Use https in base_url, unless the way is protected otherwise.",
            ),
        };
        return [named, connected, plain.of(host)];
    }
    let Some(tls) = tls else {
        return [
            named,
            connected,
            Step::not_needed("tls", "the target has no TLS settings").of(host),
        ];
    };
    let began = Instant::now();
    let shaken = survey::handshake(stream, host, tls, ends).await;
    [named, connected, timed(agreed(&shaken).of(host), began)]
}

fn timed(step: Step, began: Instant) -> Step {
    Step {
        took: began.elapsed(),
        ..step
    }
}

fn resolved(host: &str, addresses: &[SocketAddr]) -> Step {
    let shown: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    Step::ok("dns", shown.join(", "))
        .of(host)
        .with("addresses", shown)
}

fn failed(name: &'static str, why: &Failure) -> Step {
    let (symbol, fix) = match why.problem {
        Problem::NoAddress => (
            "no_address",
            "Check the spelling of base_url or region, and this machine's name servers (/etc/resolv.conf; in a cluster CoreDNS).",
        ),
        Problem::Refused => (
            "refused",
            "Check the port of base_url, and that the server runs.",
        ),
        Problem::Timeout => (
            "timeout",
            "Let this machine out to the host: a firewall, a security group or a network policy drops the packets.",
        ),
        Problem::Network => (
            "network",
            "Check routes and firewalls between this machine and the host.",
        ),
        Problem::WrongName => (
            "wrong_name",
            "Use the name that the certificate is for in base_url, or a certificate with this name.",
        ),
        Problem::Expired => (
            "expired",
            "Renew the server's certificate; if it is not over, set this machine's clock.",
        ),
        Problem::Untrusted => (
            "untrusted",
            "Set ca_file to the authority that signed the certificate: a proxy that opens TLS has its own.",
        ),
        Problem::NotTls => (
            "not_tls",
            "Check scheme and port of base_url, and that nothing on the way answers in the server's place; TLS 1.2 is the least.",
        ),
        Problem::BadFiles => (
            "bad_files",
            "Put PEM files at ca_file, client_cert_file and client_key_file.",
        ),
    };
    Step::fail(name, why.fact.clone(), fix).with("problem", symbol)
}

fn agreed(shaken: &Handshake) -> Step {
    let chain: Vec<Value> = shaken
        .chain
        .iter()
        .map(|found| {
            json!({
                "subject": found.subject,
                "issuer": found.issuer,
                "not_before": found.not_before.map(date),
                "not_after": found.not_after.map(date),
            })
        })
        .collect();
    let issuer = shaken
        .chain
        .first()
        .map(|found| found.issuer.clone())
        .unwrap_or_default();
    let session = match &shaken.outcome {
        Ok(session) => session,
        Err(why) => {
            let by = if issuer.is_empty() {
                String::new()
            } else {
                format!("; the certificate was issued by {issuer}")
            };
            let told = Failure {
                fact: format!("{}{by}", why.fact),
                ..why.clone()
            };
            return failed("tls", &told).with("chain", chain);
        }
    };
    let alpn = session.alpn.as_deref().unwrap_or("http/1.1 (no ALPN)");
    let fact = format!("{}, {alpn}, issued by {issuer}", session.version);
    let (fact, left) = match shaken.first_to_end() {
        Some((_, end)) => {
            let left = end.duration_since(clock::now()).unwrap_or_default();
            (format!("{fact}, good until {}", date(end)), Some(left))
        }
        None => (fact, None),
    };
    let step = match left {
        Some(left) if left < SOON => {
            let days = left.as_secs() / (24 * 3600);
            let fix = format!("Have the certificate renewed: it ends in {days} days.");
            Step::warn("tls", fact, fix)
        }
        _ => Step::ok("tls", fact),
    };
    step.with("version", session.version.clone())
        .with("cipher", session.cipher.clone())
        .with("alpn", session.alpn.clone())
        .with("chain", chain)
        .with("expires_in_seconds", left.map(|left| left.as_secs()))
}

/// A time as in logs, without fractions.
fn date(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .replace_nanosecond(0)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}
