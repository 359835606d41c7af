use super::*;
use crate::credentials::settings::{BaseKey, SharedSource};

const HUAWEI: &str = "provider: functiongraph\nregion: eu-de\n";

fn read(provider: &str, keys: &str) -> CredentialSettings {
    let config = good(&target(&format!("{provider}\ncredentials: {keys}")));
    config.targets["t"].credentials.clone()
}

fn told(provider: &str, keys: &str) -> Vec<String> {
    faults(&target(&format!("{provider}\ncredentials: {keys}")))
}

#[test]
fn every_source_is_read() {
    use functiongraph::KeySources as Huawei;
    use ncp::KeySources as Naver;

    let naver = CredentialSource::Ncp;
    let huawei = CredentialSource::FunctionGraph;
    let minute = Duration::from_secs(60);
    for (provider, keys, source) in [
        (
            "provider: ncp",
            "{ source: env }",
            naver(SharedSource::Env.into()),
        ),
        (
            "provider: ncp",
            "{ source: files, directory: ~/k }",
            naver(
                SharedSource::Files {
                    directory: "/home/me/k".into(),
                }
                .into(),
            ),
        ),
        (
            "provider: ncp",
            "{ source: ncloud_configure }",
            naver(Naver::NcloudConfigure {
                file: "/home/me/.ncloud/configure".into(),
                profile: "DEFAULT".into(),
            }),
        ),
        (
            "provider: ncp",
            "{ source: ncloud_configure, file: /c, profile: dev }",
            naver(Naver::NcloudConfigure {
                file: "/c".into(),
                profile: "dev".into(),
            }),
        ),
        (
            "provider: ncp",
            "{ source: server_role }",
            naver(Naver::ServerRole { metadata_url: None }),
        ),
        (
            "provider: ncp",
            "{ source: sts }",
            naver(Naver::Sts {
                base: BaseKey::Env,
                duration: 60 * minute,
            }),
        ),
        (
            "provider: ncp",
            "{ source: sts, base: files, directory: /k, duration: 12h }",
            naver(Naver::Sts {
                base: BaseKey::Files {
                    directory: "/k".into(),
                },
                duration: 720 * minute,
            }),
        ),
        (
            HUAWEI,
            "{ source: iam_password, directory: /i }",
            huawei(Huawei::IamPassword {
                directory: "/i".into(),
            }),
        ),
        (
            HUAWEI,
            "{ source: ecs_metadata, metadata_url: \"http://[fe80::a9fe:a9fe]\" }",
            huawei(Huawei::EcsMetadata {
                metadata_url: Some("http://[fe80::a9fe:a9fe]".parse().unwrap()),
            }),
        ),
        (
            HUAWEI,
            "{ source: temporary_keys, directory: /i, duration: 15m }",
            huawei(Huawei::TemporaryKeys {
                directory: "/i".into(),
                duration: 15 * minute,
            }),
        ),
        (
            HUAWEI,
            "{ source: agency, agency_name: helper, agency_domain: other }",
            huawei(Huawei::Agency {
                base: BaseKey::Env,
                agency_name: "helper".into(),
                agency_domain: "other".into(),
                duration: 60 * minute,
            }),
        ),
        (
            HUAWEI,
            "{ source: exec, command: ~/bin/key, args: [--for, \"1\", \"\"], env: [HOME], timeout: 2s }",
            huawei(
                SharedSource::Exec {
                    command: "/home/me/bin/key".into(),
                    args: vec!["--for".into(), "1".into(), String::new()],
                    env: vec!["HOME".into()],
                    timeout: Duration::from_secs(2),
                }
                .into(),
            ),
        ),
    ] {
        let credentials = read(provider, keys);
        assert_eq!(credentials.source, source, "{keys}");
        // What is printed is read again as the same.
        let printed = serde_json::to_string(&credentials).unwrap();
        assert_eq!(read(provider, &printed), credentials, "{printed}");
    }
}

#[test]
fn keys_that_can_change_are_verified_unless_told_otherwise() {
    let verify = |keys: &str| read("provider: ncp", keys).verify;
    assert_eq!(verify("{ source: files, directory: /k }"), Some(true));
    assert_eq!(
        verify("{ source: files, directory: /k, verify: false }"),
        Some(false)
    );
    assert_eq!(verify("{ source: env }"), None);
    assert!(
        told("provider: ncp", "{ source: env, verify: true }")[0]
            .contains("not used by source env")
    );
}

#[test]
fn a_source_takes_its_own_keys_alone() {
    for (provider, keys, fault) in [
        (
            "provider: ncp",
            "{ source: files }",
            "credentials.directory (line 4): is missing",
        ),
        (
            "provider: ncp",
            "{ source: env, directory: /x }",
            "not used by source env",
        ),
        (
            "provider: ncp",
            "{ source: ncloud_configure, directory: /x }",
            "not used",
        ),
        (
            "provider: ncp",
            "{ source: iam_password, directory: /x }",
            "is not one of env, files, ncloud_configure",
        ),
        (
            "provider: ncp",
            "{ source: server_role, duration: 1h }",
            "not used by source server_role",
        ),
        (
            "provider: ncp",
            "{ source: sts, directory: /x }",
            "is not used by base env",
        ),
        (
            "provider: ncp",
            "{ source: sts, base: files }",
            "credentials.directory (line 4): is missing",
        ),
        (
            "provider: ncp",
            "{ source: sts, duration: 5m }",
            "is not a duration from 10m to 12h",
        ),
        (
            HUAWEI,
            "{ source: temporary_keys, directory: /x, duration: 25h }",
            "is not a duration from 15m to",
        ),
        (
            HUAWEI,
            "{ source: agency, agency_name: x }",
            "credentials.agency_domain (line 6): is missing",
        ),
        (
            HUAWEI,
            "{ source: exec }",
            "credentials.command (line 6): is missing",
        ),
        (
            HUAWEI,
            "{ source: exec, command: /c, args: --for }",
            "is one value; write a list",
        ),
        (
            HUAWEI,
            "{ source: exec, command: /c, env: [A=b] }",
            "is not the name of an environment variable",
        ),
        (
            HUAWEI,
            "{ source: exec, command: /c, timeout: 2m }",
            "is not a duration from 1s to 1m",
        ),
        (
            "provider: ncp",
            "{ source: server_role, metadata_url: \"https://169.254.169.254\" }",
            "must be http",
        ),
        (
            "provider: ncp",
            "{ source: server_role, metadata_url: \"http://169.254.169.254/x\" }",
            "no path",
        ),
        (
            "provider: ncp",
            "{ source: server_role, metadata_url: \"http://10.0.0.1\" }",
            "neither link-local nor loopback",
        ),
    ] {
        let told = told(provider, keys);
        assert!(
            told.len() == 1 && told[0].contains(fault),
            "{keys}: {told:?}"
        );
    }
    let homeless = with(
        &target("provider: ncp\ncredentials: { source: ncloud_configure }"),
        &[],
        &[],
    );
    assert!(homeless.unwrap_err().to_string().contains("set HOME"));
}
