//! TLS towards an upstream: whom a target trusts, and who it says it is.
//!
//! The files are read again when told so; connections made from then on use what was read last,
//! those that exist go on. What cannot be read never replaces what works. Knows nothing of
//! connections or HTTP.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Protocols offered, best first: with HTTP/2 all calls of a thread share one connection.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where a target's certificates are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM bundle of authorities trusted in place of the built-in web roots.
    pub ca_file: Option<PathBuf>,
    /// PEM chain shown to an upstream that asks for one, the own certificate first, and its PEM
    /// key.
    pub client: Option<ClientFiles>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM chain, the own certificate first.
    pub certificate: PathBuf,
    /// PEM key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// One target's TLS, shared by all its connections on all threads; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    current: Arc<ArcSwap<Loaded>>,
}

/// The configuration made from one reading of the files.
struct Loaded {
    config: Arc<ClientConfig>,
    fingerprint: [u8; 32],
}

/// The files' bytes; keys among them are wiped.
struct Bytes {
    authorities: Option<Pem>,
    /// Chain and key.
    client: Option<(Pem, Pem)>,
}

type Pem = Zeroizing<Vec<u8>>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One sentence that names the key of the configuration, the file and what is wrong with it.
    pub fn load(files: TlsFiles) -> Result<Self, String> {
        let loaded = Loaded::read(&files)?;
        Ok(Self {
            files: Arc::new(files),
            current: Arc::new(ArcSwap::from_pointee(loaded)),
        })
    }

    /// For the next connection. Offers HTTP/2 and HTTP/1.1; TLS 1.2 at least.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// The same with `watch` around the verifier, to see a chain that is refused, too.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub(super) fn watched(
        &self,
        watch: impl FnOnce(Arc<WebPkiServerVerifier>) -> Arc<dyn ServerCertVerifier>,
    ) -> Result<ClientConfig, String> {
        let roots = Bytes::read(&self.files)?.roots(&self.files)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|why| format!("TLS: {why}"))?;
        let mut config = ClientConfig::clone(&self.config());
        config.dangerous().set_certificate_verifier(watch(verifier));
        Ok(config)
    }

    /// Reads the files again: true when they hold something else than before.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was read last stays in use.
    pub fn reload(&self) -> Result<bool, String> {
        let bytes = Bytes::read(&self.files)?;
        if bytes.fingerprint() == self.current.load().fingerprint {
            return Ok(false);
        }
        self.current
            .store(Arc::new(Loaded::from_bytes(&bytes, &self.files)?));
        Ok(true)
    }

    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let client = self.files.client.as_ref();
        let client = client
            .into_iter()
            .flat_map(|files| [&files.certificate, &files.key]);
        self.files
            .ca_file
            .iter()
            .chain(client)
            .map(PathBuf::as_path)
    }
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Self, String> {
        Self::from_bytes(&Bytes::read(files)?, files)
    }

    fn from_bytes(bytes: &Bytes, files: &TlsFiles) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|fault| format!("TLS: {fault}"))?
            .with_root_certificates(bytes.roots(files)?);
        let mut config = match (&bytes.client, &files.client) {
            (Some((chain, key)), Some(named)) => {
                let broken = |why: String| {
                    format!("client_cert_file {}: {why}", named.certificate.display())
                };
                let chain = certificates(chain).map_err(&broken)?;
                if chain.is_empty() {
                    return Err(broken("holds no certificate".to_owned()));
                }
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|why| format!("client_key_file {}: {why}", named.key.display()))?;
                builder.with_client_auth_cert(chain, key).map_err(|why| {
                    broken(format!(
                        "does not go with client_key_file {} ({why})",
                        named.key.display()
                    ))
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self {
            config: Arc::new(config),
            fingerprint: bytes.fingerprint(),
        })
    }
}

impl Bytes {
    fn read(files: &TlsFiles) -> Result<Self, String> {
        let read = |key: &str, file: &Path| {
            std::fs::read(file)
                .map(Zeroizing::new)
                .map_err(|why| format!("{key} {}: cannot be read ({why})", file.display()))
        };
        let authorities = files.ca_file.as_deref().map(|file| read("ca_file", file));
        let client = files.client.as_ref().map(|files| {
            Ok::<_, String>((
                read("client_cert_file", &files.certificate)?,
                read("client_key_file", &files.key)?,
            ))
        });
        Ok(Self {
            authorities: authorities.transpose()?,
            client: client.transpose()?,
        })
    }

    /// Tells two readings apart without keeping either.
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let client = self.client.as_ref();
        let parts = [
            self.authorities.as_ref(),
            client.map(|(chain, _)| chain),
            client.map(|(_, key)| key),
        ];
        for part in parts.into_iter().flatten() {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_slice());
        }
        hash.finalize().into()
    }

    fn roots(&self, files: &TlsFiles) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let (Some(pem), Some(file)) = (&self.authorities, &files.ca_file) else {
            // Mozilla's, built in, so that an image without a CA bundle works.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            return Ok(roots);
        };
        let broken = |why: String| format!("ca_file {}: {why}", file.display());
        for certificate in certificates(pem).map_err(broken)? {
            roots
                .add(certificate)
                .map_err(|fault| broken(fault.to_string()))?;
        }
        if roots.is_empty() {
            return Err(broken("holds no certificate".to_owned()));
        }
        Ok(roots)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|fault| fault.to_string())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

#[cfg(test)]
mod tests;
