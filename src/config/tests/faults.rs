use super::*;

#[test]
fn every_mistake_of_a_file_is_told_in_its_order_with_its_line() {
    let told = with(
        "\
listen: localhost:50051
lisen: 1
threads: 0
log: { level: loud, format: json }
drain_timeout: 5
targets:
  prod:
    provider: ncp
    site: pubic
    project_id: x
    access_key: AKIAHUNTER2
    retry: { max_attempts: 11, max_atempts: 2, budget: { ratio: 1.5 } }
    wait: [1s]
    max_queue: 3
  'bad name': { provider: ncp }
  hw:
    provider: functiongraph
    region: Singapore
    site: public
",
        &[("FAAS_SIDECAR_MAX_MESSAGE_SIZE", "1TB")],
        &[("admin", "9901")],
    )
    .unwrap_err();
    assert_eq!(
        told.to_string(),
        "\
1. admin (--admin): \"9901\" is not an IP address with a port; write one such as 127.0.0.1:50051 or [::1]:50051, or unix: and a path such as unix:/run/faas.sock, or off
2. max_message_size (FAAS_SIDECAR_MAX_MESSAGE_SIZE): \"1TB\" is not a size; write bytes, or a whole number and a unit, such as 512KiB, 64MiB or 1GiB
3. listen (line 1): \"localhost:50051\" is not an IP address with a port; write one such as 127.0.0.1:50051 or [::1]:50051, or unix: and a path such as unix:/run/faas.sock
4. lisen (line 2): is not a known key; did you mean listen?
5. threads (line 3): \"0\" is not a whole number from 1 to 64
6. log.level (line 4): \"loud\" is not one of error, warn, info, debug, trace
7. drain_timeout (line 5): \"5\" is not a duration; write a whole number and a unit, such as 100ms, 3s, 2m or 1h
8. targets.prod.site (line 9): \"pubic\" is not one of public, fin, gov; did you mean public?
9. targets.prod.project_id (line 10): is for provider functiongraph alone; remove it
10. targets.prod.access_key (line 11): looks like a secret, and secrets never stand in this file; put them into NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY (credentials: {source: env}) or into files of a directory (credentials: {source: files, directory: …}), and replace this one if the file was shared
11. targets.prod.retry.max_attempts (line 12): \"11\" is not a whole number from 1 to 10
12. targets.prod.retry.max_atempts (line 12): is not a known key; did you mean max_attempts?
13. targets.prod.retry.budget.ratio (line 12): \"1.5\" is not a number from 0 to 1
14. targets.prod.wait (line 13): is a list; write a duration from 0s to 24h
15. targets.prod.max_queue (line 14): is not a known key here; it belongs at targets.<name>.limits.max_queue
16. targets.bad name (line 15): \"bad name\" is no target name; write 1 to 63 letters, digits, - or _, the first a letter or digit
17. targets.hw.region (line 18): \"Singapore\" is not a region id in lower-case letters, digits and hyphens, such as ap-southeast-3
18. targets.hw.site (line 19): is for provider ncp alone; remove it
19. default_target: is missing; there are several targets, so write one of hw, prod"
    );
}

#[test]
fn a_secret_is_never_repeated() {
    for key in [
        "access_key",
        "secretKey",
        "SECRET-ACCESS-KEY",
        "password",
        "security_token",
        "sk",
    ] {
        let told = faults(&target(&format!(
            "provider: ncp\ncredentials: {{ source: env, {key}: hunter2 }}"
        )));
        assert!(
            told.len() == 1
                && told[0].contains("secrets never stand")
                && !told[0].contains("hunter2"),
            "{told:?}"
        );
    }
    let told = faults(&target(
        "provider: functiongraph\nregion: a\nproject_id: 0123456789abcdef0123456789abcdef\nak: x",
    ));
    assert!(told[0].contains("HUAWEICLOUD_SDK_AK"), "{told:?}");
}

#[test]
fn a_file_without_targets_says_what_to_write() {
    for text in [
        "",
        "listen: 127.0.0.1:1\n",
        "targets: {}\n",
        "targets: ~\n",
        "---\n",
    ] {
        let told = faults(text);
        assert!(
            told.len() == 1 && told[0].contains("targets: {prod: {provider: ncp}}"),
            "{text:?}: {told:?}"
        );
    }
}

#[test]
fn the_wrong_shape_is_told() {
    assert!(faults("- a\n")[0].contains("is not a map of keys"));
    assert!(faults("targets: [a]\n")[0].contains("is a list; write a map of keys"));
    assert!(faults("targets: { t: ncp }\n")[0].contains("begin with `provider: ncp` below it"));
    assert!(
        faults(&target("provider: ncp\nretry: 3"))[0]
            .contains("stands where a map of keys belongs")
    );
    assert!(
        faults(&target("provider: ncp\nsite: { a: 1 }"))[0]
            .contains("is a map of keys; write one of")
    );
    assert!(faults(&target("provider: ncp\nidempotent_actions: a/b"))[0].contains("write a list"));
    assert!(
        faults(&target("provider: ncp\nidempotent_actions: [ping]"))[0]
            .contains("is not package/action")
    );
    assert!(
        faults(&target("provider: ncp\nallow_plaintext: yes"))[0].contains("is not true or false")
    );
    assert!(
        faults(&target("provider: ncp\nretry: { max_attempts: \"3\" }"))[0]
            .contains("without quotes")
    );
    assert!(faults(&target("provider: ncp\nretry.max_attempts: 3"))[0].contains("not a known key"));
    assert!(
        faults(&target("provider: ncp\nretry: { max_attempts: 2.5 }"))[0].contains("whole number")
    );
    assert!(
        faults(&target("provider: ncp\nretry: { budget: { ratio: .nan } }"))[0]
            .contains("number from 0 to 1")
    );
}

#[test]
fn a_target_needs_a_provider_that_exists() {
    let told = faults(&target("site: public"));
    assert_eq!(
        told,
        ["targets.t.provider (line 2): is missing; write one of ncp, functiongraph"]
    );
    let told = faults(&target("provider: npc\nregion: sg"));
    assert!(
        told.len() == 1 && told[0].ends_with("did you mean ncp?"),
        "{told:?}"
    );
    assert_eq!(faults("targets: { t: { provider: ~ } }\n").len(), 1);
}

#[test]
fn the_default_target_is_one_of_them() {
    let told = faults(
        "default_target: prd\ntargets: { prod: { provider: ncp }, dev: { provider: ncp } }\n",
    );
    assert_eq!(
        told,
        ["default_target (line 1): prd is not one of the targets; did you mean prod?"]
    );
    let told = faults("targets: { prod: { provider: ncp }, dev: { provider: ncp } }\n");
    assert!(
        told[0].starts_with("default_target: is missing; there are several targets"),
        "{told:?}"
    );
}

#[test]
fn listening_for_others_must_be_meant() {
    let text = target("provider: ncp");
    let told = faults(&format!("listen: 0.0.0.0:50051\n{text}"));
    assert!(
        told[0].contains("set allow_remote_clients: true"),
        "{told:?}"
    );
    good(&format!(
        "listen: 0.0.0.0:50051\nallow_remote_clients: true\n{text}"
    ));
    assert!(
        faults(&format!(
            "listen: [\"127.0.0.1:1\", \"127.0.0.1:1\"]\n{text}"
        ))[0]
            .contains("twice")
    );
    assert!(faults(&format!("listen: []\n{text}"))[0].contains("at least one"));
    assert!(
        faults(&format!("listen: 127.0.0.1:1\nadmin: 127.0.0.1:1\n{text}"))[0]
            .contains("taken by listen")
    );
    good(&format!(
        "listen: [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nadmin: 127.0.0.1:0\n{text}"
    ));
}

#[test]
fn a_file_that_cannot_be_read_is_one_fault() {
    let told = load(&Sources {
        file: Some("/no/such/file.yaml".into()),
        ..Sources::default()
    })
    .unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(
        told.to_string()
            .contains("/no/such/file.yaml cannot be read")
    );
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_panic(head in "[ -~\\n]{0,80}", body in "[a-z0-9_:{}\\[\\]&*~\"' \\n-]{0,120}") {
        let _ = with(&head, &[], &[]);
        let _ = with(&target(&format!("provider: ncp\n{body}")), &[], &[]);
    }
}

#[test]
fn pages_that_change_something_are_for_this_machine_and_remote_metrics_must_be_meant() {
    let text = "targets: {a: {provider: ncp}}";
    for remote in ["0.0.0.0:9901", "10.0.0.1:9901", "[::]:9901"] {
        let told = faults(&format!("admin: \"{remote}\"\n{text}"));
        assert!(
            told[0].contains("can be reached by other machines")
                && told[0].contains("metrics.listen"),
            "{told:?}"
        );
        let told = faults(&format!("metrics: {{listen: \"{remote}\"}}\n{text}"));
        assert!(told[0].contains("metrics.allow_remote_clients"), "{told:?}");
        let meant = good(&format!(
            "metrics: {{listen: \"{remote}\", allow_remote_clients: true}}\n{text}"
        ));
        assert!(
            meant
                .open_metrics()
                .is_some_and(|warning| warning.contains(remote))
        );
    }
    for local in ["127.0.0.1:9901", "[::1]:9901"] {
        let config = good(&format!("admin: \"{local}\"\n{text}"));
        assert!(config.open_metrics().is_none());
        let config = good(&format!("metrics: {{listen: \"{local}\"}}\n{text}"));
        assert!(config.open_metrics().is_none());
    }
    let config = good(&format!("admin: \"unix:/run/admin.sock\"\n{text}"));
    assert_eq!(config.admin.unwrap().to_string(), "unix:/run/admin.sock");
    let taken = "admin: \"127.0.0.1:1\"\nmetrics: {listen: \"127.0.0.1:1\"}\n";
    assert!(faults(&format!("{taken}{text}"))[0].contains("taken by listen or admin"));
    assert!(
        faults(&format!("metrics: {{listen: \"unix:/x\"}}\n{text}"))[0]
            .contains("IP address with a port")
    );
}
