//! The process as Linux sees it, read from `/proc/self` at each scrape. Elsewhere the families stay
//! empty.

use std::fs;

use super::names::{
    PROCESS_CPU, PROCESS_FDS, PROCESS_MAX_FDS, PROCESS_RESIDENT, PROCESS_START, PROCESS_THREADS,
    PROCESS_VIRTUAL,
};
use super::{Family, Metrics, Reading};

/// The unit of times in `/proc` is a hundredth of a second on every architecture (`USER_HZ`,
/// proc(5)).
const TICKS: f64 = 100.0;

/// Has the families of the process read at each scrape.
pub(super) fn register(metrics: &Metrics) {
    let read = |family: &Family, reading: fn() -> Option<f64>| {
        let reader = move || reading().map_or(Reading::Absent, Reading::Value);
        family.read(&[], Box::new(reader));
    };
    read(metrics.family(&PROCESS_CPU), cpu);
    read(metrics.family(&PROCESS_RESIDENT), || {
        status("VmRSS:").map(kib)
    });
    read(metrics.family(&PROCESS_VIRTUAL), || {
        status("VmSize:").map(kib)
    });
    read(metrics.family(&PROCESS_THREADS), || status("Threads:"));
    read(metrics.family(&PROCESS_FDS), open_fds);
    read(metrics.family(&PROCESS_MAX_FDS), max_fds);
    read(metrics.family(&PROCESS_START), start);
}

/// Field `number` of `/proc/self/stat`, counted from 1 as proc(5) does. The second is the program's
/// name in brackets, which may hold anything.
fn stat(number: usize) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = text.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(number - 3)?.parse().ok()
}

/// Time in user and in kernel mode.
fn cpu() -> Option<f64> {
    Some((stat(14)? + stat(15)?) / TICKS)
}

/// The boot's time, and the process's start since the boot.
fn start() -> Option<f64> {
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = first_number(&system, "btime")?;
    Some(boot + stat(22)? / TICKS)
}

fn status(name: &str) -> Option<f64> {
    first_number(&fs::read_to_string("/proc/self/status").ok()?, name)
}

fn max_fds() -> Option<f64> {
    // "unlimited" is no number, and leaves the family out.
    first_number(
        &fs::read_to_string("/proc/self/limits").ok()?,
        "Max open files",
    )
}

fn open_fds() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // The directory itself was open while it was read.
    u32::try_from(count)
        .ok()
        .map(|count| f64::from(count.saturating_sub(1)))
}

/// The first number behind `name` on the line that begins with it.
fn first_number(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn kib(value: f64) -> f64 {
    value * 1024.0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_plausible() {
        let resident = status("VmRSS:").map(kib).unwrap();
        assert!((1e5..1e11).contains(&resident), "{resident}");
        assert!(status("Threads:").unwrap() >= 1.0);
        let before = open_fds().unwrap();
        let _file = fs::File::open("/proc/self/stat").unwrap();
        // Other tests of this process open files too.
        assert!(open_fds().unwrap() > 0.0 && before > 0.0);
        assert!(cpu().unwrap() >= 0.0);
        let now = crate::clock::epoch_millis(crate::clock::now()) as f64 / 1000.0;
        let started = start().unwrap();
        assert!(
            started <= now + 2.0 && started > now - 86_400.0,
            "{started} {now}"
        );
    }
}
