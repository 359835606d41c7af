use super::*;
use crate::settings::{Node, Place, read};

#[test]
fn every_default_fits_its_own_key() {
    for key in all() {
        if let Default::Is(text) = key.default {
            let found = read(key, &Node::untyped(text, Place::Nowhere));
            assert!(matches!(found, Ok(Some(_))), "{}: {found:?}", key.path);
        }
    }
}

#[test]
fn every_key_is_told_in_whole_sentences() {
    for key in all() {
        assert!(key.doc.ends_with('.') && key.doc.len() > 15, "{}", key.path);
        assert!(
            !key.doc.contains('|'),
            "{} would break the Markdown table",
            key.path
        );
    }
}

#[test]
fn a_key_stands_once_a_provider_and_after_its_section() {
    let mut seen: Vec<(&str, Option<&str>)> = Vec::new();
    for key in all() {
        assert!(
            !seen.iter().any(|(path, provider)| *path == key.path
                && (provider.is_none() || key.provider.is_none() || *provider == key.provider)),
            "{}",
            key.path
        );
        let above = key
            .path
            .rsplit_once('.')
            .map(|(above, _)| above)
            .filter(|above| *above != "targets.*");
        if let Some(above) = above {
            assert!(
                seen.iter().any(|(path, _)| *path == above),
                "{} has no section",
                key.path
            );
        }
        seen.push((key.path, key.provider));
    }
}

#[test]
fn one_rule_names_flags_and_variables() {
    let names: Vec<_> = scalars()
        .map(|key| (key.path, key.flag(), key.variable()))
        .collect();
    assert!(names.contains(&("listen", "listen".into(), "FAAS_SIDECAR_LISTEN".into())));
    assert!(names.contains(&(
        "log.format",
        "log-format".into(),
        "FAAS_SIDECAR_LOG_FORMAT".into()
    )));
    assert!(names.iter().all(|(path, ..)| !path.starts_with("targets")));
}

#[test]
fn a_key_of_the_other_cloud_is_foreign() {
    assert!(matches!(
        find("targets.*.site", Some("functiongraph")),
        Lookup::Foreign(_)
    ));
    assert!(matches!(
        find("targets.*.site", Some("ncp")),
        Lookup::Known(_)
    ));
    assert!(matches!(find("targets.*.site", None), Lookup::Known(_)));
    assert!(matches!(find("targets.*.sites", None), Lookup::Unknown));
    assert!(below("targets.*", Some("ncp")).contains(&"site"));
    assert!(!below("targets.*", Some("ncp")).contains(&"project_id"));
    assert!(below("", None).contains(&"targets"));
}
