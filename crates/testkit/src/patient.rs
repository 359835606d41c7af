//! A client that leaves deadlines to the sidecar. tonic's own channel gives up by itself at the
//! deadline, with a status of its own making; on a busy machine that can be sooner than the
//! sidecar's answer arrives.

use std::task::{Context, Poll};

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use tonic::body::Body;
use tower::Service;

/// One HTTP/2 connection, made with the first call and again when it is gone.
#[derive(Clone)]
pub struct Patient {
    client: Client<HttpConnector, Body>,
    authority: Authority,
}

impl Patient {
    /// `address`: host and port.
    pub fn new(address: &str) -> Self {
        let mut connector = HttpConnector::new();
        // As every gRPC library does: small frames must not wait for an acknowledgement.
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build(connector),
            authority: address.parse().unwrap(),
        }
    }
}

impl Service<Request<Body>> for Patient {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        *request.uri_mut() = uri.build().unwrap();
        self.client.request(request)
    }
}
