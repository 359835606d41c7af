//! One test for each quirk of the service that a tolerant client must decode, by its row in the
//! reference (§13).

use faas_sidecar::error::Kind;
use faas_sidecar::proto::*;
use faas_sidecar::provider::Provider as _;

use crate::support::*;

async fn invoke(answer: Http) -> Activation {
    let (provider, _upstream) = bench([answer]).await;
    let request = InvokeRequest {
        action_name: "hello".to_owned(),
        include_logs: true,
        result_encoding: JsonEncoding::Text.into(),
        ..InvokeRequest::default()
    };
    provider
        .invoke(&mut call(), request)
        .await
        .unwrap()
        .activation
        .unwrap()
}

async fn read(body: &str) -> Action {
    let named = body
        .replacen('{', r#"{"func_name":"hello","#, 1)
        .replace(",}", "}");
    let (provider, _upstream) = bench([answer(200, &named)]).await;
    let request = GetActionRequest {
        action_name: "hello".to_owned(),
        ..GetActionRequest::default()
    };
    provider
        .get_action(&mut call(), request)
        .await
        .unwrap()
        .action
        .unwrap()
}

fn graph(action: Action) -> FunctionGraphAction {
    action.function_graph.unwrap()
}

#[tokio::test]
async fn row_01_a_result_is_json_text_in_json_and_may_be_no_json() {
    let nested = invoke(answer(
        200,
        r#"{"request_id":"r","result":"{\"statusCode\":200,\"body\":\"{\\\"a\\\":1}\"}","status":200}"#,
    ))
    .await;
    assert_eq!(
        shown(nested.result.as_ref()),
        r#"{"statusCode":200,"body":"{\"a\":1}"}"#
    );
    let plain = invoke(answer(
        200,
        r#"{"request_id":"r","result":"not json","status":200}"#,
    ))
    .await;
    assert_eq!(shown(plain.result.as_ref()), r#""not json""#);
}

#[tokio::test]
async fn row_02_v1_is_asked_for_and_v0_taken() {
    let v0 = bare(r#"{"ok":true}"#).header("Content-Type", "text/plain; charset=utf-8");
    let v0 = invoke(v0).await;
    assert_eq!(
        (shown(v0.result.as_ref()), v0.success),
        (r#"{"ok":true}"#, true)
    );
}

#[tokio::test]
async fn row_03_a_status_may_be_a_text() {
    assert!(
        invoke(answer(
            200,
            r#"{"request_id":"r","result":"1","status":"200"}"#
        ))
        .await
        .success
    );
    assert!(
        !invoke(answer(
            200,
            r#"{"request_id":"r","result":"1","status":"500"}"#
        ))
        .await
        .success
    );
    assert!(
        !invoke(answer(
            200,
            r#"{"request_id":"r","result":"1","status":5000000000}"#
        ))
        .await
        .success
    );
}

#[tokio::test]
async fn row_04_a_log_may_be_absent_null_empty_or_in_the_header() {
    for log in ["", r#","log":null"#, r#","log":"""#] {
        let body = format!(r#"{{"request_id":"r","result":"1","status":200{log}}}"#);
        assert!(invoke(answer(200, &body)).await.logs.is_empty());
        let in_header = invoke(with(
            answer(200, &body),
            &[("X-Cff-Function-Log", "aGVsbG8=")],
        ))
        .await;
        assert_eq!(in_header.logs, ["hello"]);
    }
}

#[tokio::test]
async fn row_05_and_06_events_are_never_wrapped_and_never_empty() {
    let (provider, upstream) = bench((0..3).map(|_| bare("1"))).await;
    let odd = r#"{"application/json":{"k":"v"}}"#;
    for arguments in [text(odd), None, Some(Json { encoding: None })] {
        let request = InvokeRequest {
            action_name: "hello".to_owned(),
            arguments,
            ..InvokeRequest::default()
        };
        provider.invoke(&mut call(), request).await.unwrap();
    }
    let bodies: Vec<_> = upstream
        .received()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, [odd.as_bytes(), b"{}", b"{}"]);
}

#[tokio::test]
async fn row_07_codes_have_several_spellings_and_statuses() {
    for (status, code, kind) in [
        (401, "FSS.1053", Kind::NotFound),
        (403, "APIG.0302", Kind::PermissionDenied),
        (401, "APIGW.0302", Kind::PermissionDenied),
        (500, "fss.1051", Kind::NotFound),
    ] {
        let (provider, _upstream) = bench([fault(status, code, "x")]).await;
        let request = GetActionRequest {
            action_name: "hello".to_owned(),
            ..GetActionRequest::default()
        };
        assert_eq!(
            provider
                .get_action(&mut call(), request)
                .await
                .unwrap_err()
                .kind,
            kind,
            "{code}"
        );
    }
}

#[tokio::test]
async fn row_08_aliases_are_a_bare_array() {
    let list = r#"[{"name":"b","version":"v2"},{"name":"a","version":"v1","alias_urn":"urn%3Afss%3Ar%3Ap%3Afunction%3Ad%3Ah%3A%21a"}]"#;
    for (body, expected) in [(list, vec!["a", "b"]), ("[]", vec![]), ("null", vec![])] {
        let (provider, _upstream) = bench([answer(200, body)]).await;
        let request = ListActionAliasesRequest {
            action_name: "hello".to_owned(),
            ..ListActionAliasesRequest::default()
        };
        let aliases = provider
            .list_action_aliases(&mut call(), request)
            .await
            .unwrap()
            .aliases;
        assert_eq!(
            aliases
                .iter()
                .map(|alias| alias.name.as_str())
                .collect::<Vec<_>>(),
            expected
        );
        assert!(
            aliases
                .first()
                .is_none_or(|alias| alias.resource_id == "urn:fss:r:p:function:d:h:!a")
        );
    }
}

#[tokio::test]
async fn row_09_numbers_may_be_texts() {
    let action = read(
        r#"{"timeout":"30","memory_size":"512","code_size":"12","cpu":300.0,"enable_dynamic_memory":"true",
           "mount_config":{"mount_user":{"user_id":"-1","user_group_id":"1003"},"func_mounts":[{"mount_type":"sfs"}]},
           "custom_image":{"enabled":"true","image":"swr/x","uid":1003}}"#,
    )
    .await;
    let limits = action.limits.unwrap();
    assert_eq!(
        (limits.timeout.unwrap().seconds, limits.memory_mb),
        (30, 512)
    );
    let graph = graph(action);
    assert_eq!(
        (
            graph.code_size_bytes,
            graph.cpu_millicores,
            graph.enable_dynamic_memory
        ),
        (12, 300, Some(true))
    );
    assert_eq!(
        graph.mount_config.unwrap().mount_user.unwrap(),
        FunctionGraphMountUser {
            user_id: -1,
            user_group_id: 1003
        }
    );
    assert_eq!(graph.custom_image.unwrap().uid, "1003");
}

#[tokio::test]
async fn row_10_times_come_in_many_forms_and_nonsense_spoils_nothing() {
    for (time, expected) in [
        ("\"2024-01-02 03:04:05\"", Some(1_704_164_645)),
        ("\"2024-01-02T11:04:05+08:00\"", Some(1_704_164_645)),
        ("\"2024-01-02030405\"", Some(1_704_164_645)),
        ("1704164645", Some(1_704_164_645)),
        ("\"soon\"", None),
        ("null", None),
        ("{}", None),
    ] {
        let action = read(&format!(
            r#"{{"func_name":"hello","last_modified":{time}}}"#
        ))
        .await;
        assert_eq!(
            graph(action).last_modified.map(|at| at.seconds),
            expected,
            "{time}"
        );
    }
}

#[tokio::test]
async fn row_11_and_12_null_is_absent_and_unknown_fields_are_ignored() {
    let action = read(
        r#"{"func_vpc":null,"mount_config":null,"depend_list":null,"depend_version_list":null,"dependencies":null,"app_xrole":null,
           "strategy_config":null,"custom_image":null,"network_controller":null,"lts_custom_tag":null,"user_data":null,
           "last_modified_utc":1704164645,"func_code":{},"brand_new":{"a":[1]}}"#,
    )
    .await;
    assert_eq!(
        (action.name.as_str(), action.package_name.as_str()),
        ("hello", "default")
    );
    assert_eq!(graph(action), FunctionGraphAction::default());
}

#[tokio::test]
async fn row_13_blanked_secrets_are_neither_shown_nor_written_back() {
    let action =
        read(r#"{"user_data":"{\"A\":\"1\"}","encrypted_user_data":"{\"S\":\"******\"}"}"#).await;
    assert!(graph(action).encrypted_user_data.is_none());
    let (provider, upstream) = bench([]).await;
    let action = Action {
        exec: Some(Exec {
            runtime: "Go1.x".to_owned(),
            main: "handler".to_owned(),
            code: Some(exec::Code::Source("x".to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(prost_types::Duration {
                seconds: 3,
                nanos: 0,
            }),
            memory_mb: 128,
        }),
        function_graph: Some(FunctionGraphAction {
            encrypted_user_data: text(r#"{"S":"******"}"#),
            ..FunctionGraphAction::default()
        }),
        ..Action::default()
    };
    let request = PutActionRequest {
        action_name: "hello".to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    };
    let error = provider.put_action(&mut call(), request).await.unwrap_err();
    assert_eq!(
        error.violations[0].field,
        "action.function_graph.encrypted_user_data[\"S\"]"
    );
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn row_14_urns_come_in_both_spellings_and_go_in_one() {
    let plain = "urn:fss:cn-north-4:p:function:default:hello";
    for urn in [plain.to_owned(), plain.replace(':', "%3A")] {
        assert_eq!(
            read(&format!(r#"{{"func_urn":"{urn}"}}"#))
                .await
                .resource_id,
            plain
        );
    }
    assert_eq!(
        read(r#"{"func_urn":"something else"}"#).await.resource_id,
        "something else"
    );
}

#[tokio::test]
async fn row_15_and_16_headers_come_in_any_case_and_the_id_in_three_places() {
    let body = r#"{"request_id":"in-body","result":"1","status":200}"#;
    let all = invoke(with(
        answer(200, body),
        &[
            ("x-CFF-request-ID", "in-header"),
            ("X-CFF-BILLING-DURATION", "7"),
        ],
    ))
    .await;
    assert_eq!(
        (all.activation_id.as_str(), all.upstream_request_id.as_str()),
        ("in-header", "gateway-1")
    );
    assert_eq!(all.billed_duration.unwrap().nanos, 7_000_000);
    assert_eq!(invoke(answer(200, body)).await.activation_id, "in-body");
    let broken = invoke(with(
        answer(200, body),
        &[("X-Cff-Invoke-Summary", "not json")],
    ))
    .await;
    assert!(broken.success && broken.duration.is_none());
}

#[tokio::test]
async fn row_17_any_2xx_is_a_success() {
    for status in [200, 201, 202] {
        let (provider, _upstream) = bench([answer(status, r#"{"request_id":"r"}"#)]).await;
        let request = InvokeAsyncRequest {
            action_name: "hello".to_owned(),
            ..InvokeAsyncRequest::default()
        };
        provider.invoke_async(&mut call(), request).await.unwrap();
    }
}

#[tokio::test]
async fn row_18_a_delete_has_no_body() {
    let (provider, upstream) = bench([answer(204, "")]).await;
    let request = DeleteActionAliasRequest {
        action_name: "hello".to_owned(),
        alias_name: "prod".to_owned(),
        ..DeleteActionAliasRequest::default()
    };
    provider
        .delete_action_alias(&mut call(), request)
        .await
        .unwrap();
    assert!(upstream.only().body.is_empty());
}

#[tokio::test]
async fn row_19_a_concurrency_of_0_is_shown() {
    let disabled = graph(read(r#"{"strategy_config":{"concurrency":0}}"#).await)
        .strategy_config
        .unwrap();
    assert_eq!(
        (disabled.concurrency, disabled.concurrent_num),
        (Some(0), None)
    );
}

#[tokio::test]
async fn row_20_handlers_without_a_dot_pass() {
    for handler in ["bootstrap", "handler", "Assembly::Namespace.Class::Method"] {
        let (provider, upstream) = bench([fault(404, "FSS.1051", "x"), function()]).await;
        let action = Action {
            exec: Some(Exec {
                runtime: "Custom".to_owned(),
                main: handler.to_owned(),
                code: Some(exec::Code::Archive(b"PK".as_slice().into())),
                ..Exec::default()
            }),
            limits: Some(Limits {
                timeout: Some(prost_types::Duration {
                    seconds: 3,
                    nanos: 0,
                }),
                memory_mb: 128,
            }),
            ..Action::default()
        };
        let request = PutActionRequest {
            action_name: "hello".to_owned(),
            action: Some(action),
            ..PutActionRequest::default()
        };
        provider.put_action(&mut call(), request).await.unwrap();
        assert_eq!(upstream.received()[1].json()["handler"], handler);
    }
}

#[tokio::test]
async fn row_21_what_a_region_lacks_is_unimplemented() {
    for code in ["APIGW.0101", "APIG.0101"] {
        let (provider, _upstream) = bench([fault(404, code, "The API does not exist")]).await;
        let request = CancelActivationRequest {
            action_name: "hello".to_owned(),
            activation_id: "a-1".to_owned(),
            ..CancelActivationRequest::default()
        };
        assert_eq!(
            provider
                .cancel_activation(&mut call(), request)
                .await
                .unwrap_err()
                .kind,
            Kind::Unimplemented
        );
    }
    // So it never passes for a missing function that should be created.
    let (provider, upstream) = bench([fault(404, "APIGW.0101", "x")]).await;
    let action = Action {
        exec: Some(Exec {
            runtime: "Go1.x".to_owned(),
            main: "handler".to_owned(),
            code: Some(exec::Code::Source("x".to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(prost_types::Duration {
                seconds: 3,
                nanos: 0,
            }),
            memory_mb: 128,
        }),
        ..Action::default()
    };
    let request = PutActionRequest {
        action_name: "hello".to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    };
    assert_eq!(
        provider
            .put_action(&mut call(), request)
            .await
            .unwrap_err()
            .kind,
        Kind::Unimplemented
    );
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn row_22_hosts_outside_the_pattern_are_signed_the_same_way() {
    use faas_sidecar::provider::functiongraph::{Algorithm, functions_host};
    assert!(functions_host("eu-west-101").ends_with("eu-west-101.myhuaweicloud.com"));
    assert!(
        "V11-HMAC-SHA256"
            .parse::<Algorithm>()
            .unwrap_err()
            .contains("not supported")
    );
    // And the emulator's host here is 127.0.0.1.
    let (provider, upstream) = bench([bare("1")]).await;
    let request = InvokeRequest {
        action_name: "hello".to_owned(),
        ..InvokeRequest::default()
    };
    provider.invoke(&mut call(), request).await.unwrap();
    crate::signature::verify(&upstream.only());
}

#[tokio::test]
async fn row_23_chinese_passes_through() {
    let found = invoke(answer(
        200,
        r#"{"request_id":"r","result":"\"函数\"","log":"日志\n","status":200}"#,
    ))
    .await;
    assert_eq!(
        (shown(found.result.as_ref()), found.logs),
        ("\"函数\"", vec!["日志".to_owned()])
    );
    let (provider, _upstream) = bench([fault(404, "FSS.1051", "函数不存在")]).await;
    let request = GetActionRequest {
        action_name: "hello".to_owned(),
        ..GetActionRequest::default()
    };
    let error = provider.get_action(&mut call(), request).await.unwrap_err();
    assert!(error.message.contains("函数不存在"), "{}", error.message);
}

#[tokio::test]
async fn row_24_an_http_functions_base64_stays_as_it_is() {
    let body = r#"{"request_id":"r","result":"{\"statusCode\":200,\"isBase64Encoded\":true,\"body\":\"aGk=\"}","status":200}"#;
    assert_eq!(
        shown(invoke(answer(200, body)).await.result.as_ref()),
        r#"{"statusCode":200,"isBase64Encoded":true,"body":"aGk="}"#
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_is_not_quoted() {
    let (provider, _upstream) = bench([answer(200, "canary <html>")]).await;
    let request = GetActionRequest {
        action_name: "hello".to_owned(),
        ..GetActionRequest::default()
    };
    let error = provider.get_action(&mut call(), request).await.unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::Internal, "RESPONSE_NOT_UNDERSTOOD")
    );
    assert!(!error.message.contains("canary"), "{}", error.message);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (provider, upstream) = bench([with(
        answer(302, ""),
        &[("Location", "http://127.0.0.1:1/")],
    )])
    .await;
    let request = GetActionRequest {
        action_name: "hello".to_owned(),
        ..GetActionRequest::default()
    };
    let error = provider.get_action(&mut call(), request).await.unwrap_err();
    assert_eq!(
        (error.kind, error.reason.as_ref()),
        (Kind::Internal, "UNEXPECTED_REDIRECT")
    );
    assert_eq!(upstream.received().len(), 1);
}
