use std::time::Duration;

use super::*;

fn run<'a>(action: &'a str, outcome: Outcome) -> Run<'a> {
    Run {
        package: "",
        action,
        outcome,
        duration: Some(Duration::from_millis(30)),
        billed: None,
        init: None,
    }
}

fn invocations(metrics: &Metrics) -> Vec<(String, Value)> {
    metrics
        .family(&names::INVOCATIONS)
        .samples()
        .into_iter()
        .map(|sample| (sample.labels.join(" "), sample.value))
        .collect()
}

#[test]
fn every_description_has_a_family_and_a_name_of_its_own() {
    let metrics = Metrics::new(1);
    let mut seen = std::collections::BTreeSet::new();
    for description in names::ALL {
        assert_eq!(
            metrics.family(description).description().name,
            description.name
        );
        assert!(
            seen.insert(description.prometheus_name()),
            "{}",
            description.name
        );
        assert!(!description.help.ends_with('.'), "{}", description.help);
        let name = description.prometheus_name();
        assert!(
            name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
            "{name} is a name that Prometheus takes"
        );
    }
}

#[test]
fn actions_beyond_the_bound_are_other_whatever_their_target_and_a_reload_keeps_the_known_ones() {
    let metrics = Metrics::new(2);
    let (main, second) = (
        Functions::new(&metrics, "main"),
        Functions::new(&metrics, "second"),
    );
    main.ran(run("a", Outcome::Success));
    second.ran(run("a", Outcome::Success));
    main.ran(run("late", Outcome::Success));
    second.ran(run("later", Outcome::Unknown));
    // As a reload does.
    let main = Functions::new(&metrics, "main");
    main.ran(run("a", Outcome::Success));
    main.ran(run("late", Outcome::Success));
    let one = |labels: &str, value| (labels.to_owned(), Value::Number(value));
    assert_eq!(
        invocations(&metrics),
        [
            one("main -/a success", 2.0),
            one("main other success", 2.0),
            one("second -/a success", 1.0),
            one("second other unknown", 1.0),
        ]
    );
}

#[test]
fn a_flood_of_names_never_passes_the_hard_bound() {
    let metrics = Metrics::new(5);
    for target in 0..3_000 {
        let functions = Functions::new(&metrics, &format!("t{target}"));
        for action in 0..2 {
            functions.ran(run(&format!("a{action}"), Outcome::Success));
        }
    }
    let samples = metrics.family(&names::INVOCATIONS).samples();
    assert_eq!(samples.len(), Outcome::ALL.len() * 5 + MAX_SERIES);
    let counted: f64 = samples
        .iter()
        .map(|sample| match sample.value {
            Value::Number(value) => value,
            Value::Spread(_) => 0.0,
        })
        .sum();
    assert_eq!(counted, 6_000.0);
    let last = samples
        .iter()
        .find(|sample| sample.labels.iter().all(|l| &**l == OTHER));
    assert!(last.is_some(), "what is beyond the bound has its series");
}
