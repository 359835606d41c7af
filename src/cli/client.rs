//! The command line's own gRPC client: one connection to a running sidecar.

mod failure;

use std::error::Error as _;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::address::Address;
use super::invoke::Failure;
use crate::proto::health::health_client::HealthClient;
use crate::proto::invocation_service_client::InvocationServiceClient;

pub(super) use failure::failure;

/// The largest message accepted and sent: more than a sidecar's own default, so that its limit is what speaks.
pub(super) const MAX_MESSAGE: usize = 64 << 20;
/// A sidecar is near: one that takes longer to accept a connection is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// A client of one of our services, with the message limits of this program.
macro_rules! limited {
    ($client:ident, $channel:expr) => {
        $client::new($channel)
            .max_decoding_message_size($crate::cli::client::MAX_MESSAGE)
            .max_encoding_message_size($crate::cli::client::MAX_MESSAGE)
    };
}
#[cfg(feature = "emulator")]
pub(super) use limited;

/// One connection, and when everything asked over it must be answered.
#[derive(Debug)]
pub(super) struct Client {
    channel: Channel,
    deadline: Option<Instant>,
}

impl Client {
    /// Connects; `timeout` bounds this and the calls that follow together.
    pub(super) async fn connect(address: &Address, timeout: Option<Duration>) -> Result<Self, Failure> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let endpoint = match address {
            Address::Tcp(host) => Endpoint::from_shared(format!("http://{host}")),
            Address::Unix(path) => Endpoint::from_shared(format!("unix:{}", path.display())),
        }
        .map_err(|why| absent(address, &why))?
        .tcp_nodelay(true);
        // A Unix socket ignores the endpoint's own connect timeout, hence this one.
        let patience = timeout.unwrap_or(CONNECT).min(CONNECT);
        match tokio::time::timeout(patience, endpoint.connect()).await {
            Ok(Ok(channel)) => Ok(Self { channel, deadline }),
            Ok(Err(why)) => Err(absent(address, &why)),
            Err(_) => Err(unreachable(address, &format!("no answer within {patience:?}"))),
        }
    }

    /// A request that carries what is left of the time as its deadline.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        request
    }

    /// The service that runs functions.
    pub(super) fn invocation(&self) -> InvocationServiceClient<Channel> {
        limited!(InvocationServiceClient, self.channel.clone())
    }

    /// The health service.
    pub(super) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }

    /// The connection, for clients of other services.
    #[cfg(feature = "emulator")]
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

fn absent(address: &Address, why: &tonic::transport::Error) -> Failure {
    // "transport error" says nothing; the system's own word is at the end of the chain.
    let mut cause = why.source();
    let mut text = why.to_string();
    while let Some(deeper) = cause {
        text = deeper.to_string();
        cause = deeper.source();
    }
    unreachable(address, &text)
}

fn unreachable(address: &Address, why: &str) -> Failure {
    Failure {
        code: "UNAVAILABLE".to_owned(),
        message: format!(
            "no sidecar answers at {address} ({why}); start one with `faas-sidecar serve`, or say where it is with --address"
        ),
        reason: "SIDECAR_UNREACHABLE".to_owned(),
        details: vec![("execution".to_owned(), "not_started".to_owned())],
        fields: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_absent_sidecar_is_named_with_the_systems_word() {
        let directory = tempfile::tempdir().unwrap();
        let address = Address::Unix(directory.path().join("none.sock"));
        let failure = Client::connect(&address, None).await.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.reason.as_str()),
            ("UNAVAILABLE", "SIDECAR_UNREACHABLE")
        );
        assert!(
            failure.message.contains("none.sock") && failure.message.contains("No such file"),
            "{}",
            failure.message
        );
    }
}
