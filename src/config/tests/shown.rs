use super::*;

#[test]
fn what_is_shown_loads_again_as_the_same() {
    let files = [
        EXAMPLE.to_owned(),
        target(
            "provider: ncp\nsite: gov\ncredentials: { source: ncloud_configure }\nca_file: ~/ca.pem",
        ),
        target(
            "provider: ncp\nsite: fin\nbase_url: https://h.example/p/q\nwait: 0s\nretry: { budget: { ratio: 0 } }",
        ),
        target(
            "provider: functiongraph\nregion: eu-de\nproject_id: 01234567890123456789012345678901\ncredentials: { source: iam_password, directory: /i }\niam_url: https://iam.example",
        ),
        format!(
            "log: {{ format: json, level: trace }}\nmax_message_size: 1048577\n{}",
            target("provider: ncp\nlimits: { queue_timeout: 1500ms }")
        ),
        format!(
            "listen: 0.0.0.0:1\nunix_socket: {{ mode: \"0600\", group: 65534 }}\n\
             tls: {{ cert_file: /c, key_file: /k, client_ca_file: /a }}\nauth: {{ token_file: /t }}\ndefault_deny: true\n{}",
            target(
                "provider: ncp\nallow: [{ actions: [\"a/*\"], operations: [invoke, \"*\"] }, { triggers: [t], operations: [] }]"
            )
        ),
        target("provider: ncp\nallow: []\nca_file: /a\nclient_cert_file: /c\nclient_key_file: /k"),
    ];
    for text in files {
        let config = good(&text);
        for shown in [effective(&config), effective_json(&config)] {
            let again = good(&shown);
            let settings = |config: &Config| Config {
                file: None,
                file_digest: None,
                ..config.clone()
            };
            assert_eq!(settings(&again), settings(&config), "{shown}");
        }
    }
}

#[test]
fn sources_of_keys_are_shown_and_no_key_is() {
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", "hunter1"),
        ("NCLOUD_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let config = with(EXAMPLE, &env, &[]).unwrap();
    let shown = effective(&config);
    assert!(
        shown.contains("# Target prod takes its keys from the variables NCLOUD_ACCESS_KEY_ID"),
        "{shown}"
    );
    assert!(
        shown.contains("# Target hw takes its keys from files in /var/run/secrets/huawei"),
        "{shown}"
    );
    assert!(!shown.contains("hunter") && !format!("{config:?}").contains("hunter"));
}
