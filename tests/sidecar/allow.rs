//! The rules of `allow`: every method of every service is behind them, before anything else of the
//! target.

use faas_sidecar::env::Env;
use faas_sidecar::proto::*;
use tonic::{Code, Status};

use crate::support::answer::content;
use crate::support::bench::{Bench, hello, success, text};
use crate::support::details::told;

/// Asks every method that names the action `p/a` or the trigger `t`: (method, what the answer's
/// error was).
async fn ask_all(bench: &Bench) -> Vec<(&'static str, Option<Status>)> {
    let mut asked = Vec::new();
    macro_rules! ask {
        ($client:ident: $($method:ident($request:ident { $($field:ident: $value:expr),* })),* $(,)?) => {$(
            let request = $request { $($field: $value.into(),)* ..Default::default() };
            asked.push((stringify!($method), bench.$client().$method(request).await.err()));
        )*};
    }
    ask!(packages:
        list_packages(ListPackagesRequest {}),
        get_package(GetPackageRequest { package_name: "p" }),
        put_package(PutPackageRequest { package_name: "p" }),
        delete_package(DeletePackageRequest { package_name: "p" }),
    );
    ask!(actions:
        list_actions(ListActionsRequest { package_name: "p" }),
        get_action(GetActionRequest { package_name: "p", action_name: "a" }),
        put_action(PutActionRequest { package_name: "p", action_name: "a" }),
        delete_action(DeleteActionRequest { package_name: "p", action_name: "a" }),
        publish_action_version(PublishActionVersionRequest { package_name: "p", action_name: "a" }),
        list_action_versions(ListActionVersionsRequest { package_name: "p", action_name: "a" }),
        put_action_alias(PutActionAliasRequest { package_name: "p", action_name: "a" }),
        list_action_aliases(ListActionAliasesRequest { package_name: "p", action_name: "a" }),
        delete_action_alias(DeleteActionAliasRequest { package_name: "p", action_name: "a" }),
        get_async_invoke_config(GetAsyncInvokeConfigRequest { package_name: "p", action_name: "a" }),
        put_async_invoke_config(PutAsyncInvokeConfigRequest { package_name: "p", action_name: "a" }),
        delete_async_invoke_config(DeleteAsyncInvokeConfigRequest { package_name: "p", action_name: "a" }),
    );
    ask!(invocations:
        invoke(InvokeRequest { package_name: "p", action_name: "a" }),
        invoke_async(InvokeAsyncRequest { package_name: "p", action_name: "a", request_id: "once" }),
        get_activation(GetActivationRequest { package_name: "p", action_name: "a" }),
        list_activations(ListActivationsRequest { package_name: "p", action_name: "a" }),
        watch_activation(WatchActivationRequest { package_name: "p", action_name: "a" }),
        cancel_activation(CancelActivationRequest { package_name: "p", action_name: "a" }),
    );
    ask!(triggers:
        list_triggers(ListTriggersRequest {}),
        get_trigger(GetTriggerRequest { trigger_name: "t" }),
        put_trigger(PutTriggerRequest { trigger_name: "t" }),
        delete_trigger(DeleteTriggerRequest { trigger_name: "t" }),
        fire_trigger(FireTriggerRequest { trigger_name: "t" }),
        link_action(LinkActionRequest { trigger_name: "t", package_name: "p", action_name: "a" }),
        unlink_action(UnlinkActionRequest { trigger_name: "t", package_name: "p", action_name: "a" }),
        get_trigger_activation(GetTriggerActivationRequest { trigger_name: "t" }),
        list_trigger_activations(ListTriggerActivationsRequest { trigger_name: "t" }),
    );
    asked
}

fn refused(status: Option<&Status>) -> bool {
    status.is_some_and(|status| {
        status.code() == Code::PermissionDenied
            && told(status).reason == "NOT_ALLOWED_BY_CONFIGURATION"
    })
}

/// The methods that `rules` lets through to the target.
async fn let_through(rules: &str) -> Vec<&'static str> {
    // Without keys nothing is ever sent: what passes the rules fails later, by another reason.
    let bench = Bench::whole(
        "",
        &format!("allow: {rules}"),
        &Env::fixed::<String, String>([]),
    )
    .await;
    let asked = ask_all(&bench).await;
    assert!(bench.upstream.received().is_empty());
    assert_eq!(asked.len(), 31, "a method is missing here");
    let passed = asked.iter().filter(|(_, status)| !refused(status.as_ref()));
    passed.map(|(method, _)| *method).collect()
}

#[tokio::test]
async fn no_rule_lets_nothing_pass_and_one_for_everything_all() {
    assert_eq!(let_through("[]").await, Vec::<&str>::new());
    let all = "[{actions: [\"*/*\"], triggers: [\"*\"], operations: [\"*\"]}]";
    assert_eq!(let_through(all).await.len(), 31);
}

#[tokio::test]
async fn each_word_lets_its_own_methods_pass_on_the_named_action_and_trigger_alone() {
    for (word, methods) in [
        ("invoke", &["invoke", "invoke_async"][..]),
        (
            "observe",
            &[
                "get_activation",
                "list_activations",
                "watch_activation",
                "get_trigger_activation",
                "list_trigger_activations",
            ],
        ),
        ("cancel", &["cancel_activation"]),
        ("fire", &["fire_trigger"]),
        // Not the lists of packages, actions and triggers: they show what the rule does not name.
        (
            "read",
            &[
                "get_action",
                "list_action_versions",
                "list_action_aliases",
                "get_async_invoke_config",
                "get_trigger",
            ],
        ),
        // Not link_action, which needs invoke on the action too.
        (
            "write",
            &[
                "put_action",
                "publish_action_version",
                "put_action_alias",
                "put_async_invoke_config",
                "put_trigger",
                "unlink_action",
            ],
        ),
        (
            "delete",
            &[
                "delete_action",
                "delete_action_alias",
                "delete_async_invoke_config",
                "delete_trigger",
            ],
        ),
    ] {
        let rules = format!("[{{actions: [p/a], triggers: [t], operations: [{word}]}}]");
        assert_eq!(let_through(&rules).await, methods, "{word}");
    }
    let lists = let_through("[{actions: [\"p/*\"], operations: [read]}]").await;
    assert!(
        lists.contains(&"list_actions") && lists.contains(&"get_package"),
        "{lists:?}"
    );
    assert!(!lists.contains(&"list_packages"), "{lists:?}");
    let both = let_through(
        "[{actions: [p/a], operations: [invoke]}, {triggers: [t], operations: [write]}]",
    )
    .await;
    assert!(both.contains(&"link_action"), "{both:?}");
}

#[tokio::test]
async fn a_refusal_names_the_place_and_what_to_add_and_comes_before_every_other_check() {
    let bench = Bench::quick("allow: [{actions: [\"-/hello\"], operations: [invoke]}]").await;
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
    let wrong = InvokeRequest {
        package_name: "pay".to_owned(),
        action_name: "no such name!".to_owned(),
        ..hello()
    };
    let error = told(&bench.invoke(wrong).await.unwrap_err());
    error.assert(
        Code::PermissionDenied,
        "NOT_ALLOWED_BY_CONFIGURATION",
        "not_started",
        "sidecar",
    );
    assert!(
        error.message.ends_with(
            "add {actions: [\"pay/no such name!\"], operations: [invoke]} to targets.main.allow."
        ),
        "{}",
        error.message
    );
    assert_eq!(bench.upstream.received().len(), 1);
}

#[tokio::test]
async fn a_sequence_needs_the_right_to_run_its_parts() {
    let bench = Bench::quick("allow: [{actions: [\"mine/*\"], operations: [write, invoke]}]").await;
    let sequence = |part: &str| PutActionRequest {
        package_name: "mine".to_owned(),
        action_name: "s".to_owned(),
        action: Some(Action {
            r#type: ActionType::Sequence.into(),
            exec: Some(Exec {
                runtime: "sequence".to_owned(),
                components: vec![part.to_owned()],
                ..Exec::default()
            }),
            ..Action::default()
        }),
        ..PutActionRequest::default()
    };
    let error = bench
        .actions()
        .put_action(sequence("theirs/a"))
        .await
        .unwrap_err();
    assert!(refused(Some(&error)), "{error:?}");
    bench
        .upstream
        .push(content(r#"{"name":"s","type":"sequence"}"#));
    bench
        .actions()
        .put_action(sequence("mine/a"))
        .await
        .unwrap();
}

#[tokio::test]
async fn default_deny_closes_the_targets_that_have_no_rules() {
    let bench = Bench::whole("default_deny: true", "", &Env::default()).await;
    assert!(refused(bench.invoke(hello()).await.err().as_ref()));
    let bench = Bench::whole(
        "default_deny: true",
        "allow: [{actions: [\"*/*\"], operations: [invoke]}]",
        &crate::support::bench::keys(),
    )
    .await;
    bench.upstream.push(success("{}"));
    let request = InvokeRequest {
        arguments: Some(text("{}")),
        ..hello()
    };
    bench.invoke(request).await.unwrap();
}
