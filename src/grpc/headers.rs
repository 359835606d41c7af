//! Names of headers that each call reads or writes, made once: looking one up by its text costs
//! more than the look.

use http::HeaderName;

macro_rules! names {
    ($($name:ident = $text:literal;)*) => {
        $(pub(super) static $name: HeaderName = HeaderName::from_static($text);)*
    };
}

names! {
    // gRPC over HTTP/2, "Requests" and "Responses"; gRFC A6 for the attempts.
    GRPC_ACCEPT_ENCODING = "grpc-accept-encoding";
    GRPC_ENCODING = "grpc-encoding";
    GRPC_STATUS = "grpc-status";
    GRPC_STATUS_DETAILS = "grpc-status-details-bin";
    GRPC_TIMEOUT = "grpc-timeout";
    PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts";
    // W3C Trace Context and Baggage.
    BAGGAGE = "baggage";
    TRACEPARENT = "traceparent";
    TRACESTATE = "tracestate";
    // The sidecar's own trailers.
    ATTEMPTS = "faas-attempts";
    UPSTREAM_REQUEST_ID = "faas-upstream-request-id";
}
