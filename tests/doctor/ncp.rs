//! Mistakes on the way to NAVER Cloud Functions, whose gateway says 200 "Authentication Failed" to
//! most of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::ncp::{self, Access, KeyPair, Options, Site};
use faas_sidecar::cli::Exit;

use crate::{Case, check, examine};

const KEY: (&str, &str) = (
    "ncp_iam_TESTACCESSKEY01",
    "ncp_iam_TESTSECRETKEY0123456789abcdef",
);
const MINUTES: i64 = 60_000;

fn case(name: &'static str, cause: &'static str) -> Case {
    Case::new(name, KEY, cause)
}

fn cases() -> Vec<Case> {
    let encoded = |text: &str| STANDARD.encode(text);
    vec![
        case("nothing is wrong", ""),
        // The sidecar signs at the cloud's time, so that only the clock step tells.
        case("our clock is behind", "").clock(6 * MINUTES),
        case("our clock is ahead", "").clock(-6 * MINUTES),
        case("our clock is hours off", "").clock(20 * 60 * MINUTES),
        case("our clock is a little off", "").clock(4 * MINUTES),
        case(
            "our clock is behind, and a hop takes the Date header out",
            "key_or_secret",
        )
        .clock(6 * MINUTES)
        .answer(|answer| answer.drop_header("date"))
        .likely("clock_skew"),
        case("clock and secret are wrong", "key_or_secret")
            .clock(7 * MINUTES)
            .keys(KEY.0, "another-secret-0123")
            .likely("header_changed"),
        case(
            "our clock is behind and the query is dropped",
            "query_changed",
        )
        .clock(6 * MINUTES)
        .request(|request| {
            let bare = request.target().split('?').next().unwrap().to_owned();
            *request.target() = bare;
        }),
        case("the secret is another", "key_or_secret")
            .keys(KEY.0, "another-secret-0123")
            .likely("header_changed"),
        case("the key is unknown", "key_or_secret")
            .keys("ncp_iam_OTHERACCESSKEY1", KEY.1)
            .likely("header_changed"),
        case("both halves are still in base64", "key_encoded")
            .keys(&encoded(KEY.0), &encoded(KEY.1)),
        case(
            "the secret is still in base64 with a line end",
            "key_encoded",
        )
        .keys(KEY.0, &encoded(&format!("{}\n", KEY.1))),
        case("the secret is quoted", "key_quoted").keys(KEY.0, &format!("\"{}\"", KEY.1)),
        case("both halves are quoted", "key_quoted")
            .keys(&format!("'{}'", KEY.0), &format!("'{}'", KEY.1)),
        case("the query is sorted", "query_reordered").request(|request| {
            if let Some((path, query)) = request.target().clone().split_once('?') {
                let mut pairs: Vec<_> = query.split('&').collect();
                pairs.sort_unstable();
                *request.target() = format!("{path}?{}", pairs.join("&"));
            }
        }),
        case("the query is dropped", "query_changed").request(|request| {
            let bare = request.target().split('?').next().unwrap().to_owned();
            *request.target() = bare;
        }),
        case("a parameter is added", "query_changed").request(|request| {
            if request.target().contains('?') {
                request.target().push_str("&utm=1");
            }
        }),
        case("the query is encoded again", "query_changed").request(|request| {
            let other = request.target().replace("=vpc", "=%76pc");
            *request.target() = other;
        }),
        case("a relay takes its own prefix away", "path_changed")
            .path("/relay/ncf/api/v2")
            .request(|request| {
                let rest = request.target().replacen("/relay", "", 1);
                *request.target() = rest;
            }),
        case("a relay puts the cloud's prefix in", "path_changed")
            .path("/functions")
            .request(|request| {
                let rest = request.target().replacen("/functions", "/ncf/api/v2", 1);
                *request.target() = rest;
            }),
        case("the path gets a slash at its end", "wrong_place")
            .request(|request| {
                let other = request.target().replace("/packages", "/packages/");
                *request.target() = other;
            })
            .likely("path_changed"),
        // In a way that cannot be guessed.
        case("the path is encoded again", "key_or_secret")
            .request(|request| {
                let other = request.target().replace("/packages", "/%70ackages");
                *request.target() = other;
            })
            .likely("path_changed"),
        case("the signature is dropped", "key_or_secret")
            .request(|request| request.drop_header("x-ncp-apigw-signature-v2"))
            .likely("authentication_dropped"),
        case("the access key is dropped", "key_or_secret")
            .request(|request| request.drop_header("x-ncp-iam-access-key"))
            .likely("authentication_dropped"),
        case("the time is rewritten", "key_or_secret")
            .request(|request| {
                let later = request
                    .header("x-ncp-apigw-timestamp")
                    .map(|at| at.parse::<u64>().unwrap() + 1);
                if let Some(later) = later {
                    request.set_header("x-ncp-apigw-timestamp", &later.to_string());
                }
            })
            .likely("header_changed"),
        case("a proxy asks for its own password", "answered_by_hop").answer(|answer| {
            answer.become_answer(401, "<html>Sign in</html>");
            answer.set_header("WWW-Authenticate", "Basic realm=\"proxy\"");
        }),
        case("a portal redirects", "answered_by_hop").answer(|answer| {
            answer.become_answer(302, "");
            answer.set_header("Location", "https://portal.example/login");
        }),
        case("a firewall answers with a page", "answered_by_hop")
            .answer(|answer| answer.become_answer(403, "<html>Blocked</html>"))
            .likely("right_missing"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_named() {
    for case in cases() {
        let options = Options {
            keys: vec![KeyPair::new(KEY.0, KEY.1)],
            clock_offset_ms: case.ways.ahead_ms,
            ..Options::default()
        };
        let emulator = ncp::start(options).await.unwrap();
        let outcome = examine("ncp", emulator.addr(), &case).await;
        check(&case, &outcome);
        assert!(
            emulator.requests().len() <= 16,
            "{}: {} requests",
            case.name,
            emulator.requests().len()
        );
        assert!(
            emulator
                .requests()
                .iter()
                .all(|request| request.method == "GET"),
            "{}",
            case.name
        );
        let apart = case.ways.ahead_ms.abs() >= 5 * MINUTES && case.also != "clock_skew";
        let clock = outcome.step("clock");
        assert_eq!(
            clock["cause"] == "clock_skew",
            apart,
            "{}: {clock:#}",
            case.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_no_wrong_key() {
    for (access, cause) in [(Access::Denied, "gateway_right"), (Access::Viewer, "")] {
        let mut key = KeyPair::new(KEY.0, KEY.1);
        key.access = access;
        let options = Options {
            keys: vec![key],
            ..Options::default()
        };
        let emulator = ncp::start(options).await.unwrap();
        let case = case("rights", cause);
        let outcome = examine("ncp", emulator.addr(), &case).await;
        check(&case, &outcome);
        if cause.is_empty() {
            assert_eq!(outcome.exit, Exit::Clean, "{}", outcome.text);
            let untested = outcome.step("right");
            assert_eq!(untested["status"], "skipped");
            assert!(
                untested["fact"].as_str().unwrap().contains("run an action"),
                "{untested}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sites_api_is_a_wrong_place() {
    let options = Options {
        keys: vec![KeyPair::new(KEY.0, KEY.1)],
        site: Site::Government,
        ..Options::default()
    };
    let emulator = ncp::start(options).await.unwrap();
    let case = case(
        "the second generation at the public sector's site",
        "wrong_place",
    )
    .likely("path_changed");
    check(&case, &examine("ncp", emulator.addr(), &case).await);
}
