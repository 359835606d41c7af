use super::*;

const NAMES: KeyNames = KeyNames {
    access_key: &["LONG_ID", "SHORT_ID"],
    secret_key: &["LONG_SECRET"],
    security_token: &["TOKEN"],
};

#[test]
fn environment_takes_the_first_name_that_is_set() {
    let read = |name: &str| match name {
        "SHORT_ID" => Some("id\n".to_owned()),
        "LONG_SECRET" => Some(" s3cret ".to_owned()),
        _ => None,
    };
    let keys = Source::Env {
        names: NAMES,
        read: Arc::new(read),
    }
    .read()
    .unwrap();
    assert_eq!(keys.access_key, "id");
    assert_eq!(keys.secret_key.reveal(), "s3cret");
    assert!(keys.security_token.is_none());
}

#[test]
fn a_missing_variable_is_named() {
    let why = Source::Env {
        names: NAMES,
        read: Arc::new(|_| None),
    }
    .read()
    .unwrap_err();
    assert!(why.contains("LONG_ID or SHORT_ID"), "{why}");
}

#[test]
fn files_are_trimmed_and_an_empty_or_torn_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let source = Source::Files {
        directory: directory.path().to_owned(),
    };
    put("access-key-id", "id\n");
    put("secret-access-key", "\n");
    assert!(
        source
            .read()
            .unwrap_err()
            .contains("secret-access-key is empty")
    );
    put("secret-access-key", "canary with\0hole");
    let why = source.read().unwrap_err();
    assert!(
        why.contains("the secret key holds a space") && !why.contains("canary"),
        "{why}"
    );
    put("secret-access-key", " s\n");
    assert_eq!(source.read().unwrap().secret_key.reveal(), "s");
}

#[test]
fn configure_file_with_and_without_sections() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("configure");
    std::fs::write(
        &file,
        "ncloud_access_key_id = a\nncloud_secret_access_key = b\nncloud_api_url = x\n",
    )
    .unwrap();
    let old = Source::NcloudConfigure {
        file: file.clone(),
        profile: "DEFAULT".to_owned(),
    };
    assert_eq!(old.read().unwrap().access_key, "a");
    std::fs::write(
        &file,
        "[DEFAULT]\nncloud_access_key_id = a\nncloud_secret_access_key = b\n[dev]\nncloud_access_key_id = c\n",
    )
    .unwrap();
    assert_eq!(old.read().unwrap().access_key, "a");
    let dev = Source::NcloudConfigure {
        file,
        profile: "dev".to_owned(),
    };
    assert!(
        dev.read()
            .unwrap_err()
            .contains("no ncloud_secret_access_key under [dev]")
    );
}

#[test]
fn nothing_prints_a_secret() {
    let keys = KeyPair {
        access_key: "id".to_owned(),
        secret_key: Secret::new("canary".to_owned()),
        security_token: Some(Secret::new("canary".to_owned())),
    };
    let credentials = Credentials::load(Source::Fixed(keys.clone()));
    let status = credentials.status();
    assert!(
        !format!(
            "{keys:?}{credentials:?}{:?}{status:?}",
            credentials.current()
        )
        .contains("canary")
    );
    assert_eq!((status.generation, status.ready), (1, Ok(())));
    assert_eq!(status.fingerprint.unwrap(), keys.fingerprint());
}
