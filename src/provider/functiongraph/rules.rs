//! Documented limits, and the checks that several operations share.
//!
//! FunctionGraph docs: "Notes and Constraints" (Open Telekom Cloud user manual, 2026-04, and the
//! Chinese page), "Creating a Function" (`functiongraph_06_0108`), "Executing a Function" (0125,
//! 0126), API-Explorer definitions (2026-03-13).

use std::ops::RangeInclusive;

use crate::error::Faults;
use crate::proto::Platform;

pub(super) use crate::provider::checks::{checked, encoding, millis, spell, to_body};

/// Largest event of a synchronous run: 6 MB.
pub(super) const EVENT_MAX: usize = 6 << 20;
/// Largest event of an asynchronous run: 256 KB.
pub(super) const ASYNC_EVENT_MAX: usize = 256 << 10;
/// Time limit of a function, in seconds; older regions end at 900.
pub(super) const TIMEOUT_S: RangeInclusive<u64> = 3..=259_200;
/// Memory limits that exist, in MB; the last two with dynamic memory only.
pub(super) const MEMORY_MB: [i32; 15] = [
    128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 8192, 10240,
];
/// Those of them that need no dynamic memory.
pub(super) const PLAIN_MEMORY_MAX: i32 = 4096;
/// Longest description, in characters.
pub(super) const DESCRIPTION_MAX: usize = 512;
/// Largest inline source: 10 KB.
pub(super) const INLINE_MAX: usize = 10 << 10;
/// Largest archive: 50 MB.
pub(super) const ARCHIVE_MAX: usize = 50 << 20;
/// Most environment variables.
pub(super) const VARIABLES_MAX: usize = 20;
/// Largest environment, as JSON text: 4,096 characters. Other pages say 4 KB, and an error 2 KB;
/// the widest is let through.
pub(super) const VARIABLES_SIZE_MAX: usize = 4 << 10;
/// Longest initializer, in seconds: 300 on the pages of the API, 259,200 on that of the limits. The
/// wider is let through.
pub(super) const INITIALIZER_MAX_S: u64 = 259_200;
/// Items of a page of functions and versions, most and default.
pub(super) const PAGE: usize = 400;

/// FunctionGraph has no platforms.
pub(super) fn no_platform(platform: i32, faults: &mut Faults) {
    faults.require(
        platform == Platform::Unspecified as i32,
        "platform",
        || "is for ncp targets only; leave it out.",
    );
}

pub(super) fn description(text: &str, field: &str, faults: &mut Faults) {
    let count = text.chars().count();
    faults.require(count <= DESCRIPTION_MAX, field, || {
        format!("has {count} characters; the limit is {DESCRIPTION_MAX}.")
    });
}

/// A memory size of one run; 0 = the function's own.
pub(super) fn run_memory(asked: i32, faults: &mut Faults) -> Option<i32> {
    if asked == 0 {
        return None;
    }
    faults.require(MEMORY_MB.contains(&asked), "memory_mb", || {
        format!(
            "is {asked}; it must be one of {}, or 0 for the function's own.",
            list(&MEMORY_MB)
        )
    });
    Some(asked)
}

/// Whole seconds within a range; absent gives none.
pub(super) fn seconds(
    duration: Option<&prost_types::Duration>,
    range: RangeInclusive<u64>,
    field: &str,
    faults: &mut Faults,
) -> Option<u64> {
    let duration = duration?;
    let seconds = millis(duration)
        .filter(|millis| millis % 1000 == 0)
        .map(|millis| millis / 1000);
    let good = seconds.filter(|seconds| range.contains(seconds));
    faults.require(good.is_some(), field, || {
        format!(
            "is {}; it must be whole seconds, {} to {}.",
            spell(duration),
            range.start(),
            range.end()
        )
    });
    good
}

/// Numbers as a sentence lists them.
pub(super) fn list(numbers: &[i32]) -> String {
    numbers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
