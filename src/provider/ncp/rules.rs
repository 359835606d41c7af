//! Documented limits, and the checks that several operations share.
//!
//! NCP guide: cloudfunctions-spec; NCP docs: putpackage, putaction, postaction (read 2026-10).

use crate::error::Faults;
use crate::names::NcpPackage;

pub(super) use crate::provider::checks::{checked, encoding, millis, spell};

/// Longest description, in bytes of UTF-8.
pub(super) const DESCRIPTION_MAX: usize = 3000;
/// Largest parameters and arguments, in bytes of JSON.
pub(super) const PARAMETERS_MAX: usize = 1 << 20;
/// Largest source text, in bytes, counted together with the name of the entry function: 48 MB.
/// Stated by the API v3 documents (type-actioncode, read 2026-11); INFERRED for 2.1 and 2.0, which
/// run the same engine.
pub(super) const SOURCE_MAX: usize = 48 << 20;
/// Largest archive, in bytes before base64: 38 MB. The same source, and INFERRED in the same way.
pub(super) const ARCHIVE_MAX: usize = 38 << 20;
/// Time limit of an action, in milliseconds.
pub(super) const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 500..=300_000;
/// Memory limits that exist, in MB; 2.0 takes any between the first and the last.
pub(super) const MEMORY_MB: [i32; 4] = [128, 256, 512, 1024];
/// Longest that the cloud holds a run call, in milliseconds.
pub(super) const WAIT_MAX_MS: u64 = 60_000;

/// A package that is one: `-` cannot be read, written or deleted.
pub(super) fn real_package(name: &str, faults: &mut Faults) -> Option<NcpPackage> {
    match name {
        "" => faults.add("package_name", "is required."),
        "-" => faults.add(
            "package_name",
            "is -, which stands for \"no package\" and is no package itself.",
        ),
        _ => return NcpPackage::parse(name, "package_name", faults),
    }
    None
}

pub(super) fn description(text: &str, field: &str, faults: &mut Faults) {
    faults.require(text.len() <= DESCRIPTION_MAX, field, || {
        format!(
            "is {} bytes long; the limit is {DESCRIPTION_MAX} bytes (not characters).",
            text.len()
        )
    });
}
