use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

/// A self-signed certificate and its key as PEM.
fn identity(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    (certificate.pem(), key.serialize_pem())
}

struct Files {
    directory: TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn all(&self) -> TlsFiles {
        let path = |name| self.directory.path().join(name);
        TlsFiles {
            ca_file: Some(path("ca.pem")),
            client: Some(ClientFiles {
                certificate: path("client.pem"),
                key: path("client.key"),
            }),
        }
    }
}

#[test]
fn without_files_the_web_roots_are_trusted_and_nothing_is_read_again() {
    let tls = Tls::load(TlsFiles::default()).unwrap();
    assert_eq!(tls.config().alpn_protocols, PROTOCOLS);
    assert_eq!((tls.reload(), tls.files().count()), (Ok(false), 0));
}

#[test]
fn changed_files_are_taken_and_broken_ones_leave_the_old_in_use() {
    let files = Files::new();
    let (authority, _) = identity("authority");
    let (certificate, key) = identity("client");
    files.put("ca.pem", &authority);
    files.put("client.pem", &certificate);
    files.put("client.key", &key);
    let tls = Tls::load(files.all()).unwrap();
    let first = tls.config();
    assert!(first.client_auth_cert_resolver.has_certs());
    assert_eq!((tls.reload(), tls.files().count()), (Ok(false), 3));
    assert!(
        Arc::ptr_eq(&first, &tls.config()),
        "the same files must keep the same sessions"
    );

    for (name, content, said) in [
        ("ca.pem", "", "holds no certificate"),
        ("ca.pem", &authority[..authority.len() / 2], "ca.pem"),
        ("client.pem", &authority, "does not go with client_key_file"),
        ("client.key", "", "client_key_file"),
    ] {
        let path = files.directory.path().join(name);
        let good = std::fs::read(&path).unwrap();
        files.put(name, content);
        let fault = tls.reload().unwrap_err();
        assert!(fault.contains(said) && fault.contains(name), "{fault}");
        assert!(Arc::ptr_eq(&first, &tls.config()), "{name}");
        std::fs::write(&path, good).unwrap();
    }

    files.put("ca.pem", &identity("another").0);
    assert_eq!(tls.reload(), Ok(true));
    assert!(!Arc::ptr_eq(&first, &tls.config()));
}

#[test]
fn an_absent_file_is_named_with_its_key() {
    let fault = Tls::load(Files::new().all()).unwrap_err();
    assert!(
        fault.starts_with("ca_file /") && fault.contains("cannot be read"),
        "{fault}"
    );
}
