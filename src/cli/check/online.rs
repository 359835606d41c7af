//! `check --online`: are the targets' hosts there, and what time do they have?

use crate::app::{HostClock, host_clocks};
use crate::cli::exit::Exit;
use crate::cli::io::Io;
use crate::cli::runtime::block_on;
use crate::config::Config;
use crate::env::Env;

/// Closer than this the measure tells nothing: a host's time counts whole seconds, and the way there takes some.
const AGREES_MS: u64 = 5_000;
/// The sidecar logs a warning from here on.
const TELL_MS: u64 = 60_000;

pub(super) fn check(config: &Config, env: &Env, io: &mut Io<'_>) -> Exit {
    block_on(io, async |io| match host_clocks(config, env).await {
        Ok(clocks) => {
            clocks.iter().for_each(|clock| io.complain(&told(clock)));
            if clocks.iter().all(|clock| clock.machine_ahead_ms.is_ok()) {
                Exit::Clean
            } else {
                Exit::Failed
            }
        }
        Err(fault) => {
            io.complain(&format!("faas-sidecar: {fault}"));
            Exit::Failed
        }
    })
}

fn told(clock: &HostClock) -> String {
    let what = match &clock.machine_ahead_ms {
        Err(why) => why.clone(),
        Ok(None) => "answers without a time, so this machine's clock must be right by itself".to_owned(),
        Ok(Some(ahead)) if ahead.unsigned_abs() < AGREES_MS => {
            "this machine's clock agrees with its".to_owned()
        }
        Ok(Some(ahead)) => {
            let side = if *ahead > 0 { "ahead of" } else { "behind" };
            let seconds = ahead.unsigned_abs() / 1000;
            let advice = if ahead.unsigned_abs() < TELL_MS {
                ""
            } else {
                ", but set the clock (NTP)"
            };
            format!("this machine's clock is {seconds} s {side} its; signatures are corrected{advice}")
        }
    };
    format!("{} ({}): {what}", clock.target, clock.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_one_line_that_says_what_to_do() {
        for (found, part) in [
            (Ok(Some(-1200)), "agrees"),
            (Ok(Some(20_000)), "20 s ahead of its; signatures are corrected"),
            (
                Ok(Some(-600_500)),
                "600 s behind its; signatures are corrected, but set the clock (NTP)",
            ),
            (Ok(None), "without a time"),
            (
                Err("The upstream cannot be reached (refused); nothing was sent.".to_owned()),
                "cannot be reached",
            ),
        ] {
            let line = told(&HostClock {
                target: "prod".to_owned(),
                host: "cloud.example".to_owned(),
                machine_ahead_ms: found,
            });
            assert!(
                line.starts_with("prod (cloud.example): ") && line.contains(part),
                "{line}"
            );
        }
    }
}
