//! Times and durations from outside as protobuf has them: a time from year 1 to 9999, a duration of
//! at most 315,576,000,000 s (`google/protobuf/timestamp.proto`, `duration.proto`).
//!
//! Seen in samples (FunctionGraph docs and traces, read 2026-10): `2019-10-25 15:37:27`,
//! `2019-10-29171553`, `2024-01-02T03:04:05` without a zone, RFC 3339 with `+08:00`, epoch seconds
//! and milliseconds. NCP: epoch milliseconds (2.1) and `yyyy-MM-ddTHH:mm:ss` in the region's time
//! (2.0). Zero times (0, 1970-01-01T00:00:00Z, and year 1, which is Go's) say that there is none.

use prost_types::{Duration, Timestamp};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::members::nearest;
use super::{Found, Scalar};

/// Longest duration of protobuf, in seconds.
pub(in crate::provider) const SECONDS_MAX: i64 = 315_576_000_000;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;
/// A zero time is written in some zone, so it may be a day off.
const ZERO_MAX: i64 = FIRST + 86_400;

/// How a document writes times.
#[derive(Clone, Copy, Debug)]
pub(in crate::provider) struct Clock {
    /// The zone of a time that names none.
    pub(in crate::provider) zone: UtcOffset,
    /// What numbers count.
    pub(in crate::provider) numbers: Numbers,
}

/// What a number that is a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Numbers {
    /// Milliseconds since the epoch.
    Millis,
    /// Seconds since the epoch where it has ten to twelve digits, milliseconds where it has more.
    ByDigits,
}

impl Clock {
    /// UTC, and seconds or milliseconds.
    pub(in crate::provider) const UTC: Self = Self {
        zone: UtcOffset::UTC,
        numbers: Numbers::ByDigits,
    };
}

/// A time.
pub(super) fn moment(scalar: &Scalar<'_>, clock: Clock) -> Found<Timestamp> {
    match (scalar.number(), scalar) {
        (Found::Value(number), _) => from_number(number, &scalar.whole(), clock.numbers),
        (Found::Nothing, _) => Found::Nothing,
        (Found::Unreadable, Scalar::Text(text)) => from_text(text.trim(), clock.zone),
        (Found::Unreadable, _) => Found::Unreadable,
    }
}

/// A duration in milliseconds, whole or not.
pub(super) fn millis(scalar: &Scalar<'_>) -> Found<Duration> {
    match scalar.whole() {
        // A fraction is kept to the nanosecond.
        Found::Value(whole) => match scalar.number() {
            Found::Value(number) if number.fract() != 0.0 => Found::of(from_millis(number)),
            _ => Found::of(from_whole_millis(whole)),
        },
        other => other.and_then(|_| Found::Unreadable),
    }
}

/// Milliseconds, whole or not, as a duration; none when negative or longer than protobuf allows.
pub(in crate::provider) fn from_millis(millis: f64) -> Option<Duration> {
    let seconds = (millis / 1e3).floor();
    let nanos = nearest((millis - seconds * 1e3) * 1e6)?;
    let seconds = nearest(seconds)?.checked_add(nanos / 1_000_000_000)?;
    duration(seconds, i32::try_from(nanos % 1_000_000_000).ok()?)
}

/// Whole milliseconds as a duration; none as in [`from_millis`].
pub(in crate::provider) fn from_whole_millis(millis: i64) -> Option<Duration> {
    let nanos = i32::try_from(millis.checked_rem(1000)?.checked_mul(1_000_000)?).ok()?;
    duration(millis / 1000, nanos)
}

/// Milliseconds since the epoch; none out of range.
pub(in crate::provider) fn at_millis(millis: i64) -> Option<Timestamp> {
    let nanos = i32::try_from(millis.rem_euclid(1000) * 1_000_000).ok()?;
    timestamp(millis.div_euclid(1000), nanos)
}

/// What lies between two times; none when it is negative.
pub(in crate::provider) fn between(start: &Timestamp, end: &Timestamp) -> Option<Duration> {
    let nanos = i64::from(end.nanos) - i64::from(start.nanos);
    let total = end
        .seconds
        .checked_sub(start.seconds)?
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)?;
    let nanos = i32::try_from(total.rem_euclid(1_000_000_000)).ok()?;
    duration(total.div_euclid(1_000_000_000), nanos)
}

fn duration(seconds: i64, nanos: i32) -> Option<Duration> {
    let longest = seconds == SECONDS_MAX && nanos > 0;
    ((0..=SECONDS_MAX).contains(&seconds) && nanos >= 0 && !longest)
        .then_some(Duration { seconds, nanos })
}

fn timestamp(seconds: i64, nanos: i32) -> Option<Timestamp> {
    (FIRST..=LAST)
        .contains(&seconds)
        .then_some(Timestamp { seconds, nanos })
}

fn from_number(number: f64, whole: &Found<i64>, numbers: Numbers) -> Found<Timestamp> {
    let Found::Value(whole) = *whole else {
        return Found::Unreadable;
    };
    if number == 0.0 {
        return Found::Nothing;
    }
    // No run was before the epoch.
    if number < 0.0 {
        return Found::Unreadable;
    }
    let by_digits = numbers == Numbers::ByDigits;
    if by_digits && whole < 1_000_000_000 {
        return Found::Unreadable;
    }
    if by_digits && whole < 1_000_000_000_000 {
        let since = from_millis(number * 1e3);
        return Found::of(since.and_then(|since| timestamp(since.seconds, since.nanos)));
    }
    Found::of(at_millis(whole))
}

fn from_text(text: &str, zone: UtcOffset) -> Found<Timestamp> {
    if !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        // 0000-00-00 00:00:00 and the like; words are no time.
        let is_zero = text.bytes().any(|byte| byte == b'0');
        return if is_zero {
            Found::Nothing
        } else {
            Found::Unreadable
        };
    }
    let Some(at) = parse(text, zone) else {
        return Found::Unreadable;
    };
    let seconds = at.unix_timestamp();
    if (seconds == 0 && at.nanosecond() == 0) || at.year() < 1 || seconds < ZERO_MAX {
        return Found::Nothing;
    }
    let nanos = i32::try_from(at.nanosecond()).ok();
    Found::of(nanos.and_then(|nanos| timestamp(seconds, nanos)))
}

/// Date and time, perhaps a fraction, perhaps a zone.
fn parse(text: &str, zone: UtcOffset) -> Option<OffsetDateTime> {
    let formats = [
        (
            19,
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
        ),
        (
            19,
            format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
        ),
        (
            16,
            format_description!("[year]-[month]-[day][hour][minute][second]"),
        ),
    ];
    let (at, rest) = formats.into_iter().find_map(|(length, format)| {
        let (head, rest) = text.split_at_checked(length)?;
        Some((PrimitiveDateTime::parse(head, format).ok()?, rest))
    })?;
    let (nanos, rest) = fraction(rest)?;
    let at = at.replace_nanosecond(nanos).ok()?;
    Some(at.assume_offset(offset(rest.trim(), zone)?))
}

/// The nanoseconds of a fraction, and what stands behind it.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(digits) = text.strip_prefix(['.', ',']) else {
        return Some((0, text));
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    let kept: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((kept.parse().ok()?, rest))
}

/// `Z`, `+08:00`, `+0800`, `+08`, also with the zone's name behind it as Go writes it; nothing is
/// `zone`.
fn offset(text: &str, zone: UtcOffset) -> Option<UtcOffset> {
    let word = text.split(' ').next().unwrap_or_default();
    if word.is_empty() {
        return Some(zone);
    }
    if ["z", "utc", "gmt"]
        .iter()
        .any(|utc| word.eq_ignore_ascii_case(utc))
    {
        return Some(UtcOffset::UTC);
    }
    let east = word.strip_prefix('+').map(|digits| (1, digits));
    let (sign, digits) = east.or_else(|| Some((-1, word.strip_prefix('-')?)))?;
    let digits = digits.replace(':', "");
    let is_number =
        matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = is_number.then(|| digits.split_at_checked(2))??;
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    UtcOffset::from_hms(
        hours.parse::<i8>().ok()? * sign,
        minutes.parse::<i8>().ok()? * sign,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests;
