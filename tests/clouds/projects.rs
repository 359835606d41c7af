//! The project of a functiongraph target: the one of exactly the wanted name, and no other.

use faas_sidecar::app::Sidecar;
use faas_sidecar::env::Env;
use faas_sidecar::proto::GetActionRequest;
use faas_sidecar::proto::action_service_client::ActionServiceClient;
use tonic::Code;

use crate::bench::{PROJECT, unreadable};
use crate::support::answer::http;
use crate::support::bench::{connect, start};
use crate::support::details::{Told, bare};
use crate::support::upstream::Upstream;

/// Asks for an action where IAM answers these projects; the projects that the cloud was asked in.
async fn ask(
    settings: &str,
    projects: &'static str,
) -> (Result<(), Told>, Vec<String>, Vec<String>) {
    let (answer, asked, used, _) = ask_whom(settings, projects).await;
    (answer, asked, used)
}

/// The same with the sidecar that was asked.
async fn ask_whom(
    settings: &str,
    projects: &'static str,
) -> (Result<(), Told>, Vec<String>, Vec<String>, Sidecar) {
    let upstream = Upstream::start().await;
    upstream.answer_by(move |request| {
        if request.target().starts_with("/v3/projects") {
            http(200, projects)
        } else {
            http(200, r#"{"func_name":"hello","runtime":"Node.js18.15"}"#)
        }
    });
    let url = upstream.url();
    let text = format!(
        "listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\ntargets:\n  hw:\n    provider: functiongraph\n    region: eu-de\n    base_url: {url}\n    \
         iam_url: {url}\n{settings}"
    );
    let keys = Env::fixed([("HUAWEICLOUD_SDK_AK", "AK"), ("HUAWEICLOUD_SDK_SK", "SK")]);
    let sidecar: Sidecar = start(&text, &keys);
    let answer = ActionServiceClient::new(connect(&sidecar))
        .get_action(GetActionRequest {
            action_name: "hello".to_owned(),
            ..GetActionRequest::default()
        })
        .await;
    let (mut asked, mut used) = (Vec::new(), Vec::new());
    for request in upstream.received() {
        match request.query("name") {
            Some(name) => asked.push(name),
            None => used.push(request.target().split('/').nth(2).unwrap().to_owned()),
        }
    }
    let answer = answer.map(drop).map_err(|status| bare(&status));
    (answer, asked, used, sidecar)
}

const OTHER: &str = r#"{"projects":[{"id":"ffffffffffffffffffffffffffffffff","name":"MOS"}]}"#;
const SEVERAL: &str = r#"{"projects":[
    {"id":"ffffffffffffffffffffffffffffffff","name":"eu-de_team"},
    {"id":"7aad83af3e8d42e99ac194e8419e2c9b","name":"eu-de"},
    {"id":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","name":"EU-DE"},
    {"id":"dddddddddddddddddddddddddddddddd"}]}"#;

#[tokio::test]
async fn the_project_of_exactly_the_name_is_taken() {
    let (answer, asked, used) = ask("", SEVERAL).await;
    answer.unwrap();
    assert_eq!(
        (asked, used),
        (vec!["eu-de".to_owned()], vec![PROJECT.to_owned()])
    );
    // A sub-project has a key of its own.
    let (answer, asked, used) = ask("    project_name: eu-de_team\n", SEVERAL).await;
    answer.unwrap();
    assert_eq!(
        (asked, used),
        (vec!["eu-de_team".to_owned()], vec!["f".repeat(32)])
    );
    // An id needs no name.
    let id = format!(
        "    project_name: eu-de_team\n    project_id: \"{}\"\n",
        "c".repeat(32)
    );
    let (answer, asked, used) = ask(&id, SEVERAL).await;
    answer.unwrap();
    assert_eq!((asked, used), (vec![], vec!["c".repeat(32)]));
}

#[tokio::test]
async fn an_odd_project_of_iams_list_costs_itself_alone_and_is_counted() {
    let odd = r#"{"projects":[null,7,{"id":{},"name":"odd"},{"id":"7aad83af3e8d42e99ac194e8419e2c9b","name":"eu-de"}]}"#;
    let (answer, _, used, sidecar) = ask_whom("", odd).await;
    answer.unwrap();
    assert_eq!(used, [PROJECT]);
    assert_eq!(
        (
            unreadable(&sidecar, "projects").await,
            unreadable(&sidecar, "id").await
        ),
        (2, 1)
    );
    for none in ["{}", r#"{"projects":"eu-de"}"#, "[]"] {
        let (answer, _, used) = ask("", none).await;
        assert_eq!(
            answer.unwrap_err().reason,
            "RESPONSE_NOT_UNDERSTOOD",
            "{none}"
        );
        assert!(used.is_empty(), "{none}");
    }
}

#[tokio::test]
async fn a_project_of_another_name_is_never_taken() {
    let many = r#"{"projects":[{"id":"1","name":"a"},{"id":"2","name":"b"},{"id":"3","name":"c"},{"id":"4","name":"<b>d"},
        {"id":"5","name":"e"},{"id":"6","name":"f"},{"id":"7","name":"g"}]}"#;
    let twice = r#"{"projects":[{"id":"1","name":"eu-de"},{"id":"2","name":"eu-de"}]}"#;
    for (projects, words) in [
        (
            OTHER,
            "IAM knows no project named eu-de. It names MOS. Set project_name or project_id",
        ),
        (
            r#"{"projects":[]}"#,
            "IAM knows no project named eu-de. Set project_name",
        ),
        (
            r#"{"projects":[{"id":"1"}]}"#,
            "IAM knows no project named eu-de. Set project_name",
        ),
        (many, "It names a, b, c, ?b?d, e and 2 more."),
        (twice, "IAM knows 2 projects named eu-de; set project_id"),
    ] {
        let (answer, _, used) = ask("", projects).await;
        let told = answer.unwrap_err();
        assert_eq!(
            (told.code, told.reason.as_str(), told.execution()),
            (Code::FailedPrecondition, "PROJECT_UNKNOWN", "not_started")
        );
        assert!(told.message.contains(words), "{}", told.message);
        assert!(used.is_empty(), "{projects}: {used:?}");
    }
}

#[tokio::test]
async fn an_id_of_a_project_that_is_none_reaches_no_url() {
    for id in ["x/../../y", "a?b", "%2e%2e", "a b", "é", ""] {
        let projects = format!(r#"{{"projects":[{{"id":"{id}","name":"eu-de"}}]}}"#);
        let (answer, _, used) = ask("", projects.leak()).await;
        assert_eq!(answer.unwrap_err().execution(), "not_started", "{id:?}");
        assert_eq!(used, [""; 0], "{id:?}");
    }
}
