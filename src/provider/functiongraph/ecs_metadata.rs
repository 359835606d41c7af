//! Temporary keys of the agency that an Elastic Cloud Server has, from its metadata service.
//!
//! ECS user guide "Obtaining Metadata" (`securitykey`) and `huaweicloudsdkcore` 3.1.219
//! `auth/provider.py` (read 2026-10): sessions first; a server that answers their PUT with 404, 405
//! or 503 has none and is asked without.

use async_trait::async_trait;
use http::{HeaderName, StatusCode};
use url::Url;

use crate::credentials::{Issued, Issuer, Metadata, Session, decode};
use crate::error::{Component, Error, Kind, Result, reason};

/// A server's agency.
#[derive(Debug)]
pub struct EcsMetadata(Metadata);

impl EcsMetadata {
    /// The metadata service's documented address.
    pub const URL: &str = "http://169.254.169.254";

    /// The agency of this server, as the service at `base` tells it.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(base: &Url) -> std::result::Result<Self, String> {
        let session = Session {
            path: "/meta-data/latest/api/token",
            life: HeaderName::from_static("x-metadata-token-ttl-seconds"),
            token: HeaderName::from_static("x-metadata-token"),
        };
        Metadata::new(base, session).map(Self)
    }
}

#[async_trait]
impl Issuer for EcsMetadata {
    async fn issue(&self) -> Result<Issued> {
        let page = self.0.get("/openstack/latest/securitykey").await?;
        match page.status {
            StatusCode::OK => decode(&page.body, page.date).map_err(|why| {
                refused(&format!(
                    "the metadata service's answer cannot be used: {why}"
                ))
            }),
            // 401 with "Please configure Cloud Service Agency first" is what the SDK knows; 404 is
            // INFERRED.
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Err(refused(
                "this server has no agency; bind one of the type cloud service (ECS) to it in the console, or choose \
                 another source",
            )),
            status => Err(refused(&format!(
                "the metadata service answered HTTP {}",
                status.as_u16()
            ))),
        }
    }

    fn describe(&self) -> String {
        format!("ECS agency ({:?})", self.0)
    }
}

fn refused(why: &str) -> Error {
    Error::new(
        Kind::Unauthenticated,
        reason::CREDENTIALS_MISSING,
        format!("The sidecar has no credentials for this target: {why}."),
    )
    .component(Component::Sidecar)
}
