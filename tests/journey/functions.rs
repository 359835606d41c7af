//! Packages, actions and runs.

use serde_json::json;

use crate::action_service_client::ActionServiceClient;
use crate::invocation_service_client::InvocationServiceClient;
use crate::package_service_client::PackageServiceClient;
use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn deploy_run_read_back_and_clean_up() {
    let house = House::korea().await;
    let mut packages = PackageServiceClient::new(house.channel.clone());
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());

    let package = packages
        .put_package(PutPackageRequest {
            package_name: "orders".to_owned(),
            description: "order functions".to_owned(),
            parameters: text(r#"{"env": "prod", "id": 9007199254740993}"#),
            ..PutPackageRequest::default()
        })
        .await
        .unwrap()
        .into_inner()
        .package
        .unwrap();
    assert_eq!(package.name, "orders");

    let source = "function main(p) { console.log('for ' + p.name); return { greeting: 'Hello, ' + p.name, env: p.env }; }";
    let made = actions
        .put_action(put("orders", "hello", javascript(source)))
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap();
    assert_eq!(made.r#type, i32::from(ActionType::Basic));
    assert!(
        made.exec.unwrap().code.is_none(),
        "code comes back only when asked for"
    );

    let answer = runs
        .invoke(invoke("orders", "hello", r#"{"name": "Kim"}"#))
        .await
        .unwrap();
    let activation = answer.into_inner().activation.unwrap();
    assert_eq!(activation.status, i32::from(ActivationStatus::Success));
    assert_eq!(
        read(activation.result.clone()),
        json!({"greeting": "Hello, Kim", "env": "prod"})
    );

    let record = runs
        .get_activation(GetActivationRequest {
            package_name: "orders".to_owned(),
            action_name: "hello".to_owned(),
            activation_id: activation.activation_id.clone(),
            ..GetActivationRequest::default()
        })
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert!(
        record.success && record.logs.iter().any(|line| line.contains("for Kim")),
        "{:?}",
        record.logs
    );

    let got = actions
        .get_action(GetActionRequest {
            package_name: "orders".to_owned(),
            action_name: "hello".to_owned(),
            include_code: true,
            ..GetActionRequest::default()
        })
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap();
    assert_eq!(
        got.exec.unwrap().code,
        Some(exec::Code::Source(source.to_owned()))
    );

    let not_empty = packages
        .delete_package(DeletePackageRequest {
            package_name: "orders".to_owned(),
            ..DeletePackageRequest::default()
        })
        .await
        .unwrap_err();
    assert_eq!(not_empty.code(), tonic::Code::FailedPrecondition);
    actions
        .delete_action(DeleteActionRequest {
            package_name: "orders".to_owned(),
            action_name: "hello".to_owned(),
            ..DeleteActionRequest::default()
        })
        .await
        .unwrap();
    packages
        .delete_package(DeletePackageRequest {
            package_name: "orders".to_owned(),
            ..DeletePackageRequest::default()
        })
        .await
        .unwrap();
    let left = packages
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(left.packages.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_is_a_result() {
    let house = House::korea().await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    for (name, source, status) in [
        (
            "throws",
            "function main() { throw new Error('no') }",
            ActivationStatus::DeveloperError,
        ),
        (
            "refuses",
            "function main() { return { error: 'no' } }",
            ActivationStatus::ApplicationError,
        ),
    ] {
        actions
            .put_action(put("", name, javascript(source)))
            .await
            .unwrap();
        let activation = runs
            .invoke(invoke("", name, "{}"))
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        assert!(!activation.success);
        assert_eq!(activation.status, i32::from(status), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_outlasts_its_wait_is_running_and_then_found() {
    let options = || Options {
        activation_lag: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let house = House::open("  kr: {provider: ncp}", options).await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    let source = "async function main() { await new Promise(done => setTimeout(done, 600)); return { done: true }; }";
    actions
        .put_action(put("-", "slow", javascript(source)))
        .await
        .unwrap();

    let mut short = invoke("", "slow", "{}");
    short.wait = Some(prost_types::Duration {
        seconds: 0,
        nanos: 100_000_000,
    });
    let running = runs
        .invoke(short)
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(running.status, i32::from(ActivationStatus::Running));
    assert!(!running.success && running.result.is_none() && !running.activation_id.is_empty());

    let mut states = runs
        .watch_activation(WatchActivationRequest {
            action_name: "slow".to_owned(),
            activation_id: running.activation_id,
            result_encoding: JsonEncoding::Text.into(),
            ..WatchActivationRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let mut last = None;
    while let Some(state) = states.message().await.unwrap() {
        last = state.activation;
    }
    let last = last.unwrap();
    assert!(last.success);
    assert_eq!(read(last.result), json!({"done": true}));

    let started = runs
        .invoke_async(InvokeAsyncRequest {
            action_name: "slow".to_owned(),
            ..InvokeAsyncRequest::default()
        })
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(started.status, i32::from(ActivationStatus::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_run_in_order() {
    let house = House::korea().await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    for (name, add) in [("one", 1), ("ten", 10)] {
        let source = format!("function main(p) {{ return {{ n: p.n * 2 + {add} }}; }}");
        actions
            .put_action(put("", name, javascript(&source)))
            .await
            .unwrap();
    }
    let sequence = Action {
        r#type: ActionType::Sequence.into(),
        exec: Some(Exec {
            components: vec!["-/one".to_owned(), "-/ten".to_owned()],
            ..Exec::default()
        }),
        ..Action::default()
    };
    actions.put_action(put("", "both", sequence)).await.unwrap();
    let activation = runs
        .invoke(invoke("", "both", r#"{"n": 3}"#))
        .await
        .unwrap()
        .into_inner()
        .activation
        .unwrap();
    assert_eq!(read(activation.result), json!({"n": 24}));
    let listed = actions
        .list_actions(ListActionsRequest {
            page_size: 2,
            ..ListActionsRequest::default()
        })
        .await
        .unwrap();
    let listed = listed.into_inner();
    assert_eq!(listed.actions.len(), 2);
    assert!(!listed.next_page_token.is_empty());
    assert_eq!(listed.actions[0].r#type, i32::from(ActionType::Sequence));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_site_and_generation_deploys_and_runs() {
    let house = House::open(
        "  kr21: {provider: ncp}\n  kr20: {provider: ncp, api_version: \"2.0\"}\n  kr20vpc: {provider: ncp, api_version: \"2.0\", platform: vpc}\n  \
         sg: {provider: ncp, region: sg}\n  jp20: {provider: ncp, region: jp, api_version: \"2.0\"}\n  \
         fin: {provider: ncp, site: fin}\n  gov: {provider: ncp, site: gov}\ndefault_target: kr21",
        Options::default,
    )
    .await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    for (target, vpc) in [
        ("kr21", true),
        ("kr20", false),
        ("kr20vpc", true),
        ("sg", true),
        ("jp20", true),
        ("fin", true),
        ("gov", false),
    ] {
        let mut action = javascript("function main(p) { return { back: p }; }");
        if !vpc {
            action.vpc.clear();
        }
        for (kind, name) in [(ActionType::Basic, "basic"), (ActionType::Web, "web")] {
            let mut request = put(
                "",
                &format!("{name}-{target}"),
                Action {
                    r#type: kind.into(),
                    ..action.clone()
                },
            );
            request.target = target.to_owned();
            let made = actions
                .put_action(request)
                .await
                .unwrap_or_else(|error| panic!("{target}: {error:?}"));
            assert_eq!(
                made.into_inner().action.unwrap().r#type,
                i32::from(kind),
                "{target}"
            );
        }
        let mut request = invoke("", &format!("basic-{target}"), r#"{"한": "글"}"#);
        request.target = target.to_owned();
        let activation = runs
            .invoke(request)
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        assert_eq!(
            read(activation.result)["back"]["한"],
            json!("글"),
            "{target}"
        );
        assert!(activation.start_time.is_some(), "{target}");
        let record = runs
            .get_activation(GetActivationRequest {
                target: target.to_owned(),
                action_name: format!("basic-{target}"),
                activation_id: activation.activation_id,
                ..GetActivationRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        assert!(record.success, "{target}");
        let began = record.start_time.unwrap().seconds;
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(
            now.abs_diff(u64::try_from(began).unwrap()) < 60,
            "{target}: {began} is not about now"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn activations_are_listed_by_page_over_a_window_that_stands_still() {
    let house = House::korea().await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let mut runs = InvocationServiceClient::new(house.channel.clone());
    actions
        .put_action(put(
            "",
            "many",
            javascript("function main() { return {}; }"),
        ))
        .await
        .unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let activation = runs
            .invoke(invoke("", "many", "{}"))
            .await
            .unwrap()
            .into_inner()
            .activation
            .unwrap();
        ids.insert(activation.activation_id);
    }
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListActivationsRequest {
            action_name: "many".to_owned(),
            page_size: 2,
            page_token: token,
            ..ListActivationsRequest::default()
        };
        let page = runs.list_activations(request).await.unwrap().into_inner();
        assert_eq!(page.total_count, 5);
        seen.extend(
            page.activations
                .into_iter()
                .map(|activation| activation.activation_id),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // One that comes between two pages must not shift them.
        runs.invoke(invoke("", "many", "{}")).await.unwrap();
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(
        seen.into_iter().collect::<std::collections::BTreeSet<_>>(),
        ids
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_runs_the_function_once() {
    let house = House::korea().await;
    let mut actions = ActionServiceClient::new(house.channel.clone());
    let source =
        "async function main(p) { await new Promise(done => setTimeout(done, 200)); return p; }";
    actions
        .put_action(put("", "once", javascript(source)))
        .await
        .unwrap();
    let mut request = invoke("", "once", r#"{"n": 1}"#);
    request.request_id = "nightly-1".to_owned();
    let run = |request: InvokeRequest| {
        let mut runs = InvocationServiceClient::new(house.channel.clone());
        async move { runs.invoke(request).await }
    };
    let (first, second) = tokio::join!(run(request.clone()), run(request.clone()));
    let third = run(request.clone()).await;
    let ids: std::collections::BTreeSet<_> = [first, second, third]
        .map(|answer| {
            answer
                .unwrap()
                .into_inner()
                .activation
                .unwrap()
                .activation_id
        })
        .into();
    assert_eq!(ids.len(), 1, "one id, one activation");
    request.arguments = text(r#"{"n": 2}"#);
    let refused = run(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}
