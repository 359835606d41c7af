//! What a TCP address shows over TLS, and whose certificates it asks callers for.
//!
//! The files are read again when told so. What cannot be used never replaces what works.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::Tls;

/// What the files are called where they are named, for messages.
pub(super) struct Names {
    pub(super) cert_file: &'static str,
    pub(super) key_file: &'static str,
    pub(super) client_ca_file: &'static str,
}

/// The keys of the configuration.
pub(super) const OF_THE_CONFIGURATION: Names = Names {
    cert_file: "tls.cert_file",
    key_file: "tls.key_file",
    client_ca_file: "tls.client_ca_file",
};

/// The certificate in use, and where it is read.
pub(super) struct Certificate {
    files: Tls,
    names: &'static Names,
    alpn: &'static [&'static [u8]],
    current: ArcSwap<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    fingerprint: [u8; 32],
}

impl Certificate {
    /// Reads the files; `alpn` are the protocols spoken, best first.
    pub(super) fn load(
        files: Tls,
        names: &'static Names,
        alpn: &'static [&'static [u8]],
    ) -> Result<Self, String> {
        Ok(Self {
            current: ArcSwap::from_pointee(Loaded::read(&files, names, alpn)?),
            files,
            names,
            alpn,
        })
    }

    /// For the next connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// Everything that is read.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let Tls {
            cert_file,
            key_file,
            client_ca_file,
        } = &self.files;
        [cert_file, key_file].into_iter().chain(client_ca_file)
    }

    /// Reads the files again: whether they hold something else, or what is wrong with them.
    pub(super) fn refresh(&self) -> Result<bool, String> {
        let fresh = Loaded::read(&self.files, self.names, self.alpn)?;
        let differs = fresh.fingerprint != self.current.load().fingerprint;
        if differs {
            self.current.store(Arc::new(fresh));
        }
        Ok(differs)
    }
}

impl Loaded {
    fn read(files: &Tls, names: &Names, alpn: &[&[u8]]) -> Result<Self, String> {
        let chain_pem = bytes(names.cert_file, &files.cert_file)?;
        let key_pem = bytes(names.key_file, &files.key_file)?;
        let authorities = files.client_ca_file.as_deref();
        let authorities =
            authorities.map(|file| Ok::<_, String>((file, bytes(names.client_ca_file, file)?)));
        let authorities = authorities.transpose()?;
        let mut hash = Sha256::new();
        for part in [
            Some(&chain_pem),
            Some(&key_pem),
            authorities.as_ref().map(|(_, pem)| pem),
        ] {
            let part = part.map_or(&[][..], |part| part.as_slice());
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|fault| format!("TLS: {fault}"))?;
        let builder = match &authorities {
            Some((file, pem)) => {
                let broken =
                    |why: String| format!("{} {}: {why}", names.client_ca_file, file.display());
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem).map_err(broken)? {
                    roots
                        .add(certificate)
                        .map_err(|why| broken(why.to_string()))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|why| broken(why.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let broken =
            |why: String| format!("{} {}: {why}", names.cert_file, files.cert_file.display());
        let chain = certificates(&chain_pem).map_err(broken)?;
        if chain.is_empty() {
            return Err(broken("holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&key_pem)
            .map_err(|why| format!("{} {}: {why}", names.key_file, files.key_file.display()))?;
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|why| broken(format!("does not go with {} ({why})", names.key_file)))?;
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self {
            config: Arc::new(config),
            fingerprint: hash.finalize().into(),
        })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|fault| fault.to_string())
}

fn bytes(key: &str, file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    std::fs::read(file)
        .map(Zeroizing::new)
        .map_err(|why| format!("{key} {}: cannot be read ({why})", file.display()))
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.files).finish()
    }
}
