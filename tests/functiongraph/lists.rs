//! Lists, versions, aliases, packages, records and asynchronous settings; and what this cloud has
//! not.

use std::time::Duration;

use faas_sidecar::call::Call;
use faas_sidecar::error::Kind;
use faas_sidecar::proto::*;
use faas_sidecar::provider::Provider as _;
use tokio::time::Instant;

use crate::support::*;

const ID: &str = "1167bf8c-87b0-43ab-8f5f-26b16c64f252";

fn record(status: &str, code: i64) -> String {
    format!(
        r#"{{"request_id":"{ID}","status":"{status}","error_code":{code},"error_message":"","start_time":"2024-01-02T03:04:05","end_time":"2024-01-02T03:04:07"}}"#
    )
}

fn records(items: &[String]) -> Http {
    answer(200, &format!(r#"{{"invocations":[{}]}}"#, items.join(",")))
}

fn get() -> GetActivationRequest {
    GetActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..GetActivationRequest::default()
    }
}

#[tokio::test]
async fn actions_are_read_whole_and_come_in_pages_by_name() {
    let page = |names: &[&str], next: i64| {
        let items: Vec<_> = names
            .iter()
            .map(|name| format!(r#"{{"func_name":"{name}","package":"tools","runtime":"Go1.x"}}"#))
            .collect();
        answer(
            200,
            &format!(
                r#"{{"functions":[{}],"next_marker":{next},"count":3}}"#,
                items.join(",")
            ),
        )
    };
    // The cloud's own pages are smaller than it was asked for.
    let (provider, upstream) = bench([
        page(&["c", "a"], 2),
        page(&["b"], 3),
        page(&["c", "a"], 2),
        page(&["b"], 3),
    ])
    .await;
    let mut request = ListActionsRequest {
        package_name: "tools".to_owned(),
        page_size: 2,
        ..ListActionsRequest::default()
    };
    let mut names = Vec::new();
    loop {
        let page = provider
            .list_actions(&mut call(), request.clone())
            .await
            .unwrap();
        names.extend(page.actions.into_iter().map(|action| action.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names, ["a", "b", "c"]);
    let markers: Vec<_> = upstream.received().iter().map(rest).collect();
    assert_eq!(markers[1], "?marker=2&maxitems=400&package_name=tools");
    // A token belongs to its request.
    let token = {
        let (p, _u) = bench([page(&["a", "b", "c"], 3)]).await;
        p.list_actions(
            &mut call(),
            ListActionsRequest {
                page_token: String::new(),
                ..request.clone()
            },
        )
        .await
        .unwrap()
        .next_page_token
    };
    let foreign = ListActionsRequest {
        package_name: "other".to_owned(),
        page_token: token,
        ..request
    };
    assert_eq!(
        provider
            .list_actions(&mut call(), foreign)
            .await
            .unwrap_err()
            .violations[0]
            .field,
        "page_token"
    );
}

#[tokio::test]
async fn packages_are_the_labels_of_functions() {
    let first = r#"{"functions":[{"func_name":"x","package":"b"},{"func_name":"y","package":"a"}],"next_marker":2}"#;
    let second = r#"{"functions":[{"func_name":"z","package":"b"}],"next_marker":2}"#;
    let (provider, upstream) = bench([answer(200, first), answer(200, second)]).await;
    let list = provider
        .list_packages(&mut call(), ListPackagesRequest::default())
        .await
        .unwrap();
    let names: Vec<_> = list
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.namespace.as_str()))
        .collect();
    assert_eq!(names, [("a", PROJECT), ("b", PROJECT)]);
    assert_eq!(upstream.received().len(), 2);

    let functions =
        r#"{"functions":[{"func_name":"x","package":"b"},{"func_name":"q","package":"a"}]}"#;
    let empty = r#"{"functions":[],"next_marker":0,"count":0}"#;
    let (provider, _upstream) = bench([
        answer(200, functions),
        answer(200, empty),
        answer(200, empty),
        answer(200, functions),
        answer(200, empty),
    ])
    .await;
    let get = |name: &str| GetPackageRequest {
        package_name: name.to_owned(),
        ..GetPackageRequest::default()
    };
    let found = provider
        .get_package(&mut call(), get("b"))
        .await
        .unwrap()
        .package
        .unwrap();
    // The filter is checked again: this upstream ignored it.
    assert_eq!(
        found
            .actions
            .iter()
            .map(|action| action.name.as_str())
            .collect::<Vec<_>>(),
        ["x"]
    );
    assert_eq!(
        provider
            .get_package(&mut call(), get("none"))
            .await
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    assert!(
        provider
            .get_package(&mut call(), get("-"))
            .await
            .unwrap()
            .package
            .unwrap()
            .actions
            .is_empty()
    );
    let delete = |name: &str| DeletePackageRequest {
        package_name: name.to_owned(),
        ..DeletePackageRequest::default()
    };
    let error = provider
        .delete_package(&mut call(), delete("b"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::FailedPrecondition, "PACKAGE_NOT_EMPTY")
    );
    assert_eq!(
        provider
            .delete_package(&mut call(), delete("gone"))
            .await
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    assert_eq!(
        provider
            .delete_package(&mut call(), delete("-"))
            .await
            .unwrap_err()
            .kind,
        Kind::FailedPrecondition
    );
}

#[tokio::test]
async fn a_package_is_put_only_where_it_exists() {
    let functions = r#"{"functions":[{"func_name":"x","package":"b"}]}"#;
    let (provider, _upstream) =
        bench([answer(200, functions), answer(200, r#"{"functions":null}"#)]).await;
    let put = |name: &str| PutPackageRequest {
        package_name: name.to_owned(),
        ..PutPackageRequest::default()
    };
    assert_eq!(
        provider
            .put_package(&mut call(), put("b"))
            .await
            .unwrap()
            .package
            .unwrap()
            .name,
        "b"
    );
    let error = provider
        .put_package(&mut call(), put("new"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unimplemented);
    assert!(
        error
            .message
            .contains("put an action with this package_name"),
        "{}",
        error.message
    );
    let with = PutPackageRequest {
        description: "x".to_owned(),
        parameters: text("{}"),
        ..put("b")
    };
    assert_eq!(
        provider
            .put_package(&mut call(), with)
            .await
            .unwrap_err()
            .violations
            .len(),
        2
    );
}

#[tokio::test]
async fn versions_are_published_and_listed() {
    let urn = format!("urn:fss:{REGION}:{PROJECT}:function:default:hello:v1");
    let made = format!(
        r#"{{"func_urn":"{urn}","version":"v1","version_description":"first","runtime":"Go1.x","digest":"d","code_size":5}}"#
    );
    let list = format!(r#"{{"versions":[{made},{{"version":"latest"}}],"next_marker":2}}"#);
    let (provider, upstream) = bench([
        answer(200, &made),
        answer(200, &list),
        answer(200, r#"{"versions":[]}"#),
        fault(409, "FSS.1062", "x"),
    ])
    .await;
    let publish = PublishActionVersionRequest {
        action_name: "hello".to_owned(),
        version: "v1".to_owned(),
        digest: "d".to_owned(),
        ..PublishActionVersionRequest::default()
    };
    let version = provider
        .publish_action_version(&mut call(), publish.clone())
        .await
        .unwrap()
        .version
        .unwrap();
    assert_eq!(
        (
            version.version.as_str(),
            version.description.as_str(),
            version.resource_id.as_str()
        ),
        ("v1", "first", urn.as_str())
    );
    assert_eq!(
        upstream.received()[0].json(),
        serde_json::json!({"digest": "d", "version": "v1"})
    );
    let request = ListActionVersionsRequest {
        action_name: "hello".to_owned(),
        ..ListActionVersionsRequest::default()
    };
    let versions = provider
        .list_action_versions(&mut call(), request)
        .await
        .unwrap()
        .versions;
    assert_eq!(versions.len(), 2);
    assert_eq!(
        rest(&upstream.received()[1]),
        "/default%3Ahello/versions?marker=0&maxitems=400"
    );
    let error = provider
        .publish_action_version(&mut call(), publish.clone())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::AlreadyExists, "VERSION_EXISTS")
    );
    let latest = PublishActionVersionRequest {
        version: "latest".to_owned(),
        ..publish
    };
    assert_eq!(
        provider
            .publish_action_version(&mut call(), latest)
            .await
            .unwrap_err()
            .violations[0]
            .field,
        "version"
    );
}

#[tokio::test]
async fn an_alias_is_updated_or_created() {
    let made = r#"{"name":"prod","version":"v1","additional_version_weights":{"v2":"30"}}"#;
    let (provider, upstream) = bench([
        answer(200, made),
        fault(401, "FSS.1053", "x"),
        answer(200, made),
        fault(404, "FSS.1051", "x"),
    ])
    .await;
    let request = PutActionAliasRequest {
        action_name: "hello".to_owned(),
        alias_name: "prod".to_owned(),
        alias: Some(ActionAlias {
            version: "v1".to_owned(),
            additional_version_weights: [("v2".to_owned(), 30)].into(),
            ..ActionAlias::default()
        }),
        ..PutActionAliasRequest::default()
    };
    for _ in 0..2 {
        let alias = provider
            .put_action_alias(&mut call(), request.clone())
            .await
            .unwrap()
            .alias
            .unwrap();
        assert_eq!(
            (alias.name.as_str(), alias.additional_version_weights["v2"]),
            ("prod", 30)
        );
    }
    let received = upstream.received();
    let steps: Vec<_> = received
        .iter()
        .map(|request| format!("{} {}", request.method(), rest(request)))
        .collect();
    let expected = [
        "PUT /default%3Ahello/aliases/prod",
        "PUT /default%3Ahello/aliases/prod",
        "POST /default%3Ahello/aliases",
    ];
    assert_eq!(steps, expected);
    assert_eq!(
        received[2].json(),
        serde_json::json!({"name": "prod", "version": "v1", "additional_version_weights": {"v2": 30}})
    );
    // No function, no creation.
    let error = provider
        .put_action_alias(&mut call(), request.clone())
        .await
        .unwrap_err();
    assert_eq!((error.kind, upstream.received().len()), (Kind::NotFound, 4));
    let bad = PutActionAliasRequest {
        alias_name: "!prod".to_owned(),
        alias: Some(ActionAlias {
            additional_version_weights: [("v2".to_owned(), 80), ("v3".to_owned(), 101)].into(),
            additional_version_strategy: [("v2".to_owned(), AliasVersionStrategy::default())]
                .into(),
            ..ActionAlias::default()
        }),
        ..request
    };
    let error = provider
        .put_action_alias(&mut call(), bad)
        .await
        .unwrap_err();
    assert!(error.violations.len() >= 6, "{:?}", error.violations);
}

#[tokio::test]
async fn records_have_a_status_and_no_result() {
    for (status, code, expected) in [
        ("WAIT", 0, ActivationStatus::Queued),
        ("RUNNING", 0, ActivationStatus::Running),
        ("SUCCESS", 0, ActivationStatus::Success),
        ("FAIL", 0, ActivationStatus::DeveloperError),
        ("FAIL", 4010, ActivationStatus::DeveloperError),
        ("FAIL", 4208, ActivationStatus::Cancelled),
        ("FAIL", 150_430, ActivationStatus::SystemError),
        ("DISCARD", 0, ActivationStatus::SystemError),
        ("NEW", 0, ActivationStatus::Unspecified),
    ] {
        let (provider, upstream) = bench([records(&[record(status, code)])]).await;
        let found = provider
            .get_activation(&mut call(), get())
            .await
            .unwrap()
            .activation
            .unwrap();
        assert_eq!(
            (found.status(), found.success),
            (expected, status == "SUCCESS"),
            "{status} {code}"
        );
        assert!(found.result.is_none() && found.status_text.starts_with(status));
        assert_eq!(found.start_time.unwrap().seconds, 1_704_164_645);
        let over = !matches!(status, "WAIT" | "RUNNING");
        assert_eq!(
            found.duration.map(|duration| duration.seconds),
            over.then_some(2)
        );
        assert_eq!(
            rest(&upstream.only()),
            format!("/default%3Ahello/async-invocations?request_id={ID}")
        );
    }
}

#[tokio::test]
async fn a_record_is_looked_for_in_the_widest_window_before_it_is_missing() {
    let (provider, upstream) = bench([records(&[]), records(&[record("SUCCESS", 0)])]).await;
    provider.get_activation(&mut call(), get()).await.unwrap();
    assert!(rest(&upstream.received()[1]).contains("query_begin_time="));
    // A record of another run is not taken for this one.
    let other = record("SUCCESS", 0).replace(ID, "another");
    let (provider, _upstream) =
        bench([records(std::slice::from_ref(&other)), records(&[other])]).await;
    let error = provider
        .get_activation(&mut call(), get())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(
        error.message.contains("enable_async_status_log"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_watch_reports_each_change_once_and_ends() {
    let steps = [
        records(&[]),
        records(&[]),
        // Whether records are kept at all is asked once.
        answer(200, r#"{"enable_async_status_log":true}"#),
        records(&[record("WAIT", 0)]),
        records(&[record("WAIT", 0)]),
        records(&[record("RUNNING", 0)]),
        fault(503, "FSS.0503", "x"),
        fault(503, "FSS.0503", "x"),
        fault(503, "FSS.0503", "x"),
        records(&[record("SUCCESS", 0)]),
    ];
    let (provider, _upstream) = bench(steps).await;
    let request = WatchActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..WatchActivationRequest::default()
    };
    let mut seen = Vec::new();
    let mut observer = |activation: Activation| {
        seen.push(activation.status());
        true
    };
    let mut call = Call::new(Instant::now() + Duration::from_secs(30));
    provider
        .watch_activation(&mut call, request, &mut observer)
        .await
        .unwrap();
    assert_eq!(
        seen,
        [
            ActivationStatus::Queued,
            ActivationStatus::Running,
            ActivationStatus::Success
        ]
    );
}

#[tokio::test]
async fn records_are_paged_over_a_window_that_stands_still() {
    let page = |next: &str, id: &str| {
        let record = record("SUCCESS", 0).replace(ID, id);
        answer(
            200,
            &format!(r#"{{"invocations":[{record}],"count":2{next}}}"#),
        )
    };
    let (provider, upstream) =
        bench([page(r#","next_marker":"1""#, ID), page("", "another")]).await;
    let request = ListActivationsRequest {
        action_name: "hello".to_owned(),
        page_size: 1,
        ..ListActivationsRequest::default()
    };
    let first = provider
        .list_activations(&mut call(), request.clone())
        .await
        .unwrap();
    assert_eq!((first.activations.len(), first.total_count), (1, 2));
    assert_eq!(
        rest(&upstream.received()[0]),
        "/default%3Ahello/async-invocations?limit=1&marker=0"
    );
    let second = ListActivationsRequest {
        page_token: first.next_page_token,
        ..request.clone()
    };
    provider
        .list_activations(&mut call(), second)
        .await
        .unwrap();
    let rest = rest(&upstream.received()[1]);
    assert!(
        rest.contains("marker=1")
            && rest.contains("query_begin_time=20")
            && rest.contains("query_end_time=20"),
        "{rest}"
    );
    let whole = ListActivationsRequest {
        action_name: String::new(),
        start_time: Some(prost_types::Timestamp {
            seconds: 5,
            nanos: 1,
        }),
        ..request
    };
    let fields: Vec<_> = provider
        .list_activations(&mut call(), whole)
        .await
        .unwrap_err()
        .violations
        .iter()
        .map(|v| v.field.clone())
        .collect();
    assert!(
        fields.contains(&"action_name".to_owned()) && fields.contains(&"start_time".to_owned()),
        "{fields:?}"
    );
}

#[tokio::test]
async fn a_cancel_names_the_run_and_a_region_without_it_says_so() {
    let gone = fault(
        404,
        "APIGW.0101",
        "The API does not exist or has not been published in the environment",
    );
    let (provider, upstream) = bench([
        answer(200, "null"),
        gone,
        fault(400, "FSS.0400", "Invalid RequestId"),
    ])
    .await;
    let request = CancelActivationRequest {
        action_name: "hello".to_owned(),
        activation_id: ID.to_owned(),
        ..CancelActivationRequest::default()
    };
    provider
        .cancel_activation(&mut call(), request.clone())
        .await
        .unwrap();
    let sent = &upstream.received()[0];
    assert_eq!(
        (sent.method(), rest(sent).as_str()),
        ("POST", "/default%3Ahello/cancel")
    );
    assert_eq!(sent.json(), serde_json::json!({"request_id": ID}));
    let error = provider
        .cancel_activation(&mut call(), request.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unimplemented);
    assert!(error.message.contains("region"), "{}", error.message);
    let error = provider
        .cancel_activation(&mut call(), request)
        .await
        .unwrap_err();
    assert_eq!(error.resource, Some(("activation", ID.to_owned())));
}

#[tokio::test]
async fn asynchronous_settings_go_and_come_back() {
    let kept = r#"{"func_urn":"urn:fss:r:p:function:default:hello","max_async_event_age_in_seconds":3600,"max_async_retry_attempts":2,
        "destination_config":{"on_success":{"destination":"OBS","param":"{\"bucket\":\"b\",\"prefix\":\"/\",\"expires\":3}"},"on_failure":{"destination":"","param":""}},
        "enable_async_status_log":true,"created_time":"2024-01-02T03:04:05Z","last_modified":"2024-01-02 03:04:05"}"#;
    let (provider, upstream) = bench([
        answer(200, kept),
        answer(200, kept),
        answer(204, ""),
        fault(404, "FSS.0404", "x"),
    ])
    .await;
    let config = AsyncInvokeConfig {
        max_async_event_age: Some(prost_types::Duration {
            seconds: 3600,
            nanos: 0,
        }),
        max_async_retry_attempts: Some(2),
        enable_async_status_log: Some(true),
        destination_config: Some(AsyncDestinationConfig {
            on_success: Some(AsyncDestination {
                destination: "OBS".to_owned(),
                param: r#"{"bucket":"b","prefix":"/","expires":3}"#.to_owned(),
            }),
            on_failure: None,
        }),
        ..AsyncInvokeConfig::default()
    };
    let put = PutAsyncInvokeConfigRequest {
        action_name: "hello".to_owned(),
        config: Some(config.clone()),
        ..PutAsyncInvokeConfigRequest::default()
    };
    let stored = provider
        .put_async_invoke_config(&mut call(), put.clone())
        .await
        .unwrap()
        .config
        .unwrap();
    assert_eq!(stored.destination_config, config.destination_config);
    assert_eq!(
        (
            stored.created_time.unwrap().seconds,
            stored.last_modified.unwrap().seconds
        ),
        (1_704_164_645, 1_704_164_645)
    );
    let sent = upstream.received()[0].json();
    assert_eq!(
        (
            sent["max_async_event_age_in_seconds"].as_i64(),
            sent["max_async_retry_attempts"].as_i64()
        ),
        (Some(3600), Some(2))
    );
    assert!(
        sent["destination_config"].get("on_failure").is_none() && sent.get("func_urn").is_none()
    );
    let get = GetAsyncInvokeConfigRequest {
        action_name: "hello".to_owned(),
        version: "!prod".to_owned(),
        ..GetAsyncInvokeConfigRequest::default()
    };
    provider
        .get_async_invoke_config(&mut call(), get.clone())
        .await
        .unwrap();
    assert_eq!(
        rest(&upstream.received()[1]),
        "/default%3Ahello%3A%21prod/async-invoke-config"
    );
    let delete = DeleteAsyncInvokeConfigRequest {
        action_name: "hello".to_owned(),
        ..DeleteAsyncInvokeConfigRequest::default()
    };
    provider
        .delete_async_invoke_config(&mut call(), delete)
        .await
        .unwrap();
    assert_eq!(
        provider
            .get_async_invoke_config(&mut call(), get)
            .await
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    let bad = AsyncInvokeConfig {
        max_async_event_age: Some(prost_types::Duration {
            seconds: 86_401,
            nanos: 0,
        }),
        max_async_retry_attempts: Some(9),
        destination_config: Some(AsyncDestinationConfig {
            on_success: Some(AsyncDestination {
                destination: "S3".to_owned(),
                param: "{}".to_owned(),
            }),
            on_failure: Some(AsyncDestination {
                destination: "OBS".to_owned(),
                param: r#"{"bucket":"b","expires":366}"#.to_owned(),
            }),
        }),
        ..AsyncInvokeConfig::default()
    };
    let error = provider
        .put_async_invoke_config(
            &mut call(),
            PutAsyncInvokeConfigRequest {
                config: Some(bad),
                ..put
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.violations.len(), 4, "{:?}", error.violations);
}

#[tokio::test]
async fn triggers_are_refused_with_what_to_do_instead() {
    let (provider, upstream) = bench([]).await;
    let error = provider
        .list_triggers(&mut call(), ListTriggersRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unimplemented);
    assert!(
        error.message.contains("console") && error.message.contains("does not offer ListTriggers"),
        "{}",
        error.message
    );
    let error = provider
        .fire_trigger(&mut call(), FireTriggerRequest::default())
        .await
        .unwrap_err();
    assert!(
        error.message.contains("InvokeAsync")
            && error
                .message
                .contains("The cloud has no operation FireTrigger"),
        "{}",
        error.message
    );
    assert!(upstream.received().is_empty());
}
