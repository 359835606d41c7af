//! Pages: cut by the sidecar where the cloud answers everything, passed on with a window that
//! stands still where it pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faas_sidecar::proto::*;
use prost_types::Timestamp;
use tonic::Code;

use crate::support::answer::content;
use crate::support::bench::Bench;
use crate::support::details::told;

fn names(count: usize) -> String {
    // Backwards, so that the order is the sidecar's own.
    let items: Vec<_> = (0..count)
        .rev()
        .map(|n| format!(r#"{{"name":"p{n:02}","type":"cron"}}"#))
        .collect();
    format!("[{}]", items.join(","))
}

#[tokio::test]
async fn packages_come_in_pages_by_name_each_once() {
    let bench = Bench::new().await;
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        bench.upstream.push(content(&names(7)));
        let request = ListPackagesRequest {
            page_size: 3,
            page_token: token,
            ..Default::default()
        };
        let page = bench
            .packages()
            .list_packages(request)
            .await
            .unwrap()
            .into_inner();
        assert!(page.packages.len() <= 3);
        seen.extend(page.packages.into_iter().map(|package| package.name));
        token = page.next_page_token;
        pages += 1;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, seen.len()), (3, 7));
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn actions_and_triggers_come_in_pages_too() {
    let bench = Bench::new().await;
    bench
        .upstream
        .push(content(&format!("{{\"actions\":{}}}", names(3))));
    let request = ListActionsRequest {
        page_size: 2,
        ..Default::default()
    };
    let page = bench
        .actions()
        .list_actions(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.actions.len(), page.next_page_token.is_empty()),
        (2, false)
    );
    bench
        .upstream
        .push(content(&format!("{{\"triggers\":{}}}", names(3))));
    let request = ListTriggersRequest {
        page_size: 3,
        ..Default::default()
    };
    let page = bench
        .triggers()
        .list_triggers(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.triggers.len(), page.next_page_token.as_str()),
        (3, "")
    );
}

#[tokio::test]
async fn a_token_of_another_request_and_a_negative_size_are_refused() {
    let bench = Bench::new().await;
    bench.upstream.push(content(&names(3)));
    let request = ListPackagesRequest {
        page_size: 2,
        ..Default::default()
    };
    let token = bench
        .packages()
        .list_packages(request)
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    let request = ListTriggersRequest {
        page_token: token.clone(),
        ..Default::default()
    };
    let status = bench.triggers().list_triggers(request).await.unwrap_err();
    assert_eq!(
        (told(&status).code, told(&status).fields),
        (Code::InvalidArgument, vec!["page_token".to_owned()])
    );
    let request = ListPackagesRequest {
        page_token: token,
        platform: Platform::Classic.into(),
        ..Default::default()
    };
    assert_eq!(
        told(&bench.packages().list_packages(request).await.unwrap_err()).fields,
        ["page_token"]
    );
    let request = ListPackagesRequest {
        page_size: -1,
        page_token: "nonsense!".to_owned(),
        ..Default::default()
    };
    let told = told(&bench.packages().list_packages(request).await.unwrap_err());
    assert_eq!(told.fields, ["page_size", "page_token"]);
    assert_eq!(bench.upstream.received().len(), 1);
}

/// A page whose items begin with this number.
fn page_of(from: usize, count: usize, total: usize) -> String {
    let items: Vec<_> = (from..from + count)
        .map(|n| format!(r#"{{"activationId":"{n:032x}","duration":1,"status":"success"}}"#))
        .collect();
    format!(
        r#"{{"activations":[{}],"totalCount":{total}}}"#,
        items.join(",")
    )
}

#[tokio::test]
async fn activations_are_paged_by_the_cloud_over_a_window_that_stands_still() {
    for settings in ["", "api_version: \"2.0\""] {
        let bench = Bench::site(settings).await;
        let (mut token, mut total) = (String::new(), 0);
        for (from, count, last) in [(0, 2, false), (2, 2, false), (4, 1, true)] {
            bench.upstream.push(content(&page_of(from, count, 5)));
            let request = ListActivationsRequest {
                action_name: "a".to_owned(),
                page_size: 2,
                page_token: token,
                ..ListActivationsRequest::default()
            };
            let page = bench
                .invocations()
                .list_activations(request)
                .await
                .unwrap()
                .into_inner();
            assert_eq!(
                (page.activations.len(), page.next_page_token.is_empty()),
                (count, last)
            );
            (token, total) = (page.next_page_token, page.total_count);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(total, 5);
        let received = bench.upstream.received();
        let pages: Vec<_> = received
            .iter()
            .map(|request| request.query("pageNo").unwrap())
            .collect();
        assert_eq!(pages, ["1", "2", "3"]);
        let ends: Vec<_> = received
            .iter()
            .map(|request| request.query("end").unwrap())
            .collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        assert!(
            received
                .iter()
                .all(|request| request.query("start").is_none() && request.signed)
        );
    }
}

#[tokio::test]
async fn the_page_size_of_activations_is_20_unless_it_is_named() {
    let bench = Bench::new().await;
    bench.upstream.push(content(&page_of(0, 0, 0)));
    bench
        .invocations()
        .list_activations(ListActivationsRequest::default())
        .await
        .unwrap();
    let request = bench.upstream.only();
    assert!(
        request
            .target()
            .starts_with("/ncf/api/v2/activations?platform=vpc&pageNo=1&pageSize=20&end=")
    );
}

#[tokio::test]
async fn a_window_that_ends_before_it_starts_or_has_no_such_time_is_refused() {
    let bench = Bench::new().await;
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    for (start_time, end_time, fields) in [
        (at(2), at(1), vec!["end_time"]),
        (at(-1), at(-1), vec!["end_time", "start_time"]),
        (at(i64::MAX), None, vec!["start_time"]),
        (
            Some(Timestamp {
                seconds: 1,
                nanos: -1,
            }),
            None,
            vec!["start_time"],
        ),
        (
            Some(Timestamp {
                seconds: 1,
                nanos: 1_000_000_000,
            }),
            None,
            vec!["start_time"],
        ),
    ] {
        let request = ListActivationsRequest {
            start_time,
            end_time,
            ..Default::default()
        };
        let told = told(
            &bench
                .invocations()
                .list_activations(request)
                .await
                .unwrap_err(),
        );
        assert_eq!(
            (told.code, told.fields.clone()),
            (
                Code::InvalidArgument,
                fields.iter().map(|f| (*f).to_owned()).collect()
            )
        );
    }
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused_and_never_reaches_a_url() {
    let bench = Bench::new().await;
    bench.upstream.push(content(&page_of(0, 1, 9)));
    let request = |page_token| ListActivationsRequest {
        page_size: 1,
        page_token,
        ..Default::default()
    };
    let page = bench
        .invocations()
        .list_activations(request(String::new()))
        .await
        .unwrap()
        .into_inner();
    let bytes = URL_SAFE_NO_PAD.decode(page.next_page_token).unwrap();
    for position in [
        "",
        "2",
        "x 1",
        "-1 1",
        "2 1&platform=classic",
        "2 1 2",
        "99999999999999999999999 1",
    ] {
        let token = URL_SAFE_NO_PAD.encode([&bytes[..16], position.as_bytes()].concat());
        let told = told(
            &bench
                .invocations()
                .list_activations(request(token))
                .await
                .unwrap_err(),
        );
        assert_eq!(
            (told.code, told.fields.as_slice()),
            (Code::InvalidArgument, &["page_token".to_owned()][..])
        );
    }
    assert_eq!(bench.upstream.received().len(), 1);
}

#[tokio::test]
async fn firings_are_paged_like_runs() {
    let bench = Bench::new().await;
    bench.upstream.push(content(&page_of(0, 1, 2)));
    let request = ListTriggerActivationsRequest {
        trigger_name: "t".to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let page = bench
        .triggers()
        .list_trigger_activations(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.total_count, page.activations[0].action_name.as_str()),
        (2, "")
    );
    bench.upstream.push(content(&page_of(1, 1, 2)));
    let request = ListTriggerActivationsRequest {
        trigger_name: "t".to_owned(),
        page_size: 1,
        page_token: page.next_page_token,
        ..ListTriggerActivationsRequest::default()
    };
    let page = bench
        .triggers()
        .list_trigger_activations(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.next_page_token, "");
    assert_eq!(bench.upstream.received()[1].query("pageNo").unwrap(), "2");
}
