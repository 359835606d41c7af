//! The metrics and what is written about them: reference, runbooks, dashboard and alert rules name
//! what the program has, and leave nothing out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends there"
)]

use std::collections::BTreeSet;
use std::path::Path;

use faas_sidecar::telemetry::metrics::{Kind, names, reference};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Every name that a query may use, with the labels that its series bear.
fn known() -> Vec<(String, Vec<String>)> {
    let mut known = Vec::new();
    for description in names::ALL {
        let mut labels: Vec<_> = description.prometheus_labels().collect();
        let name = description.prometheus_name();
        if let Kind::Histogram(_) = description.kind {
            known.push((format!("{name}_sum"), labels.clone()));
            known.push((format!("{name}_count"), labels.clone()));
            labels.push("le".to_owned());
            known.push((format!("{name}_bucket"), labels));
        } else {
            known.push((name, labels));
        }
    }
    known
}

/// Words that look like names of metrics of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c))
        .filter(|word| {
            let ours = ["faas_sidecar_", "rpc_server_", "http_client_", "process_"];
            ours.iter().any(|prefix| word.starts_with(prefix)) && *word != "faas_sidecar_target"
        })
        .collect()
}

#[test]
fn the_reference_is_the_registry() {
    assert!(
        read("docs/metrics.md").contains(&reference()),
        "the table of docs/metrics.md must be:\n{}",
        reference()
    );
}

#[test]
fn dashboard_and_alerts_ask_for_what_there_is() {
    let known = known();
    for file in ["dashboard.json", "alerts.yaml"] {
        let text = read(&format!("helm/faas-sidecar/monitoring/{file}"));
        let named = named(&text);
        assert!(named.len() > 5, "{file}: {named:?}");
        for name in &named {
            assert!(
                known.iter().any(|(known, _)| known == name),
                "{file} asks for {name}, which there is not"
            );
        }
        // Labels in selectors: `name{label="…"}`, where a JSON text has its quotes escaped.
        for (at, _) in text.match_indices('{') {
            let Some(name) = named.iter().find(|name| text[..at].ends_with(**name)) else {
                continue;
            };
            let end = text[at..].find('}').map_or(text.len(), |end| at + end);
            let labels = &known.iter().find(|(known, _)| known == name).unwrap().1;
            for matcher in text[at + 1..end].split(", ") {
                let label = matcher.split(['=', '!']).next().unwrap();
                let from_prometheus = ["namespace", "pod"].contains(&label);
                assert!(
                    from_prometheus || labels.iter().any(|known| known == label),
                    "{file}: {name} has no label {label}"
                );
            }
        }
    }
}

#[test]
fn the_dashboard_shows_every_family_that_an_operator_watches() {
    let dashboard = read("helm/faas-sidecar/monitoring/dashboard.json");
    let board: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(board["panels"].as_array().unwrap().len() > 20);
    let named = named(&dashboard);
    // Of the process and of credentials' generations a dashboard needs a part only.
    let left_out = [
        "process_virtual_memory_bytes",
        "process_threads",
        "process_start_time_seconds",
        "faas_sidecar_credentials_generation",
        "faas_sidecar_config_last_reload_success",
    ];
    for description in names::ALL {
        let name = description.prometheus_name();
        let shown = named.iter().any(|shown| shown.starts_with(name.as_str()));
        assert!(
            shown != left_out.contains(&name.as_str()),
            "{name}: shown on the dashboard: {shown}"
        );
    }
}

#[test]
fn every_alert_has_a_runbook_with_cause_and_remedy() {
    let alerts = read("helm/faas-sidecar/monitoring/alerts.yaml");
    let operations = read("docs/operations/alerts.md");
    let mut count = 0;
    for (at, _) in alerts.match_indices("- alert: ") {
        count += 1;
        let rule = &alerts[at..];
        let rule = &rule[..rule[1..]
            .find("- alert: ")
            .map_or(rule.len(), |end| end + 1)];
        let name = rule["- alert: ".len()..].lines().next().unwrap();
        for part in ["summary: ", "description: ", "severity: "] {
            assert!(rule.contains(part), "{name} has a {part}");
        }
        let link = format!(
            "runbook_url: docs/operations/alerts.md#{}",
            name.to_lowercase()
        );
        assert!(rule.contains(&link), "{name} links to its runbook: {link}");
        let section = operations.split(&format!("\n## {name}\n")).nth(1);
        let section =
            section.unwrap_or_else(|| panic!("docs/operations/alerts.md has a section ## {name}"));
        let section = section.split("\n#").next().unwrap();
        assert!(
            section.len() > 150,
            "the runbook of {name} says what to do: {section}"
        );
    }
    assert_eq!(count, 10);
}
