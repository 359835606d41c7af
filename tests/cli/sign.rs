//! `sign`: the reference signatures of both clouds, and never the secret.

use serde_json::Value;

use crate::{sidecar, text};

#[test]
fn sign_prints_the_reference_signature_and_never_the_secret() {
    let url = "https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc";
    let keys = [
        ("NCLOUD_ACCESS_KEY_ID", "ncp_iam_TESTACCESSKEY01"),
        (
            "NCLOUD_SECRET_ACCESS_KEY",
            "ncp_iam_TESTSECRETKEY0123456789abcdef",
        ),
    ];
    let output = sidecar(&["sign", "GET", url, "--timestamp", "1714111020170"], &keys);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for part in [
        "  GET /ncf/api/v2/packages?platform=vpc\n  1714111020170\n  ncp_iam_TESTACCESSKEY01\n",
        "  x-ncp-apigw-signature-v2: G9XMGbwVsK10n5zYjUCRqnLyK6pk5XqVV1TexFXiGyk=\n",
        "-H x-ncp-apigw-signature-v2:G9XMGbwVsK10n5zYjUCRqnLyK6pk5XqVV1TexFXiGyk= -H content-type:application/json\n",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(
        shown.contains(&format!("  curl '{url}' -H x-ncp-apigw-timestamp:1714111020170")),
        "{shown}"
    );
    assert!(!shown.contains("TESTSECRET"), "{shown}");
    assert_eq!(sidecar(&["sign", "GET", url], &[]).status.code(), Some(64));
}

/// A vector made with the official client, as command line and environment.
fn vector(id: &str) -> (Value, Value) {
    let all: Value =
        serde_json::from_str(include_str!("../conformance/functiongraph/sign-vectors.json")).unwrap();
    let vectors = all["vectors"].as_array().unwrap();
    let found = vectors.iter().find(|vector| vector["id"] == id).unwrap();
    (found["input"].clone(), found["expected"].clone())
}

#[test]
fn sign_prints_what_huaweis_own_client_signs() {
    for (id, body_from_file) in [
        ("doc-example", false),
        ("invoke-sync-urn-encoded", true),
        ("invoke-sync-urn-raw", false),
        ("security-token", false),
        ("host-with-port", false),
    ] {
        let (input, expected) = vector(id);
        let is = |name: &str| input[name].as_str().unwrap();
        let wanted = |name: &str| expected[name].as_str().unwrap();
        let url = format!("{}://{}{}", is("scheme"), is("host"), wanted("request_uri"));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, is("body").as_bytes()).unwrap();
        let body = match body_from_file {
            true => format!("@{}", file.path().display()),
            false => is("body").to_owned(),
        };
        let token = input["headers"]["X-Security-Token"].as_str().unwrap_or_default();
        let env = [
            ("HUAWEICLOUD_SDK_AK", is("ak")),
            ("HUAWEICLOUD_SDK_SK", is("sk")),
            ("HUAWEICLOUD_SDK_SECURITY_TOKEN", token),
        ];
        let args = [
            &[
                "sign",
                is("method"),
                &url,
                "--provider",
                "functiongraph",
                "--timestamp",
            ],
            &[is("x_sdk_date"), "--body", &body][..],
        ]
        .concat();
        let output = sidecar(&args, &env);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{id} {}", text(&output.stderr));
        for part in [wanted("canonical_request"), wanted("string_to_sign")] {
            let part = format!("  {}\n", part.replace('\n', "\n  "));
            assert!(shown.contains(&part), "{id}: {part} is not in\n{shown}");
        }
        for part in [
            format!("  authorization: {}\n", wanted("authorization")),
            format!("  x-sdk-date: {}\n", is("x_sdk_date")),
            format!("-H 'authorization:{}'", wanted("authorization")),
            format!(" --data-binary '{body}'\n"),
        ] {
            assert!(shown.contains(&part), "{id}: {part} is not in\n{shown}");
        }
        assert!(!shown.contains(is("sk")), "{id}");

        let output = sidecar(&[&args[..], &["-o", "json"]].concat(), &env);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            document["canonicalRequest"], expected["canonical_request"],
            "{id}"
        );
        assert_eq!(
            document["headers"]["authorization"], expected["authorization"],
            "{id}"
        );
    }
}

#[test]
fn sign_says_what_it_cannot_do() {
    let url = "https://functiongraph.cn-north-4.myhuaweicloud.com/v2/p/fgs/functions";
    let huawei = [("HUAWEICLOUD_SDK_AK", "a"), ("HUAWEICLOUD_SDK_SK", "s")];
    let ncloud = [("NCLOUD_ACCESS_KEY_ID", "a"), ("NCLOUD_SECRET_ACCESS_KEY", "s")];
    let graph = ["sign", "POST", url, "--provider", "functiongraph"];
    let output = sidecar(&graph, &ncloud);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text(&output.stderr).contains("HUAWEICLOUD_SDK_AK"),
        "{}",
        text(&output.stderr)
    );
    let output = sidecar(&[&graph[..], &["--body", "@/no/such"]].concat(), &huawei);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("/no/such cannot be read"));
    let output = sidecar(&["sign", "POST", url, "--body", "{}"], &ncloud);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--body is for --provider functiongraph"));
}
