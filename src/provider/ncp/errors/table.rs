//! Every documented error code of NCP: its symbol, its kind, and what to tell the caller.
//!
//! NCP docs: compute-cloudfunctions (service codes 8xxxx), common-ncpapi and
//! api-call-lgc-errorhandling (gateway codes of three digits), read 2026-10. "LIVE" rows were
//! reported from real calls in 2026-09 and are not documented.

use crate::error::Kind;

/// One row: code, symbol, kind, what to tell the caller.
pub(super) type Row = (u32, &'static str, Kind, &'static str);

const PERMISSION: &str = "The account behind the sidecar's key lacks the right for this operation.";
const PLATFORM: &str = "It is on the other platform; set `platform` to the one it was made on.";
const BODY: &str = "The service refused a field of the request.";
const CONNECTING: &str = "The VPC subnet is being connected or released; try again in a minute.";

/// Codes of the functions service.
pub(super) const SERVICE: &[Row] = &[
    (
        80000,
        "INTERNAL_EXCEPTION",
        Kind::InvalidArgument,
        "The service refused a query parameter.",
    ),
    (
        80002,
        "SUB_ACC_NO_PERMISSION",
        Kind::PermissionDenied,
        PERMISSION,
    ),
    (
        80011,
        "RESOURCE_NAME_CONFLICT",
        Kind::AlreadyExists,
        "The name is taken by a package, action or trigger.",
    ),
    (
        80031,
        "TRY_AGAIN_LATER",
        Kind::Unavailable,
        "The service asks to try again in a few minutes.",
    ), // LIVE
    (
        80100,
        "PACKAGE_INVALID_NAME",
        Kind::InvalidArgument,
        "The package name is not allowed.",
    ),
    (
        80101,
        "PACKAGE_NOT_FOUND",
        Kind::NotFound,
        "There is no such package.",
    ),
    (
        80102,
        "PACKAGE_PLATFORM_MISMATCH",
        Kind::InvalidArgument,
        PLATFORM,
    ),
    (
        80103,
        "PACKAGE_BODY_INVALID_TYPE",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80104,
        "PACKAGE_BODY_MISSING_FIELD",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80105,
        "PACKAGE_BODY_INVALID_VALUE",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80106,
        "PACKAGE_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The account has as many packages as it may have (500).",
    ),
    (
        80109,
        "PACKAGE_NOT_EMPTY",
        Kind::FailedPrecondition,
        "The package still has actions; delete them first.",
    ),
    (
        80300,
        "ACTION_INVALID_NAME",
        Kind::InvalidArgument,
        "The action name is not allowed.",
    ),
    (
        80301,
        "ACTION_NOT_FOUND",
        Kind::NotFound,
        "There is no such action.",
    ),
    (
        80302,
        "ACTION_PLATFORM_MISMATCH",
        Kind::InvalidArgument,
        PLATFORM,
    ),
    (
        80303,
        "ACTION_INVALID_TYPE",
        Kind::InvalidArgument,
        "The service does not know this action type.",
    ),
    (
        80304,
        "ACTION_TYPE_MISMATCH",
        Kind::FailedPrecondition,
        "The type of an action cannot change; delete it first.",
    ),
    (
        80305,
        "ACTION_BODY_INVALID_TYPE",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80306,
        "ACTION_BODY_MISSING_FIELD",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80307,
        "ACTION_BODY_INVALID_VALUE",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80308,
        "ACTION_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The account has as many actions as it may have (500).",
    ),
    (
        80316,
        "ACTION_INVALID_RUNTIME_PARAMS",
        Kind::InvalidArgument,
        "The arguments are not a JSON object.",
    ),
    (
        80322,
        "ACTION_ACTIVATION_NOT_FOUND",
        Kind::NotFound,
        "There is no such activation, or it is not visible yet.",
    ),
    (
        80324,
        "ACTION_LINK_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The action has as many triggers as it may have.",
    ),
    (
        80501,
        "TRIGGER_NOT_FOUND",
        Kind::NotFound,
        "There is no such trigger.",
    ),
    (
        80502,
        "TRIGGER_PLATFORM_MISMATCH",
        Kind::InvalidArgument,
        PLATFORM,
    ),
    (
        80511,
        "TRIGGER_INVALID_RUNTIME_PARAMS",
        Kind::InvalidArgument,
        "The arguments are not a JSON object.",
    ),
    (
        80512,
        "TRIGGER_INVOKE_FAIL",
        Kind::FailedPrecondition,
        "The trigger has no linked action; link one first.",
    ),
    (
        80518,
        "TRIGGER_ACTIVATION_NOT_FOUND",
        Kind::NotFound,
        "There is no such activation, or it is not visible yet.",
    ),
    (
        80519,
        "TRIGGER_LINK_COUNT_EXCEED",
        Kind::ResourceExhausted,
        "The trigger has as many actions as it may have.",
    ),
    (80520, "RULE_BODY_INVALID_TYPE", Kind::InvalidArgument, BODY),
    (
        80521,
        "RULE_BODY_MISSING_FIELD",
        Kind::InvalidArgument,
        BODY,
    ),
    (
        80901,
        "DUPLICATED_RULE",
        Kind::AlreadyExists,
        "The action is linked to this trigger already.",
    ),
    (
        81002,
        "SUB_ACC_NO_PERMISSION",
        Kind::PermissionDenied,
        PERMISSION,
    ),
    (
        81311,
        "ACTION_NAT_EXCEPTION",
        Kind::Internal,
        "Connecting the VPC subnet failed.",
    ),
    (81312, "NAT_CREATE_FAIL", Kind::Unavailable, CONNECTING),
    (81313, "NAT_BEING_CREATED", Kind::Unavailable, CONNECTING),
    (81314, "NAT_RETURN_FAIL", Kind::Unavailable, CONNECTING),
];

/// Codes of the API gateway; the functions service was not reached, or (500, 510, 900) perhaps was.
pub(super) const GATEWAY: &[Row] = &[
    (
        100,
        "BAD_REQUEST_EXCEPTION",
        Kind::InvalidArgument,
        "The gateway could not read the request.",
    ),
    (
        200,
        "AUTHENTICATION_FAILED",
        Kind::Unauthenticated,
        "The gateway refused the sidecar's key or signature; check the key, its secret and the clock.",
    ),
    (210, "PERMISSION_DENIED", Kind::PermissionDenied, PERMISSION),
    (
        300,
        "API_NOT_FOUND",
        Kind::NotFound,
        "The gateway knows no such API; check the target's base_url, site and api_version.",
    ),
    (
        400,
        "QUOTA_EXCEEDED",
        Kind::ResourceExhausted,
        "The account's daily or monthly call quota is used up.",
    ),
    (
        410,
        "THROTTLE_LIMITED",
        Kind::ResourceExhausted,
        "The gateway limits the call rate.",
    ),
    (
        420,
        "RATE_LIMITED",
        Kind::ResourceExhausted,
        "The gateway limits the call rate.",
    ),
    (
        430,
        "REQUEST_ENTITY_TOO_LARGE",
        Kind::ResourceExhausted,
        "The request is larger than the gateway accepts.",
    ),
    (
        500,
        "ENDPOINT_ERROR",
        Kind::Unavailable,
        "The gateway could not reach the functions service.",
    ),
    (
        510,
        "ENDPOINT_TIMEOUT",
        Kind::DeadlineExceeded,
        "The functions service did not answer the gateway in time.",
    ),
    (
        900,
        "UNEXPECTED_ERROR",
        Kind::Internal,
        "The gateway failed unexpectedly.",
    ),
];

/// Codes that are words: those of NCP's standardised APIs and of the third generation of Cloud
/// Functions (documents `type-error-response`, `packages-deletepackage`, `actions-createaction` and
/// others, read 2026-11). What an HTTP status says of a code that is not here is INFERRED to be
/// true.
pub(super) const NAMED: &[(&str, &str, Kind, &str)] = &[
    (
        "BadRequest",
        "BAD_REQUEST",
        Kind::InvalidArgument,
        "The service could not read the request.",
    ),
    (
        "InvalidParameter",
        "INVALID_PARAMETER",
        Kind::InvalidArgument,
        "The service refused a parameter of the request.",
    ),
    (
        "IdempotentParameterMismatch",
        "IDEMPOTENT_PARAMETER_MISMATCH",
        Kind::InvalidArgument,
        "The request repeats an earlier one with other parameters.",
    ),
    (
        "InvalidOperation",
        "INVALID_OPERATION",
        Kind::FailedPrecondition,
        "The resource does not allow this operation.",
    ),
    (
        "CannotDelete",
        "CANNOT_DELETE",
        Kind::FailedPrecondition,
        "The resource cannot be deleted in its present state.",
    ),
    (
        "ResourceInUse",
        "RESOURCE_IN_USE",
        Kind::FailedPrecondition,
        "The resource is in use; delete what uses it first.",
    ),
    (
        "ResourceLimitExceeded",
        "RESOURCE_LIMIT_EXCEEDED",
        Kind::ResourceExhausted,
        "The account has as many of these resources as it may have.",
    ),
    (
        "NotFound",
        "NOT_FOUND",
        Kind::NotFound,
        "There is no such resource.",
    ),
    (
        "PackageNotFound",
        "PACKAGE_NOT_FOUND",
        Kind::NotFound,
        "There is no such package.",
    ),
];
