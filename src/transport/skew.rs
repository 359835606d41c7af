//! What time it is at the upstream: learnt from the `Date` of its answers, and carried by
//! signatures.
//!
//! Both clouds refuse a signature whose time is minutes away from theirs (NCP 5, Huawei 15), so a
//! machine whose clock is wrong could call nothing. One [`Skew`] belongs to one host of one target
//! and is shared by all threads. It counts from a monotonic clock: once an answer has shown the
//! time, a step of the machine's wall clock changes nothing.
//!
//! Whom to believe: an answer to a signature that was **accepted** proves our time right to within
//! the cloud's own window, so its `Date` only corrects within that; a **refused** signature may be
//! far off, so its `Date` is tried once and taken back if the upstream refuses that time as well.
//! Any hop can write a `Date`, and a signature for another time is good at that time: no correction
//! leads farther from the machine's clock than the configuration says, refusals correct a few times
//! in a while, and each is told in the log. Knows no cloud.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::clock;
use crate::telemetry::log::LineLimit;

/// A `Date` this near to what is known changes nothing: it counts whole seconds, and clouds answer
/// from many machines.
const DEAD_BAND_MS: i64 = 5_000;
/// The widest window in which a cloud accepts a signature (Huawei, 15 minutes): an accepted one
/// proves that much, and a `Date` beyond it is some hop's own.
const PROVEN_MS: i64 = 15 * 60_000;
/// A machine's clock this far off is told to the operator …
const TELL_MS: i64 = 60_000;
/// … and that near is well again.
const WELL_MS: i64 = 30_000;
/// For so long after a `Date` led to a second refusal no other is tried: a wrong key must not be
/// sent twice a call.
const REFUTED_MS: i64 = 60_000;
/// So many corrections by refusals …
const CORRECTIONS: u32 = 4;
/// … are believed in this time. A clock that is set takes one.
const CORRECTIONS_MS: i64 = 10 * 60_000;
/// No answer has shown the time yet.
const UNKNOWN: i64 = i64::MIN;
/// Times outside the years 2000 to 2199 are garbage, in milliseconds since 1970.
const SANE_MS: std::ops::Range<i64> = 946_684_800_000..7_258_118_400_000;

/// The clock of one upstream host, as far as its answers have shown it.
#[derive(Debug)]
pub(super) struct Skew {
    /// Where the monotonic clock is counted from.
    born: Instant,
    /// The upstream's time at `born`, in milliseconds since 1970.
    origin: AtomicI64,
    /// When a correction was refused again, in milliseconds since `born`.
    refuted: AtomicI64,
    /// The operator was told and nothing has improved since.
    told: AtomicBool,
    /// How far from the machine's clock a correction may lead, in milliseconds.
    farthest: i64,
    /// When the present count of corrections by refusals began, in milliseconds since `born`, and
    /// the count.
    corrections: Mutex<(i64, u32)>,
    /// Lines about a `Date` that is not believed.
    disbelieved: LineLimit,
}

/// The machine's clocks at one moment, and the upstream's time made of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The machine's wall clock, in milliseconds since 1970.
    wall: i64,
    /// Milliseconds since `born`.
    steady: i64,
    /// The upstream's time at `born`, as believed at this moment.
    origin: i64,
}

/// A correction that a refusal led to, so that it can be taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correction {
    from: i64,
    to: i64,
}

impl Reading {
    /// The upstream's time, for a signature.
    pub(super) fn upstream(&self) -> SystemTime {
        from_millis(self.origin.saturating_add(self.steady))
    }
}

impl Skew {
    /// Corrections lead no farther from the machine's clock than `farthest`.
    pub(super) fn new(farthest: Duration) -> Self {
        Self {
            farthest: i64::try_from(farthest.as_millis()).unwrap_or(i64::MAX),
            corrections: Mutex::new((0, 0)),
            disbelieved: LineLimit::new(Duration::from_secs(60)),
            born: Instant::now(),
            origin: AtomicI64::new(UNKNOWN),
            refuted: AtomicI64::new(UNKNOWN),
            told: AtomicBool::new(false),
        }
    }

    /// Reads the clocks.
    pub(super) fn read(&self) -> Reading {
        self.reading(to_millis(clock::now()), self.steady())
    }

    fn reading(&self, wall: i64, steady: i64) -> Reading {
        let origin = match self.origin.load(Relaxed) {
            UNKNOWN => wall.saturating_sub(steady),
            known => known,
        };
        Reading {
            wall,
            steady,
            origin,
        }
    }

    /// How far the machine's clock is ahead of the upstream's, in milliseconds; `None` until an
    /// answer has shown it. Within a few seconds it is 0: `Date` tells no more.
    pub(super) fn machine_ahead_ms(&self) -> Option<i64> {
        (self.origin.load(Relaxed) != UNKNOWN).then(|| self.read().machine_ahead())
    }

    /// Learns from the answer to a request signed at `sent` that the upstream accepted.
    pub(super) fn accepted(&self, sent: &Reading, headers: &HeaderMap, host: &str) {
        self.accepted_at(sent, self.steady(), headers, host);
    }

    fn accepted_at(&self, sent: &Reading, received: i64, headers: &HeaderMap, host: &str) {
        let Some(shown) = Shown::read(sent, received, headers) else {
            return;
        };
        let off = shown.distance(sent.origin);
        if off.abs() > PROVEN_MS {
            return;
        }
        let origin = if off.abs() > DEAD_BAND_MS {
            // Many small steps are no way around the bound either.
            if !self.believes(sent, sent.origin + off, host) {
                return;
            }
            sent.origin + off
        } else {
            sent.origin
        };
        if self.origin.load(Relaxed) != origin {
            self.origin.store(origin, Relaxed);
        }
        if self.refuted.load(Relaxed) != UNKNOWN {
            self.refuted.store(UNKNOWN, Relaxed);
        }
        self.tell(&Reading { origin, ..*sent }, host);
    }

    /// Learns from the refusal of a request signed at `sent`. `Some` = its time was off by `least`
    /// or more and has been corrected, so that signing again may help; to be followed by
    /// [`Skew::refute`] if it did not.
    pub(super) fn refused(
        &self,
        sent: &Reading,
        headers: &HeaderMap,
        least: Duration,
        host: &str,
    ) -> Option<Correction> {
        self.refused_at(sent, self.steady(), headers, least, host)
    }

    fn refused_at(
        &self,
        sent: &Reading,
        received: i64,
        headers: &HeaderMap,
        least: Duration,
        host: &str,
    ) -> Option<Correction> {
        let shown = Shown::read(sent, received, headers)?;
        let off = shown.distance(sent.origin);
        if off.unsigned_abs() < u64::try_from(least.as_millis()).unwrap_or(u64::MAX) {
            return None;
        }
        let refuted = self.refuted.load(Relaxed);
        if refuted != UNKNOWN && received - refuted < REFUTED_MS {
            return None;
        }
        // Another call that was refused at the same time may have corrected it already.
        let present = self.origin.load(Relaxed);
        if present != UNKNOWN && shown.distance(present).abs() <= DEAD_BAND_MS {
            return Some(Correction {
                from: present,
                to: present,
            });
        }
        let to = sent.origin + off;
        if !self.believes(sent, to, host) || !self.may_correct(received) {
            return None;
        }
        self.origin.store(to, Relaxed);
        let ahead = Reading {
            origin: to,
            ..*sent
        }
        .machine_ahead();
        let (seconds, side) = apart(ahead);
        warn!(
            host,
            skew_ms = ahead,
            "a refusal shows that this machine's clock is {seconds} s {side} the upstream's: signatures are made for the \
             upstream's time from now on; set the clock (NTP)"
        );
        Some(Correction { from: present, to })
    }

    /// Whether a correction stays within the bound; the log is told of one that does not.
    fn believes(&self, sent: &Reading, origin: i64, host: &str) -> bool {
        let ahead = Reading { origin, ..*sent }.machine_ahead();
        let believed = ahead.saturating_abs() <= self.farthest;
        if !believed && let Some(left_out) = self.disbelieved.pass() {
            let (seconds, side) = apart(ahead);
            warn!(
                host,
                skew_ms = ahead,
                left_out,
                "an answer says that this machine's clock is {seconds} s {side} the upstream's, which is more than \
                 max_clock_correction: it is not believed; set the clock (NTP), or see who answers there"
            );
        }
        believed
    }

    /// Whether refusals have not corrected too often; counts this one.
    fn may_correct(&self, now: i64) -> bool {
        let mut corrections = self
            .corrections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (began, count) = &mut *corrections;
        if now - *began >= CORRECTIONS_MS {
            (*began, *count) = (now, 0);
        }
        let may = *count < CORRECTIONS;
        if may {
            *count += 1;
        }
        may
    }

    /// Takes a correction back that the upstream refused too: the time was not the cause, or the
    /// `Date` was wrong.
    pub(super) fn refute(&self, correction: Correction) {
        // Whoever has learnt better in between is left alone.
        let _ = self
            .origin
            .compare_exchange(correction.to, correction.from, Relaxed, Relaxed);
        self.refuted.store(self.steady(), Relaxed);
    }

    /// How far the machine's clock was ahead at `sent` by one answer alone, in milliseconds.
    pub(super) fn measure(&self, sent: &Reading, headers: &HeaderMap) -> Option<i64> {
        let shown = Shown::read(sent, self.steady(), headers)?;
        let middle = shown.earliest + (shown.latest - shown.earliest) / 2;
        Some(sent.wall - (sent.steady + middle))
    }

    fn tell(&self, reading: &Reading, host: &str) {
        let ahead = reading.machine_ahead();
        let told = self.told.load(Relaxed);
        if !told && ahead.abs() >= TELL_MS && !self.told.swap(true, Relaxed) {
            let (seconds, side) = apart(ahead);
            warn!(
                host,
                skew_ms = ahead,
                "this machine's clock is {seconds} s {side} the upstream's; signatures are corrected, but set the clock (NTP): \
                 logs, certificates and other programs are not"
            );
        } else if told && ahead.abs() <= WELL_MS && self.told.swap(false, Relaxed) {
            info!(
                host,
                skew_ms = ahead,
                "this machine's clock agrees with the upstream's again"
            );
        }
    }

    fn steady(&self) -> i64 {
        i64::try_from(self.born.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
    }
}

/// How far ahead the machine's clock is, in words: seconds and the side.
fn apart(ahead_ms: i64) -> (i64, &'static str) {
    let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
    (ahead_ms.saturating_abs() / 1000, side)
}

impl Reading {
    fn machine_ahead(&self) -> i64 {
        self.wall
            .saturating_sub(self.origin.saturating_add(self.steady))
    }
}

/// What one answer proves of the upstream's time at `born`: it was made between our sending and our
/// receiving, and `Date` is cut to a second. A slow answer proves little and so moves little.
struct Shown {
    earliest: i64,
    latest: i64,
}

impl Shown {
    fn read(sent: &Reading, received: i64, headers: &HeaderMap) -> Option<Self> {
        let date = to_millis(date(headers)?);
        Some(Self {
            earliest: date - received.max(sent.steady),
            latest: date + 999 - sent.steady,
        })
    }

    /// The least that `origin` must move to agree; 0 when it does.
    fn distance(&self, origin: i64) -> i64 {
        origin.clamp(self.earliest, self.latest) - origin
    }
}

/// How far the time of a signature made for `signed` was from the upstream's, by the `Date` of its
/// answer.
pub(super) fn off_by(signed: SystemTime, headers: &HeaderMap) -> Option<Duration> {
    let apart = to_millis(date(headers)?).abs_diff(to_millis(signed));
    Some(Duration::from_millis(apart))
}

/// The one `Date` of an answer fresh from its origin (RFC 9110 §6.6.1). Two that differ, one from a
/// cache (`Age`, RFC 9111 §5.1) and garbage are as none.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let mut all = headers.get_all(header::DATE).iter();
    let text = all.next()?;
    if all.any(|other| other != text) || headers.get(header::AGE).is_some_and(|age| age != "0") {
        return None;
    }
    let date = httpdate::parse_http_date(text.to_str().ok()?).ok()?;
    SANE_MS.contains(&to_millis(date)).then_some(date)
}

fn to_millis(at: SystemTime) -> i64 {
    let whole = |apart: Duration| i64::try_from(apart.as_millis()).unwrap_or(i64::MAX / 2);
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
}

fn from_millis(millis: i64) -> SystemTime {
    let apart = Duration::from_millis(millis.unsigned_abs());
    let at = if millis < 0 {
        UNIX_EPOCH.checked_sub(apart)
    } else {
        UNIX_EPOCH.checked_add(apart)
    };
    at.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
