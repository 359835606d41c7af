//! `grpc.health.v1.Health`: Check, List and Watch (gRPC health checking protocol; List by gRFC
//! A90).
//!
//! The sidecar serves as a whole: the empty name and each of its services have one status, SERVING
//! until it shuts down.

use std::collections::HashMap;
use std::pin::Pin;

use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::methods::services;
use crate::proto::health::health_check_response::ServingStatus;
use crate::proto::health::health_server;
use crate::proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};

/// The serving status, shared by all listeners and threads.
#[derive(Clone, Debug)]
pub struct Health {
    serving: watch::Sender<bool>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            serving: watch::Sender::new(true),
        }
    }
}

impl Health {
    /// True until [`Health::stop_serving`].
    #[must_use]
    pub fn serving(&self) -> watch::Receiver<bool> {
        self.serving.subscribe()
    }

    /// From now on `NOT_SERVING`, and every watcher hears of it.
    pub fn stop_serving(&self) {
        self.serving.send_replace(false);
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !is_known(service) {
            return Err(Status::not_found(format!(
                "There is no service {service:?} here."
            )));
        }
        Ok(Response::new(answer(*self.serving.borrow())))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let now = answer(*self.serving.borrow());
        let names = services().chain([""]).map(|name| (name.to_owned(), now));
        Ok(Response::new(HealthListResponse {
            statuses: names.collect::<HashMap<_, _>>(),
        }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // Streams end with the server, or they would hold its drain back.
        let serving = WatchStream::new(self.serving.subscribe()).take_while(|serving| *serving);
        if !is_known(&request.get_ref().service) {
            // The protocol asks for this answer and an open stream, as the service may come to be
            // known.
            let unknown = HealthCheckResponse {
                status: ServingStatus::ServiceUnknown.into(),
            };
            let silence = serving.filter(|_| false).map(|serving| Ok(answer(serving)));
            return Ok(Response::new(Box::pin(
                tokio_stream::once(Ok(unknown)).chain(silence),
            )));
        }
        let stream = serving
            .map(|serving| Ok(answer(serving)))
            .chain(tokio_stream::once(Ok(answer(false))));
        Ok(Response::new(Box::pin(stream)))
    }
}

fn is_known(service: &str) -> bool {
    service.is_empty() || services().any(|known| known == service)
}

fn answer(serving: bool) -> HealthCheckResponse {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    HealthCheckResponse {
        status: status.into(),
    }
}
