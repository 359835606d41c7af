//! Functions, their versions and aliases, lists, packages.

use std::io::Write as _;

use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn deploy_run_read_change_and_delete() {
    let mut graph = Graph::new().await;
    let made = graph.put("orders", "hello", node(GREET)).await;
    assert_eq!(
        (made.name.as_str(), made.package_name.as_str()),
        ("hello", "orders")
    );
    assert!(
        made.resource_id.starts_with("urn:fss:cn-north-4:"),
        "{}",
        made.resource_id
    );
    assert!(
        made.exec.unwrap().code.is_none(),
        "code comes back only when asked for"
    );

    let ran = graph
        .run(invoke("orders", "hello", r#"{"name": "Kim"}"#))
        .await;
    assert!(ran.success, "{ran:?}");
    assert_eq!(read(ran.result)["greeting"], json!("Hello, Kim"));

    let get = |include_code| GetActionRequest {
        package_name: "orders".to_owned(),
        action_name: "hello".to_owned(),
        include_code,
        ..GetActionRequest::default()
    };
    let got = graph
        .actions
        .get_action(get(false))
        .await
        .unwrap()
        .into_inner();
    let action = got.action.unwrap();
    assert_eq!(action.version, "latest");
    assert_eq!(action.limits.unwrap().memory_mb, 256);
    assert!(action.exec.unwrap().code.is_none());
    let got = graph
        .actions
        .get_action(get(true))
        .await
        .unwrap()
        .into_inner();
    let exec = got.action.unwrap().exec.unwrap();
    assert_eq!(exec.code, Some(exec::Code::Source(GREET.to_owned())));

    // Configuration and code change with one call.
    let mut changed =
        node("exports.handler = async (e, c) => c.getUserData('word') + c.getMemorySize()");
    changed.limits.as_mut().unwrap().memory_mb = 512;
    changed.function_graph = Some(FunctionGraphAction {
        user_data: text(r#"{"word": "changed"}"#),
        ..FunctionGraphAction::default()
    });
    graph.put("orders", "hello", changed).await;
    let ran = graph.run(invoke("orders", "hello", "{}")).await;
    assert_eq!(read(ran.result), json!("changed512"));

    let mut other = node("exports.handler = async () => 1");
    other.exec.as_mut().unwrap().runtime = PYTHON.to_owned();
    let refused = graph
        .actions
        .put_action(put("orders", "hello", other))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);

    let delete = DeleteActionRequest {
        package_name: "orders".to_owned(),
        action_name: "hello".to_owned(),
        ..DeleteActionRequest::default()
    };
    graph.actions.delete_action(delete.clone()).await.unwrap();
    let gone = graph.actions.delete_action(delete).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound);
    let gone = graph
        .runs
        .invoke(invoke("orders", "hello", "{}"))
        .await
        .unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound);
    assert_eq!(info(&gone).metadata["execution"], "not_started");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_runs_from_source_and_from_an_archive() {
    let mut graph = Graph::new().await;
    let source = "def handler(event, context):\n    return {'twice': event['n'] * 2}\n";
    let inline = code(
        PYTHON,
        "index.handler",
        exec::Code::Source(source.to_owned()),
    );
    graph.put("", "inline", inline).await;

    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = zip::ZipWriter::new(&mut file);
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        (
            "entry.py",
            "import sums\ndef run(event, context):\n    return {'twice': sums.twice(event['n'])}\n",
        ),
        ("sums.py", "def twice(n):\n    return n * 2\n"),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    let archive = bytes::Bytes::from(file.into_inner());
    let zipped = code(PYTHON, "entry.run", exec::Code::Archive(archive.clone()));
    graph.put("", "zipped", zipped).await;

    for name in ["inline", "zipped"] {
        let ran = graph.run(invoke("", name, r#"{"n": 21}"#)).await;
        assert!(ran.success, "{ran:?}");
        assert_eq!(read(ran.result), json!({"twice": 42}), "{name}");
    }
    let asked = GetActionRequest {
        action_name: "zipped".to_owned(),
        include_code: true,
        ..GetActionRequest::default()
    };
    let got = graph
        .actions
        .get_action(asked)
        .await
        .unwrap()
        .into_inner()
        .action
        .unwrap();
    assert_eq!(got.exec.unwrap().code, Some(exec::Code::Archive(archive)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_stands_still_and_an_alias_names_it() {
    let mut graph = Graph::new().await;
    graph
        .put(
            "",
            "hello",
            node("exports.handler = async (e, c) => 'first ' + c.getVersion()"),
        )
        .await;
    let publish = PublishActionVersionRequest {
        action_name: "hello".to_owned(),
        version: "v1".to_owned(),
        description: "the first".to_owned(),
        ..PublishActionVersionRequest::default()
    };
    let made = graph
        .actions
        .publish_action_version(publish.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made.version.unwrap().version, "v1");
    graph
        .put(
            "",
            "hello",
            node("exports.handler = async (e, c) => 'second ' + c.getVersion()"),
        )
        .await;
    let taken = graph
        .actions
        .publish_action_version(publish)
        .await
        .unwrap_err();
    assert_eq!(taken.code(), tonic::Code::AlreadyExists, "{taken:?}");

    let alias = |version: &str| PutActionAliasRequest {
        action_name: "hello".to_owned(),
        alias_name: "prod".to_owned(),
        alias: Some(ActionAlias {
            version: version.to_owned(),
            ..ActionAlias::default()
        }),
        ..PutActionAliasRequest::default()
    };
    let made = graph
        .actions
        .put_action_alias(alias("v1"))
        .await
        .unwrap()
        .into_inner()
        .alias
        .unwrap();
    assert_eq!((made.name.as_str(), made.version.as_str()), ("prod", "v1"));

    let run = |version: &str| InvokeRequest {
        version: version.to_owned(),
        ..invoke("", "hello", "{}")
    };
    for (version, expected) in [
        ("", "second latest"),
        ("latest", "second latest"),
        ("v1", "first v1"),
        ("!prod", "first v1"),
    ] {
        let ran = graph.run(run(version)).await;
        assert_eq!(read(ran.result), json!(expected), "{version}");
    }
    let moved = graph
        .actions
        .put_action_alias(alias("latest"))
        .await
        .unwrap()
        .into_inner()
        .alias
        .unwrap();
    assert_eq!(moved.version, "latest");
    assert_eq!(
        read(graph.run(run("!prod")).await.result),
        json!("second latest")
    );

    let listed = ListActionVersionsRequest {
        action_name: "hello".to_owned(),
        ..ListActionVersionsRequest::default()
    };
    let listed = graph
        .actions
        .list_action_versions(listed)
        .await
        .unwrap()
        .into_inner();
    let mut names: Vec<_> = listed
        .versions
        .into_iter()
        .map(|version| version.version)
        .collect();
    names.sort();
    assert_eq!(names, ["latest", "v1"]);
    let aliases = ListActionAliasesRequest {
        action_name: "hello".to_owned(),
        ..ListActionAliasesRequest::default()
    };
    let listed = graph
        .actions
        .list_action_aliases(aliases.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.aliases.len(), 1);
    let remove = DeleteActionAliasRequest {
        action_name: "hello".to_owned(),
        alias_name: "prod".to_owned(),
        ..DeleteActionAliasRequest::default()
    };
    graph.actions.delete_action_alias(remove).await.unwrap();
    let left = graph
        .actions
        .list_action_aliases(aliases)
        .await
        .unwrap()
        .into_inner();
    assert!(left.aliases.is_empty());
    let gone = graph.runs.invoke(run("!prod")).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound, "{gone:?}");

    let version = DeleteActionRequest {
        action_name: "hello".to_owned(),
        version: "v1".to_owned(),
        ..DeleteActionRequest::default()
    };
    graph.actions.delete_action(version).await.unwrap();
    assert_eq!(
        read(graph.run(run("")).await.result),
        json!("second latest"),
        "only the version is gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_and_packages_from_functions() {
    let mut graph = Graph::new().await;
    for (package, name) in [
        ("", "a"),
        ("", "b"),
        ("", "c"),
        ("orders", "d"),
        ("", "e"),
        ("", "f"),
    ] {
        graph
            .put(package, name, node("exports.handler = async () => 1"))
            .await;
    }
    let (mut names, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let request = ListActionsRequest {
            page_size: 2,
            page_token: token,
            ..ListActionsRequest::default()
        };
        let page = graph
            .actions
            .list_actions(request)
            .await
            .unwrap()
            .into_inner();
        pages += 1;
        assert!(page.actions.len() <= 2 && pages < 10);
        names.extend(page.actions.into_iter().map(|action| {
            assert_eq!(
                (action.package_name.as_str(), action.runtime.as_str()),
                ("default", NODE)
            );
            action.name
        }));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c", "e", "f"]);
    assert!(pages >= 3);

    let listed = graph
        .packages
        .list_packages(ListPackagesRequest::default())
        .await
        .unwrap()
        .into_inner();
    let packages: Vec<_> = listed
        .packages
        .into_iter()
        .map(|package| package.name)
        .collect();
    assert_eq!(packages, ["default", "orders"]);
    let get = GetPackageRequest {
        package_name: "orders".to_owned(),
        ..GetPackageRequest::default()
    };
    let package = graph
        .packages
        .get_package(get)
        .await
        .unwrap()
        .into_inner()
        .package
        .unwrap();
    assert_eq!(package.actions.len(), 1);
    let make = PutPackageRequest {
        package_name: "invoices".to_owned(),
        ..PutPackageRequest::default()
    };
    let refused = graph.packages.put_package(make).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    assert!(
        refused
            .message()
            .contains("put an action with this package_name"),
        "{}",
        refused.message()
    );
    let remove = DeletePackageRequest {
        package_name: "orders".to_owned(),
        ..DeletePackageRequest::default()
    };
    let refused = graph.packages.delete_package(remove).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
}
