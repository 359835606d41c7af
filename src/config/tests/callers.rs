use super::*;

fn told(text: &str) -> String {
    with(text, &[], &[]).unwrap_err().to_string()
}

#[test]
fn an_address_that_others_can_reach_needs_callers_that_say_who_they_are() {
    let remote =
        |further: &str| format!("listen: 0.0.0.0:1\n{further}\n{}", target("provider: ncp"));
    let refused = told(&remote(""));
    assert!(
        refused.contains(
            "set tls.client_ca_file or auth.token_file, or set allow_remote_clients: true"
        ),
        "{refused}"
    );
    // Encryption alone says nothing about who calls.
    let encrypted = told(&remote("tls: { cert_file: /c, key_file: /k }"));
    assert!(
        encrypted.starts_with("1. listen (line 1): 0.0.0.0:1 can be reached"),
        "{encrypted}"
    );
    for guarded in [
        "tls: { cert_file: /c, key_file: /k, client_ca_file: /a }",
        "auth: { token_file: /t }",
    ] {
        assert!(!good(&remote(guarded)).is_open(), "{guarded}");
    }
    assert!(good(&remote("allow_remote_clients: true")).is_open());
    assert!(!good(&target("provider: ncp")).is_open());
}

#[test]
fn half_a_certificate_is_told_by_the_half_that_is_missing() {
    for (text, missing) in [
        ("tls: { cert_file: /c }", "tls.key_file"),
        ("tls: { key_file: /k }", "tls.cert_file"),
    ] {
        let told = told(&format!("{text}\n{}", target("provider: ncp")));
        assert_eq!(
            told,
            format!(
                "1. {missing} (line 1): is missing; TLS needs both tls.cert_file and tls.key_file"
            )
        );
    }
    let both = told(&format!(
        "tls: {{ client_ca_file: /a }}\n{}",
        target("provider: ncp")
    ));
    assert!(
        both.contains("tls.cert_file") && both.contains("tls.key_file"),
        "{both}"
    );
    let told = told(&target("provider: ncp\nclient_cert_file: /c"));
    assert_eq!(
        told,
        "1. targets.t.client_key_file (line 2): is missing; client_cert_file needs it, since neither is of use alone"
    );
}

#[test]
fn every_mistake_in_the_rules_is_told_with_the_number_of_its_rule() {
    let told = told(&target(
        "provider: ncp\nallow:\n  - { actions: [a], operations: [invok] }\n  - { operation: [read] }\n  - invoke\n  - { triggers: [x/y], operations: read }",
    ));
    for part in [
        "rule 1: actions: \"a\" is not package/action",
        "rule 1: operations: \"invok\" is not one of invoke, observe, cancel, fire, read, write, delete, *; did you mean invoke?",
        "rule 2: \"operation\" is not a known key; did you mean operations?",
        "rule 2: operations is missing",
        "rule 2: has neither actions nor triggers",
        "rule 3: is no map",
        "rule 4: triggers: \"x/y\" is no name",
        "rule 4: operations is no list of texts",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

#[test]
fn rules_are_read_as_they_are_written_and_none_is_not_an_empty_list() {
    let rules = |text: &str| good(&target(text)).targets["t"].allow.clone();
    assert_eq!(rules("provider: ncp"), None);
    assert_eq!(rules("provider: ncp\nallow: []"), Some(Vec::new()));
    let rule = AllowRule {
        actions: vec!["a/*".to_owned()],
        triggers: vec!["t*".to_owned()],
        operations: vec!["invoke".to_owned(), "*".to_owned()],
    };
    assert_eq!(
        rules(
            "provider: ncp\nallow: [{ actions: [\"a/*\"], triggers: [\"t*\"], operations: [invoke, \"*\"] }]"
        ),
        Some(vec![rule])
    );
}

#[test]
fn the_mode_of_a_socket_is_octal() {
    let mode = |text: &str| {
        good(&format!(
            "unix_socket: {{ mode: {text} }}\n{}",
            target("provider: ncp")
        ))
        .unix_socket
        .mode
    };
    assert_eq!(
        (mode("\"0600\""), mode("0660"), mode("777")),
        (0o600, 0o660, 0o777)
    );
    for wrong in ["\"0o600\"", "\"0680\"", "rw", "60"] {
        let told = told(&format!(
            "unix_socket: {{ mode: {wrong} }}\n{}",
            target("provider: ncp")
        ));
        assert!(told.contains("three octal digits"), "{told}");
    }
}
