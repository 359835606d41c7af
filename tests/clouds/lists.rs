//! Lists end: each item once, no page larger than asked, whatever the back end does with its paging
//! parameters.

use std::sync::atomic::{AtomicUsize, Ordering};

use faas_sidecar::proto::*;
use serde_json::json;

use crate::back_ends::{BackEnd, Cut, Next, Served, Total};
use crate::bench::{Cloud, Clouds};
use crate::support::answer::{Http, fault, http};
use crate::support::details::{Told, bare};
use crate::support::upstream::Received;

/// Items asked for in a page.
const SIZE: i32 = 3;

/// What back ends say of their lists, as far as a list has words for it.
const SAYS: [(Next, Total); 6] = [
    (Next::Truth, Total::Truth),
    (Next::Nothing, Total::Nothing),
    (Next::Zero, Total::Nothing),
    (Next::StandsStill, Total::Nothing),
    (Next::Truth, Total::OfThePage),
    (Next::Truth, Total::TooLarge),
];

/// A page of this list, whichever list of whichever cloud is asked for.
fn serve(request: &Received, back_end: BackEnd) -> Http {
    serve_named(request, back_end, |n| format!("n{n:02}"))
}

/// The same with other names.
fn serve_named(request: &Received, back_end: BackEnd, name: impl Fn(usize) -> String) -> Http {
    let target = request.target();
    let path = target.split('?').next().unwrap().to_owned();
    let number = |name: &str| {
        request
            .query(name)
            .map(|text| text.parse::<usize>().unwrap())
    };
    let id = |n: usize| format!("{n:08x}-0000-4000-8000-000000000000");
    let size = number("maxitems")
        .or(number("limit"))
        .or(number("pageSize"));
    let at = match (number("marker"), number("pageNo")) {
        (Some(marker), _) => marker,
        (_, Some(page)) => (page - 1) * size.unwrap(),
        _ => 0,
    };
    let Served { items, next, total } = back_end.page(at, size.unwrap_or(back_end.count.max(1)));
    let list = |item: &dyn Fn(usize) -> serde_json::Value| {
        items.iter().map(|n| item(*n)).collect::<Vec<_>>()
    };
    let named = || list(&|n| json!({"name": name(n), "type": "cron"}));
    let runs = || {
        list(
            &|n| json!({"activationId": id(n).replace('-', ""), "duration": 1, "status": "success"}),
        )
    };
    let mut document = if path.ends_with("/async-invocations") {
        json!({"invocations": list(&|n| json!({"request_id": id(n), "status": "SUCCESS"}))})
    } else if path.ends_with("/versions") {
        json!({"versions": list(&|n| json!({"version": name(n)}))})
    } else if path.ends_with("/aliases") {
        return http(200, &json!(named()).to_string());
    } else if path.ends_with("/fgs/functions") {
        json!({"functions": list(&|n| json!({
            "func_name": name(n),
            "package": if request.query("package_name").is_some() { "default".to_owned() } else { name(n) },
        }))})
    } else if path.ends_with("/activations") {
        return http(
            200,
            &json!({"content": {"activations": runs(), "totalCount": total}}).to_string(),
        );
    } else {
        let content = match path.rsplit('/').next().unwrap() {
            "packages" => json!(named()),
            "actions" => json!({"actions": named()}),
            _ => json!({"triggers": named()}),
        };
        return http(200, &json!({ "content": content }).to_string());
    };
    if let Some(next) = next {
        document["next_marker"] = next.into();
    }
    if let Some(total) = total {
        document["count"] = total.into();
    }
    http(200, &document.to_string())
}

/// The lists of a cloud. True: the upstream cuts the pages, by the parameters that the sidecar
/// sends.
fn lists(cloud: Cloud) -> Vec<(&'static str, bool)> {
    if cloud.is_ncp() {
        vec![
            ("ListPackages", false),
            ("ListActions", false),
            ("ListTriggers", false),
            ("ListActivations", true),
            ("ListTriggerActivations", true),
        ]
    } else {
        vec![
            ("ListPackages", true),
            ("ListActions", true),
            ("ListActionVersions", true),
            ("ListActionAliases", false),
            ("ListActivations", true),
        ]
    }
}

/// One page: what tells its items apart, and the token of the next.
async fn list(
    clouds: &Clouds,
    cloud: Cloud,
    name: &str,
    page_size: i32,
    page_token: String,
) -> Result<(Vec<String>, String), Told> {
    let target = cloud.target();
    macro_rules! page {
        ($client:ident.$method:ident($message:ident { $($field:ident),* }).$items:ident.$id:ident) => {
            clouds
                .$client()
                .$method($message {
                    target, page_size, page_token, $($field: "hello".to_owned(),)* ..Default::default()
                })
                .await
                .map(|answer| {
                    let answer = answer.into_inner();
                    let ids = answer.$items.into_iter().map(|item| item.$id).collect();
                    (ids, answer.next_page_token)
                })
                .map_err(|status| bare(&status))
        };
    }
    match name {
        "ListPackages" => page!(packages.list_packages(ListPackagesRequest {}).packages.name),
        "ListActions" => page!(actions.list_actions(ListActionsRequest {}).actions.name),
        "ListTriggers" => page!(triggers.list_triggers(ListTriggersRequest {}).triggers.name),
        "ListActivations" => {
            page!(
                invocations
                    .list_activations(ListActivationsRequest { action_name })
                    .activations
                    .activation_id
            )
        }
        "ListTriggerActivations" => {
            page!(
                triggers
                    .list_trigger_activations(ListTriggerActivationsRequest { trigger_name })
                    .activations
                    .activation_id
            )
        }
        "ListActionVersions" => {
            page!(
                actions
                    .list_action_versions(ListActionVersionsRequest { action_name })
                    .versions
                    .version
            )
        }
        "ListActionAliases" => {
            page!(
                actions
                    .list_action_aliases(ListActionAliasesRequest { action_name })
                    .aliases
                    .name
            )
        }
        other => panic!("no list {other}"),
    }
}

/// All pages of a list.
async fn pages(clouds: &Clouds, cloud: Cloud, name: &str) -> Result<Vec<Vec<String>>, Told> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next) = list(clouds, cloud, name, SIZE, token).await?;
        pages.push(page);
        assert!(pages.len() < 20, "{cloud:?} {name} does not end: {pages:?}");
        if next.is_empty() {
            return Ok(pages);
        }
        token = next;
    }
}

#[tokio::test]
async fn every_list_gives_each_item_once_and_ends() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for (name, cut_by_the_cloud) in lists(cloud) {
            for cut in Cut::ALL {
                let fits = match (cut_by_the_cloud, cloud.is_ncp()) {
                    (true, numbered) => !numbered || cut.fits_numbers(),
                    (false, _) => matches!(cut, Cut::Honest | Cut::RepeatsItemsInAPage),
                };
                for (next, total) in SAYS {
                    let says_truth = (next, total) == SAYS[0];
                    if !fits || !(cut_by_the_cloud || says_truth) {
                        continue;
                    }
                    for count in [0, 2, 3, 7] {
                        let back_end = BackEnd {
                            count,
                            cut,
                            next,
                            total,
                        };
                        if back_end.ends_early() {
                            continue;
                        }
                        clouds.answer_by(move |request| serve(request, back_end));
                        let what = format!("{cloud:?} {name} {back_end:?}");
                        let pages = pages(&clouds, cloud, name).await;
                        let pages = pages.unwrap_or_else(|told| panic!("{what}: {told:?}"));
                        let mut seen = pages.concat();
                        assert!(
                            pages.iter().all(|page| page.len() <= 3),
                            "{what}: {pages:?}"
                        );
                        let order = seen.clone();
                        seen.sort();
                        seen.dedup();
                        assert_eq!(
                            (seen.len(), order.len()),
                            (count, count),
                            "{what}: {pages:?}"
                        );
                        assert_eq!(order, seen, "{what}: out of order");
                        if total != Total::TooLarge {
                            let empty = pages.len() > 1 && pages.iter().any(Vec::is_empty);
                            assert!(!empty, "{what}: a token led to an empty page: {pages:?}");
                        }
                    }
                }
            }
        }
    }
}

/// A list of so many items that tells the truth.
const fn of(count: usize, cut: Cut) -> BackEnd {
    BackEnd {
        count,
        cut,
        next: Next::Truth,
        total: Total::Truth,
    }
}

#[tokio::test]
async fn a_list_that_the_cloud_cannot_page_says_so() {
    let clouds = Clouds::new().await;
    let cloud = Cloud::FunctionGraph;
    // 401 functions, of which the cloud shows the first 400 whatever it is asked for.
    clouds.answer_by(|request| serve(request, of(401, Cut::IgnoresMarker)));
    let told = list(&clouds, cloud, "ListActions", 0, String::new())
        .await
        .unwrap_err();
    assert_eq!(told.reason, "LIST_NOT_PAGED", "{told:?}");
    // A list that grows with each page.
    clouds.answer_by(|request| serve(request, of(usize::MAX >> 1, Cut::Honest)));
    let told = list(&clouds, cloud, "ListActions", 0, String::new())
        .await
        .unwrap_err();
    assert_eq!(told.reason, "LIST_WITHOUT_END", "{told:?}");
}

#[tokio::test]
async fn a_page_token_that_was_changed_is_refused_and_reaches_no_cloud() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        clouds.answer_by(|request| serve(request, of(7, Cut::Honest)));
        let (_, token) = list(&clouds, cloud, "ListActivations", SIZE, String::new())
            .await
            .unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        let good = String::from_utf8(bytes[16..].to_vec()).unwrap();
        for bad in [
            String::new(),
            "2".to_owned(),
            good.replacen(' ', "&platform=classic ", 1),
            format!("{good}&x=1"),
            format!("{good} 1"),
            format!("-{good}"),
            good.replacen('.', ".-", 1),
        ] {
            let token = URL_SAFE_NO_PAD.encode([&bytes[..16], bad.as_bytes()].concat());
            let asked = list(&clouds, cloud, "ListActivations", SIZE, token);
            let (told, requests) = clouds.requests_of(asked).await;
            let told = told.unwrap_err();
            assert_eq!(told.fields, ["page_token"], "{cloud:?} {bad:?}: {told:?}");
            assert!(requests.is_empty(), "{cloud:?} {bad:?}");
        }
    }
}

/// Asks for what a list named so; a list of runs is not asked, as it hands out no id that is none.
async fn use_name(clouds: &Clouds, cloud: Cloud, list: &str, name: String) -> Told {
    let target = cloud.target();
    let (mut packages, mut actions) = (clouds.packages(), clouds.actions());
    let (mut triggers, mut invocations) = (clouds.triggers(), clouds.invocations());
    let hello = "hello".to_owned();
    macro_rules! asked {
        ($client:ident.$method:ident($message:ident { $($field:ident: $value:expr),* })) => {
            $client
                .$method($message { target, $($field: $value,)* ..Default::default() })
                .await
                .map(drop)
        };
    }
    let told = match list {
        "ListPackages" => asked!(packages.get_package(GetPackageRequest { package_name: name })),
        "ListActions" => asked!(actions.get_action(GetActionRequest { action_name: name })),
        "ListTriggers" => asked!(triggers.get_trigger(GetTriggerRequest { trigger_name: name })),
        "ListActionVersions" => {
            asked!(actions.get_action(GetActionRequest {
                action_name: hello,
                version: name
            }))
        }
        "ListActionAliases" => asked!(invocations.invoke(InvokeRequest {
            action_name: hello,
            version: format!("!{name}")
        })),
        other => panic!("{other} names nothing"),
    };
    bare(&told.unwrap_err())
}

#[tokio::test]
async fn a_name_in_a_list_is_shown_and_reaches_no_url() {
    let odd = [
        "../packages",
        "a b",
        "a/../../b",
        "a?b=c",
        "x%2e%2e%2fy",
        "é#",
    ];
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for (list, _) in lists(cloud) {
            let count = odd.len();
            let back_end = of(count, Cut::Honest);
            let paths = |requests: Vec<Received>| -> Vec<String> {
                let path =
                    |request: Received| request.target().split('?').next().unwrap().to_owned();
                requests.into_iter().map(path).collect()
            };
            clouds.answer_by(move |request| serve(request, back_end));
            let (_, plain) = clouds.requests_of(pages(&clouds, cloud, list)).await;
            clouds.answer_by(move |request| serve_named(request, back_end, |n| odd[n].to_owned()));
            let (names, asked) = clouds.requests_of(pages(&clouds, cloud, list)).await;
            for request in &asked {
                assert!(!request.target().contains(".."), "{}", request.target());
            }
            assert_eq!(paths(asked), paths(plain), "{cloud:?} {list}");
            if list.ends_with("Activations") {
                continue;
            }
            let names = names.unwrap().concat();
            assert_eq!(names.len(), count, "{cloud:?} {list}: {names:?}");
            for name in names {
                let used = use_name(&clouds, cloud, list, name.clone());
                let (told, requests) = clouds.requests_of(used).await;
                assert_eq!(
                    (told.code, told.fields.len(), requests.len()),
                    (tonic::Code::InvalidArgument, 1, 0),
                    "{cloud:?} {list} {name:?}: {told:?}"
                );
            }
        }
    }
}

/// Reads that take several requests, of which the second is refused.
#[tokio::test]
async fn a_read_that_was_begun_is_not_told_as_not_started() {
    let clouds = Clouds::new().await;
    for cloud in Cloud::ALL {
        for (name, cut_by_the_cloud) in lists(cloud) {
            if !cut_by_the_cloud {
                continue;
            }
            // A list that is read whole goes on for its total, one that is passed on looks behind a
            // full page.
            let total = if name.ends_with("Activations") {
                Total::Nothing
            } else {
                Total::TooLarge
            };
            let next = Next::Nothing;
            let back_end = BackEnd {
                next,
                total,
                ..of(7, Cut::Honest)
            };
            let served = AtomicUsize::new(0);
            clouds.answer_by(move |request| match served.fetch_add(1, Ordering::SeqCst) {
                0 => serve(request, back_end),
                _ if cloud.is_ncp() => fault(403, "80002", "SUB_ACC_NO_PERMISSION"),
                _ => http(403, r#"{"error_code":"FSS.0403","error_msg":"no"}"#),
            });
            let listed = list(&clouds, cloud, name, 7, String::new());
            let (told, requests) = clouds.requests_of(listed).await;
            assert_eq!(requests.len(), 2, "{cloud:?} {name}");
            let told = told.unwrap_err();
            assert_eq!(
                (told.code, told.execution()),
                (tonic::Code::PermissionDenied, "unknown"),
                "{cloud:?} {name}: {}",
                told.message
            );
            assert!(
                told.message.contains("An earlier attempt may have been"),
                "{}",
                told.message
            );
        }
    }
}
