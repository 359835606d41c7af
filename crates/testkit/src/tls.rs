//! A certificate authority of a test's own.

use std::sync::Arc;

use tokio_rustls::rustls::{self, ServerConfig};

/// Signs `localhost`, and is written to a file.
pub struct Authority {
    file: tempfile::NamedTempFile,
    key: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), key.cert.pem()).unwrap();
        Self { file, key }
    }

    /// The path of the PEM file.
    pub fn file(&self) -> String {
        self.file.path().display().to_string()
    }

    /// The same of one version of TLS, for clients that show a certificate of this authority alone.
    pub fn strict_server(
        &self,
        protocols: &[&str],
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.key.cert.der().clone()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        );
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![self.key.cert.der().clone()],
                self.key.signing_key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }

    /// A server's side that offers these protocols.
    pub fn server(&self, protocols: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![self.key.cert.der().clone()],
                self.key.signing_key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}
