//! `check --online`: are the targets' hosts there, and what time do they have? One unsigned request
//! to each.

use std::time::Duration;

use url::Position;

use crate::app;
use crate::cli::exit::Exit;
use crate::cli::io::Io;
use crate::cli::runtime::block_on;
use crate::config::Config;
use crate::env::Env;

/// How long one host may take to answer.
const WITHIN: Duration = Duration::from_secs(10);
/// Closer than this the measure tells nothing: a host's time counts whole seconds, and the way
/// there takes some.
const AGREES_MS: u64 = 5_000;
/// The sidecar logs a warning from here on.
const TELL_MS: u64 = 60_000;

pub(super) fn check(config: &Config, env: &Env, io: &mut Io<'_>) -> Exit {
    block_on(io, async |io| match app::targets(config, env) {
        Ok(unserved) => {
            let mut exit = Exit::Clean;
            for target in unserved.targets.iter() {
                let asked = target.provider.skew_ms(WITHIN).await;
                if asked.is_err() {
                    exit = Exit::Failed;
                }
                let found = asked.map_or_else(|error| error.message.clone(), told);
                let places = target.provider.places();
                let host = places.first().map_or("", |place| {
                    &place.url[Position::BeforeHost..Position::AfterPort]
                });
                io.complain(&format!("{} ({host}): {found}", target.name()));
            }
            exit
        }
        Err(fault) => {
            io.complain(&format!("faas-sidecar: {fault}"));
            Exit::Failed
        }
    })
}

/// What is said of a host's clock, when this machine's is so far ahead of it (negative: behind).
fn told(ahead_ms: Option<i64>) -> String {
    let Some(ahead) = ahead_ms else {
        return "answers without a time, so this machine's clock must be right by itself"
            .to_owned();
    };
    if ahead.unsigned_abs() < AGREES_MS {
        return "this machine's clock agrees with its".to_owned();
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let seconds = ahead.unsigned_abs() / 1000;
    let advice = if ahead.unsigned_abs() < TELL_MS {
        ""
    } else {
        ", but set the clock (NTP)"
    };
    format!("this machine's clock is {seconds} s {side} its; signatures are corrected{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_says_what_to_do() {
        for (found, part) in [
            (Some(-1200), "agrees"),
            (Some(20_000), "20 s ahead of its; signatures are corrected"),
            (
                Some(-600_500),
                "600 s behind its; signatures are corrected, but set the clock (NTP)",
            ),
            (None, "without a time"),
        ] {
            let said = told(found);
            assert!(said.contains(part), "{said}");
        }
    }
}
