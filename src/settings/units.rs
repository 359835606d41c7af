//! Durations and byte sizes as people write them: one whole number and one unit, nothing else.

use std::time::Duration;

/// The rule for durations, as a fault states it.
pub const DURATION_RULE: &str = "write a whole number and a unit, such as 100ms, 3s, 2m or 1h";
/// The rule for sizes, as a fault states it.
pub const SIZE_RULE: &str =
    "write bytes, or a whole number and a unit, such as 512KiB, 64MiB or 1GiB";
/// The pattern that both rules share in the JSON Schema.
pub(crate) const DURATION_PATTERN: &str = "^[0-9]+(ms|s|m|h)$";
pub(crate) const SIZE_PATTERN: &str = "^[0-9]+(B|KiB|MiB|GiB)?$";

const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads `100ms`, `3s`, `2m` or `1h`.
///
/// # Errors
/// A sentence with the rule, for any other text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    scaled(text, &DURATION_UNITS)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{} is not a duration; {DURATION_RULE}", quoted(text)))
}

/// The shortest spelling that [`parse_duration`] reads back; what is below a millisecond is cut.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    spelled(millis, &DURATION_UNITS, "0s")
}

/// Reads `1024`, `512KiB`, `64MiB` or `1GiB` as bytes.
///
/// # Errors
/// A sentence with the rule, for any other text.
pub fn parse_size(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
        .or_else(|| scaled(text, &SIZE_UNITS))
        .ok_or_else(|| format!("{} is not a size; {SIZE_RULE}", quoted(text)))
}

/// The shortest spelling that [`parse_size`] reads back.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    spelled(bytes, &SIZE_UNITS, "0B")
}

/// A value as a fault repeats it: in quotes, cut when long.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        format!("{:?}", format!("{shown}…"))
    } else {
        format!("{shown:?}")
    }
}

/// A duration as text.
///
/// # Errors
/// The serializer's own.
pub fn serialize_duration<S: serde::Serializer>(
    duration: &Duration,
    out: S,
) -> Result<S::Ok, S::Error> {
    out.serialize_str(&format_duration(*duration))
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn spelled(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    units
        .iter()
        .find(|(_, scale)| amount > 0 && amount.is_multiple_of(*scale))
        .map_or_else(
            || zero.to_owned(),
            |(unit, scale)| format!("{}{unit}", amount / scale),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("100ms", 100),
            ("3s", 3_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
        for text in [
            "",
            "3",
            "s",
            "1.5s",
            "1h30m",
            "-1s",
            "3 s",
            "3S",
            "99999999999999999999s",
            "5124095576030432h",
        ] {
            let fault = parse_duration(text).unwrap_err();
            assert!(fault.ends_with(DURATION_RULE), "{text}: {fault}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_a_number_and_a_unit() {
        assert_eq!(parse_size("1024"), Ok(1024));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        for text in ["", "+5", "64MB", "64 MiB", "1.5GiB", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(amount in 0_u64..u64::MAX / 4) {
            prop_assert_eq!(parse_duration(&format_duration(Duration::from_millis(amount))), Ok(Duration::from_millis(amount)));
            prop_assert_eq!(parse_size(&format_size(amount)), Ok(amount));
        }
    }
}
