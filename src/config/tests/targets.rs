use super::*;
use crate::credentials::settings::SharedSource;

fn read_ncp(keys: &str) -> ncp::Config {
    let config = good(&target(&format!("provider: ncp\n{keys}")));
    match &config.targets["t"].cloud {
        Cloud::Ncp(ncp) => ncp.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_the_contract_loads() {
    let config = good(EXAMPLE);
    assert_eq!(
        config.listen[1],
        Listen::Unix("/run/faas-sidecar/faas.sock".into())
    );
    assert_eq!(config.admin, Some("127.0.0.1:9901".parse().unwrap()));
    assert_eq!(config.default_target, "prod");
    let prod = &config.targets["prod"];
    assert_eq!(prod.idempotent_actions, ["reports/*", "-/ping"]);
    assert_eq!(prod.timeouts.request, Duration::from_secs(310));
    assert_eq!(prod.base_url, None);
    let Cloud::FunctionGraph(hw) = &config.targets["hw"].cloud else {
        panic!()
    };
    assert_eq!(
        hw.project_id.as_deref(),
        Some("0123456789abcdef0123456789abcdef")
    );
    let directory = "/var/run/secrets/huawei".into();
    assert_eq!(
        config.targets["hw"].credentials.source,
        CredentialSource::FunctionGraph(SharedSource::Files { directory }.into())
    );
}

#[test]
fn an_empty_target_gets_the_documented_defaults() {
    let config = good(&target("provider: ncp"));
    assert_eq!(config.listen, ["127.0.0.1:50051".parse().unwrap()]);
    assert_eq!(
        (config.admin, config.threads, config.max_message_size),
        (None, 1, 64 << 20)
    );
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert_eq!(
        config.log,
        Log {
            format: LogFormat::Text,
            level: LogLevel::Info
        }
    );
    assert_eq!(config.default_target, "t");
    let t = &config.targets["t"];
    assert!(t.credentials.source.is_environment());
    assert_eq!(t.wait, Duration::from_secs(60));
    let budget = Budget {
        ratio: 0.1,
        min_per_second: 1,
    };
    let (initial_backoff, max_backoff) = (Duration::from_millis(100), Duration::from_secs(5));
    assert_eq!(
        t.retry,
        Retry {
            max_attempts: 3,
            initial_backoff,
            max_backoff,
            budget
        }
    );
    assert_eq!(t.timeouts.attempt, Duration::from_secs(75));
    assert_eq!((t.limits.max_in_flight, t.limits.max_queue), (100, 2000));
    assert_eq!(t.limits.queue_timeout, None);
    assert!(t.limits.adaptive_rate);
    assert_eq!(
        t.breaker,
        Breaker {
            enabled: true,
            consecutive_failures: 10,
            success_rate: 0.5,
            min_requests: 20,
            window: Duration::from_secs(10),
            open: Duration::from_secs(1),
            max_open: Duration::from_secs(30),
        }
    );
}

#[test]
fn memory_for_bodies_holds_one_message_at_least() {
    let largest = |top: &str, own: &str| {
        let read = good(&format!(
            "{top}\n{}",
            target(&format!("provider: ncp{own}"))
        ));
        read.targets
            .into_values()
            .next()
            .map(|target| target.limits.max_response_size)
    };
    assert_eq!(largest("", ""), Some(64 << 20));
    assert_eq!(largest("max_message_size: 8MiB", ""), Some(8 << 20));
    assert_eq!(
        largest(
            "max_message_size: 8MiB",
            "\nlimits: {max_response_size: 9MiB}"
        ),
        Some(9 << 20)
    );
    let size = |top: &str| good(&format!("{top}\n{}", target("provider: ncp"))).max_body_memory;
    assert_eq!(size(""), 256 << 20);
    assert_eq!(size("max_message_size: 1MiB"), 24 << 20);
    assert_eq!(size("max_message_size: 100MiB"), 400 << 20);
    assert_eq!(
        size("max_message_size: 8MiB\nmax_body_memory: 32MiB"),
        32 << 20
    );
    let told = faults(&format!(
        "max_message_size: 8MiB\nmax_body_memory: 31MiB\n{}",
        target("provider: ncp")
    ));
    assert_eq!(
        told,
        [
            "max_body_memory (line 2): 31MiB has no room for one message of max_message_size (8MiB), which takes four \
             times its size while its call goes on; raise it to 32MiB, or lower that one"
        ]
    );
}

#[test]
fn a_subnet_is_two_numbers_or_none() {
    let vpc = crate::proto::Vpc {
        vpc_no: 1001,
        subnet_no: 2002,
    };
    assert_eq!(
        read_ncp("vpc: { vpc_no: 1001, subnet_no: 2002 }")
            .vpc
            .numbers(),
        Some(vpc)
    );
    assert_eq!(read_ncp("vpc: {}").vpc.numbers(), None);
    for (settings, part) in [
        ("vpc: { vpc_no: 1001 }", "subnet_no"),
        ("vpc: { subnet_no: 2002 }", "vpc_no"),
        ("vpc: { vpc_no: 0, subnet_no: 2002 }", "vpc_no"),
        (
            "site: gov\nvpc: { vpc_no: 1, subnet_no: 2 }",
            "classic alone",
        ),
    ] {
        let told = faults(&target(&format!("provider: ncp\n{settings}")));
        assert!(
            told.len() == 1 && told[0].contains(part),
            "{settings}: {told:?}"
        );
    }
}

#[test]
fn sites_regions_and_versions_bring_their_platform() {
    use crate::proto::Platform::{self, *};
    use ncp::{ApiVersion::*, Region::*, Site::*};
    let made = |site, region, api_version, platform: Platform| ncp::Config {
        site,
        region,
        api_version,
        platform,
        vpc: ncp::Subnet::default(),
        sts_url: None,
    };
    assert_eq!(read_ncp(""), made(Public, Kr, V21, Vpc));
    assert_eq!(
        read_ncp("api_version: \"2.0\""),
        made(Public, Kr, V20, Classic)
    );
    assert_eq!(read_ncp("api_version: 2.0"), made(Public, Kr, V20, Classic));
    assert_eq!(
        read_ncp("platform: classic"),
        made(Public, Kr, V21, Classic)
    );
    assert_eq!(
        read_ncp("region: sg\napi_version: 2.0"),
        made(Public, Sg, V20, Vpc)
    );
    assert_eq!(read_ncp("region: jp"), made(Public, Jp, V21, Vpc));
    assert_eq!(read_ncp("site: fin"), made(Fin, Kr, V21, Vpc));
    assert_eq!(read_ncp("site: gov"), made(Gov, Kr, V20, Classic));
}

#[test]
fn combinations_that_do_not_exist_are_refused() {
    for (keys, path) in [
        ("site: gov\napi_version: \"2.1\"", "targets.t.api_version"),
        ("site: gov\nplatform: vpc", "targets.t.platform"),
        ("site: fin\nplatform: classic", "targets.t.platform"),
        ("site: fin\nregion: sg", "targets.t.region"),
        ("region: jp\nplatform: classic", "targets.t.platform"),
    ] {
        let told = faults(&target(&format!("provider: ncp\n{keys}")));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("{path} (line 5): ")) && told[0].ends_with("; remove it"),
            "{told:?}"
        );
    }
}

#[test]
fn plain_http_stays_on_the_machine() {
    for url in [
        "http://127.0.0.1:8080",
        "http://[::1]:1/prefix",
        "http://localhost/ncf/api/v2",
        "https://h.example",
    ] {
        let config = good(&target(&format!("provider: ncp\nbase_url: {url}")));
        assert!(config.targets["t"].base_url.is_some());
    }
    let told = faults(&target("provider: ncp\nbase_url: http://10.0.0.1"));
    assert!(told[0].contains("allow_plaintext: true"), "{told:?}");
    good(&target(
        "provider: ncp\nallow_plaintext: true\nbase_url: http://10.0.0.1",
    ));
}

#[test]
fn urls_hold_nothing_but_scheme_host_and_prefix() {
    for url in [
        "ftp://h",
        "h.example",
        "https://",
        "https://me:hunter2@h",
        "https://h?x=1",
        "https://h#x",
        "'http://'",
    ] {
        let told = faults(&target(&format!("provider: ncp\nbase_url: {url}")));
        assert!(
            told.len() == 1 && !told[0].contains("hunter2"),
            "{url}: {told:?}"
        );
    }
}

#[test]
fn defaults_shrink_to_the_request_timeout_and_given_values_must_fit() {
    let t = good(&target("provider: ncp\ntimeouts: { request: 10s }")).targets["t"].clone();
    assert_eq!(
        (t.wait, t.timeouts.attempt),
        (Duration::from_secs(10), Duration::from_secs(10))
    );
    let told = faults(&target(
        "provider: ncp\nwait: 20s\ntimeouts: { request: 10s, attempt: 11s }\nretry: { max_backoff: 50ms }",
    ));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("targets.t.wait (line 4): 20s is longer than timeouts.request (10s)")
    );
    assert!(told[1].starts_with("targets.t.timeouts.attempt (line 5): "));
    assert!(
        told[2]
            .starts_with("targets.t.retry.max_backoff (line 6): initial_backoff (100ms) is longer")
    );
}

#[test]
fn digits_alone_may_be_a_project() {
    let config = good(&target(
        "provider: functiongraph\nregion: eu-de\nproject_id: 01234567890123456789012345678901",
    ));
    assert!(
        matches!(&config.targets["t"].cloud, Cloud::FunctionGraph(fg) if fg.project_id.as_deref() == Some("01234567890123456789012345678901"))
    );
    good(&target(
        "provider: functiongraph\nregion: eu-de\nproject_id: 12345678901234567890123456789e12",
    ));
}
