//! Asks by a ping whether the other side of an HTTP/2 connection is still there (RFC 9113 §6.7).

use std::sync::Arc;
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::{ConnectionState, Health};

/// So long after an answer was late, the connection takes no new requests.
const SILENT: Duration = Duration::from_secs(1);

/// Sends a ping each time that one is asked for; ends with the connection, or when none is
/// answered.
pub(super) async fn answer(mut pings: PingPong, state: Arc<ConnectionState>) {
    loop {
        state.look.notified().await;
        match state.health() {
            Health::Well => continue,
            Health::Asked | Health::Late => {}
            Health::Retired => return,
        }
        let asked = Instant::now();
        let mut pong = std::pin::pin!(pings.ping(Ping::opaque()));
        let mut came = timeout(state.origin.round_trip.patience(), &mut pong).await;
        if came.is_err() {
            state.turn(&[Health::Asked], Health::Late);
            came = timeout(SILENT, &mut pong).await;
        }
        match came {
            Ok(Ok(_)) => {
                state.turn(&[Health::Asked, Health::Late], Health::Well);
            }
            Ok(Err(_)) => return state.retire(),
            Err(_) => {
                // Something else may have come; but a second ping could not be told from the first.
                if state.silent_for() >= asked.elapsed() && state.health() == Health::Late {
                    silent(&state);
                }
                return state.retire();
            }
        }
    }
}

fn silent(state: &ConnectionState) {
    state.origin.metrics.silent_connections.http2.inc();
    warn!(
        origin = %state.origin.name,
        silent_ms = u64::try_from(state.silent_for().as_millis()).unwrap_or(u64::MAX),
        "a connection to the cloud fell silent: it answers no ping and takes no new requests"
    );
}
