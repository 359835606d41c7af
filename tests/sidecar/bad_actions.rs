//! Actions that break a documented rule.

use faas_sidecar::proto::exec::Code as ExecCode;
use faas_sidecar::proto::*;
use prost_types::Duration;

use crate::support::bench::Bench;
use crate::support::refused::assert_refused;

pub fn action() -> Action {
    Action {
        exec: Some(Exec {
            runtime: "nodejs:22".to_owned(),
            main: "main".to_owned(),
            code: Some(ExecCode::Source("function main() {}".to_owned())),
            ..Exec::default()
        }),
        limits: Some(Limits {
            timeout: Some(millis(60_000)),
            memory_mb: 256,
        }),
        vpc: vec![Vpc {
            vpc_no: 1001,
            subnet_no: 2002,
        }],
        ..Action::default()
    }
}

fn put(action: Action) -> PutActionRequest {
    PutActionRequest {
        action_name: "hello".to_owned(),
        action: Some(action),
        ..PutActionRequest::default()
    }
}

pub fn change(with: impl FnOnce(&mut Action)) -> PutActionRequest {
    let mut action = action();
    with(&mut action);
    put(action)
}

pub fn millis(millis: i64) -> Duration {
    Duration {
        seconds: millis / 1000,
        nanos: i32::try_from(millis % 1000).unwrap() * 1_000_000,
    }
}

#[tokio::test]
async fn a_time_limit_outside_500_to_300000_whole_milliseconds_is_refused() {
    let bench = Bench::new().await;
    let odd = Duration {
        seconds: 1,
        nanos: 1,
    };
    let negative = Duration {
        seconds: -1,
        nanos: 0,
    };
    for timeout in [millis(499), millis(300_001), millis(0), odd, negative] {
        let request = change(|action| {
            action.limits = Some(Limits {
                timeout: Some(timeout),
                memory_mb: 256,
            });
        });
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.limits.timeout"],
        )
        .await;
    }
    let answer = bench
        .actions()
        .put_action(change(|action| action.limits = None))
        .await;
    assert_refused(&bench, answer, &["action.limits"]).await;
}

#[tokio::test]
async fn memory_other_than_the_four_sizes_is_refused() {
    let bench = Bench::new().await;
    for memory_mb in [300, 0, -128, 127, 2048] {
        let request = change(|action| {
            action.limits = Some(Limits {
                timeout: Some(millis(500)),
                memory_mb,
            });
        });
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.limits.memory_mb"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_vpc_is_required_on_vpc_and_refused_on_classic() {
    let bench = Bench::new().await;
    let answer = bench
        .actions()
        .put_action(change(|action| action.vpc.clear()))
        .await;
    assert_refused(&bench, answer, &["action.vpc"]).await;
    let request = PutActionRequest {
        platform: Platform::Classic.into(),
        ..put(action())
    };
    assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.vpc"],
    )
    .await;
    let request = change(|action| {
        action.vpc = vec![Vpc {
            vpc_no: 0,
            subnet_no: -1,
        }];
    });
    let fields = ["action.vpc[0].subnet_no", "action.vpc[0].vpc_no"];
    assert_refused(&bench, bench.actions().put_action(request).await, &fields).await;
}

#[tokio::test]
async fn web_flags_belong_to_web_actions() {
    let bench = Bench::new().await;
    for kind in [ActionType::Unspecified, ActionType::Basic] {
        let request = change(|action| {
            action.r#type = kind.into();
            action.raw_http = true;
        });
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.raw_http"],
        )
        .await;
    }
    let sequence = put(Action {
        r#type: ActionType::SequenceWeb.into(),
        exec: Some(Exec {
            components: vec!["p/a".to_owned()],
            ..Exec::default()
        }),
        custom_options: true,
        ..Action::default()
    });
    let answer = bench.actions().put_action(sequence).await;
    assert_refused(&bench, answer, &["action.custom_options"]).await;
}

#[tokio::test]
async fn an_actions_own_name_and_package_are_the_requests() {
    let bench = Bench::new().await;
    let request = change(|action| {
        action.name = "other".to_owned();
        action.package_name = "other".to_owned();
    });
    assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.name", "action.package_name"],
    )
    .await;
}

#[tokio::test]
async fn a_sequence_has_components_and_no_limits_code_or_vpc_of_its_own() {
    let bench = Bench::new().await;
    let request = change(|action| {
        action.r#type = ActionType::Sequence.into();
        action.exec.as_mut().unwrap().components = ["a", "/b", "p/", "//b", "/n/p/a/b"]
            .map(ToOwned::to_owned)
            .to_vec();
    });
    let fields = [
        "action.exec.code",
        "action.exec.components[0]",
        "action.exec.components[1]",
        "action.exec.components[2]",
        "action.exec.components[3]",
        "action.exec.components[4]",
        "action.exec.main",
        "action.exec.runtime",
        "action.limits",
        "action.vpc",
    ];
    assert_refused(&bench, bench.actions().put_action(request).await, &fields).await;
    let empty = put(Action {
        r#type: ActionType::SequenceWeb.into(),
        ..Action::default()
    });
    assert_refused(
        &bench,
        bench.actions().put_action(empty).await,
        &["action.exec.components"],
    )
    .await;
}

#[tokio::test]
async fn an_archive_beyond_38_mb_and_source_with_main_beyond_48_mb_are_refused() {
    let bench = Bench::new().await;
    let request = change(|action| {
        action.exec.as_mut().unwrap().code = Some(ExecCode::Archive(vec![7; 39_845_889].into()));
    });
    let told = assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.exec.archive"],
    )
    .await;
    assert!(told.message.contains("38 MB"), "{}", told.message);
    let request = change(|action| {
        // With the four bytes of `main` it is one byte too much.
        action.exec.as_mut().unwrap().code = Some(ExecCode::Source("x".repeat(50_331_648 - 3)));
    });
    let told = assert_refused(
        &bench,
        bench.actions().put_action(request).await,
        &["action.exec.source"],
    )
    .await;
    assert!(told.message.contains("48 MB"), "{}", told.message);
    bench.assert_healthy().await;
}

#[tokio::test]
async fn an_image_needs_its_runtime_and_code_and_compiled_runtimes_need_an_archive() {
    let bench = Bench::new().await;
    let image = |exec: &mut Exec| exec.image_uri = "registry/image:1".to_owned();
    let other_runtime = change(|action| image(action.exec.as_mut().unwrap()));
    let no_image =
        change(|action| action.exec.as_mut().unwrap().runtime = "custom image".to_owned());
    let no_code = change(|action| {
        let exec = action.exec.as_mut().unwrap();
        image(exec);
        (exec.runtime, exec.code) = ("custom image".to_owned(), None);
    });
    for (request, field) in [
        (other_runtime, "action.exec.image_uri"),
        (no_image, "action.exec.image_uri"),
        (no_code, "action.exec.code"),
    ] {
        assert_refused(&bench, bench.actions().put_action(request).await, &[field]).await;
    }
    for runtime in ["java", "java:21", "dotnet:2.2"] {
        let request = change(|action| action.exec.as_mut().unwrap().runtime = runtime.to_owned());
        assert_refused(
            &bench,
            bench.actions().put_action(request).await,
            &["action.exec.source"],
        )
        .await;
    }
}
