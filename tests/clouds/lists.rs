//! Lists end: each item once, no page larger than asked, whatever the back end does with its paging parameters.

use faas_sidecar::proto::*;
use serde_json::json;

use crate::bench::{Cloud, Clouds};
use crate::support::answer::{Http, http};
use crate::support::details::{Told, bare};
use crate::support::upstream::Received;

/// Items asked for in a page.
const SIZE: i32 = 3;

/// What a back end does with marker and size.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    Honest,
    IgnoresMarkerAndSize,
    IgnoresMarker,
    IgnoresSize,
    OneMoreThanAsked,
    RepeatsTheLastItem,
    RepeatsTheLastPage,
    RepeatsItemsInAPage,
    OwnPagesOfTwo,
}

use Cut::*;

const CUTS: [Cut; 9] = [
    Honest,
    IgnoresMarkerAndSize,
    IgnoresMarker,
    IgnoresSize,
    OneMoreThanAsked,
    RepeatsTheLastItem,
    RepeatsTheLastPage,
    RepeatsItemsInAPage,
    OwnPagesOfTwo,
];

/// What a back end says of its list.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Truth,
    Nothing,
    NextIsZero,
    NextStandsStill,
    TotalOfThePage,
    TotalTooLarge,
}

const SAYS: [Says; 6] = [
    Says::Truth,
    Says::Nothing,
    Says::NextIsZero,
    Says::NextStandsStill,
    Says::TotalOfThePage,
    Says::TotalTooLarge,
];

/// The items of a page, and where it ends.
fn page(cut: Cut, at: usize, size: usize, count: usize) -> (Vec<usize>, usize) {
    let honest = |at: usize, size: usize| at.min(count)..at.saturating_add(size).min(count);
    let range = match cut {
        Honest | RepeatsItemsInAPage => honest(at, size),
        IgnoresMarkerAndSize => 0..count,
        IgnoresMarker => honest(0, size),
        IgnoresSize => honest(at, count),
        OneMoreThanAsked => honest(at, size.saturating_add(1)),
        RepeatsTheLastItem => honest(at.saturating_sub(1), size),
        RepeatsTheLastPage => honest(at.min(count.saturating_sub(1) / size * size), size),
        OwnPagesOfTwo => honest(at, size.min(2)),
    };
    let end = range.end;
    let mut items: Vec<_> = range.collect();
    if cut == RepeatsItemsInAPage {
        items.extend(items.clone());
    }
    (items, end)
}

/// A back end with so many items behind every list of every cloud.
fn back_end(request: &Received, cut: Cut, says: Says, count: usize) -> Http {
    let target = request.target();
    let path = target.split('?').next().unwrap().to_owned();
    let number = |name: &str| request.query(name).map(|text| text.parse::<usize>().unwrap());
    let id = |n: usize| format!("{n:08x}-0000-4000-8000-000000000000");
    let size = number("maxitems").or(number("limit")).or(number("pageSize"));
    let at = match (number("marker"), number("pageNo")) {
        (Some(marker), _) => marker,
        (_, Some(page)) => (page - 1) * size.unwrap(),
        _ => 0,
    };
    let (items, end) = page(cut, at, size.unwrap_or(count.max(1)), count);
    let next = match says {
        Says::Truth | Says::TotalOfThePage | Says::TotalTooLarge => Some(end),
        Says::NextIsZero => Some(0),
        Says::NextStandsStill => Some(at),
        Says::Nothing => None,
    };
    let total = match says {
        Says::Truth => Some(count),
        Says::TotalOfThePage => Some(items.len()),
        Says::TotalTooLarge => Some(999),
        _ => None,
    };
    let list = |item: &dyn Fn(usize) -> serde_json::Value| items.iter().map(|n| item(*n)).collect::<Vec<_>>();
    let named = || list(&|n| json!({"name": format!("n{n:02}"), "type": "cron"}));
    let runs =
        || list(&|n| json!({"activationId": id(n).replace('-', ""), "duration": 1, "status": "success"}));
    let mut document = if path.ends_with("/async-invocations") {
        json!({"invocations": list(&|n| json!({"request_id": id(n), "status": "SUCCESS"}))})
    } else if path.ends_with("/versions") {
        json!({"versions": list(&|n| json!({"version": format!("n{n:02}")}))})
    } else if path.ends_with("/aliases") {
        return http(200, &json!(named()).to_string());
    } else if path.ends_with("/fgs/functions") {
        json!({"functions": list(&|n| json!({
            "func_name": format!("n{n:02}"),
            "package": if request.query("package_name").is_some() { "default".to_owned() } else { format!("n{n:02}") },
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

/// The lists of a cloud. True: the upstream cuts the pages, by the parameters that the sidecar sends.
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
            for cut in CUTS {
                // A numbered page has no offset: a back end that starts pages elsewhere is no back end of numbered pages.
                let by_offset = matches!(
                    cut,
                    IgnoresSize | OneMoreThanAsked | RepeatsTheLastItem | OwnPagesOfTwo
                );
                let fits = match (cut_by_the_cloud, cloud.is_ncp()) {
                    (true, numbered) => !(numbered && by_offset),
                    (false, _) => matches!(cut, Honest | RepeatsItemsInAPage),
                };
                for says in SAYS {
                    // A short page that names neither a next one nor a total is the last one, by the documents.
                    let ends = cut == OwnPagesOfTwo && !matches!(says, Says::Truth | Says::TotalTooLarge);
                    if !fits || ends || !(cut_by_the_cloud || says == Says::Truth) {
                        continue;
                    }
                    for count in [0, 2, 3, 7] {
                        clouds.answer_by(move |request| back_end(request, cut, says, count));
                        let what = format!("{cloud:?} {name} {cut:?} {says:?} {count}");
                        let pages = pages(&clouds, cloud, name).await;
                        let pages = pages.unwrap_or_else(|told| panic!("{what}: {told:?}"));
                        let mut seen = pages.concat();
                        assert!(pages.iter().all(|page| page.len() <= 3), "{what}: {pages:?}");
                        let order = seen.clone();
                        seen.sort();
                        seen.dedup();
                        assert_eq!((seen.len(), order.len()), (count, count), "{what}: {pages:?}");
                        assert_eq!(order, seen, "{what}: out of order");
                        if says != Says::TotalTooLarge {
                            let empty = pages.len() > 1 && pages.iter().any(Vec::is_empty);
                            assert!(!empty, "{what}: a token led to an empty page: {pages:?}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_the_cloud_cannot_page_says_so() {
    let clouds = Clouds::new().await;
    let cloud = Cloud::FunctionGraph;
    // 401 functions, of which the cloud shows the first 400 whatever it is asked for.
    clouds.answer_by(|request| back_end(request, IgnoresMarker, Says::Truth, 401));
    let told = list(&clouds, cloud, "ListActions", 0, String::new())
        .await
        .unwrap_err();
    assert_eq!(told.reason, "LIST_NOT_PAGED", "{told:?}");
    // A list that grows with each page.
    clouds.answer_by(|request| back_end(request, Honest, Says::Truth, usize::MAX >> 1));
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
        clouds.answer_by(|request| back_end(request, Honest, Says::Truth, 7));
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
