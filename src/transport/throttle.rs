//! The rate that the cloud allows, learnt from its 429s: CUBIC (RFC 9438) on a token bucket, as the
//! AWS SDKs' adaptive retry mode does it.
//!
//! Off until the cloud refuses a request for the rate of all. Then the rate is cut to 70 % of what
//! was sent, climbs back to what was refused, waits there, and tries more; when half a minute of
//! trying more goes well it is off again. A `Retry-After` stops the one call that got it and not
//! the target: Huawei's gateway limits each API by itself, and neither cloud documents the header,
//! so that one odd value would stop calls that would have passed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Component, Error, Kind, Scope, reason};

/// What is left of the rate after a refusal, and how fast the curve climbs (RFC 9438 §4.6, §5; the
/// AWS SDKs use the same in seconds).
const BETA: f64 = 0.7;
const SCALE: f64 = 0.4;
/// Never slower than this, in requests a second: below it pauses between retries do the work, and a
/// rate measured on so few requests means nothing. One refused call in a quiet hour must not hold
/// up its own retry, or the next call.
const MIN_RATE: f64 = 5.0;
/// Off again after this much trying more than what was refused.
const FORGET: f64 = 30.0;
const SECOND: Duration = Duration::from_secs(1);

/// One target's learnt rate, shared by all threads.
#[derive(Debug)]
pub(super) struct Throttle {
    enabled: bool,
    state: Mutex<State>,
    /// Calls refused.
    pub(super) refused: AtomicU64,
}

#[derive(Debug)]
struct State {
    sent: Sent,
    limit: Option<Limit>,
}

/// Requests sent in this second and the one before.
#[derive(Debug)]
struct Sent {
    began: Instant,
    this: u32,
    before: u32,
}

/// The bucket and its curve.
#[derive(Debug)]
struct Limit {
    /// Tokens there; below zero = promised to calls that wait.
    tokens: f64,
    filled: Instant,
    /// Where the curve levels out: the rate that was refused.
    refused_rate: f64,
    refused_at: Instant,
}

/// A token for a moment to come; dropped before [`Token::wait`] has ended it is put back.
#[derive(Debug)]
pub(super) struct Token<'a> {
    throttle: &'a Throttle,
    wait: Duration,
}

impl Throttle {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            state: Mutex::new(State {
                sent: Sent {
                    began: Instant::now(),
                    this: 0,
                    before: 0,
                },
                limit: None,
            }),
            refused: AtomicU64::new(0),
        }
    }

    /// A token for one request, if it comes within `patience`: who must wait longer is refused at
    /// once.
    pub(super) fn take(&self, patience: Duration) -> Result<Token<'_>, Error> {
        let mut token = Token {
            throttle: self,
            wait: Duration::ZERO,
        };
        if !self.enabled {
            return Ok(token);
        }
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(limit) = &mut state.limit {
            match limit.take(now, patience) {
                Ok(wait) => token.wait = wait,
                Err(Refusal::Off) => state.limit = None,
                Err(Refusal::TooLong(wait)) => {
                    drop(state);
                    token.wait = Duration::ZERO;
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return Err(refused(wait));
                }
            }
        }
        state.sent.turn(now).this += 1;
        drop(state);
        Ok(token)
    }

    /// Learns from the failure of an attempt that began at `began`.
    pub(super) fn learn(&self, error: &Error, began: Instant) {
        if self.enabled && is_throttling(error) {
            let now = Instant::now();
            let mut state = self.lock();
            let measured = state.sent.turn(now).rate();
            match &mut state.limit {
                // Requests that were in flight together are refused together: that is one refusal.
                Some(limit) if began < limit.refused_at => {}
                Some(limit) => {
                    let rate = limit.rate(now).min(measured);
                    limit.cut(rate, now);
                }
                None => {
                    state.limit = Some(Limit {
                        tokens: 0.0,
                        filled: now,
                        refused_rate: measured.max(MIN_RATE),
                        refused_at: now,
                    });
                }
            }
        }
    }

    /// Requests a second allowed now; none = no limit is learnt.
    pub(super) fn rate(&self) -> Option<f64> {
        let (now, state) = (Instant::now(), self.lock());
        let limit = state.limit.as_ref().filter(|limit| !limit.is_over(now));
        limit.map(|limit| limit.rate(now))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the counts are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why [`Limit::take`] gives no token.
enum Refusal {
    /// The limit is no longer needed.
    Off,
    /// It would take this long.
    TooLong(Duration),
}

impl Limit {
    /// How long to wait for a token.
    fn take(&mut self, now: Instant, patience: Duration) -> Result<Duration, Refusal> {
        if self.is_over(now) {
            return Err(Refusal::Off);
        }
        let rate = self.rate(now);
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(rate.max(1.0));
        self.filled = now;
        let missing = 1.0 - self.tokens;
        let wait = Duration::from_secs_f64((missing / rate).max(0.0));
        if wait > patience {
            return Err(Refusal::TooLong(wait));
        }
        self.tokens -= 1.0;
        Ok(wait)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.age(now) > self.plateau() + FORGET
    }

    /// Seconds since the last refusal.
    fn age(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.refused_at).as_secs_f64()
    }

    /// Seconds until the rate is back at what was refused.
    fn plateau(&self) -> f64 {
        (self.refused_rate * (1.0 - BETA) / SCALE).cbrt()
    }

    fn rate(&self, now: Instant) -> f64 {
        let from_plateau = self.age(now) - self.plateau();
        (SCALE * from_plateau.powi(3) + self.refused_rate).max(MIN_RATE)
    }

    fn cut(&mut self, rate: f64, now: Instant) {
        self.refused_rate = rate.max(MIN_RATE);
        self.refused_at = now;
        self.tokens = self.tokens.min(0.0);
        self.filled = now;
    }
}

impl Sent {
    fn turn(&mut self, now: Instant) -> &mut Self {
        let passed = now.saturating_duration_since(self.began);
        if passed >= SECOND {
            self.before = if passed < SECOND * 2 { self.this } else { 0 };
            self.this = 0;
            self.began = now;
        }
        self
    }

    /// Requests a second, of the busier one: a burst is a rate, too.
    fn rate(&self) -> f64 {
        f64::from(self.this.max(self.before))
    }
}

impl Token<'_> {
    /// Waits for the token's moment.
    pub(super) async fn wait(mut self) {
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
            self.wait = Duration::ZERO;
        }
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        // Whoever goes away while waiting leaves the token to the next.
        if !self.wait.is_zero()
            && let Some(limit) = &mut self.throttle.lock().limit
        {
            limit.tokens += 1.0;
        }
    }
}

/// A refusal for the rate of all requests together. A used-up quota does not pass, and what one
/// function may take at once says nothing of the others.
fn is_throttling(error: &Error) -> bool {
    error.kind == Kind::ResourceExhausted
        && error.transient
        && error.scope == Scope::Upstream
        && error.component != Component::Sidecar
}

fn refused(wait: Duration) -> Error {
    Error::new(
        Kind::ResourceExhausted,
        reason::RATE_LIMITED_LOCALLY,
        "Nothing was sent: the cloud refused earlier requests for their rate, and as many calls as it may take now \
         already wait. Slow down.",
    )
    .transient(true)
    .with(|facts| {
        facts.retry_after = Some(wait);
        facts.quota = Some(("target".to_owned(), "the rate learnt from the cloud's refusals".to_owned()));
    })
}

#[cfg(test)]
mod tests;
