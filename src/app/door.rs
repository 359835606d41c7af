//! What guards the TCP addresses: TLS, callers' certificates, tokens; and how many connections there may be.
//!
//! The files are read again when told so. What cannot be used never replaces what works.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::StartError;
use crate::config::{self, Config, Connections};
use crate::grpc::Tokens;

/// Shared by all listeners and threads.
pub(super) struct Door {
    tls: Option<Tls>,
    tokens: Option<(PathBuf, Arc<Tokens>)>,
    pub(super) bounds: Connections,
    /// One permit a connection.
    pub(super) slots: Arc<Semaphore>,
    /// All permits are taken, and the log has been told.
    pub(super) full: AtomicBool,
}

struct Tls {
    files: config::Tls,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    fingerprint: [u8; 32],
}

impl Door {
    pub(super) fn load(config: &Config) -> Result<Self, StartError> {
        let tls = config.tls.as_ref().map(|files| {
            Ok::<_, StartError>(Tls {
                current: ArcSwap::from_pointee(Loaded::read(files).map_err(StartError)?),
                files: files.clone(),
            })
        });
        let tokens = config.auth.as_ref().map(|auth| {
            let text = text(&auth.token_file).map_err(StartError)?;
            let tokens =
                Tokens::read(&text).map_err(|why| StartError(token_fault(&auth.token_file, &why)))?;
            Ok::<_, StartError>((auth.token_file.clone(), Arc::new(tokens)))
        });
        Ok(Self {
            tls: tls.transpose()?,
            tokens: tokens.transpose()?,
            bounds: config.connections,
            slots: Arc::new(Semaphore::new(config.connections.max.min(Semaphore::MAX_PERMITS))),
            full: AtomicBool::new(false),
        })
    }

    /// For the next connection; `None` = it is plain.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls
            .as_ref()
            .map(|tls| Arc::clone(&tls.current.load().config))
    }

    /// The tokens of which a call must bring one; `None` = none is asked for.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.as_ref().map(|(_, tokens)| Arc::clone(tokens))
    }

    /// Everything that is read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let tls = self.tls.iter().flat_map(|tls| {
            let config::Tls {
                cert_file,
                key_file,
                client_ca_file,
            } = &tls.files;
            [cert_file, key_file].into_iter().chain(client_ca_file)
        });
        let tokens = self.tokens.iter().map(|(file, _)| file);
        tls.chain(tokens).cloned().collect()
    }

    /// Reads it again: by subject, whether it had changed, or what is wrong.
    pub(super) fn refresh(&self) -> impl Iterator<Item = (&'static str, Result<bool, String>)> {
        let tls = self
            .tls
            .as_ref()
            .map(|tls| ("certificates of tls", tls.refresh()));
        let tokens = self.tokens.as_ref().map(|(file, tokens)| {
            let outcome =
                text(file).and_then(|text| tokens.replace(&text).map_err(|why| token_fault(file, &why)));
            ("tokens of auth", outcome)
        });
        tls.into_iter().chain(tokens)
    }
}

impl Tls {
    fn refresh(&self) -> Result<bool, String> {
        let fresh = Loaded::read(&self.files)?;
        let differs = fresh.fingerprint != self.current.load().fingerprint;
        if differs {
            self.current.store(Arc::new(fresh));
        }
        Ok(differs)
    }
}

impl Loaded {
    fn read(files: &config::Tls) -> Result<Self, String> {
        let chain_pem = bytes("tls.cert_file", &files.cert_file)?;
        let key_pem = bytes("tls.key_file", &files.key_file)?;
        let authorities = files.client_ca_file.as_deref();
        let authorities = authorities.map(|file| Ok::<_, String>((file, bytes("tls.client_ca_file", file)?)));
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
                let broken = |why: String| format!("tls.client_ca_file {}: {why}", file.display());
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem).map_err(broken)? {
                    roots.add(certificate).map_err(|why| broken(why.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|why| broken(why.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let broken = |why: String| format!("tls.cert_file {}: {why}", files.cert_file.display());
        let chain = certificates(&chain_pem).map_err(broken)?;
        if chain.is_empty() {
            return Err(broken("holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&key_pem)
            .map_err(|why| format!("tls.key_file {}: {why}", files.key_file.display()))?;
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|why| broken(format!("does not go with tls.key_file ({why})")))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
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

fn text(file: &Path) -> Result<Zeroizing<String>, String> {
    std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|why| token_fault(file, &format!("cannot be read ({why})")))
}

fn token_fault(file: &Path, why: &str) -> String {
    format!("auth.token_file {}: {why}", file.display())
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("tls", &self.tls.as_ref().map(|tls| &tls.files))
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}
