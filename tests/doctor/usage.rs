//! The command as its user sees it: exit codes, the table, rights on actions, secrets.

use faas_sidecar::cli::Exit;
use faas_sidecar::provider::diagnosis::Cause;
use serde_json::Value;

use crate::doctor;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn against_the_emulators_all_is_well() {
    let config = "targets:\n  kr: {provider: ncp}\n  graph: {provider: functiongraph, region: cn-north-4}\ndefault_target: kr\n";
    let outcome = doctor(config, &[], &["--emulator"]).await;
    assert_eq!(outcome.exit, Exit::Clean, "{}", outcome.text);
    for part in [
        "\ntarget graph\n",
        "\ntarget kr\n",
        "  credentials",
        "\n0 failed, 0 to look at\n",
    ] {
        assert!(
            outcome.text.contains(part),
            "{part:?} is not in\n{}",
            outcome.text
        );
    }
    let steps: Vec<_> = outcome
        .text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let order = [
        "configuration",
        "target",
        "credentials",
        "dns",
        "tcp",
        "tls",
    ];
    assert_eq!(steps[..order.len()], order, "{}", outcome.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_target_alone_and_the_rights_on_its_actions() {
    let config = "targets:\n  kr: {provider: ncp}\n  graph: {provider: functiongraph, region: cn-north-4}\ndefault_target: kr\n";
    for target in ["kr", "graph"] {
        let args = [
            "--emulator",
            "--target",
            target,
            "--format",
            "json",
            "--action",
            "no/such",
            "--action",
            "a b",
        ];
        let outcome = doctor(config, &[], &args).await;
        assert_eq!(outcome.exit, Exit::Failed);
        let document = outcome.document();
        let steps = document["steps"].as_array().unwrap();
        assert!(
            steps
                .iter()
                .all(|step| step["target"] == target || step["target"] == Value::Null)
        );
        let rights: Vec<_> = steps
            .iter()
            .filter(|step| step["step"] == "right")
            .collect();
        assert_eq!(
            (&rights[0]["subject"], &rights[0]["cause"]),
            (&"no/such".into(), &"not_there".into()),
            "{}",
            outcome.text
        );
        // By the cloud's own rules, before anything is sent.
        assert_eq!(
            (&rights[1]["status"], &rights[1]["cause"]),
            (&"fail".into(), &Value::Null),
            "{}",
            outcome.text
        );
        assert_eq!(rights[2]["status"], "skipped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_the_first_step_and_exit_code_78() {
    let config = "threads: 0\ntargets:\n  prod: {provider: ncp, siet: gov, secret_key: hunter2}\n";
    let outcome = doctor(config, &[], &["--format", "json"]).await;
    assert_eq!(outcome.exit, Exit::BadConfig);
    let step = outcome.step("configuration");
    assert_eq!(
        (
            &step["status"],
            step["data"]["mistakes"].as_array().unwrap().len()
        ),
        (&"fail".into(), 3)
    );
    assert!(!outcome.text.contains("hunter2"));
    let unknown = doctor("targets: {a: {provider: ncp}}", &[], &["--target", "b"]).await;
    assert_eq!(unknown.exit, Exit::Usage);
    assert!(unknown.text.contains("it has: a"), "{}", unknown.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_is_told_with_where_to_put_it_and_nothing_is_sent() {
    let config = "targets: {main: {provider: ncp, base_url: \"http://127.0.0.1:1\"}}";
    let outcome = doctor(config, &[], &["--format", "json"]).await;
    let step = outcome.step("credentials");
    assert_eq!(
        (&step["status"], &step["cause"]),
        (&"fail".into(), &"credentials_missing".into())
    );
    assert!(
        step["fact"]
            .as_str()
            .unwrap()
            .contains("NCLOUD_ACCESS_KEY_ID"),
        "{step:#}"
    );
    assert_eq!(outcome.step("read")["status"], "skipped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_keys_in_the_environment_are_worth_a_look() {
    let config = "targets: {main: {provider: ncp, base_url: \"http://127.0.0.1:1\"}}";
    let outcome = doctor(
        config,
        &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
        &["--format", "json"],
    )
    .await;
    assert_eq!(outcome.step("kubernetes")["status"], "warn");
    assert_eq!(
        doctor(config, &[], &["--format", "json"])
            .await
            .step("kubernetes")["status"],
        "skipped"
    );
}

#[test]
fn every_cause_has_a_fix_and_is_documented() {
    let documented = include_str!("../../docs/operations/refused.md");
    for cause in Cause::ALL {
        assert!(
            documented.contains(&format!("`{cause}`")),
            "{cause} is not in docs/operations/refused.md"
        );
        assert!(
            cause.fix().ends_with('.') && !cause.fix().contains(". "),
            "{cause}: {}",
            cause.fix()
        );
        assert_eq!(Cause::of_symbol(cause.symbol()), Some(*cause));
    }
}
