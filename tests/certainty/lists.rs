//! Lists: a back end of any kind behind them, and a caller who reads all of their pages.

use faas_sidecar::proto::{ListActionsRequest, ListActivationsRequest};
use serde_json::json;
use tokio::time::Instant;

use crate::answers::{Cloud, Http, activation_id, json};
use crate::back_ends::{BackEnd, Cut, Served};
use crate::call::{Answer, told, within};
use crate::dice::Dice;
use crate::plan::Plan;
use crate::sidecar::Caller;
use crate::wire::{number_after, parameter};

/// Items asked for in a page.
const SIZE: i32 = 3;
/// Most items of a list.
const ITEMS: usize = 7;
/// More pages than any of these lists can have.
const PAGES: usize = 20;

/// Which list, and who serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// Of activations, which the cloud pages; of actions otherwise.
    activations: bool,
    /// The number of the back end among all that may serve it.
    back_end: usize,
}

impl List {
    /// Two items, by a back end that does what it is asked.
    pub const SHORT: Self = Self {
        activations: true,
        back_end: 2,
    };

    pub fn draw(cloud: Cloud, dice: &mut Dice) -> Self {
        let activations = dice.percent(50);
        let last = back_ends(cloud, activations).count() - 1;
        Self {
            activations,
            back_end: usize::try_from(dice.between(0, u64::try_from(last).unwrap())).unwrap(),
        }
    }

    /// The name of what is listed, which tells the upstream whose list it is and who serves it.
    fn name(self, call: u64) -> String {
        format!("call-{call}-{}", self.back_end)
    }
}

/// Everyone who may serve this list.
fn back_ends(cloud: Cloud, activations: bool) -> impl Iterator<Item = BackEnd> {
    let fits = move |cut: &Cut| match (cloud, activations) {
        (Cloud::Ncp, true) => cut.fits_numbers(),
        // Its answer is the whole list.
        (Cloud::Ncp, false) => matches!(cut, Cut::Honest | Cut::RepeatsItemsInAPage),
        (Cloud::FunctionGraph, _) => true,
    };
    let cuts = Cut::ALL.into_iter().filter(fits);
    BackEnd::all(cuts, ITEMS).filter(|back_end| !back_end.ends_early())
}

fn back_end(cloud: Cloud, list: List) -> BackEnd {
    back_ends(cloud, list.activations)
        .nth(list.back_end)
        .unwrap()
}

/// The page that is asked for, as this list's back end gives it.
pub fn page(cloud: Cloud, target: &str, call: u64) -> Http {
    let path = target.split('?').next().unwrap_or_default();
    let mark = format!("call-{call}-");
    let list = List {
        activations: path.ends_with("activations") || path.ends_with("async-invocations"),
        back_end: usize::try_from(number_after(target, &mark).unwrap()).unwrap(),
    };
    let number =
        |name: &str| number_after(target, &parameter(name)).map(|n| usize::try_from(n).unwrap());
    let size = number("limit")
        .or(number("maxitems"))
        .or(number("pageSize"));
    let at = match (number("marker"), number("pageNo")) {
        (Some(marker), _) => marker,
        (_, Some(page)) => (page - 1) * size.unwrap(),
        _ => 0,
    };
    let served = back_end(cloud, list).page(at, size.unwrap_or(ITEMS));
    let Served { items, next, total } = served;
    let id = |n: usize| activation_id(u64::try_from(n).unwrap());
    let items = items.into_iter();
    let document = match (cloud, list.activations) {
        (Cloud::Ncp, true) => {
            let runs =
                items.map(|n| json!({"activationId": id(n), "duration": 1, "status": "success"}));
            json!({"content": {"activations": runs.collect::<Vec<_>>(), "totalCount": total}})
        }
        (Cloud::Ncp, false) => {
            let named = items.map(|n| json!({"name": id(n), "type": "basic"}));
            json!({"content": {"actions": named.collect::<Vec<_>>()}})
        }
        (Cloud::FunctionGraph, true) => {
            let runs = items.map(|n| json!({"request_id": id(n), "status": "SUCCESS"}));
            json!({"invocations": runs.collect::<Vec<_>>(), "next_marker": next, "count": total})
        }
        (Cloud::FunctionGraph, false) => {
            let package = list.name(call);
            let named = items.map(|n| json!({"func_name": id(n), "package": package}));
            json!({"functions": named.collect::<Vec<_>>(), "next_marker": next, "count": total})
        }
    };
    json(200, document.to_string())
}

/// Reads all pages within the call's deadline: the answer is of the call when each item came once,
/// on pages that were not too large. A failure speaks for its own page.
pub async fn read(caller: &Caller, target: &str, plan: &Plan, list: List, number: usize) -> Answer {
    let began = Instant::now();
    let name = list.name(plan.number);
    let (mut seen, mut token, mut fits) = (Vec::new(), String::new(), true);
    for _ in 0..PAGES {
        let since = Instant::now();
        let left = Plan {
            deadline: plan.deadline.saturating_sub(since - began),
            ..plan.clone()
        };
        let (target, page_size, page_token) = (target.to_owned(), SIZE, std::mem::take(&mut token));
        let mut items = Vec::new();
        let answer = if list.activations {
            let request = ListActivationsRequest {
                target,
                action_name: name.clone(),
                page_size,
                page_token,
                ..ListActivationsRequest::default()
            };
            let page = caller
                .invocations()
                .list_activations(within(&left, number, request))
                .await;
            told(page, |page| {
                items.extend(page.activations.into_iter().map(|run| run.activation_id));
                token = page.next_page_token;
                None
            })
        } else {
            let request = ListActionsRequest {
                target,
                package_name: name.clone(),
                page_size,
                page_token,
                ..ListActionsRequest::default()
            };
            let page = caller
                .actions()
                .list_actions(within(&left, number, request))
                .await;
            told(page, |page| {
                items.extend(page.actions.into_iter().map(|action| action.name));
                token = page.next_page_token;
                None
            })
        };
        fits &= items.len() <= usize::try_from(SIZE).unwrap();
        seen.extend(items);
        if answer.code != tonic::Code::Ok || token.is_empty() {
            let count = back_end(plan.cloud, list).count;
            let all = (0..u64::try_from(count).unwrap()).map(activation_id);
            let whole = fits && answer.code == tonic::Code::Ok && all.eq(seen);
            return Answer {
                since: Some(since),
                of: whole.then_some(plan.number),
                ..answer
            };
        }
    }
    Answer {
        code: tonic::Code::Ok,
        reason: "-".to_owned(),
        execution: None,
        attempts: 0,
        of: None,
        since: None,
        message: format!("a list without end: {seen:?}"),
    }
}
