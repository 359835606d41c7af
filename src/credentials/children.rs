//! The processes that a command leaves behind: ended with it, and reaped where nobody else does.
//!
//! A command leads a process group of its own, so that its children can be told from ours and end
//! with it. As PID 1 of a container the sidecar adopts what outlives its parent; who has ended then
//! stays a zombie until it is waited for. The group's members are waited for at once. A child that
//! has left the group (`setsid`) is found in `/proc` later: a zombie of ours at two looks, a second
//! or more apart, is one that nothing else in this process waits for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid, waitpid};
use tokio::time::{Instant, sleep};

/// How often, and how many times, the members of a killed group are looked for.
const STEP: Duration = Duration::from_millis(10);
const STEPS: u32 = 100;
/// The least time between two looks for zombies.
const APART: Duration = Duration::from_secs(1);

/// A command's process group; what is left of it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Group(Option<Pid>);

impl Group {
    /// The group that the process with this id leads.
    pub(super) fn of(leader: Option<u32>) -> Self {
        let id = leader.and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.0 else { return };
        // Fails when nobody is left, which is what is wanted.
        if kill_process_group(group, Signal::KILL).is_ok()
            && is_init()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(reap(group));
        }
    }
}

/// Waits for the members of a killed group until none is left.
async fn reap(group: Pid) {
    for _ in 0..STEPS {
        while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
        if waitpgid(group, WaitOptions::NOHANG).is_err() {
            return;
        }
        sleep(STEP).await;
    }
}

/// The zombies of the last look, and when it was.
static SEEN: Mutex<Option<(Instant, Vec<Pid>)>> = Mutex::new(None);

/// Reaps what an earlier command has left behind outside its group.
pub(super) fn reap_left_behind() {
    if !is_init() {
        return;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = match &*seen {
        Some((at, _)) if at.elapsed() < APART => return,
        Some((_, zombies)) => zombies.as_slice(),
        None => &[],
    };
    let mut zombies = zombies();
    zombies.retain(|zombie| {
        let left = before.contains(zombie);
        if left {
            let _ = waitpid(Some(*zombie), WaitOptions::NOHANG);
        }
        !left
    });
    *seen = Some((Instant::now(), zombies));
}

fn is_init() -> bool {
    std::process::id() == 1
}

/// Children of this process that have ended and were not waited for.
fn zombies() -> Vec<Pid> {
    let ours = std::process::id().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // The name before it stands in brackets and may hold anything (proc(5)).
            let mut fields = stat
                .rsplit_once(") ")
                .map_or("", |(_, rest)| rest)
                .split(' ');
            fields.next() == Some("Z") && fields.next() == Some(&ours)
        })
        .filter_map(Pid::from_raw)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_nobody_waited_for_is_found() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let mut patience = 500;
        while !zombies().contains(&id) {
            patience -= 1;
            assert!(patience > 0, "{:?}", zombies());
            std::thread::sleep(Duration::from_millis(10));
        }
        child.wait().unwrap();
        assert!(!zombies().contains(&id));
    }
}
