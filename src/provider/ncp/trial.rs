//! Tries a key on NAVER Cloud: the list of packages is read, which changes nothing and costs
//! nothing.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, header};
use tokio::time::Instant;

use super::auth::{Key, Plain, Prepared, Sealed};
use super::{Endpoint, JSON};
use crate::call::Call;
use crate::credentials::{KeyPair, Trial, Verdict};
use crate::error::Faults;
use crate::provider::fall_over;
use crate::transport::{Request, Transport};

/// Bound of one trial, attempts and pauses included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct KeyTrial {
    /// Where the API is.
    pub endpoint: Endpoint,
    /// The way there.
    pub transport: Transport,
}

#[async_trait]
impl Trial for KeyTrial {
    async fn try_keys(&self, keys: &KeyPair) -> Verdict {
        let prepared = match Prepared::new(1, keys) {
            Ok(prepared) => prepared,
            Err(error) => return Verdict::Refused(error.message.clone()),
        };
        let platform = self.endpoint.platform(0, &mut Faults::new());
        let request = Request {
            method: Method::GET,
            url: self.endpoint.url("/packages", platform, &[]),
            body: Bytes::new(),
            headers: vec![(header::CONTENT_TYPE, JSON)],
            idempotent: true,
            attempt_timeout: None,
        };
        let mut call = Call::new(Instant::now() + TIMEOUT);
        let sealed = Sealed::new(Key::This(Box::new(prepared)), &Plain, &self.transport);
        fall_over::verdict(&self.transport.send(&mut call, &request, &sealed).await)
    }
}
