//! Every answer of NAVER Cloud Functions against its documents, member by member: `shapes.txt`.

use std::time::Duration;

use faas_emulator::ncp::{Options, Site};
use serde_json::{Value, json};

use crate::client::{Client, NEW, OLD, action};
use crate::shape::Shapes;

const CODE: &str = "function main(p) { console.log('hi'); return p }";

fn id(content: &Value) -> &str {
    content["activationId"].as_str().unwrap()
}

async fn packages_and_actions(client: &Client, shapes: &mut Shapes) {
    let package = format!("{NEW}/packages/p");
    let body = json!({"description": "d", "parameters": {"env": "prod"}});
    shapes.check("ncp package put", &client.put(&package, body).await);
    shapes.check(
        "ncp package list",
        &client.get(&format!("{NEW}/packages")).await,
    );

    let path = |name: &str, query: &str| format!("{package}/actions/{name}?platform=vpc{query}");
    let basic = action("nodejs:22", CODE);
    shapes.check(
        "ncp action basic",
        &client.put(&path("basic", ""), basic.clone()).await,
    );
    shapes.check("ncp action basic", &client.get(&path("basic", "")).await);
    let mut web = basic.clone();
    web["raw-http"] = true.into();
    shapes.check(
        "ncp action web",
        &client.put(&path("web", "&type=web"), web).await,
    );
    let mut image = basic;
    image["exec"]["kind"] = "custom image".into();
    image["exec"]["imageUri"] = "registry/image:1".into();
    shapes.check(
        "ncp action image",
        &client.put(&path("image", ""), image).await,
    );
    let sequence = json!({"exec": {"kind": "sequence", "components": ["p/basic"]}});
    let answer = client.put(&path("chain", "&type=sequence"), sequence).await;
    shapes.check("ncp action sequence", &answer);
    shapes.check(
        "ncp action list",
        &client.get(&format!("{package}/actions")).await,
    );
    shapes.check("ncp package get", &client.get(&package).await);
    shapes.check("ncp refused", &client.get(&path("gone", "")).await);

    let old = |name: &str| format!("{OLD}/packages/-/actions/{name}?platform=vpc");
    let mut body = action("nodejs:16", CODE);
    body["vpc"] = json!({"vpcNo": 1, "subnetNo": 2});
    shapes.check("ncp action 2.0", &client.put(&old("old"), body).await);
    shapes.check("ncp action 2.0", &client.get(&old("old")).await);
    let listed = client
        .get(&format!("{OLD}/packages/-/actions?platform=vpc"))
        .await;
    shapes.check("ncp action list 2.0", &listed);
}

async fn runs(client: &Client, shapes: &mut Shapes) {
    for (prefix, name) in [(NEW, "basic"), (OLD, "p/basic")] {
        let path = |below: &str| format!("{prefix}/packages/p/actions/basic{below}platform=vpc");
        let ran = client.post(&path("?"), json!({"x": 1})).await;
        shapes.check("ncp run", &ran);
        let ran = ran.content();
        assert_eq!(ran["name"], "basic");
        let unfinished = client.post(&path("?timeout=0&"), json!({})).await;
        shapes.check("ncp run unfinished", &unfinished);
        let detail = client
            .get(&path(&format!("/activations/{}?", id(&ran))))
            .await;
        shapes.check("ncp activation", &detail);
        let detail = detail.content();
        assert_eq!(
            (&detail["name"], &detail["start"]),
            (&name.into(), &ran["start"])
        );
        shapes.check(
            "ncp activation list",
            &client.get(&path("/activations?")).await,
        );
        let listed = client
            .get(&format!("{prefix}/activations?platform=vpc"))
            .await;
        shapes.check("ncp activation list", &listed);
    }
}

async fn triggers(client: &Client, shapes: &mut Shapes) {
    let trigger = format!("{NEW}/triggers/t");
    let body = json!({"cronOption": "0 0 1 1 *", "parameters": {"job": "clean"}});
    let put = client.put(&format!("{trigger}?type=cron"), body).await;
    shapes.check("ncp trigger put", &put);
    let link = json!({"action": "basic", "package": "p"});
    let path = format!("{trigger}/link-action");
    shapes.check("ncp linked", &client.post(&path, link.clone()).await);
    shapes.check(
        "ncp trigger list",
        &client.get(&format!("{NEW}/triggers")).await,
    );
    shapes.check("ncp trigger get", &client.get(&trigger).await);
    let old = client.get(&format!("{OLD}/triggers/t?platform=vpc")).await;
    shapes.check("ncp trigger get 2.0", &old);
    let fired = client.post(&trigger, json!({})).await;
    shapes.check("ncp fired", &fired);
    let detail = client
        .get(&format!("{trigger}/activations/{}", id(&fired.content())))
        .await;
    shapes.check("ncp activation", &detail);
    let detail = detail.content();
    assert_eq!(
        (&detail["end"], &detail["duration"]),
        (&0.into(), &0.into())
    );
    assert!(detail["start"].as_i64().unwrap() > 0);
    let listed = client.get(&format!("{trigger}/activations")).await;
    shapes.check("ncp activation list", &listed);
    let unlinked = client.send("DELETE", &path, &link.to_string()).await;
    shapes.check("ncp deleted", &unlinked);
    shapes.check("ncp deleted", &client.delete(&trigger).await);
}

#[tokio::test]
async fn every_answer_has_the_members_of_its_document_and_no_others() {
    let mut shapes = Shapes::read();
    let mut client = Client::new().await;
    packages_and_actions(&client, &mut shapes).await;
    runs(&client, &mut shapes).await;
    triggers(&client, &mut shapes).await;
    for name in ["chain", "web", "image", "basic"] {
        let deleted = client
            .delete(&format!("{NEW}/packages/p/actions/{name}"))
            .await;
        shapes.check("ncp deleted", &deleted);
    }
    shapes.check(
        "ncp deleted",
        &client.delete(&format!("{NEW}/packages/p")).await,
    );
    client.secret_key = "another".to_owned();
    shapes.check(
        "ncp refused by the gateway",
        &client.get(&format!("{NEW}/packages")).await,
    );

    let government = Client::with(Options {
        site: Site::Government,
        ..Options::default()
    })
    .await;
    government
        .put("/api/v2/packages/p", json!({}))
        .await
        .content();
    shapes.check(
        "ncp package get gov",
        &government.get("/api/v2/packages/p").await,
    );
    shapes.all_were_compared(&["ncp"]);
}

#[tokio::test]
async fn a_back_end_may_ignore_pages() {
    let client = Client::with(Options {
        ignore_paging: true,
        ..Options::default()
    })
    .await;
    client.deploy("a", CODE).await;
    for _ in 0..3 {
        client.run("a", json!({})).await;
        client.emulator.clock().advance(Duration::from_millis(5));
    }
    for query in ["pageSize=1", "pageSize=1&pageNo=2", "pageNo=9"] {
        let content = client
            .get(&format!("{NEW}/activations?{query}"))
            .await
            .content();
        assert_eq!(
            content["activations"].as_array().unwrap().len(),
            3,
            "{query}"
        );
        assert_eq!(content["totalCount"], 3);
    }
}
