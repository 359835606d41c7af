//! What guards the TCP addresses: TLS, callers' certificates, tokens; and how many connections
//! there may be.
//!
//! The files are read again when told so. What cannot be used never replaces what works.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use zeroize::Zeroizing;

use super::StartError;
use super::certificate::{self, Certificate};
use super::places::Places;
use crate::config::{Config, Connections};
use crate::grpc::Tokens;

/// Shared by all listeners and threads.
pub(super) struct Door {
    certificate: Option<Certificate>,
    tokens: Option<(PathBuf, Arc<Tokens>)>,
    pub(super) bounds: Connections,
    pub(super) places: Arc<Places>,
    /// A caller that shakes hands has shown a certificate.
    asks_certificate: bool,
}

impl Door {
    pub(super) fn load(config: &Config) -> Result<Self, StartError> {
        let certificate = config.tls.as_ref().map(|files| {
            Certificate::load(files.clone(), &certificate::OF_THE_CONFIGURATION, &[b"h2"])
                .map_err(StartError)
        });
        let tokens = config.auth.as_ref().map(|auth| {
            let text = text(&auth.token_file).map_err(StartError)?;
            let tokens = Tokens::read(&text)
                .map_err(|why| StartError(token_fault(&auth.token_file, &why)))?;
            Ok::<_, StartError>((auth.token_file.clone(), Arc::new(tokens)))
        });
        let asks_certificate = config
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca_file.is_some());
        let Connections {
            max, max_per_peer, ..
        } = config.connections;
        Ok(Self {
            certificate: certificate.transpose()?,
            places: Places::new(max, max_per_peer, asks_certificate || tokens.is_some()),
            tokens: tokens.transpose()?,
            bounds: config.connections,
            asks_certificate,
        })
    }

    /// For the next connection; `None` = it is plain.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.certificate.as_ref().map(Certificate::current)
    }

    /// Whether a finished handshake proves that the caller has a good certificate.
    pub(super) fn asks_certificate(&self) -> bool {
        self.asks_certificate
    }

    /// The tokens of which a call must bring one; `None` = none is asked for.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.as_ref().map(|(_, tokens)| Arc::clone(tokens))
    }

    /// Everything that is read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let tls = self.certificate.iter().flat_map(Certificate::files);
        let tokens = self.tokens.iter().map(|(file, _)| file);
        tls.chain(tokens).cloned().collect()
    }

    /// Reads it again: by subject, whether it had changed, or what is wrong.
    pub(super) fn refresh(&self) -> impl Iterator<Item = (&'static str, Result<bool, String>)> {
        let tls = self
            .certificate
            .as_ref()
            .map(|certificate| ("certificates of tls", certificate.refresh()));
        let tokens = self.tokens.as_ref().map(|(file, tokens)| {
            let outcome = text(file)
                .and_then(|text| tokens.replace(&text).map_err(|why| token_fault(file, &why)));
            ("tokens of auth", outcome)
        });
        tls.into_iter().chain(tokens)
    }
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
            .field("certificate", &self.certificate)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}
