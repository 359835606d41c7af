//! Every documented error code of NCP: one row each.
//!
//! NCP docs: compute-cloudfunctions (service codes 8xxxx), common-ncpapi and
//! api-call-lgc-errorhandling (gateway codes of three digits), read 2026-10. "LIVE" rows were
//! reported from real calls in 2026-09 and are not documented.

use crate::error::Kind::{
    AlreadyExists, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound,
    PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable,
};
use crate::provider::diagnosis::Cause;
use crate::provider::error_row::{ErrorRow, function, gateway, service};

/// There is no record of the run, or not yet.
pub(crate) const RECORD_NOT_FOUND: [&str; 2] = [ACTION_RECORD_NOT_FOUND, TRIGGER_RECORD_NOT_FOUND];
const ACTION_RECORD_NOT_FOUND: &str = "80322";
const TRIGGER_RECORD_NOT_FOUND: &str = "80518";

const PERMISSION: &str = "The account behind the sidecar's key lacks the right for this operation.";
const PLATFORM: &str = "It is on the other platform; set `platform` to the one it was made on.";
const BODY: &str = "The service refused a field of the request.";
const CONNECTING: &str = "The VPC subnet is being connected or released; try again in a minute.";

/// Every documented code.
#[rustfmt::skip] // One row per line, as in the documents.
pub(in crate::provider) const ROWS: &[ErrorRow] = &[
    // Codes of the functions service.
    service("80000", "INTERNAL_EXCEPTION", InvalidArgument, "The service refused a query parameter."),
    service("80002", "SUB_ACC_NO_PERMISSION", PermissionDenied, PERMISSION).cause(Cause::RightMissing),
    service("80011", "RESOURCE_NAME_CONFLICT", AlreadyExists, "The name is taken by a package, action or trigger."),
    service("80031", "TRY_AGAIN_LATER", Unavailable, "The service asks to try again in a few minutes.").transient(), // LIVE
    service("80100", "PACKAGE_INVALID_NAME", InvalidArgument, "The package name is not allowed."),
    service("80101", "PACKAGE_NOT_FOUND", NotFound, "There is no such package."),
    service("80102", "PACKAGE_PLATFORM_MISMATCH", InvalidArgument, PLATFORM),
    service("80103", "PACKAGE_BODY_INVALID_TYPE", InvalidArgument, BODY),
    service("80104", "PACKAGE_BODY_MISSING_FIELD", InvalidArgument, BODY),
    service("80105", "PACKAGE_BODY_INVALID_VALUE", InvalidArgument, BODY),
    service("80106", "PACKAGE_COUNT_EXCEED", ResourceExhausted, "The account has as many packages as it may have (500).").quota("account"),
    service("80109", "PACKAGE_NOT_EMPTY", FailedPrecondition, "The package still has actions; delete them first."),
    service("80300", "ACTION_INVALID_NAME", InvalidArgument, "The action name is not allowed."),
    service("80301", "ACTION_NOT_FOUND", NotFound, "There is no such action."),
    service("80302", "ACTION_PLATFORM_MISMATCH", InvalidArgument, PLATFORM),
    service("80303", "ACTION_INVALID_TYPE", InvalidArgument, "The service does not know this action type."),
    service("80304", "ACTION_TYPE_MISMATCH", FailedPrecondition, "The type of an action cannot change; delete it first."),
    service("80305", "ACTION_BODY_INVALID_TYPE", InvalidArgument, BODY),
    service("80306", "ACTION_BODY_MISSING_FIELD", InvalidArgument, BODY),
    service("80307", "ACTION_BODY_INVALID_VALUE", InvalidArgument, BODY),
    service("80308", "ACTION_COUNT_EXCEED", ResourceExhausted, "The account has as many actions as it may have (500).").quota("account"),
    service("80316", "ACTION_INVALID_RUNTIME_PARAMS", InvalidArgument, "The arguments are not a JSON object."),
    service(ACTION_RECORD_NOT_FOUND, "ACTION_ACTIVATION_NOT_FOUND", NotFound, "There is no such activation, or it is not visible yet."),
    service("80324", "ACTION_LINK_COUNT_EXCEED", ResourceExhausted, "The action has as many triggers as it may have.").quota("account"),
    service("80501", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    service("80502", "TRIGGER_PLATFORM_MISMATCH", InvalidArgument, PLATFORM),
    service("80511", "TRIGGER_INVALID_RUNTIME_PARAMS", InvalidArgument, "The arguments are not a JSON object."),
    service("80512", "TRIGGER_INVOKE_FAIL", FailedPrecondition, "The trigger has no linked action; link one first."),
    service(TRIGGER_RECORD_NOT_FOUND, "TRIGGER_ACTIVATION_NOT_FOUND", NotFound, "There is no such activation, or it is not visible yet."),
    service("80519", "TRIGGER_LINK_COUNT_EXCEED", ResourceExhausted, "The trigger has as many actions as it may have.").quota("account"),
    service("80520", "RULE_BODY_INVALID_TYPE", InvalidArgument, BODY),
    service("80521", "RULE_BODY_MISSING_FIELD", InvalidArgument, BODY),
    service("80901", "DUPLICATED_RULE", AlreadyExists, "The action is linked to this trigger already."),
    service("81002", "SUB_ACC_NO_PERMISSION", PermissionDenied, PERMISSION).cause(Cause::RightMissing),
    function("81311", "ACTION_NAT_EXCEPTION", Internal, "Connecting the VPC subnet failed.").unknown().transient(),
    function("81312", "NAT_CREATE_FAIL", Unavailable, CONNECTING).unknown().transient(),
    function("81313", "NAT_BEING_CREATED", Unavailable, CONNECTING).unknown().transient(),
    function("81314", "NAT_RETURN_FAIL", Unavailable, CONNECTING).unknown().transient(),
    // Codes of the API gateway; the functions service was not reached, or (500, 510, 900) perhaps
    // was.
    gateway("100", "BAD_REQUEST_EXCEPTION", InvalidArgument, "The gateway could not read the request."),
    gateway("200", "AUTHENTICATION_FAILED", Unauthenticated, "The gateway refused the sidecar's key or signature; check the key, its secret and the clock.").link("How NCP requests are signed", "https://api.ncloud-docs.com/docs/common-ncpapi"),
    gateway("210", "PERMISSION_DENIED", PermissionDenied, PERMISSION).cause(Cause::GatewayRight),
    gateway("300", "API_NOT_FOUND", NotFound, "The gateway knows no such API; check the target's base_url, site and api_version."),
    gateway("400", "QUOTA_EXCEEDED", ResourceExhausted, "The account's daily or monthly call quota is used up.").quota("account"),
    gateway("410", "THROTTLE_LIMITED", ResourceExhausted, "The gateway limits the call rate.").transient(),
    gateway("420", "RATE_LIMITED", ResourceExhausted, "The gateway limits the call rate.").transient(),
    gateway("430", "REQUEST_ENTITY_TOO_LARGE", ResourceExhausted, "The request is larger than the gateway accepts.").quota("account"),
    gateway("500", "ENDPOINT_ERROR", Unavailable, "The gateway could not reach the functions service.").unknown().transient(),
    gateway("510", "ENDPOINT_TIMEOUT", DeadlineExceeded, "The functions service did not answer the gateway in time.").unknown().transient(),
    gateway("900", "UNEXPECTED_ERROR", Internal, "The gateway failed unexpectedly.").unknown().transient(),
    // Codes that are words: those of NCP's standardised APIs and of the third generation of Cloud
    // Functions (documents `type-error-response`, `packages-deletepackage`, `actions-createaction`
    // and others, read 2026-11). What an HTTP status says of a code that is not here is INFERRED to
    // be true.
    service("BadRequest", "BAD_REQUEST", InvalidArgument, "The service could not read the request."),
    service("InvalidParameter", "INVALID_PARAMETER", InvalidArgument, "The service refused a parameter of the request."),
    service("IdempotentParameterMismatch", "IDEMPOTENT_PARAMETER_MISMATCH", InvalidArgument, "The request repeats an earlier one with other parameters."),
    service("InvalidOperation", "INVALID_OPERATION", FailedPrecondition, "The resource does not allow this operation."),
    service("CannotDelete", "CANNOT_DELETE", FailedPrecondition, "The resource cannot be deleted in its present state."),
    service("ResourceInUse", "RESOURCE_IN_USE", FailedPrecondition, "The resource is in use; delete what uses it first."),
    service("ResourceLimitExceeded", "RESOURCE_LIMIT_EXCEEDED", ResourceExhausted, "The account has as many of these resources as it may have.").quota("account"),
    service("NotFound", "NOT_FOUND", NotFound, "There is no such resource."),
    service("PackageNotFound", "PACKAGE_NOT_FOUND", NotFound, "There is no such package."),
];
