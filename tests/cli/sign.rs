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
        shown.contains(&format!(
            "  curl '{url}' -H x-ncp-apigw-timestamp:1714111020170"
        )),
        "{shown}"
    );
    assert!(!shown.contains("TESTSECRET"), "{shown}");
    assert_eq!(sidecar(&["sign", "GET", url], &[]).status.code(), Some(64));
}

/// A vector made with the official client, as command line and environment.
fn vector(id: &str) -> (Value, Value) {
    let all: Value = serde_json::from_str(include_str!(
        "../conformance/functiongraph/sign-vectors.json"
    ))
    .unwrap();
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
        let token = input["headers"]["X-Security-Token"]
            .as_str()
            .unwrap_or_default();
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
        assert_eq!(
            output.status.code(),
            Some(0),
            "{id} {}",
            text(&output.stderr)
        );
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
    let ncloud = [
        ("NCLOUD_ACCESS_KEY_ID", "a"),
        ("NCLOUD_SECRET_ACCESS_KEY", "s"),
    ];
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

/// Command line and environment for a vector of the official client.
fn asked(input: &Value, expected: &Value) -> (Vec<String>, Vec<(&'static str, String)>) {
    let is = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let url = format!(
        "{}://{}{}",
        is("scheme"),
        is("host"),
        expected["request_uri"].as_str().unwrap()
    );
    let arguments = [
        "sign",
        &is("method"),
        &url,
        "--provider",
        "functiongraph",
        "--timestamp",
        &is("x_sdk_date"),
    ];
    let mut arguments = arguments.map(str::to_owned).to_vec();
    arguments.extend(["--body".to_owned(), is("body")]);
    let token = input["headers"]["X-Security-Token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let env = [
        ("HUAWEICLOUD_SDK_AK", is("ak")),
        ("HUAWEICLOUD_SDK_SK", is("sk")),
        ("HUAWEICLOUD_SDK_SECURITY_TOKEN", token),
    ];
    (arguments, env.to_vec())
}

fn run(
    arguments: &[String],
    more: &[&str],
    env: &[(&'static str, String)],
) -> std::process::Output {
    let arguments: Vec<_> = arguments
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    sidecar(&arguments, &env)
}

#[test]
fn explain_shows_every_step_of_the_official_clients_signature() {
    for id in [
        "doc-example",
        "invoke-sync-urn-encoded",
        "invoke-sync-urn-raw",
        "security-token",
        "host-with-port",
    ] {
        let (input, expected) = vector(id);
        let (arguments, env) = asked(&input, &expected);
        let output = run(&arguments, &["--explain", "-o", "json"], &env);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{id} {}",
            text(&output.stderr)
        );
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let steps = document["steps"].as_array().unwrap();
        let step = |name: &str| {
            let found = steps.iter().find(|step| step["step"] == name);
            found.unwrap_or_else(|| panic!("{id}: no step {name}"))["value"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let wanted = |name: &str| expected[name].as_str().unwrap().to_owned();
        let canonical = wanted("canonical_request");
        let lines: Vec<_> = canonical.split('\n').collect();
        assert_eq!(
            step("canonical path, decoded and encoded again, with a slash at its end"),
            lines[1],
            "{id}"
        );
        assert_eq!(
            step("canonical query, sorted and encoded again"),
            lines[2],
            "{id}"
        );
        assert_eq!(
            step("names of the signed headers"),
            wanted("signed_headers"),
            "{id}"
        );
        assert_eq!(
            step("its SHA-256"),
            wanted("canonical_request_hash"),
            "{id}"
        );
        assert_eq!(step("string to sign"), wanted("string_to_sign"), "{id}");
        assert_eq!(
            step("signature, HMAC-SHA256 in hexadecimal"),
            wanted("signature"),
            "{id}"
        );
        assert_eq!(step("authorization"), wanted("authorization"), "{id}");
        assert_eq!(step("key fingerprint").len(), 8, "{id}");
        let headers = steps
            .iter()
            .filter(|step| step["step"] == "signed header")
            .count();
        assert_eq!(headers, wanted("signed_headers").split(';').count(), "{id}");
        let secrets = [
            input["sk"].as_str().unwrap(),
            input["headers"]["X-Security-Token"]
                .as_str()
                .unwrap_or("none"),
        ];
        for secret in secrets {
            assert!(!text(&output.stdout).contains(secret), "{id}: {secret}");
        }
        let shown = run(&arguments, &["--explain"], &env);
        let line_ends = text(&shown.stdout).matches("\\n\n").count();
        assert!(
            line_ends >= lines.len() - 1,
            "{id}: {}",
            text(&shown.stdout)
        );
    }
}

#[test]
fn explain_shows_what_naver_cloud_signs() {
    let url = "https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc";
    let keys = [
        ("NCLOUD_ACCESS_KEY_ID", "ncp_iam_TESTACCESSKEY01"),
        (
            "NCLOUD_SECRET_ACCESS_KEY",
            "ncp_iam_TESTSECRETKEY0123456789abcdef",
        ),
    ];
    let output = sidecar(
        &[
            "sign",
            "GET",
            url,
            "--timestamp",
            "1714111020170",
            "--explain",
        ],
        &keys,
    );
    let shown = text(&output.stdout);
    for part in [
        "string to sign\n   GET /ncf/api/v2/packages?platform=vpc\\n\n   1714111020170\\n\n   ncp_iam_TESTACCESSKEY01\n",
        "HMAC-SHA256 in base64\n   G9XMGbwVsK10n5zYjUCRqnLyK6pk5XqVV1TexFXiGyk=\n",
        "body\n   not signed\n",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("TESTSECRET"), "{shown}");
}

#[test]
fn compare_points_at_the_first_difference_and_its_cause() {
    let (input, expected) = vector("doc-example");
    let (arguments, env) = asked(&input, &expected);
    let wanted = |name: &str| expected[name].as_str().unwrap();
    let canonical = wanted("canonical_request");
    let authorization = wanted("authorization");
    let gateway = format!(
        "verify aksk signature fail, canonicalRequest:{}",
        canonical.replace('\n', "|")
    );
    let changed = |from: &str, to: &str| canonical.replacen(from, to, 1);
    let other_signature = authorization.replace(wanted("signature"), &"0".repeat(64));
    for (name, other, cause) in [
        ("the same canonical request", canonical.to_owned(), ""),
        ("the same words of a gateway", gateway.clone(), ""),
        (
            "the same Authorization header",
            authorization.to_owned(),
            "",
        ),
        (
            "the same headers",
            format!(
                "Authorization: {authorization}\nX-Sdk-Date: {}",
                input["x_sdk_date"].as_str().unwrap()
            ),
            "",
        ),
        (
            "the same string to sign",
            wanted("string_to_sign").to_owned(),
            "",
        ),
        ("the same signature", wanted("signature").to_owned(), ""),
        ("another method", changed("GET", "POST"), "method_changed"),
        (
            "a path without its slash",
            changed("/vpcs/\n", "/vpcs\n"),
            "path_changed",
        ),
        (
            "another query",
            changed("limit=2", "limit=3"),
            "query_changed",
        ),
        (
            "another host",
            changed("host:service", "host:other"),
            "host_changed",
        ),
        (
            "another date",
            changed("x-sdk-date:2019", "x-sdk-date:2018"),
            "clock_skew",
        ),
        (
            "a header with other spaces",
            changed(
                "content-type:application/json",
                "content-type:application/json;charset=utf8",
            ),
            "header_changed",
        ),
        (
            "another body",
            changed(canonical.rsplit('\n').next().unwrap(), &"a".repeat(64)),
            "body_changed",
        ),
        (
            "a gateway's other query",
            gateway.replace("limit=2", "limit=2&x="),
            "query_changed",
        ),
        (
            "another key",
            authorization.replace("Access=", "Access=X"),
            "access_key_unknown",
        ),
        (
            "other signed headers",
            authorization.replace("host;", ""),
            "header_changed",
        ),
        ("another signature", other_signature, "secret_wrong"),
        ("another signature alone", "0".repeat(64), "secret_wrong"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, other.as_bytes()).unwrap();
        let at = format!("@{}", file.path().display());
        let output = run(&arguments, &["--compare", &at, "-o", "json"], &env);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = document["difference"]["cause"].as_str().unwrap_or_default();
        assert_eq!(found, cause, "{name}: {document:#}");
        assert_eq!(
            output.status.code(),
            Some(i32::from(!cause.is_empty())),
            "{name}"
        );
        assert!(
            !text(&output.stdout).contains(input["sk"].as_str().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn compare_reads_what_naver_clouds_clients_make() {
    let url = "https://h/ncf/api/v2/packages/p/actions/a?platform=vpc&blocking=true";
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", "id"),
        ("NCLOUD_SECRET_ACCESS_KEY", "canary"),
    ];
    let arguments = ["sign", "POST", url, "--timestamp", "1714111020170"];
    let output = sidecar(&[&arguments[..], &["-o", "json"]].concat(), &env);
    let ours: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text_to_sign = ours["stringToSign"].as_str().unwrap();
    let headers = |timestamp: &str, key: &str, signature: &str| {
        format!(
            "> x-ncp-apigw-timestamp: {timestamp}\n> X-NCP-IAM-Access-Key: {key}\nx-ncp-apigw-signature-v2: {signature}"
        )
    };
    let signature = ours["headers"]["x-ncp-apigw-signature-v2"]
        .as_str()
        .unwrap();
    for (name, other, cause) in [
        ("the same", text_to_sign.to_owned(), ""),
        (
            "the same headers",
            headers("1714111020170", "id", signature),
            "",
        ),
        ("the same signature", signature.to_owned(), ""),
        (
            "a method in small letters",
            text_to_sign.replace("POST", "post"),
            "method_changed",
        ),
        (
            "a path without its prefix",
            text_to_sign.replace("/ncf/api/v2", ""),
            "path_changed",
        ),
        (
            "the whole URL",
            text_to_sign.replace(" /ncf", " https://h/ncf"),
            "path_changed",
        ),
        (
            "a sorted query",
            text_to_sign.replace("platform=vpc&blocking=true", "blocking=true&platform=vpc"),
            "query_reordered",
        ),
        (
            "no query",
            text_to_sign.replace("?platform=vpc&blocking=true", ""),
            "query_changed",
        ),
        (
            "seconds for milliseconds",
            text_to_sign.replace("1714111020170", "1714111020"),
            "clock_skew",
        ),
        (
            "another key",
            text_to_sign.replace("\nid", "\nother"),
            "access_key_unknown",
        ),
        (
            "other headers",
            headers("1714111020171", "id", signature),
            "clock_skew",
        ),
        (
            "another signature in the headers",
            headers("1714111020170", "id", "AAAA="),
            "secret_wrong",
        ),
    ] {
        let output = sidecar(&[&arguments[..], &["--compare", &other]].concat(), &env);
        let shown = text(&output.stdout);
        match cause {
            "" => assert!(shown.starts_with("the same "), "{name}: {shown}"),
            cause => assert!(
                shown.contains(&format!("\ncause: {cause}")),
                "{name}: {shown}"
            ),
        }
        assert_eq!(
            output.status.code(),
            Some(i32::from(!cause.is_empty())),
            "{name}"
        );
        assert!(!shown.contains("canary"), "{name}");
    }
}
