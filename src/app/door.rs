//! What guards the TCP addresses: TLS, callers' certificates, tokens; and how many connections there may be.
//!
//! The files are read again when told so. What cannot be used never replaces what works.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustls::ServerConfig;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::StartError;
use super::certificate::{self, Certificate};
use crate::config::{Config, Connections};
use crate::grpc::Tokens;

/// Shared by all listeners and threads.
pub(super) struct Door {
    certificate: Option<Certificate>,
    tokens: Option<(PathBuf, Arc<Tokens>)>,
    pub(super) bounds: Connections,
    /// One permit a connection.
    pub(super) slots: Arc<Semaphore>,
    /// All permits are taken, and the log has been told.
    pub(super) full: AtomicBool,
}

impl Door {
    pub(super) fn load(config: &Config) -> Result<Self, StartError> {
        let certificate = config.tls.as_ref().map(|files| {
            Certificate::load(files.clone(), &certificate::OF_THE_CONFIGURATION, &[b"h2"]).map_err(StartError)
        });
        let tokens = config.auth.as_ref().map(|auth| {
            let text = text(&auth.token_file).map_err(StartError)?;
            let tokens =
                Tokens::read(&text).map_err(|why| StartError(token_fault(&auth.token_file, &why)))?;
            Ok::<_, StartError>((auth.token_file.clone(), Arc::new(tokens)))
        });
        Ok(Self {
            certificate: certificate.transpose()?,
            tokens: tokens.transpose()?,
            bounds: config.connections,
            slots: Arc::new(Semaphore::new(config.connections.max.min(Semaphore::MAX_PERMITS))),
            full: AtomicBool::new(false),
        })
    }

    /// For the next connection; `None` = it is plain.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.certificate.as_ref().map(Certificate::current)
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
            let outcome =
                text(file).and_then(|text| tokens.replace(&text).map_err(|why| token_fault(file, &why)));
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
