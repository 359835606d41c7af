//! What may go wrong on purpose: a list of plans that can be changed while the server runs.
//!
//! A plan names a [`Fault`], how probable it is, how often it may still happen and which requests
//! it is for. The text form that the command line takes stands at [`FaultPlan`]. Knows no cloud:
//! bodies of errors come from the service.

mod parse;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use parse::ParseFaultError;

/// One way in which an answer can go wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The answer comes this much later. Adds up with other plans.
    Latency(Duration),
    /// The request is not carried out; this answer comes instead.
    Answer {
        /// HTTP status; without one, the status that belongs to `code`.
        status: Option<u16>,
        /// A code of the cloud's error table, for example `80031` or `410`: the body is what the
        /// cloud sends with it.
        code: Option<String>,
        /// The exact body; without one, the cloud's envelope for the code or the status.
        body: Option<String>,
        /// Value of a `Retry-After` header.
        retry_after: Option<String>,
    },
    /// The connection is reset (`SO_LINGER` 0) instead of answering.
    Reset(Moment),
    /// The request is carried out and the right `Content-Length` is sent, but the body ends after
    /// this many bytes.
    Cut(usize),
    /// An HTML page with this status, as a proxy on the way would send it.
    Html(u16),
    /// `302 Found` to this address.
    Redirect(String),
    /// No answer ever; the connection stays open until the caller gives up.
    Silence(Moment),
}

/// Whether the work of a request that is never answered is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request is lost before it reaches the service.
    Before,
    /// The request is carried out and only its answer is lost.
    After,
}

/// A [`Fault`] and when it happens.
///
/// As text: `key=value` pairs with commas between, such as `status=503,probability=0.2`.
///
/// | fault | meaning |
/// | --- | --- |
/// | `latency=200ms` | later answers (`ms`, `s` or `m`) |
/// | `status=503` | this status instead of an answer; with `body=…` and `retry-after=…` if wanted |
/// | `code=80031` | this entry of the cloud's error table |
/// | `reset`, `reset=after` | connection reset before or after the work is done |
/// | `cut=10` | the body ends after ten bytes |
/// | `html=502` | an HTML page |
/// | `redirect=https://example.com/` | `302` |
/// | `silence`, `silence=after` | no answer |
///
/// With each: `probability=0.2`, `count=3`, `method=POST`, `path=/actions/`. `body=` comes last: it
/// takes the rest of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultPlan {
    /// What happens.
    pub fault: Fault,
    /// How probable it is for a request that the filters let through: 0 to 1.
    pub probability: f64,
    /// How many times it may still happen; `None` = for ever.
    pub count: Option<u64>,
    /// Only requests with this method (any case).
    pub method: Option<String>,
    /// Only requests whose target contains this text.
    pub path: Option<String>,
}

impl FaultPlan {
    /// This fault for every request.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            probability: 1.0,
            count: None,
            method: None,
            path: None,
        }
    }

    /// This fault for the next `count` requests.
    #[must_use]
    pub fn next(count: u64, fault: Fault) -> Self {
        Self {
            count: Some(count),
            ..Self::always(fault)
        }
    }

    fn concerns(&self, method: &str, target: &str) -> bool {
        self.count != Some(0)
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| target.contains(wanted.as_str()))
    }
}

/// The plans in force. Shared with the running server: a change counts from the next request on.
#[derive(Debug)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plans: Vec<FaultPlan>,
    random: fastrand::Rng,
}

/// What is to happen to one request.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) latency: Duration,
    pub(super) fault: Option<Fault>,
}

impl Faults {
    /// Plans from the start; the same seed and the same requests give the same faults.
    #[must_use]
    pub fn new(plans: Vec<FaultPlan>, seed: u64) -> Self {
        Self {
            state: Mutex::new(State {
                plans,
                random: fastrand::Rng::with_seed(seed),
            }),
        }
    }

    /// Adds a plan behind the others.
    pub fn add(&self, plan: FaultPlan) {
        self.lock().plans.push(plan);
    }

    /// Replaces all plans.
    pub fn set(&self, plans: Vec<FaultPlan>) {
        self.lock().plans = plans;
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.lock().plans.clear();
    }

    /// The plans in force, with the counts that are left.
    #[must_use]
    pub fn plans(&self) -> Vec<FaultPlan> {
        self.lock().plans.clone()
    }

    /// Latencies add up; the first other plan that strikes decides, and later plans keep their
    /// counts.
    pub(super) fn decide(&self, method: &str, target: &str) -> Decision {
        let mut decision = Decision::default();
        let State { plans, random } = &mut *self.lock();
        for plan in plans.iter_mut() {
            if !plan.concerns(method, target) || random.f64() >= plan.probability {
                continue;
            }
            if let Some(left) = &mut plan.count {
                *left -= 1;
            }
            match &plan.fault {
                Fault::Latency(more) => decision.latency = decision.latency.saturating_add(*more),
                other => {
                    decision.fault = Some(other.clone());
                    break;
                }
            }
        }
        plans.retain(|plan| plan.count != Some(0));
        decision
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_run_out_and_filters_hold() {
        let plan = FaultPlan {
            method: Some("put".into()),
            path: Some("/actions/".into()),
            ..FaultPlan::next(1, Fault::Html(502))
        };
        let faults = Faults::new(vec![plan], 1);
        assert!(faults.decide("GET", "/p/actions/a").fault.is_none());
        assert!(faults.decide("PUT", "/p").fault.is_none());
        assert_eq!(
            faults.decide("PUT", "/p/actions/a").fault,
            Some(Fault::Html(502))
        );
        assert!(faults.decide("PUT", "/p/actions/a").fault.is_none());
        assert!(faults.plans().is_empty());
    }

    #[test]
    fn latency_adds_up_and_lets_the_next_plan_strike() {
        let latency = || FaultPlan::always(Fault::Latency(Duration::from_millis(5)));
        let faults = Faults::new(
            vec![
                latency(),
                latency(),
                FaultPlan::always(Fault::Reset(Moment::Before)),
            ],
            1,
        );
        let decision = faults.decide("GET", "/");
        assert_eq!(decision.latency, Duration::from_millis(10));
        assert_eq!(decision.fault, Some(Fault::Reset(Moment::Before)));
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let run = |seed| {
            let plan = FaultPlan {
                probability: 0.3,
                ..FaultPlan::always(Fault::Html(500))
            };
            let faults = Faults::new(vec![plan], seed);
            (0..200)
                .map(|_| faults.decide("GET", "/").fault.is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let struck = run(7).into_iter().filter(|struck| *struck).count();
        assert!((30..90).contains(&struck), "{struck}");
    }
}
