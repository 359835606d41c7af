//! The client commands at an address with TLS that asks for a client's certificate.

use std::path::Path;

use rcgen::ExtendedKeyUsagePurpose;

use crate::{file, sidecar, text};
use faas_testkit::issuer::Issuer;

/// Writes an authority, and the certificates of a server and a client that it signs, as NAME-ca.pem
/// and so on.
fn write_authority(directory: &Path, name: &str) {
    let authority = Issuer::new(name);
    let write = |what: &str, pem: &str| {
        std::fs::write(directory.join(format!("{name}-{what}.pem")), pem).unwrap();
    };
    write("ca", &authority.pem());
    for (what, purpose) in [
        ("server", ExtendedKeyUsagePurpose::ServerAuth),
        ("client", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let (certificate, key) = authority.certify("localhost", purpose);
        write(what, &certificate);
        write(&format!("{what}-key"), &key);
    }
}

#[test]
fn who_is_not_let_in_is_told_why_at_once() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["ours", "foreign"] {
        write_authority(directory.path(), name);
    }
    let at = |name: &str| directory.path().join(name).display().to_string();
    let config = file(&format!(
        "targets: {{dev: {{provider: ncp}}}}\ntls: {{cert_file: {}, key_file: {}, client_ca_file: {}}}\n",
        at("ours-server.pem"),
        at("ours-server-key.pem"),
        at("ours-ca.pem"),
    ));
    let server = crate::serve(
        &["--emulator", "--config", config.path().to_str().unwrap()],
        &[],
    );
    let address = server.address.replace("127.0.0.1", "https://localhost");
    let probe = |authority: &str, identity: Option<&str>| {
        // Whoever waits for this timeout instead of reading the refusal fails by its message.
        let mut args = vec!["probe", "--address", &address, "--timeout", "15s"];
        let files = [
            at(&format!("{authority}-ca.pem")),
            at(&format!("{}-client.pem", identity.unwrap_or_default())),
            at(&format!("{}-client-key.pem", identity.unwrap_or_default())),
        ];
        args.extend(["--ca-file", &files[0]]);
        if identity.is_some() {
            args.extend(["--cert-file", &files[1], "--key-file", &files[2]]);
        }
        let output = sidecar(&args, &[]);
        (output.status.code(), text(&output.stderr).to_owned())
    };
    assert_eq!(probe("ours", Some("ours")), (Some(0), String::new()));
    // Several times: what came first, the refusal or the question, was a matter of luck.
    for _ in 0..5 {
        for (identity, alert) in [
            (None, "CertificateRequired"),
            (Some("foreign"), "UnknownCA"),
        ] {
            let (code, said) = probe("ours", identity);
            assert_eq!(code, Some(1), "{said}");
            assert!(
                said.contains("refuses this client") && said.contains("--cert-file"),
                "{said}"
            );
            assert!(said.contains(alert), "{said}");
        }
    }
    let (code, said) = probe("foreign", Some("ours"));
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("not to be trusted") && said.contains("--ca-file"),
        "{said}"
    );
}
