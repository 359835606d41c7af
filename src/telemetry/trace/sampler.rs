//! Which traces are recorded from the start: the standard samplers of `OTEL_TRACES_SAMPLER`.
//!
//! The decision falls before any span exists, on the trace id and the caller's own decision alone
//! (OpenTelemetry specification, "Sampling" and "General SDK configuration").

use std::fmt;

use opentelemetry::trace::TraceId;

/// One of the standard samplers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether a caller's decision counts.
    parent_based: bool,
    /// The share of traces without such a decision that are recorded, 0 to 1.
    share: f64,
}

impl Sampler {
    /// The sampler of that name with that argument; the standard's default when there is no name. A
    /// warning tells of what is ignored, as the standard asks.
    pub(crate) fn read(
        name: Option<&str>,
        argument: Option<&str>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let name = name.unwrap_or("parentbased_always_on");
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let share = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => match argument.map(str::parse::<f64>) {
                None => 1.0,
                Some(Ok(share)) if (0.0..=1.0).contains(&share) => share,
                Some(_) => {
                    warnings.push(
                        "OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: 1 is used".to_owned(),
                    );
                    1.0
                }
            },
            _ => {
                warnings.push(
                    "OTEL_TRACES_SAMPLER is none of always_on, always_off, traceidratio and these with parentbased_ \
                     before them: parentbased_always_on is used"
                        .to_owned(),
                );
                return Self::read(None, None, warnings);
            }
        };
        Self {
            parent_based,
            share,
        }
    }

    /// Whether a trace is recorded; `parent` is the caller's decision, if there is a caller with a
    /// trace.
    #[must_use]
    pub fn samples(&self, parent: Option<bool>, trace: TraceId) -> bool {
        match parent {
            Some(decided) if self.parent_based => decided,
            _ => self.picks(trace),
        }
    }

    /// As OpenTelemetry's own samplers pick, so that all services of a trace with one share agree:
    /// by the 63 low bits of the trace id.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 2^63 needs no more digits than a double has"
    )]
    fn picks(&self, trace: TraceId) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        let bound = (self.share * (1_u64 << 63) as f64) as u64;
        let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < bound
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}% of traces", self.share * 100.0)?;
        if self.parent_based {
            f.write_str(" that begin here, the others as their caller decided")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanKind;
    use opentelemetry_sdk::trace::{Sampler as Theirs, ShouldSample as _};

    use super::*;

    fn read(name: &str, argument: Option<&str>) -> (Sampler, usize) {
        let mut warnings = Vec::new();
        (
            Sampler::read(Some(name), argument, &mut warnings),
            warnings.len(),
        )
    }

    #[test]
    fn a_share_is_picked_as_the_sdk_picks_it() {
        for share in ["0", "0.01", "0.3", "0.999", "1"] {
            let (ours, _) = read("traceidratio", Some(share));
            let theirs = Theirs::TraceIdRatioBased(share.parse().unwrap());
            let mut picked = 0;
            for _ in 0..2000 {
                let trace = TraceId::from(fastrand::u128(1..));
                let decision = theirs
                    .should_sample(None, trace, "x", &SpanKind::Server, &[], &[])
                    .decision;
                let ours = ours.samples(None, trace);
                assert_eq!(
                    ours,
                    decision == opentelemetry_sdk::trace::SamplingDecision::RecordAndSample,
                    "{share} {trace}"
                );
                picked += u32::from(ours);
            }
            let expected = share.parse::<f64>().unwrap() * 2000.0;
            assert!(
                (f64::from(picked) - expected).abs() < 120.0,
                "{picked} of 2000 at {share}"
            );
        }
    }

    #[test]
    fn a_parents_decision_counts_where_the_name_says_so() {
        let trace = TraceId::from(1);
        for (name, with_sampled, with_unsampled, without) in [
            ("always_on", true, true, true),
            ("always_off", false, false, false),
            ("parentbased_always_on", true, false, true),
            ("parentbased_always_off", true, false, false),
        ] {
            let (sampler, warnings) = read(name, None);
            let seen = [Some(true), Some(false), None].map(|parent| sampler.samples(parent, trace));
            assert_eq!(
                (seen, warnings),
                ([with_sampled, with_unsampled, without], 0),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_replaced_by_the_default() {
        let default = Sampler::read(None, None, &mut Vec::new());
        assert_eq!(read("jaeger_remote", None), (default, 1));
        let (sampler, warnings) = read("parentbased_traceidratio", Some("2"));
        assert_eq!((sampler, warnings), (default, 1));
    }
}
