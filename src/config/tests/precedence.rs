use super::*;

const FILE: &str = "threads: 2\nlog: { level: warn }\ntargets: { a: { provider: ncp }, b: { provider: ncp } }\ndefault_target: a\n";

#[test]
fn flag_beats_variable_beats_file_beats_default() {
    let env = [
        ("FAAS_SIDECAR_THREADS", "3"),
        ("FAAS_SIDECAR_LOG_LEVEL", "debug"),
    ];
    let config = with(FILE, &env, &[("threads", "4")]).unwrap();
    assert_eq!(
        (config.threads, config.log.level, config.log.format),
        (4, LogLevel::Debug, LogFormat::Text)
    );
    assert_eq!(with(FILE, &env, &[]).unwrap().threads, 3);
    assert_eq!(with(FILE, &[], &[]).unwrap().threads, 2);
    assert_eq!(
        with(FILE, &[("FAAS_SIDECAR_THREADS", "")], &[])
            .unwrap()
            .threads,
        2
    );
}

#[test]
fn a_variable_may_hold_a_list_of_addresses() {
    let config = with(
        FILE,
        &[("FAAS_SIDECAR_LISTEN", "127.0.0.1:1, unix:/x")],
        &[("admin", "off")],
    )
    .unwrap();
    assert_eq!(
        config.listen,
        ["127.0.0.1:1".parse().unwrap(), Listen::Unix("/x".into())]
    );
    let config = with(
        FILE,
        &[("FAAS_SIDECAR_ALLOW_REMOTE_CLIENTS", "true")],
        &[("listen", "0.0.0.0:1")],
    )
    .unwrap();
    assert!(config.allow_remote_clients);
}

#[test]
fn the_default_target_may_be_chosen_by_flag() {
    assert_eq!(
        with(FILE, &[], &[("default_target", "b")])
            .unwrap()
            .default_target,
        "b"
    );
    let told = with(FILE, &[], &[("default_target", "c")])
        .unwrap_err()
        .to_string();
    assert!(
        told.starts_with("1. default_target (--default-target): c is not one of the targets"),
        "{told}"
    );
}

#[test]
fn with_no_file_one_target_is_assumed() {
    let config = load(&Sources::default_for_test()).unwrap();
    assert_eq!(
        (
            config.file,
            config.default_target.as_str(),
            config.targets.len()
        ),
        (None, "default", 1)
    );
    let target = &config.targets["default"];
    assert!(target.credentials.source.is_environment());
    assert!(matches!(
        target.cloud,
        Cloud::Ncp(ncp::Config {
            site: ncp::Site::Public,
            region: ncp::Region::Kr,
            ..
        })
    ));
}

#[test]
fn the_file_may_be_named_by_a_variable() {
    let env = Env::fixed([(CONFIG_VARIABLE, "/no/such/file")]);
    assert!(
        load(&Sources {
            env,
            ..Sources::default()
        })
        .unwrap_err()
        .to_string()
        .contains("/no/such/file")
    );
}

impl Sources {
    fn default_for_test() -> Self {
        Self {
            env: Env::fixed::<String, String>([]),
            ..Self::default()
        }
    }
}
