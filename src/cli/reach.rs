//! How a running sidecar is reached: where it is, whom to trust there, who to be.

use std::path::{Path, PathBuf};

use clap::Args;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

use super::address::{ADDRESS_HELP, Address};
use crate::env::Env;
use crate::transport::{ClientFiles, Tls, TlsFiles};

/// Arguments of every command that calls a sidecar.
#[derive(Debug, Clone, Default, Args)]
pub struct ReachArgs {
    /// The sidecar.
    #[arg(long, value_name = "ADDRESS", help = ADDRESS_HELP)]
    pub address: Option<Address>,
    /// With https: PEM file of the CAs to trust instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// With https: PEM file of the client certificate and its chain
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub cert_file: Option<PathBuf>,
    /// PEM file of the key that belongs to --cert-file
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    pub key_file: Option<PathBuf>,
    /// Token file, as `auth.token_file` of the sidecar; its first token is sent with each call
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The same, put together with the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Where the sidecar is.
    pub address: Address,
    /// Authorities in place of the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// A certificate chain and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// A file of tokens.
    pub token_file: Option<PathBuf>,
}

impl ReachArgs {
    /// Where and how.
    ///
    /// # Errors
    /// A sentence, if the variable of the address holds none, or files of TLS are named for an
    /// address without it.
    pub fn resolve(&self, env: &Env) -> Result<Reach, String> {
        let address = Address::resolve(self.address.as_ref(), env)?;
        if !matches!(address, Address::Tls(_))
            && (self.ca_file.is_some() || self.cert_file.is_some())
        {
            return Err(format!(
                "--ca-file and --cert-file are for an address with TLS; write https:// before it ({address})"
            ));
        }
        Ok(Reach {
            address,
            ca_file: self.ca_file.clone(),
            client: self.cert_file.clone().zip(self.key_file.clone()),
            token_file: self.token_file.clone(),
        })
    }
}

impl Reach {
    /// An address that asks for nothing.
    #[must_use]
    pub fn plain(address: Address) -> Self {
        Self {
            address,
            ca_file: None,
            client: None,
            token_file: None,
        }
    }

    /// TLS as the files say; `None` = the address has none.
    pub(super) fn tls(&self) -> Result<Option<Tls>, String> {
        if !matches!(self.address, Address::Tls(_)) {
            return Ok(None);
        }
        let client = self.client.clone();
        let files = TlsFiles {
            ca_file: self.ca_file.clone(),
            client: client.map(|(certificate, key)| ClientFiles { certificate, key }),
        };
        Tls::load(files).map(Some)
    }

    /// The metadata `authorization`, which no one prints.
    pub(super) fn token(&self) -> Result<Option<MetadataValue<Ascii>>, String> {
        self.token_file.as_deref().map(token).transpose()
    }
}

fn token(file: &Path) -> Result<MetadataValue<Ascii>, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|why| format!("--token-file {shown} cannot be read ({why})"))?;
    let mut lines = text.lines().map(str::trim);
    let token = lines
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .ok_or_else(|| {
            format!("--token-file {shown} holds no token; write one in a line of its own")
        })?;
    let value = Zeroizing::new(format!("Bearer {token}"));
    let mut value = MetadataValue::<Ascii>::try_from(value.as_str()).map_err(|_| {
        format!("--token-file {shown}: the token holds characters that cannot be sent")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
