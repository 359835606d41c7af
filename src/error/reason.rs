//! The sidecar's own reasons, those that a status alone gives, and those of two clouds alike: a
//! symbol each, with cause and remedy for `docs/errors.md`. A cloud's other reasons are in its table
//! of codes.

macro_rules! reasons {
    ($($(#[doc = $line:literal])+ $name:ident: $kind:ident;)*) => {
        $($(#[doc = $line])+ pub const $name: &str = stringify!($name);)*

        /// Symbol, kind, cause and remedy of each.
        #[cfg(test)]
        pub(crate) const DOCUMENTED: &[(&str, super::Kind, &str)] =
            &[$((stringify!($name), super::Kind::$kind, concat!($($line),+))),*];
    };
}

reasons! {
    /// The cloud refused the last signatures of this key, and locks it after five.
    /// Do: correct the key or the clock; the sidecar tries again after five minutes, or at once
    /// with a new key.
    ACCESS_KEY_HELD_BACK: Unauthenticated;
    /// Functiongraph: no record of this run.
    /// Do: see the message: synchronous runs leave none, others while `enable_async_status_log` is
    /// on.
    ACTIVATION_NOT_FOUND: NotFound;
    /// A repeated `request_id` whose answer no longer fits `request_ids.max_size`.
    /// Do: read the activation that the message names.
    ANSWER_NOT_KEPT: ResourceExhausted;
    /// The answer names another run, action, package, trigger, version or alias than the request.
    /// Do: look for a cache or relay in between; quote `upstream_request_id` to the provider.
    ANSWER_OF_ANOTHER: Internal;
    /// The gateway has no such route.
    /// Do: check `base_url`, the site or region, and `api_version`.
    API_NOT_FOUND: NotFound;
    /// One attempt took longer than `timeouts.attempt`.
    /// Do: see `execution` before repeating.
    ATTEMPT_TIMEOUT: DeadlineExceeded;
    /// Key, secret or an intermediary; the clock, where answers show no `Date`.
    /// Do: `faas-sidecar doctor` names the cause.
    AUTHENTICATION_FAILED: Unauthenticated;
    /// The project id cannot stand in a URL.
    /// Do: correct `project_id` of the target.
    BAD_PROJECT_ID: Internal;
    /// The upstream could not read the request.
    /// Do: the message has the cloud's words.
    BAD_REQUEST: InvalidArgument;
    /// A request has no valid URL.
    /// Do: check `base_url`.
    BAD_URL: Internal;
    /// The caller sent no token, and `auth.token_file` asks for one.
    /// Do: send `authorization: Bearer` and one of its tokens.
    CALLER_TOKEN_MISSING: Unauthenticated;
    /// The caller's token is none of `auth.token_file`.
    /// Do: send one of its tokens.
    CALLER_TOKEN_REFUSED: Unauthenticated;
    /// The target's recent requests failed.
    /// Do: wait for `RetryInfo`; look at the errors before it.
    CIRCUIT_OPEN: Unavailable;
    /// The caller compressed its message.
    /// Do: send messages uncompressed.
    COMPRESSION_NOT_SUPPORTED: Unimplemented;
    /// The upstream answered 409 or 412.
    /// Do: the message has the cloud's words.
    CONFLICT: FailedPrecondition;
    /// The connection was cut before an answer.
    /// Do: see `execution` before repeating.
    CONNECTION_LOST: Unavailable;
    /// Network, `base_url`; with component `sidecar` the sidecar's own limit of descriptors, ports
    /// or threads.
    /// Do: nothing was sent; safe to repeat.
    CONNECT_FAILED: Unavailable;
    /// No connection within `timeouts.connect`.
    /// Do: nothing was sent; safe to repeat.
    CONNECT_TIMEOUT: Unavailable;
    /// `credentials.command`.
    /// Do: run it by hand; the message says how it ended.
    CREDENTIALS_COMMAND_FAILED: Unauthenticated;
    /// No key at the configured source.
    /// Do: the message says which variable or file.
    CREDENTIALS_MISSING: Unauthenticated;
    /// Keys are being requested, and the deadline was shorter.
    /// Do: nothing was sent; ask again.
    CREDENTIALS_NOT_IN_TIME: DeadlineExceeded;
    /// The key holds a character that cannot be sent.
    /// Do: write the key again without anything around it.
    CREDENTIALS_UNUSABLE: Unauthenticated;
    /// The call's time is over.
    /// Do: give more, or use `InvokeAsync` and `WatchActivation`; see `execution` before repeating.
    DEADLINE_EXCEEDED: DeadlineExceeded;
    /// The host of `base_url` has no address.
    /// Do: nothing was sent; safe to repeat.
    DNS_FAILED: Unavailable;
    /// An error under a good status, whose code is not documented.
    /// Do: the message has the cloud's words.
    ERROR_IN_GOOD_STATUS: Internal;
    /// The header `grpc-timeout` is not digits and a unit.
    /// Do: correct the client.
    GRPC_TIMEOUT_MALFORMED: InvalidArgument;
    /// Rules of the request.
    /// Do: read the `BadRequest` violations; all faults are there.
    INVALID_FIELDS: InvalidArgument;
    /// The upstream repeats a page of a list.
    /// Do: quote `upstream_request_id` to the provider.
    LIST_NOT_PAGED: Internal;
    /// The upstream's list does not end.
    /// Do: quote `upstream_request_id` to the provider.
    LIST_WITHOUT_END: Internal;
    /// Functiongraph: IAM refused the login.
    /// Do: check username, password and domain.
    LOGIN_REFUSED: Unauthenticated;
    /// Large messages in flight.
    /// Do: send fewer at once, or raise `max_body_memory` with the container's memory.
    MEMORY_LIMIT: ResourceExhausted;
    /// The caller's message ended early.
    /// Do: look for an intermediary that cuts messages.
    MESSAGE_INCOMPLETE: Internal;
    /// The caller's message is not the method's protobuf message.
    /// Do: build the client from this version's `faas.proto`.
    MESSAGE_NOT_DECODABLE: Internal;
    /// `max_message_size`.
    /// Do: raise it, or send less.
    MESSAGE_TOO_LARGE: ResourceExhausted;
    /// No metadata service here.
    /// Do: run on the cloud's server, or choose another source.
    METADATA_UNREACHABLE: Unavailable;
    /// The service has no such method.
    /// Do: check the client's version.
    METHOD_NOT_FOUND: Unimplemented;
    /// `allow` of the target.
    /// Do: the message says what to add where.
    NOT_ALLOWED_BY_CONFIGURATION: PermissionDenied;
    /// There is no such resource.
    /// Do: the message has the cloud's words.
    NOT_FOUND: NotFound;
    /// A call of one message carried none or several.
    /// Do: call the method as `faas.proto` declares it.
    ONE_MESSAGE_EXPECTED: Unimplemented;
    /// The cloud has no such operation, or the sidecar does not offer it.
    /// Do: the message says which, and what to do instead.
    OPERATION_NOT_SUPPORTED: Unimplemented;
    /// The account lacks the right.
    /// Do: give the account the right (a run may need the package's view rights too).
    PERMISSION_DENIED: PermissionDenied;
    /// Functiongraph: the project of the region cannot be found.
    /// Do: set `project_id` of the target.
    PROJECT_UNKNOWN: FailedPrecondition;
    /// `limits` of the target.
    /// Do: raise them, or slow down.
    QUEUE_FULL: ResourceExhausted;
    /// `limits` of the target.
    /// Do: raise them, or slow down.
    QUEUE_TIMEOUT: ResourceExhausted;
    /// The upstream limits the call rate.
    /// Do: slow down; wait as `RetryInfo` says.
    RATE_LIMITED: ResourceExhausted;
    /// The cloud's earlier 429s.
    /// Do: slow down; see [load](operations/load.md#load).
    RATE_LIMITED_LOCALLY: ResourceExhausted;
    /// A request cannot be written as JSON.
    /// Do: report it; nothing was sent.
    REQUEST_NOT_WRITABLE: Internal;
    /// The upstream did not get the request in time.
    /// Do: see `execution` before repeating.
    REQUEST_TIMEOUT: Unavailable;
    /// The upstream takes no request of this size.
    /// Do: send less.
    REQUEST_TOO_LARGE: ResourceExhausted;
    /// The answer was cut off.
    /// Do: see `execution` before repeating.
    RESPONSE_CUT: Internal;
    /// The headers of an answer.
    /// Do: see `execution`; find who adds them.
    RESPONSE_HEAD_TOO_LARGE: ResourceExhausted;
    /// HTML, half a document, no HTTP, a body in a coding that was not asked for, or nothing that
    /// proves a run.
    /// Do: see `execution`; quote `upstream_request_id` to the provider.
    RESPONSE_NOT_UNDERSTOOD: Internal;
    /// `max_message_size`.
    /// Do: raise it; see `execution` before repeating.
    RESPONSE_TOO_LARGE: ResourceExhausted;
    /// A result fits no protobuf value.
    /// Do: ask for `JSON_ENCODING_TEXT`.
    RESULT_NOT_REPRESENTABLE: Internal;
    /// A client's own retry in an outage.
    /// Do: nothing: it keeps the outage from growing.
    RETRY_BUDGET_EXHAUSTED: Unavailable;
    /// Functiongraph: `enable_async_status_log` is off, so that no record will come; `InvokeAsync`
    /// cannot say so, since the cloud's answer does not.
    /// Do: switch it on with `PutAsyncInvokeConfig`, and use `InvokeAsync`.
    RUNS_NOT_RECORDED: FailedPrecondition;
    /// Functiongraph: the function runs another runtime.
    /// Do: delete it first, or use another name.
    RUNTIME_CANNOT_CHANGE: FailedPrecondition;
    /// The sidecar has no such gRPC service.
    /// Do: check the client's version.
    SERVICE_NOT_FOUND: NotFound;
    /// The sidecar failed.
    /// Do: report it with the log; see `execution`.
    SIDECAR_BUG: Internal;
    /// The sidecar ends.
    /// Do: see `execution` before repeating.
    SIDECAR_STOPPED: Unavailable;
    /// A signature fits no header.
    /// Do: report it; nothing was sent.
    SIGNATURE_NOT_SENDABLE: Internal;
    /// No such target configured.
    /// Do: the message lists the names.
    TARGET_NOT_FOUND: NotFound;
    /// A certificate that one side does not trust, or no TLS there.
    /// Do: set `ca_file` or `client_cert_file`, or mend `base_url`; nothing was sent.
    TLS_FAILED: Unavailable;
    /// Functiongraph: a token is being requested, and the deadline was shorter.
    /// Do: nothing was sent; ask again.
    TOKEN_NOT_IN_TIME: DeadlineExceeded;
    /// `connections.max` are open.
    /// Do: share connections, or raise it.
    TOO_MANY_CONNECTIONS: Unavailable;
    /// `request_ids.max_entries` calls are in flight.
    /// Do: raise it, or try again.
    TOO_MANY_REQUEST_IDS: ResourceExhausted;
    /// A field was not checked before it was used.
    /// Do: report it; nothing was sent.
    UNCHECKED_FIELD: Internal;
    /// Wrong `base_url`.
    /// Do: redirects are never followed.
    UNEXPECTED_REDIRECT: Internal;
    /// A status that HTTP gives no meaning here.
    /// Do: see `execution`; look for an intermediary.
    UNEXPECTED_STATUS: Internal;
    /// The upstream answered 5xx.
    /// Do: see `execution` before repeating.
    UPSTREAM_FAILED: Internal;
    /// The upstream answered 504.
    /// Do: see `execution` before repeating.
    UPSTREAM_TIMEOUT: DeadlineExceeded;
    /// The upstream answered 502 or 503.
    /// Do: see `execution` before repeating.
    UPSTREAM_UNAVAILABLE: Unavailable;
}
