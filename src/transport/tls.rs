//! Whom a target trusts, and what it offers in the handshake.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::settings::Settings;

/// The TLS side of a target's connections; `None` for one that is reached over plain HTTP, which needs none.
///
/// # Errors
/// When the CA file cannot be read, or holds no certificate.
pub(super) fn client_config(settings: &Settings) -> Result<Option<rustls::ClientConfig>, String> {
    if !settings.tls {
        return Ok(None);
    }
    let roots = match &settings.ca_file {
        Some(file) => bundle(file)?,
        // Mozilla's, built in, so that an image without a CA bundle works.
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| format!("TLS: {fault}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The server chooses; with HTTP/2 all calls of a thread share one connection.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

fn bundle(file: &Path) -> Result<RootCertStore, String> {
    let broken = |why: String| format!("ca_file {}: {why}", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|fault| broken(fault.to_string()))? {
        let certificate = certificate.map_err(|fault| broken(fault.to_string()))?;
        roots
            .add(certificate)
            .map_err(|fault| broken(fault.to_string()))?;
    }
    if roots.is_empty() {
        return Err(broken("holds no certificate".to_owned()));
    }
    Ok(roots)
}
