//! The text form of a fault plan: `key=value` pairs with commas between, for `--fault` on the
//! command line. What there is to write stands at [`FaultPlan`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Fault, FaultPlan, Moment};

/// Why a text is no fault plan, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseFaultError(String);

impl fmt::Display for ParseFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseFaultError {}

#[derive(Default)]
struct Draft {
    fault: Option<Fault>,
    status: Option<u16>,
    code: Option<String>,
    body: Option<String>,
    retry_after: Option<String>,
}

impl FromStr for FaultPlan {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut plan = Self::always(Fault::Html(200));
        let mut draft = Draft::default();
        for (key, value) in pairs(text) {
            match key {
                "probability" => plan.probability = probability(value)?,
                "count" => plan.count = Some(number(key, value)?),
                "method" => plan.method = Some(some_text(key, value)?),
                "path" => plan.path = Some(some_text(key, value)?),
                _ => draft.take(key, value)?,
            }
        }
        plan.fault = draft.finish()?;
        Ok(plan)
    }
}

impl Draft {
    fn take(&mut self, key: &str, value: &str) -> Result<(), ParseFaultError> {
        let fault = match key {
            "status" => {
                self.status = Some(status(key, value)?);
                return Ok(());
            }
            "code" => {
                self.code = Some(some_text(key, value)?);
                return Ok(());
            }
            "body" => {
                self.body = Some(value.to_owned());
                return Ok(());
            }
            "retry-after" => {
                self.retry_after = Some(some_text(key, value)?);
                return Ok(());
            }
            "latency" => Fault::Latency(duration(value)?),
            "reset" => Fault::Reset(moment(key, value)?),
            "silence" => Fault::Silence(moment(key, value)?),
            "cut" => Fault::Cut(number(key, value)?),
            "html" => Fault::Html(status(key, if value.is_empty() { "502" } else { value })?),
            "redirect" => Fault::Redirect(some_text(key, value)?),
            _ => {
                return fail(format!(
                    "`{key}` is not known in a fault: use latency, status, code, body, retry-after, reset, cut, html, \
                     redirect, silence, probability, count, method or path"
                ));
            }
        };
        if self.fault.replace(fault).is_some() {
            return fail(format!(
                "`{key}` is a second fault: give each its own --fault"
            ));
        }
        Ok(())
    }

    fn finish(self) -> Result<Fault, ParseFaultError> {
        let answers = self.status.is_some() || self.code.is_some();
        match self.fault {
            Some(_) if answers => {
                fail("`status` and `code` are a fault of their own: give each its own --fault")
            }
            Some(_) if self.body.is_some() || self.retry_after.is_some() => {
                fail("`body` and `retry-after` need a `status` or a `code` beside them")
            }
            Some(fault) => Ok(fault),
            None if answers => Ok(Fault::Answer {
                status: self.status,
                code: self.code,
                body: self.body,
                retry_after: self.retry_after,
            }),
            None => fail(
                "a fault says what happens, for example `status=503,probability=0.2` or `latency=200ms`",
            ),
        }
    }
}

/// Cuts at commas; `body=` takes everything behind it, since JSON has commas of its own.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(body) = rest.strip_prefix("body=") {
            found.push(("body", body));
            break;
        }
        let (pair, after) = rest.split_once(',').unwrap_or((rest, ""));
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        found.push((key.trim(), value.trim()));
        rest = after.trim_start();
    }
    found
}

fn fail<T>(why: impl Into<String>) -> Result<T, ParseFaultError> {
    Err(ParseFaultError(why.into()))
}

fn some_text(key: &str, value: &str) -> Result<String, ParseFaultError> {
    if value.is_empty() {
        fail(format!("`{key}=` needs a value"))
    } else {
        Ok(value.to_owned())
    }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, ParseFaultError> {
    value
        .parse()
        .or_else(|_| fail(format!("`{key}={value}` is not a whole number")))
}

fn status(key: &str, value: &str) -> Result<u16, ParseFaultError> {
    match value.parse() {
        Ok(status @ 200..=599) => Ok(status),
        _ => fail(format!(
            "`{key}={value}` is not an HTTP status from 200 to 599"
        )),
    }
}

fn probability(value: &str) -> Result<f64, ParseFaultError> {
    match value.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => fail(format!("`probability={value}` is not a number from 0 to 1")),
    }
}

fn moment(key: &str, value: &str) -> Result<Moment, ParseFaultError> {
    match value {
        "" | "before" => Ok(Moment::Before),
        "after" => Ok(Moment::After),
        _ => fail(format!(
            "`{key}={value}` must be `{key}=before` or `{key}=after`"
        )),
    }
}

fn duration(value: &str) -> Result<Duration, ParseFaultError> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &value[digits.len()..] {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let amount = digits.parse::<u64>().ok();
    match amount
        .zip(unit_ms)
        .and_then(|(amount, unit)| amount.checked_mul(unit))
    {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => fail(format!(
            "`latency={value}` is not a time such as 200ms, 2s or 1m"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> FaultPlan {
        text.parse().unwrap()
    }

    #[test]
    fn reads_each_fault() {
        assert_eq!(
            plan("latency=200ms").fault,
            Fault::Latency(Duration::from_millis(200))
        );
        assert_eq!(
            plan("latency=2s").fault,
            Fault::Latency(Duration::from_secs(2))
        );
        assert_eq!(plan("reset").fault, Fault::Reset(Moment::Before));
        assert_eq!(plan("reset=after").fault, Fault::Reset(Moment::After));
        assert_eq!(plan("silence=after").fault, Fault::Silence(Moment::After));
        assert_eq!(plan("cut=10").fault, Fault::Cut(10));
        assert_eq!(plan("html").fault, Fault::Html(502));
        assert_eq!(
            plan("redirect=http://a/b=c").fault,
            Fault::Redirect("http://a/b=c".into())
        );
        let code = plan("code=80031");
        assert_eq!(
            code.fault,
            Fault::Answer {
                status: None,
                code: Some("80031".into()),
                body: None,
                retry_after: None
            }
        );
    }

    #[test]
    fn reads_when_it_strikes() {
        let plan = plan(
            "status=429, retry-after=3, probability=0.2, count=4, method=POST, path=/actions/",
        );
        assert_eq!((plan.probability, plan.count), (0.2, Some(4)));
        assert_eq!(
            (plan.method.as_deref(), plan.path.as_deref()),
            (Some("POST"), Some("/actions/"))
        );
        assert!(
            matches!(plan.fault, Fault::Answer { status: Some(429), retry_after: Some(after), .. } if after == "3")
        );
    }

    #[test]
    fn a_body_takes_the_rest() {
        let plan = plan(r#"status=400,count=1,body={"a":1,"b":[2,3]}"#);
        assert_eq!(plan.count, Some(1));
        assert!(
            matches!(plan.fault, Fault::Answer { body: Some(body), .. } if body == r#"{"a":1,"b":[2,3]}"#)
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("", "says what happens"),
            ("probability=0.5", "says what happens"),
            ("status=99", "200 to 599"),
            ("status=x", "200 to 599"),
            ("latency=5", "200ms"),
            ("latency=é", "200ms"),
            ("latency=99999999999999999999ms", "200ms"),
            ("probability=2,reset", "0 to 1"),
            ("probability=NaN,reset", "0 to 1"),
            ("count=-1,reset", "whole number"),
            ("reset,cut=1", "second fault"),
            ("reset,status=500", "its own"),
            ("reset,body=x", "need a `status`"),
            ("reset=maybe", "before"),
            ("method=,reset", "needs a value"),
            ("boom=1", "not known"),
        ] {
            let error = text.parse::<FaultPlan>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
