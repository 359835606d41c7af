//! Tries a key on Huawei Cloud: one item of the functions' list is read, or the project is looked
//! up if none is configured. Either changes nothing and costs nothing.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, header};
use tokio::time::Instant;

use super::auth::{Keys, Sealed};
use super::iam::Iam;
use super::{Endpoint, JSON, errors};
use crate::call::Call;
use crate::credentials::{Credentials, KeyPair, Source, Trial, Verdict};
use crate::error::{Result, reason};
use crate::provider::fall_over;
use crate::transport::{Request, Transport};

/// Bound of one trial, attempts and pauses included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct KeyTrial {
    iam: Iam,
    transport: Transport,
}

impl KeyTrial {
    /// `iam` is a transport for IAM's host, `transport` one for the functions' host.
    #[must_use]
    pub fn new(endpoint: Endpoint, iam: Transport, transport: Transport) -> Self {
        Self {
            iam: Iam {
                transport: iam,
                endpoint,
            },
            transport,
        }
    }

    async fn read(&self, keys: &Keys) -> Result<()> {
        let mut call = Call::new(Instant::now() + TIMEOUT);
        let Some(project) = self.iam.endpoint.project_id() else {
            return match self.iam.find_project(&mut call, keys).await {
                // IAM answered, so it took the key; which project to use is another question.
                Err(error) if error.reason == reason::PROJECT_UNKNOWN => Ok(()),
                found => found.map(drop),
            };
        };
        let place = self.iam.endpoint.place(project)?;
        let request = Request {
            method: Method::GET,
            url: place.functions(vec![("marker", "0"), ("maxitems", "1")])?,
            body: Bytes::new(),
            headers: vec![(header::CONTENT_TYPE, JSON)],
            idempotent: true,
            attempt_timeout: None,
        };
        let sealed = Sealed {
            proof: keys.proof(&request.body).await,
            project: Some(&place.project_header),
            judge: errors::judge,
        };
        self.transport
            .send(&mut call, &request, &sealed)
            .await
            .map(drop)
    }
}

#[async_trait]
impl Trial for KeyTrial {
    async fn try_keys(&self, keys: &KeyPair) -> Verdict {
        let keys = Keys::new(Credentials::load(Source::Fixed(keys.clone())));
        fall_over::verdict(&self.read(&keys).await)
    }
}
