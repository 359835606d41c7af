//! Mistakes on the way to FunctionGraph, whose gateway has words for many of them, and locks a key
//! after five refusals.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::functiongraph::{
    self, Access, DEFAULT_DOMAIN, DEFAULT_PROJECT_ID, DEFAULT_USER, KeyPair, Options,
};

use crate::{Case, check, doctor, examine, hop};

const KEY: (&str, &str) = (
    "TESTACCESSKEY0000001",
    "test-secret-key-not-real-000000000000001",
);
const PLACE: &str = "region: cn-north-4\nproject_id: 0123456789abcdef0123456789abcdef";
const MINUTES: i64 = 60_000;

fn case(name: &'static str, cause: &'static str) -> Case {
    Case::new(name, KEY, cause).settings(PLACE)
}

fn said(
    status: u16,
    code: &str,
    words: &str,
) -> impl Fn(&mut hop::Message) + Send + Sync + 'static {
    let body = format!(r#"{{"error_code":"{code}","error_msg":"{words}","request_id":"r"}}"#);
    move |answer| answer.become_answer(status, &body)
}

fn cases() -> Vec<Case> {
    let to_another_host = |request: &mut hop::Message| request.set_header("Host", "other.example");
    let with_a_charset = |request: &mut hop::Message| {
        if request.header("content-type").is_some() {
            request.set_header("Content-Type", "application/json; charset=utf-8");
        }
    };
    let with_a_parameter = |request: &mut hop::Message| {
        if request.target().contains('?') {
            request.target().push_str("&utm=1");
        }
    };
    let relayed = |request: &mut hop::Message| {
        let rest = request.target().replacen("/relay", "/v2", 1);
        *request.target() = rest;
    };
    vec![
        case("nothing is wrong", ""),
        // The sidecar signs at the cloud's time, so that only the clock step tells.
        case("our clock is behind", "").clock(16 * MINUTES),
        case("our clock is ahead", "").clock(-16 * MINUTES),
        case("our clock is a little off", "").clock(14 * MINUTES),
        case(
            "our clock is behind, and a hop takes the Date header out",
            "clock_skew",
        )
        .clock(16 * MINUTES)
        .answer(|answer| answer.drop_header("date")),
        case("the key is unknown", "access_key_unknown").keys("OTHERACCESSKEY000001", KEY.1),
        case("the secret is another", "secret_wrong")
            .keys(KEY.0, "another-secret-0123")
            .likely("header_changed"),
        case(
            "the secret is another, and the gateway shows what it signed",
            "secret_wrong",
        )
        .keys(KEY.0, "another-secret-0123")
        .shows_canonical(),
        case(
            "the secret is another, and the project must be looked up",
            "secret_wrong",
        )
        .settings("region: cn-north-4\niam_url: http://HOP")
        .keys(KEY.0, "another-secret-0123")
        .likely("header_changed"),
        case("the secret is still in base64", "key_encoded").keys(KEY.0, &STANDARD.encode(KEY.1)),
        case("both halves are still in base64", "key_encoded")
            .keys(&STANDARD.encode(KEY.0), &STANDARD.encode(KEY.1))
            .likely("access_key_unknown"),
        case("both halves are quoted", "key_quoted")
            .keys(&format!("\"{}\"", KEY.0), &format!("\"{}\"", KEY.1))
            .likely("access_key_unknown"),
        case("the host is rewritten", "host_changed").request(to_another_host),
        case("the host is rewritten, and shown", "host_changed")
            .request(to_another_host)
            .shows_canonical(),
        case("the content type is rewritten", "header_changed").request(with_a_charset),
        case("the content type is rewritten, and shown", "header_changed")
            .request(with_a_charset)
            .shows_canonical(),
        case("the project is dropped", "header_changed")
            .request(|request| request.drop_header("x-project-id")),
        case("a parameter is added", "query_changed").request(with_a_parameter),
        case("a parameter is added, and shown", "query_changed")
            .request(with_a_parameter)
            .shows_canonical(),
        // Both orders have one canonical form.
        case("the query is sorted the other way", "").request(|request| {
            if let Some((path, query)) = request.target().clone().split_once('?') {
                let pairs: Vec<_> = query.split('&').rev().collect();
                *request.target() = format!("{path}?{}", pairs.join("&"));
            }
        }),
        case("a relay has a path of its own", "path_changed")
            .path("/relay")
            .request(relayed),
        case("a relay has a path of its own, and it is shown", "path_changed")
            .path("/relay")
            .request(relayed)
            .shows_canonical(),
        case("a body is added, and shown", "body_changed")
            .shows_canonical()
            .request(|request| {
                request.body = b"{}".to_vec();
            }),
        case("the time is rewritten, and shown", "header_changed")
            .shows_canonical()
            .request(|request| {
                if let Some(date) = request.header("x-sdk-date").map(str::to_owned) {
                    let other = format!("{}{}Z", &date[..14], if date.ends_with("1Z") { "2" } else { "1" });
                    request.set_header("X-Sdk-Date", &other);
                }
            }),
        case("the method is rewritten, and shown", "method_changed")
            .shows_canonical()
            .request(|request| {
                if request.header("authorization").is_some() {
                    "POST".clone_into(&mut request.line[0]);
                }
            }),
        case("the signature is dropped", "authentication_dropped")
            .request(|request| request.drop_header("authorization")),
        case("the key is locked", "access_key_locked").answer(said(
            401,
            "APIGW.0301",
            "Incorrect IAM authentication information: AK access failed to reach the limit, forbidden.",
        )),
        case("the address is refused", "address_refused").answer(said(
            403,
            "APIGW.0401",
            "The source IP address is blocked by an IP address blacklist",
        )),
        case("the project is frozen", "account_refused").answer(said(
            403,
            "APIGW.0310",
            "The project is unavailable",
        )),
        case("the region has no such service", "wrong_place")
            .answer(said(
                404,
                "APIGW.0101",
                "The API does not exist or has not been published in the environment",
            ))
            .likely("path_changed"),
        case("the service permits nothing", "right_missing")
            .answer(said(401, "FSS.0401", "not permit"))
            .likely("wrong_place"),
        case("a proxy asks for its own password", "answered_by_hop").answer(|answer| {
            answer.become_answer(407, "");
            answer.set_header("Proxy-Authenticate", "Basic");
        }),
        case("a portal redirects", "answered_by_hop").answer(|answer| {
            answer.become_answer(302, "");
            answer.set_header("Location", "https://portal.example/");
        }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_named_and_no_key_is_locked() {
    for case in cases() {
        let options = Options {
            keys: vec![KeyPair::new(KEY.0, KEY.1)],
            clock_offset_ms: case.ways.ahead_ms,
            // A hop may send the request on under another name.
            allowed_hosts: vec!["other.example".to_owned()],
            ..Options::default()
        };
        let emulator = functiongraph::start(options).await.unwrap();
        let outcome = examine("functiongraph", emulator.addr(), &case).await;
        check(&case, &outcome);
        assert!(
            emulator
                .requests()
                .iter()
                .all(|request| request.method == "GET" || case.cause == "method_changed"),
            "{}",
            case.name
        );
        // The key still works for whoever has the right secret and a straight way.
        let straight = Case::new("straight", KEY, "")
            .settings(PLACE)
            .clock(case.ways.ahead_ms);
        let apart = case.ways.ahead_ms.abs() >= 15 * MINUTES;
        if case.cause != "clock_skew" {
            let clock = outcome.step("clock");
            assert_eq!(
                clock["cause"] == "clock_skew",
                apart,
                "{}: {clock:#}",
                case.name
            );
        }
        if !apart {
            check(
                &straight,
                &examine("functiongraph", emulator.addr(), &straight).await,
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_keys_need_their_token() {
    let options = || Options {
        keys: vec![KeyPair::new(KEY.0, KEY.1).temporary("the-security-token")],
        ..Options::default()
    };
    for case in [
        case("the token is given", "").security_token("the-security-token"),
        case("the token is missing", "security_token_missing"),
        case("the token is another's", "security_token_refused").security_token("stale-token"),
    ] {
        let emulator = functiongraph::start(options()).await.unwrap();
        let outcome = examine("functiongraph", emulator.addr(), &case).await;
        check(&case, &outcome);
        assert!(!outcome.text.contains("-token\""), "{}", outcome.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_no_wrong_key() {
    for (access, cause) in [(Access::None, "right_missing"), (Access::ReadOnly, "")] {
        let mut key = KeyPair::new(KEY.0, KEY.1);
        key.access = access;
        let options = Options {
            keys: vec![key],
            ..Options::default()
        };
        let emulator = functiongraph::start(options).await.unwrap();
        let case = case("rights", cause).likely("wrong_place");
        check(
            &case,
            &examine("functiongraph", emulator.addr(), &case).await,
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_fails_in_its_own_ways() {
    type Change = fn(&mut hop::Message);
    let rows: [(&str, &str, Change, &str); 4] = [
        ("all is well", "", |_| (), ""),
        (
            "the password is wrong",
            "hunter2-wrong",
            |_| (),
            "login_refused",
        ),
        (
            "the token is dropped",
            "",
            |request| request.drop_header("x-auth-token"),
            "authentication_dropped",
        ),
        (
            "the token is cut",
            "",
            |request| {
                if request.header("x-auth-token").is_some() {
                    request.set_header("X-Auth-Token", "MIIcut");
                }
            },
            "token_refused",
        ),
    ];
    for (name, password, change, cause) in rows {
        let options = Options::default();
        let own = options.users[0].password.clone();
        let password = if password.is_empty() {
            own.as_str()
        } else {
            password
        };
        let emulator = functiongraph::start(options).await.unwrap();
        let case = case(name, cause).request(change);
        let hop = hop::start(emulator.addr(), case.ways.clone()).await;
        let directory = tempfile::tempdir().unwrap();
        let files = [
            ("username", DEFAULT_USER),
            ("password", password),
            ("domain", DEFAULT_DOMAIN),
        ];
        for (file, text) in files {
            std::fs::write(directory.path().join(file), text).unwrap();
        }
        let config = format!(
            "targets:\n  main: {{provider: functiongraph, region: cn-north-4, project_id: {DEFAULT_PROJECT_ID}, \
             base_url: \"http://{hop}\", iam_url: \"http://{hop}\", retry: {{max_attempts: 1}}, \
             credentials: {{source: iam_password, directory: {}}}}}\n",
            directory.path().display()
        );
        let outcome = doctor(&config, &[], &["--format", "json"]).await;
        let step = outcome.step("read");
        assert!(
            !outcome.text.contains(password) && !outcome.text.contains("MII"),
            "{name}"
        );
        match cause {
            "" => assert_eq!(step["status"], "ok", "{name}: {step:#}"),
            cause => assert_eq!(step["cause"], cause, "{name}: {step:#}"),
        }
        assert_eq!(outcome.step("credentials")["data"]["kind"], "token");
    }
}
