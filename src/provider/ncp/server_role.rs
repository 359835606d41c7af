//! Keys of the role that a server of NAVER Cloud has, from its metadata service.
//!
//! NCP docs: compute-vmetadata and compute-vmetadata-roledata; names of the fields from the four
//! official SDKs (read 2026-10). A server may be set to take sessions alone, which the SDKs do not
//! open, so they are tried first.

use async_trait::async_trait;
use http::{HeaderName, StatusCode};
use url::Url;

use crate::credentials::{Issued, Issuer, Metadata, Page, Session, decode};
use crate::error::{Component, Error, Kind, Result, reason};

const ROLES: &str = "/latest/meta-data/iam/security-credentials";

/// A server's role.
#[derive(Debug)]
pub struct ServerRole(Metadata);

impl ServerRole {
    /// The metadata service's documented address.
    pub const URL: &str = "http://169.254.169.254";

    /// The role of this server, as the service at `base` tells it.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(base: &Url) -> std::result::Result<Self, String> {
        let session = Session {
            path: "/latest/api/token",
            life: HeaderName::from_static("x-ncp-metadata-token-ttl-seconds"),
            token: HeaderName::from_static("x-ncp-metadata-token"),
        };
        Metadata::new(base, session).map(Self)
    }

    async fn page(&self, path: &str) -> Result<Page> {
        let page = self.0.get(path).await?;
        match page.status {
            StatusCode::OK => Ok(page),
            StatusCode::NOT_FOUND => Err(refused(
                "this server has no role; give it a Server Role in the console (Sub Account, Roles), or choose another source",
            )),
            status => Err(refused(&format!(
                "the metadata service answered HTTP {}",
                status.as_u16()
            ))),
        }
    }
}

#[async_trait]
impl Issuer for ServerRole {
    async fn issue(&self) -> Result<Issued> {
        let roles = self.page(ROLES).await?;
        // One role a server; more lines are not documented, and the SDKs take the first.
        let role = std::str::from_utf8(&roles.body)
            .ok()
            .and_then(|text| text.lines().next())
            .map(str::trim)
            .filter(|role| plain(role))
            .ok_or_else(|| refused("the metadata service names no role"))?;
        let page = self.page(&format!("{ROLES}/{role}")).await?;
        decode(&page.body, page.date).map_err(|why| {
            refused(&format!(
                "the metadata service's answer cannot be used: {why}"
            ))
        })
    }

    fn describe(&self) -> String {
        format!("server role ({:?})", self.0)
    }
}

/// What may become part of a path: role ids are letters, digits and hyphens.
fn plain(role: &str) -> bool {
    !role.is_empty()
        && role
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn refused(why: &str) -> Error {
    Error::new(
        Kind::Unauthenticated,
        reason::CREDENTIALS_MISSING,
        format!("The sidecar has no credentials for this target: {why}."),
    )
    .component(Component::Sidecar)
}
