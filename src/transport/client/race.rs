//! Addresses → one TCP connection: each address gets a head start before the next is tried beside
//! it (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::resolver::{Resolver, is_local};

/// How long an address is waited for before the next one is tried, too (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// A peer that vanished without a word is noticed by the system after this, even on an idle
/// connection.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The first connection that stands; the others are dropped. `resolver` learns who answered.
///
/// # Errors
/// The first failure, when no address accepts; at once, when this process has no socket left.
pub(super) async fn connect(
    addresses: Vec<SocketAddr>,
    resolver: &Resolver,
) -> io::Result<TcpStream> {
    let mut rest = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut fault = None;
    loop {
        let latest = rest.next();
        if let Some(address) = latest {
            running.push(async move { (address, reach(address).await) });
        }
        let ended = match latest {
            Some(latest) if rest.len() > 0 => match timeout(HEAD_START, running.next()).await {
                Ok(ended) => ended,
                Err(_) => {
                    resolver.unanswered(latest);
                    continue;
                }
            },
            _ => running.next().await,
        };
        match ended {
            Some((address, Ok(socket))) => {
                resolver.answered(address);
                return Ok(socket);
            }
            Some((_, Err(why))) if is_local(&why) => return Err(why),
            Some((address, Err(why))) => {
                resolver.unanswered(address);
                fault.get_or_insert(why);
            }
            None => return Err(fault.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
        }
    }
}

async fn reach(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_nodelay(true)?;
    SockRef::from(&socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))?;
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    /// A listener whose queue is full: the system drops what asks for a connection, as a dead host
    /// does.
    async fn dead(address: SocketAddr) -> (socket2::Socket, Vec<TcpStream>) {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(0).unwrap();
        let mut held = Vec::new();
        while let Ok(Ok(one)) =
            timeout(Duration::from_millis(100), TcpStream::connect(address)).await
        {
            held.push(one);
        }
        (socket, held)
    }

    #[tokio::test]
    async fn dead_addresses_cost_a_head_start_once() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = alive.local_addr().unwrap();
        let of = |last| SocketAddr::from(([127, 0, 0, last], address.port()));
        let _held = (dead(of(2)).await, dead(of(3)).await);
        let resolver = Resolver::default();
        let ips = [of(2), of(3), of(1)].map(|address| address.ip());
        for (head_starts, expected) in [(2, [2, 3, 1]), (0, [1, 2, 3])] {
            let order = resolver.in_order(&ips, address.port());
            assert_eq!(order, expected.map(of));
            let began = Instant::now();
            let socket = connect(order, &resolver).await.unwrap();
            assert_eq!(socket.peer_addr().unwrap(), address);
            let took = began.elapsed();
            assert!(
                (HEAD_START * head_starts..HEAD_START * (head_starts + 1) * 4).contains(&took),
                "{took:?}"
            );
        }
    }

    #[tokio::test]
    async fn one_that_refuses_costs_nothing_and_the_first_reason_is_told() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let resolver = Resolver::default();
        let socket = connect(vec![gone, alive.local_addr().unwrap()], &resolver)
            .await
            .unwrap();
        assert_eq!(socket.peer_addr().unwrap(), alive.local_addr().unwrap());
        let fault = connect(vec![gone], &resolver).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect(Vec::new(), &resolver).await.is_err());
    }
}
