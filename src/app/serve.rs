//! The `serve` command's life: start, tell, wait for a signal, drain.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::{Sidecar, StartError, announce};
use crate::config::Config;
use crate::env::Env;

/// Serves until SIGTERM or SIGINT, then drains; a second signal ends the drain at once.
///
/// # Errors
/// When it cannot start.
pub fn serve(config: &Config, env: &Env) -> Result<(), StartError> {
    runtime()?.block_on(until_signal(config, env))
}

/// The runtime of the main thread, which serves no calls.
pub(super) fn runtime() -> Result<Runtime, StartError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|fault| StartError(format!("the runtime cannot be started ({fault})")))
}

pub(super) async fn until_signal(config: &Config, env: &Env) -> Result<(), StartError> {
    let handler =
        |kind| signal(kind).map_err(|fault| StartError(format!("signals cannot be received ({fault})")));
    let (mut terminate, mut interrupt) = (
        handler(SignalKind::terminate())?,
        handler(SignalKind::interrupt())?,
    );
    let sidecar = Sidecar::start(config, env)?;
    announce(config, &sidecar);
    info!("ready");
    tokio::select! {
        () = either(&mut terminate, &mut interrupt) => {}
        () = sidecar.asked_to_quit() => {}
    }
    info!(timeout = ?config.drain_timeout, "draining: no new calls, those in flight finish");
    tokio::select! {
        finished = sidecar.drain() => match finished {
            true => info!("stopped"),
            false => warn!("stopped: the drain timeout ended calls that were still in flight"),
        },
        () = either(&mut terminate, &mut interrupt) => warn!("stopped at once by a second signal"),
    }
    Ok(())
}

async fn either(first: &mut Signal, second: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
    }
}
