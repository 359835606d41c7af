//! Actions and their error codes, in both generations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_emulator::ncp::{Options, Quotas, Site};
use serde_json::{Value, json};

use crate::client::{Client, NEW, OLD, action};

const HELLO: &str = "function main(p) { return { payload: p.name } }";

fn path(name: &str) -> String {
    format!("{NEW}/packages/-/actions/{name}")
}

/// A v2.0 body.
fn old_action(code: &str) -> Value {
    let mut body = action("nodejs:16", code);
    body.as_object_mut().unwrap().remove("vpc");
    body
}

#[tokio::test]
async fn a_new_action_from_put_to_delete() {
    let client = Client::new().await;
    let put = client
        .put(&path("hello"), action("nodejs:22", HELLO))
        .await
        .content();
    let expected = json!({
        "description": "",
        "exec": {"binary": false, "code": HELLO, "kind": "nodejs:22", "main": "main"},
        "limits": {"memory": 128, "timeout": 10_000},
        "name": "hello",
        "parameters": {},
        "path": "LocEmu",
        "resourceId": put["resourceId"],
        "type": "basic",
        "vpc": [{"subnetNo": 2, "vpcNo": 1}],
    });
    assert_eq!(put, expected);
    assert_eq!(client.get(&path("hello")).await.content(), expected);
    let list = client
        .get(&format!("{NEW}/packages/-/actions"))
        .await
        .content();
    let item = json!({"description": "", "name": "hello", "runtime": "nodejs:22", "type": "basic"});
    assert_eq!(list, json!({ "actions": [item] }));
    assert_eq!(client.delete(&path("hello")).await.status, 204);
    client.delete(&path("hello")).await.refused(404, "80301");
    client.get(&path("hello")).await.refused(404, "80301");
    client
        .post(&path("hello"), json!({}))
        .await
        .refused(404, "80301");
    client
        .get(&format!("{}/activations", path("hello")))
        .await
        .refused(404, "80301");
}

#[tokio::test]
async fn web_actions_and_packages() {
    let client = Client::new().await;
    client
        .put(&format!("{NEW}/packages/pkg"), json!({}))
        .await
        .content();
    let mut body = action("nodejs:22", HELLO);
    body["raw-http"] = true.into();
    body["parameters"] = json!({"a": 1});
    let target = format!("{NEW}/packages/pkg/actions/page");
    let put = client
        .put(&format!("{target}?type=web"), body.clone())
        .await
        .content();
    assert_eq!(
        (&put["type"], &put["path"]),
        (&json!("web"), &json!("LocEmu/pkg"))
    );
    assert_eq!(
        (&put["raw-http"], &put["custom-options"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(put["parameters"], json!({"a": 1}));
    client
        .put(&format!("{target}?type=basic"), action("nodejs:22", HELLO))
        .await
        .refused(400, "80304");
    client
        .put(&target, action("nodejs:22", HELLO))
        .await
        .refused(400, "80304");
    client
        .put(&format!("{}?type=basic", path("other")), body)
        .await
        .refused(400, "80307");
    client
        .put(
            &format!("{NEW}/packages/gone/actions/x"),
            action("nodejs:22", HELLO),
        )
        .await
        .refused(404, "80101");
}

#[tokio::test]
async fn an_old_action() {
    let client = Client::new().await;
    let target = format!("{OLD}/packages/-/actions/hello");
    let put = client.put(&target, old_action(HELLO)).await.content();
    assert_eq!(put["web"], false);
    assert!(
        put.get("type").is_none() && put.get("vpc").is_none(),
        "{put}"
    );
    let list = client
        .get(&format!("{OLD}/packages/-/actions"))
        .await
        .content();
    assert_eq!(
        list["actions"][0],
        json!({"description": "", "name": "hello", "runtime": "nodejs:16", "web": false})
    );
    // `web` left out keeps the present kind; the other kind is another type.
    let mut web = old_action(HELLO);
    web["web"] = true.into();
    client.put(&target, web.clone()).await.refused(400, "80304");
    client
        .put(&format!("{OLD}/packages/-/actions/page"), web)
        .await
        .content();
    let kept = client
        .put(&format!("{OLD}/packages/-/actions/page"), old_action(HELLO))
        .await
        .content();
    assert_eq!(kept["web"], true);
    // On VPC the old generation takes one object, or none.
    let on_vpc = format!("{OLD}/packages/-/actions/vpc?platform=vpc");
    let mut body = old_action(HELLO);
    client.put(&on_vpc, body.clone()).await.content();
    body["vpc"] = json!({"vpcNo": 1, "subnetNo": 2});
    let put = client.put(&on_vpc, body.clone()).await.content();
    assert_eq!(put["vpc"], json!({"vpcNo": 1, "subnetNo": 2}));
    assert_eq!(
        client.get(&path("vpc")).await.content()["vpc"],
        json!([{"vpcNo": 1, "subnetNo": 2}])
    );
    client
        .put(&target, body.clone())
        .await
        .refused(400, "80307");
    body["vpc"] = json!([{"vpcNo": 1, "subnetNo": 2}]);
    client.put(&on_vpc, body).await.refused(400, "80305");
    let mut image = old_action(HELLO);
    image["exec"] = json!({"kind": "custom image", "imageUri": "a/b"});
    client.put(&target, image).await.refused(400, "80307");
    let mut memory = old_action(HELLO);
    memory["limits"]["memory"] = 192.into();
    client.put(&target, memory).await.content();
    let mut sequence = json!({"exec": {"kind": "sequence", "components": ["-/hello"]}});
    let target = format!("{OLD}/packages/-/actions/chain");
    assert_eq!(
        client.put(&target, sequence.clone()).await.content()["exec"]["kind"],
        "sequence"
    );
    sequence["web"] = true.into();
    client.put(&target, sequence).await.refused(400, "80304");
}

#[tokio::test]
async fn names_and_counts() {
    let quotas = Quotas {
        actions: 2,
        ..Quotas::default()
    };
    let client = Client::with(Options {
        quotas,
        ..Options::default()
    })
    .await;
    for name in ["-a", "a.b", "a%2Fb", &"x".repeat(51)] {
        client
            .put(&path(name), action("nodejs:22", HELLO))
            .await
            .refused(400, "80300");
    }
    client
        .put(&format!("{NEW}/packages/taken"), json!({}))
        .await
        .content();
    client
        .put(&path("taken"), action("nodejs:22", HELLO))
        .await
        .refused(409, "80011");
    client.deploy("one", HELLO).await;
    let inside = format!("{NEW}/packages/taken/actions/one");
    client
        .put(&inside, action("nodejs:22", HELLO))
        .await
        .refused(409, "80011");
    client.deploy("two", HELLO).await;
    client.deploy("two", HELLO).await;
    client
        .put(&path("three"), action("nodejs:22", HELLO))
        .await
        .refused(422, "80308");
}

/// Every field: absent, of a wrong type, with a wrong value.
#[tokio::test]
async fn fields() {
    let client = Client::new().await;
    client
        .put(
            &format!("{}?type=odd", path("a")),
            action("nodejs:22", HELLO),
        )
        .await
        .refused(400, "80303");
    for body in ["", "[]", "no", "null"] {
        client
            .send("PUT", &path("a"), body)
            .await
            .refused(400, "80305");
    }
    let missing = [
        "/limits",
        "/limits/timeout",
        "/limits/memory",
        "/exec",
        "/exec/kind",
        "/exec/binary",
        "/exec/code",
        "/exec/main",
        "/vpc",
        "/vpc/0/vpcNo",
        "/vpc/0/subnetNo",
    ];
    for pointer in missing {
        for null in [false, true] {
            let mut body = action("nodejs:22", HELLO);
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.remove(field);
            if null {
                parent.insert(field.into(), Value::Null);
            }
            let answer = client.put(&path("a"), body).await;
            answer.refused(400, "80306");
        }
    }
    let cases = [
        ("/limits", json!(5), "80305"),
        ("/limits/timeout", json!("60000"), "80305"),
        ("/limits/timeout", json!(1.5), "80305"),
        ("/limits/timeout", json!(499), "80307"),
        ("/limits/timeout", json!(300_001), "80307"),
        ("/limits/memory", json!("128"), "80305"),
        ("/limits/memory", json!(192), "80307"),
        ("/exec", json!([]), "80305"),
        ("/exec/kind", json!(5), "80305"),
        ("/exec/kind", json!(""), "80307"),
        ("/exec/kind", json!("sequence"), "80307"),
        ("/exec/kind", json!("java:21"), "80307"),
        ("/exec/kind", json!("dotnet:2.2"), "80307"),
        ("/exec/binary", json!("false"), "80305"),
        ("/exec/code", json!(1), "80305"),
        ("/exec/code", json!(""), "80307"),
        ("/exec/main", json!(["main"]), "80305"),
        ("/exec/main", json!(""), "80307"),
        ("/vpc", json!({"vpcNo": 1, "subnetNo": 2}), "80305"),
        ("/vpc", json!([]), "80307"),
        ("/vpc", json!([1]), "80305"),
        ("/vpc/0/vpcNo", json!("1"), "80305"),
    ];
    for (pointer, value, code) in cases {
        let mut body = action("nodejs:22", HELLO);
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let answer = client.put(&path("a"), body).await;
        assert_eq!(
            answer.json()["error"]["errorCode"],
            code,
            "{pointer} = {value}: {}",
            answer.json()
        );
    }
    let optional = [
        ("description", json!(5), "80305"),
        ("description", json!("x".repeat(3001)), "80307"),
        ("parameters", json!("x"), "80305"),
        ("parameters", json!({"x": "y".repeat(1 << 20)}), "80307"),
        ("raw-http", json!("true"), "80305"),
        ("raw-http", json!(true), "80307"),
        ("custom-options", json!(true), "80307"),
    ];
    for (field, value, code) in optional {
        let mut body = action("nodejs:22", HELLO);
        body[field] = value;
        client.put(&path("a"), body).await.refused(400, code);
    }
    let mut silent = action("nodejs:22", HELLO);
    silent["raw_http"] = true.into();
    client.put(&path("a"), silent).await.content();
    let classic = format!("{}?platform=classic", path("c"));
    client
        .put(&classic, action("nodejs:22", HELLO))
        .await
        .refused(400, "80307");
    client.put(&classic, old_action(HELLO)).await.content();
}

#[tokio::test]
async fn code_forms() {
    let client = Client::new().await;
    let mut body = action("java:21", "UEsDBA==");
    body["exec"]["binary"] = true.into();
    client.put(&path("jar"), body.clone()).await.content();
    body["exec"]["code"] = "%%%".into();
    client.put(&path("jar"), body).await.refused(400, "80307");
    client
        .put(
            &path("big"),
            action("nodejs:22", &"x".repeat((48 << 20) - 3)),
        )
        .await
        .refused(400, "80307");
    // Text counts together with `main`.
    client
        .put(
            &path("big"),
            action("nodejs:22", &"x".repeat((48 << 20) - 4)),
        )
        .await
        .content();
    // Archives count before base64.
    for (bytes, fits) in [(38 << 20, true), ((38 << 20) + 1, false)] {
        let mut body = action("nodejs:22", &STANDARD.encode(vec![0; bytes]));
        body["exec"]["binary"] = true.into();
        let answer = client.put(&path("archive"), body).await;
        if fits {
            answer.content();
        } else {
            answer.refused(400, "80307");
        }
    }
    let image = |exec: Value| json!({"limits": {"timeout": 500, "memory": 128}, "exec": exec, "vpc": [{"vpcNo": 1, "subnetNo": 2}]});
    client
        .put(&path("i"), image(json!({"kind": "custom image"})))
        .await
        .refused(400, "80306");
    // The image runs the code that comes with it.
    let exec = json!({"kind": "custom image", "imageUri": "r/i", "binary": false, "code": HELLO, "main": "main"});
    for missing in ["imageUri", "binary", "code", "main"] {
        let mut exec = exec.clone();
        exec.as_object_mut().unwrap().remove(missing);
        client
            .put(&path("i"), image(exec))
            .await
            .refused(400, "80306");
    }
    let mut wrong = exec.clone();
    wrong["imageUri"] = "x".into();
    client
        .put(&path("i"), image(wrong))
        .await
        .refused(400, "80307");
    let put = client.put(&path("i"), image(exec.clone())).await.content();
    assert_eq!(put["exec"], exec);
}

#[tokio::test]
async fn sequences() {
    let client = Client::new().await;
    client.deploy("one", HELLO).await;
    let target = format!("{}?type=sequence", path("chain"));
    let body = |components: Value| json!({"exec": {"kind": "sequence", "components": components}});
    let put = client
        .put(&target, body(json!(["-/one", "-/one"])))
        .await
        .content();
    assert_eq!(
        put["exec"],
        json!({"kind": "sequence", "components": ["-/one", "-/one"]})
    );
    assert_eq!(put["type"], "sequence");
    assert!(
        put.get("limits").is_none() && put.get("vpc").is_none(),
        "{put}"
    );
    let web = client
        .put(
            &format!("{}?type=sequence-web", path("webchain")),
            body(json!(["-/chain"])),
        )
        .await;
    assert_eq!(web.content()["type"], "sequence-web");
    let list = client
        .get(&format!("{NEW}/packages/-/actions"))
        .await
        .content();
    assert_eq!(list["actions"][0]["runtime"], "sequence");
    for (components, code) in [
        (json!("x"), "80305"),
        (json!([1]), "80305"),
        (json!([]), "80307"),
        (json!(["one"]), "80307"),
        (json!(["-/gone"]), "80307"),
        (json!(["-/chain"]), "80307"),
        (json!(["-/webchain"]), "80307"),
    ] {
        client
            .put(&target, body(components))
            .await
            .refused(400, code);
    }
    client
        .put(&target, json!({"exec": {"kind": "sequence"}}))
        .await
        .refused(400, "80306");
    client
        .put(
            &target,
            json!({"exec": {"kind": "nodejs:22", "components": ["-/one"]}}),
        )
        .await
        .refused(400, "80307");
}

#[tokio::test]
async fn government_and_finance() {
    let gov = Client::with(Options {
        site: Site::Government,
        ..Options::default()
    })
    .await;
    gov.put(&format!("{OLD}/packages/-/actions/a"), old_action(HELLO))
        .await
        .content();
    gov.put(
        &format!("{OLD}/packages/-/actions/a"),
        action("nodejs:16", HELLO),
    )
    .await
    .refused(400, "80305");
    let fin = Client::with(Options {
        site: Site::Financial,
        ..Options::default()
    })
    .await;
    fin.deploy("a", HELLO).await;
    fin.get(&format!("{}?platform=vpc", path("a")))
        .await
        .refused(400, "80302");
}
