//! The asynchronous runtime of commands that need one.

use tokio::runtime::Builder;

use super::exit::Exit;
use super::io::Io;

/// Runs a command's future to its end on this thread.
pub(super) fn block_on(io: &mut Io<'_>, work: impl AsyncFnOnce(&mut Io<'_>) -> Exit) -> Exit {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work(io)),
        Err(why) => {
            io.complain(&format!(
                "faas-sidecar: the runtime cannot be started ({why})"
            ));
            Exit::Failed
        }
    }
}
