//! Answers as the documents really show them: every quirk of both generations is read, and what is
//! unknown is passed over.

use faas_sidecar::proto::trigger::Source;
use faas_sidecar::proto::*;

use crate::support::answer::content;
use crate::support::bench::{Bench, ID, shown};

const OLD: &str = "api_version: \"2.0\"";

async fn get_action(bench: &Bench, answer: &str, include_code: bool) -> Action {
    bench.upstream.push(content(answer));
    let request = GetActionRequest {
        action_name: "a".to_owned(),
        include_code,
        ..Default::default()
    };
    bench
        .actions()
        .get_action(request)
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap()
}

async fn get_trigger(bench: &Bench, answer: &str) -> Trigger {
    bench.upstream.push(content(answer));
    let request = GetTriggerRequest {
        trigger_name: "t".to_owned(),
        ..Default::default()
    };
    bench
        .triggers()
        .get_trigger(request)
        .await
        .unwrap()
        .into_inner()
        .trigger
        .unwrap()
}

async fn get_activation(bench: &Bench, answer: &str) -> Activation {
    bench.upstream.push(content(answer));
    let request = GetActivationRequest {
        action_name: "a".to_owned(),
        activation_id: ID.to_owned(),
        ..GetActivationRequest::default()
    };
    bench
        .invocations()
        .get_activation(request)
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap()
}

#[tokio::test]
async fn a_packages_actions_stand_under_either_name_as_objects_or_names() {
    let bench = Bench::new().await;
    for answer in [
        r#"{"name":"p","actions":[{"name":"a","type":"basic"},{"name":"b","type":"web"}]}"#,
        r#"{"name":"p","action":[{"name":"a","web":false},{"name":"b","web":true}]}"#,
        r#"{"name":"p","actions":[{"name":"a","type":"basic"},{"name":"b","type":"web"}],"action":null}"#,
    ] {
        bench.upstream.push(content(answer));
        let request = GetPackageRequest {
            package_name: "p".to_owned(),
            ..Default::default()
        };
        let package = bench
            .packages()
            .get_package(request)
            .await
            .unwrap()
            .into_inner()
            .package
            .unwrap();
        let types: Vec<_> = package
            .actions
            .iter()
            .map(|action| (action.name.as_str(), action.r#type()))
            .collect();
        assert_eq!(
            types,
            [("a", ActionType::Basic), ("b", ActionType::Web)],
            "{answer}"
        );
    }
    bench.upstream.push(content(
        r#"{"name":"p","actions":["a","b"],"description":null,"parameters":null}"#,
    ));
    let request = GetPackageRequest {
        package_name: "p".to_owned(),
        ..Default::default()
    };
    let package = bench
        .packages()
        .get_package(request)
        .await
        .unwrap()
        .into_inner()
        .package
        .unwrap();
    assert_eq!(package.actions.len(), 2);
    assert_eq!(
        (package.description.as_str(), package.platform()),
        ("", Platform::Vpc)
    );
}

#[tokio::test]
async fn an_action_list_is_read_in_every_documented_shape() {
    let bench = Bench::new().await;
    for answer in [
        r#"{"actions":[{"name":"a","runtime":"nodejs:22","type":"basic","description":""}]}"#,
        r#"{"action":[{"name":"a","runtime":"nodejs:22","web":false}]}"#,
        // The table calls `type` an Object.
        r#"{"actions":[{"name":"a","runtime":"nodejs:22","type":{"name":"basic"},"web":false}]}"#,
        r#"{"actions":[{"name":"a","runtime":"nodejs:22","type":"basic","description":null,"new":[1]}]}"#,
    ] {
        bench.upstream.push(content(answer));
        let list = bench
            .actions()
            .list_actions(ListActionsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .actions;
        assert_eq!(
            (list[0].name.as_str(), list[0].r#type()),
            ("a", ActionType::Basic),
            "{answer}"
        );
        assert_eq!(
            (list[0].runtime.as_str(), list[0].package_name.as_str()),
            ("nodejs:22", "-")
        );
    }
    for answer in ["{}", r#"{"actions":null}"#, r#"{"actions":[]}"#] {
        bench.upstream.push(content(answer));
        let list = bench
            .actions()
            .list_actions(ListActionsRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert!(list.actions.is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn a_sequence_is_known_by_its_runtime_in_the_old_generation() {
    let bench = Bench::site(OLD).await;
    let list = r#"{"actions":[{"name":"s","runtime":"sequence","web":false},{"name":"w","runtime":"sequence","web":true}]}"#;
    bench.upstream.push(content(list));
    let list = bench
        .actions()
        .list_actions(ListActionsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .actions;
    let types: Vec<_> = list.iter().map(ActionSummary::r#type).collect();
    assert_eq!(types, [ActionType::Sequence, ActionType::SequenceWeb]);
}

#[tokio::test]
async fn a_vpc_is_an_object_or_an_array_or_nothing() {
    let bench = Bench::new().await;
    for (vpc, count) in [
        (r#"{"vpcNo":1001,"subnetNo":2002}"#, 1),
        (r#"[{"vpcNo":1001,"subnetNo":2002}]"#, 1),
        (r#"[{"vpcNo":"1001","subnetNo":"2002"}]"#, 1),
        ("[]", 0),
        ("null", 0),
        ("{}", 0),
    ] {
        let action = get_action(&bench, &format!(r#"{{"name":"a","vpc":{vpc}}}"#), false).await;
        assert_eq!(action.vpc.len(), count, "{vpc}");
        assert!(
            action
                .vpc
                .iter()
                .all(|vpc| (vpc.vpc_no, vpc.subnet_no) == (1001, 2002))
        );
    }
}

#[tokio::test]
async fn code_is_left_out_unless_it_is_asked_for() {
    let bench = Bench::new().await;
    let answer = r#"{"name":"a","type":"basic","exec":{"kind":"nodejs:22","main":"main","binary":false,"code":"const key = 'canary'"},"limits":{"timeout":60000,"memory":256}}"#;
    let action = get_action(&bench, answer, false).await;
    let exec = action.exec.unwrap();
    assert_eq!(
        (exec.code, exec.runtime.as_str(), exec.main.as_str()),
        (None, "nodejs:22", "main")
    );
    let limits = action.limits.unwrap();
    assert_eq!(
        (limits.timeout.unwrap().seconds, limits.memory_mb),
        (60, 256)
    );
    let exec = get_action(&bench, answer, true).await.exec.unwrap();
    assert_eq!(
        exec.code,
        Some(exec::Code::Source("const key = 'canary'".to_owned()))
    );
    let binary = r#"{"name":"a","exec":{"kind":"java","binary":true,"code":"UEsDBA=="}}"#;
    let exec = get_action(&bench, binary, true).await.exec.unwrap();
    assert_eq!(
        exec.code,
        Some(exec::Code::Archive(b"PK\x03\x04".to_vec().into()))
    );
    assert_eq!(
        get_action(&bench, binary, false).await.exec.unwrap().code,
        None
    );
    // The answer to a put repeats the code, too.
    bench.upstream.push(content(answer));
    let mut request = crate::bad_actions::change(|_| {});
    request.action_name = "a".to_owned();
    let made = bench
        .actions()
        .put_action(request)
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap();
    assert_eq!(made.exec.unwrap().code, None);
}

#[tokio::test]
async fn numbers_spelt_as_text_are_numbers() {
    let bench = Bench::new().await;
    let answer = r#"{"name":"a","limits":{"timeout":"60000","memory":"256"},"version":3}"#;
    let action = get_action(&bench, answer, false).await;
    let limits = action.limits.unwrap();
    assert_eq!(
        (
            limits.timeout.unwrap().seconds,
            limits.memory_mb,
            action.version.as_str()
        ),
        (60, 256, "3")
    );
}

#[tokio::test]
async fn an_activation_reads_alike_in_both_generations() {
    let new = format!(
        r#"{{"activationId":"{ID}","duration":34,"start":1714111020170,"end":1714111020204,"logs":["x"],"name":"a","namespace":"N","response":{{"result":{{"n":1}},"status":"success","success":true}},"subject":"S"}}"#
    );
    let old = format!(
        r#"{{"activationId":"{ID}","duration":"34","start":"2024-04-26T14:57:00","end":"2024-04-26T14:57:00","logs":["x"],"name":"p/a","namespace":"N","response":"{{\"result\":{{\"n\":1}},\"status\":\"success\",\"success\":true}}","subject":"S"}}"#
    );
    for (settings, answer) in [("", &new), (OLD, &old)] {
        let bench = Bench::site(settings).await;
        let run = get_activation(&bench, answer).await;
        assert_eq!(
            (run.status(), run.success, run.status_text.as_str()),
            (ActivationStatus::Success, true, "success")
        );
        assert_eq!(shown(&run.result), r#"{"n":1}"#);
        assert_eq!(
            (
                run.start_time.unwrap().seconds,
                run.end_time.unwrap().seconds
            ),
            (1_714_111_020, 1_714_111_020)
        );
        assert_eq!(run.duration.unwrap().nanos, 34_000_000);
        assert_eq!(
            (
                run.package_name.as_str(),
                run.action_name.as_str(),
                run.logs.as_slice()
            ),
            ("-", "a", &["x".to_owned()][..])
        );
        assert_eq!((run.namespace.as_str(), run.subject.as_str()), ("N", "S"));
    }
}

#[tokio::test]
async fn lists_of_activations_are_read_in_every_documented_shape() {
    let bench = Bench::new().await;
    for answer in [
        format!(
            r#"{{"activations":[{{"activationId":"{ID}","duration":34,"status":"success"}}],"totalCount":1}}"#
        ),
        format!(
            r#"{{"activations":[{{"activationId":"{ID}","duration":"34","status":"success"}}],"totalCount":"1"}}"#
        ),
        // The table calls `activations` an Object.
        format!(
            r#"{{"activations":{{"activationId":"{ID}","duration":34,"status":"success"}},"totalCount":1}}"#
        ),
    ] {
        bench.upstream.push(content(&answer));
        let request = ListActivationsRequest {
            action_name: "a".to_owned(),
            ..Default::default()
        };
        let list = bench
            .invocations()
            .list_activations(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (list.activations.len(), list.total_count),
            (1, 1),
            "{answer}"
        );
        let run = &list.activations[0];
        assert_eq!(
            (run.activation_id.as_str(), run.status(), run.success),
            (ID, ActivationStatus::Success, true)
        );
        assert_eq!(run.duration.unwrap().nanos, 34_000_000);
    }
    for answer in [
        r#"{"activations":null,"totalCount":0}"#,
        r#"{"activations":[]}"#,
        "{}",
    ] {
        bench.upstream.push(content(answer));
        let request = ListActivationsRequest {
            action_name: "a".to_owned(),
            ..Default::default()
        };
        let list = bench
            .invocations()
            .list_activations(request)
            .await
            .unwrap()
            .into_inner();
        assert!(
            list.activations.is_empty() && list.next_page_token.is_empty(),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_trigger_reads_alike_however_its_options_are_written() {
    let bench = Bench::new().await;
    for answer in [
        r#"{"name":"t","type":"cron","cronOption":"0 3 * * *","actions":["a","p/b"],"parameters":{"n":1}}"#,
        r#"{"name":"t","triggerType":"Cron","actions":["a","p/b"],"execOption":[{"key":"cronOption","value":"0 3 * * *"}],"parameters":{"n":1}}"#,
        r#"{"name":"t","type":"CRON","action":["a","p/b"],"execOption":{"key":"ncf_triggerOptions","value":[{"key":"cron","value":"0 3 * * *"}]},"parameters":{"n":1}}"#,
        r#"{"trigger":{"name":"t","type":"cron","cronOption":"0 3 * * *","actions":["a","p/b"],"parameters":{"n":1}}}"#,
    ] {
        let trigger = get_trigger(&bench, answer).await;
        assert_eq!(
            (trigger.name.as_str(), trigger.type_text.as_str()),
            ("t", "cron"),
            "{answer}"
        );
        assert_eq!(
            trigger.source,
            Some(Source::Cron(CronSource {
                cron_option: "0 3 * * *".to_owned()
            })),
            "{answer}"
        );
        let actions: Vec<_> = trigger
            .actions
            .iter()
            .map(|a| (a.package_name.as_str(), a.action_name.as_str()))
            .collect();
        assert_eq!(actions, [("-", "a"), ("p", "b")]);
        assert_eq!(shown(&trigger.parameters), r#"{"n":1}"#, "{answer}");
    }
    bench.upstream.push(content(
        r#"{"triggers":[{"name":"b","type":"Cron"},{"name":"a","triggerType":"GITHUB"}]}"#,
    ));
    let list = bench
        .triggers()
        .list_triggers(ListTriggersRequest::default())
        .await
        .unwrap()
        .into_inner()
        .triggers;
    let names: Vec<_> = list
        .iter()
        .map(|item| (item.name.as_str(), item.type_text.as_str()))
        .collect();
    assert_eq!(names, [("a", "github"), ("b", "cron")]);
    bench.upstream.push(content(r#"{"triggers":null}"#));
    let list = bench
        .triggers()
        .list_triggers(ListTriggersRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(list.triggers.is_empty());
}

#[tokio::test]
async fn a_github_token_never_comes_back() {
    let bench = Bench::new().await;
    for key in ["credential", "credentials"] {
        let answer = format!(
            r#"{{"name":"t","type":"github","events":["push"],"{key}":{{"username":"octo","accessToken":"ghp_canary","repository":"org/repo"}},"link":{{"productName":"p","apiName":"a","stageName":"s"}}}}"#
        );
        let trigger = get_trigger(&bench, &answer).await;
        let Some(Source::Github(github)) = &trigger.source else {
            panic!("{trigger:?}")
        };
        assert_eq!(
            (github.username.as_str(), github.repository.as_str()),
            ("octo", "org/repo")
        );
        assert_eq!(
            (github.events.as_slice(), github.access_token.as_str()),
            (&["push".to_owned()][..], "")
        );
        let bytes = prost::Message::encode_to_vec(&trigger);
        assert!(!bytes.windows(6).any(|part| part == b"canary"));
    }
}
