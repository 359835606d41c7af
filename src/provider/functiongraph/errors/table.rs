//! The documented codes, one row each.
//!
//! FunctionGraph API reference, appendix "Error Codes" (Open Telekom Cloud edition, 2026-04); API
//! Gateway user manual "Error Codes" and "API Request Signing Guide", troubleshooting (read
//! 2026-10).

use std::time::Duration;

use crate::error::Execution;
use crate::error::Kind::{
    AlreadyExists, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound,
    PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented,
};
use crate::error::reason;
use crate::provider::diagnosis::Cause;
use crate::provider::error_row::{ErrorRow, function, gateway, service};

const PERMISSION: &str =
    "The account behind the sidecar's credentials lacks the right for this operation.";
const FIELD: &str = "The service refused a field of the request.";
const SIZE: &str = "The request is larger than the service accepts.";
const TRIGGER: &str = "The service refused a trigger's settings.";
const IMPORT: &str = "The service refused the file to import.";
/// 1401 to 1405 are one line of the document: image pull and initializer. Which is which is not
/// stated.
const NOT_READY: &str = "The function's image or its initializer failed; see the function's logs.";
const NETWORK: &str = "The function's network cannot be reached or is not ready.";

const BACKEND_FAILED: &str = "The functions service answered the gateway unexpectedly.";
const TOKEN: &str = "The cloud refused the sidecar's token, and a new one too if there was one; check the user's rights \
                     and the region.";
/// A key is locked for five minutes after more than five refused signatures in a row (gateway 0301,
/// "AK access failed to reach the limit").
pub(crate) const LOCKED: Duration = Duration::from_secs(300);
const LOCKED_S: f64 = LOCKED.as_secs() as f64;

// Reasons that the code asks for.
pub(crate) const ACCESS_KEY_LOCKED: &str = "ACCESS_KEY_LOCKED";
pub(crate) const ADDRESS_REFUSED: &str = "ADDRESS_REFUSED";
pub(crate) const APP_FROZEN: &str = "APP_FROZEN";
pub(crate) const DEFAULT_PACKAGE: &str = "DEFAULT_PACKAGE";
pub(crate) const FUNCTION_DISABLED: &str = "FUNCTION_DISABLED";
pub(crate) const FUNCTION_NOT_FOUND: &str = "FUNCTION_NOT_FOUND";
pub(crate) const PACKAGE_NOT_EMPTY: &str = "PACKAGE_NOT_EMPTY";
pub(crate) const PACKAGE_NOT_FOUND: &str = "PACKAGE_NOT_FOUND";
pub(crate) const PROJECT_FROZEN: &str = "PROJECT_FROZEN";
pub(crate) const REGION_DISABLED: &str = "REGION_DISABLED";
pub(crate) const SIGNATURE_EXPIRED: &str = "SIGNATURE_EXPIRED";
pub(crate) const SIGNATURE_REFUSED: &str = "SIGNATURE_REFUSED";
pub(crate) const TOKEN_REFUSED: &str = "TOKEN_REFUSED";
pub(crate) const VERSION_HAS_ALIAS: &str = "VERSION_HAS_ALIAS";
pub(crate) const VERSION_NOT_FOUND: &str = "VERSION_NOT_FOUND";

/// Every documented code of a request; `APIG.` is Open Telekom Cloud's spelling of `APIGW.`.
#[rustfmt::skip] // One row per line, as in the documents.
pub(in crate::provider) const ROWS: &[ErrorRow] = &[
    // Codes of the functions service (FSS). Those above 1000 each speak of one function or its
    // network. The limits behind 0429 are per function too (400 instances each, user manual
    // "Quotas"), which nobody can tell from an overload of the service (INFERRED). An initializer
    // (1401 to 1405) is code of the function, and may have run.
    service("FSS.0400", "BAD_PARAMETER", InvalidArgument, "The service refused a parameter of the request."),
    // Samples show "not permit" under 400, 401 and 403 alike.
    service("FSS.0401", reason::PERMISSION_DENIED, PermissionDenied, PERMISSION).words(&["permit"]),
    service("FSS.0401", "ACCESS_DENIED", Unauthenticated, "The service refused the sidecar's credentials."),
    service("FSS.0403", TOKEN_REFUSED, Unauthenticated, TOKEN).words(&["invalid token"]).quiet(),
    service("FSS.0403", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    service("FSS.0404", reason::NOT_FOUND, NotFound, "There is no such function or resource."),
    service("FSS.0406", "NOT_ACCEPTABLE", InvalidArgument, "The service refused the body's form or memory_mb."),
    service("FSS.0408", reason::REQUEST_TIMEOUT, DeadlineExceeded, "The service ran out of time.").unknown().transient(),
    service("FSS.0409", "ALREADY_EXISTS", AlreadyExists, "The name is taken."),
    service("FSS.0410", "GONE", NotFound, "The resource is gone."),
    service("FSS.0413", "BODY_TOO_LARGE", InvalidArgument, SIZE),
    service("FSS.0424", "BAD_DEPENDENCY", FailedPrecondition, "A dependency of the function cannot be used."),
    service("FSS.0426", "UPGRADE_REQUIRED", FailedPrecondition, "The service asks for an upgrade of the function or client."),
    service("FSS.0428", "PRECONDITION_REQUIRED", FailedPrecondition, "Something related must be deleted first."),
    service("FSS.0429", FUNCTION_DISABLED, FailedPrecondition, "The function is disabled.").words(&["disabled"]),
    function("FSS.0429", "TOO_MANY_REQUESTS", ResourceExhausted, "The service limits the call rate or is overloaded.").transient().pause(1.0, 3.0),
    service("FSS.0500", "INTERNAL_ERROR", Internal, "The service failed internally.").unknown().transient(),
    service("FSS.0502", "BAD_GATEWAY", Unavailable, "The service could not reach what it needs.").unknown().transient(),
    service("FSS.0503", "SERVICE_UNAVAILABLE", Unavailable, "The service is not available now.").unknown().transient(),
    service("FSS.0504", "GATEWAY_TIMEOUT", DeadlineExceeded, "The service did not answer in time.").unknown().transient(),
    function("FSS.1001", "BAD_QUERY", InvalidArgument, "The service refused a query parameter."),
    function("FSS.1002", "BAD_FUNCTION_NAME", InvalidArgument, "The function name is not allowed."),
    function("FSS.1003", "BAD_HANDLER", InvalidArgument, "The handler (exec.main) is not allowed."),
    function("FSS.1004", "BAD_PACKAGE", InvalidArgument, "The package name is not allowed."),
    function("FSS.1005", "BAD_RUNTIME", InvalidArgument, "The region has no such runtime (exec.runtime)."),
    function("FSS.1006", "BAD_CODE_TYPE", InvalidArgument, "The code type is not allowed."),
    function("FSS.1007", "BAD_MEMORY", InvalidArgument, "The memory limit is not allowed."),
    function("FSS.1008", "BAD_TIMEOUT", InvalidArgument, "The timeout is not allowed."),
    function("FSS.1009", "BAD_USER_DATA", InvalidArgument, "The service refused user_data."),
    function("FSS.1010", "BAD_URL", InvalidArgument, "The code_url is not allowed."),
    function("FSS.1011", "BAD_CODE", InvalidArgument, "The code is not usable; an archive must be a valid zip file."),
    function("FSS.1012", "CODE_MISSING", InvalidArgument, "The code is missing."),
    function("FSS.1013", "BAD_FILE_TYPE", InvalidArgument, "The file type of the code is not allowed."),
    function("FSS.1014", "BAD_ALIAS", InvalidArgument, "The alias name is not allowed."),
    function("FSS.1015", "BAD_VERSION", InvalidArgument, "The version name is not allowed."),
    function("FSS.1016", "NOTHING_CHANGED", FailedPrecondition, "Nothing has changed since the last version was published."),
    function("FSS.1017", "TOO_MANY_VARIABLES", InvalidArgument, "The function may have 20 environment variables at most."),
    function("FSS.1018", "VARIABLES_TOO_LARGE", InvalidArgument, "The environment variables are too large."),
    function("FSS.1019", "DESCRIPTION_TOO_LONG", InvalidArgument, "The description is longer than 512 characters."),
    function("FSS.1021", "BAD_AGENCY", InvalidArgument, "The service has a problem with the agency (xrole, app_xrole)."),
    function("FSS.1022", "BAD_IMPORT", InvalidArgument, IMPORT),
    function("FSS.1023", "BAD_IMPORT", InvalidArgument, IMPORT),
    function("FSS.1024", "BAD_DEPENDENCY", InvalidArgument, "A dependency is not allowed."),
    function("FSS.1025", "BAD_IMPORT", InvalidArgument, IMPORT),
    function("FSS.1026", "BAD_CONCURRENCY", InvalidArgument, "The concurrency is not allowed."),
    function("FSS.1027", "BAD_PACKAGE", InvalidArgument, "The package name is not allowed."),
    function("FSS.1028", PACKAGE_NOT_EMPTY, FailedPrecondition, "The package still has functions; delete them first."),
    function("FSS.1029", DEFAULT_PACKAGE, FailedPrecondition, "The package default cannot be deleted."),
    function("FSS.1031", "DEPENDENCY_EXISTS", AlreadyExists, "The dependency exists already."),
    function("FSS.1032", "BAD_DEPENDENCY_TYPE", InvalidArgument, "The type of a dependency is not allowed."),
    function("FSS.1033", "DEPENDENCY_IN_USE", FailedPrecondition, "The dependency is in use."),
    function("FSS.1034", "BAD_IMAGE_URL", InvalidArgument, "The image address is not allowed."),
    function("FSS.1035", "IMAGE_URL_MISSING", InvalidArgument, "The image address is missing."),
    function("FSS.1036", "VPC_MISSING", InvalidArgument, "There is no such VPC."),
    function("FSS.1037", "SUBNET_MISSING", InvalidArgument, "There is no such subnet."),
    function("FSS.1038", "MOUNT_EXISTS", InvalidArgument, "The mount exists already."),
    function("FSS.1039", "BAD_MOUNT_PATH", InvalidArgument, "A mount path is not allowed."),
    function("FSS.1040", "AGENCY_MAY_NOT_MOUNT", PermissionDenied, "The agency lacks the right to mount the file system."),
    function("FSS.1041", "TOO_MANY_FUNCTIONS", ResourceExhausted, "The account has as many functions as it may have (400).").quota("project"),
    function("FSS.1042", "TOO_MUCH_CODE", ResourceExhausted, "The account's code is as large as it may be in all.").quota("project"),
    function("FSS.1043", "TOO_MANY_ALIASES", ResourceExhausted, "The function has as many aliases as it may have (10).").quota("project"),
    function("FSS.1044", "TOO_MANY_PACKAGES", ResourceExhausted, "The account has as many packages as it may have (400).").quota("project"),
    function("FSS.1045", "TOO_MANY_DEPENDENCIES", ResourceExhausted, "The function has too many dependencies.").quota("project"),
    function("FSS.1046", "DEPENDENCY_NOT_ACCESSIBLE", PermissionDenied, "A dependency belongs to another account."),
    function("FSS.1047", "TOO_MANY_VPCS", ResourceExhausted, "The account uses too many VPCs.").quota("project"),
    function("FSS.1048", "TOO_MANY_VPCS", ResourceExhausted, "The project uses too many VPCs.").quota("project"),
    function("FSS.1049", "TOO_MANY_MOUNTS", ResourceExhausted, "The function mounts more than 5 file systems.").quota("project"),
    function("FSS.1050", "MOUNT_NOT_FOUND", NotFound, "There is no such file system or server to mount."),
    function("FSS.1051", FUNCTION_NOT_FOUND, NotFound, "There is no such function."),
    function("FSS.1052", VERSION_NOT_FOUND, NotFound, "The function has no such version."),
    function("FSS.1053", "ALIAS_NOT_FOUND", NotFound, "The function has no such alias."),
    function("FSS.1054", "CODE_NOT_FOUND", NotFound, "The code package is not at code_url."),
    function("FSS.1055", PACKAGE_NOT_FOUND, NotFound, "There is no such package."),
    function("FSS.1056", "DEPENDENCY_NOT_FOUND", NotFound, "There is no such dependency."),
    function("FSS.1057", "BAD_IMPORT", NotFound, IMPORT),
    function("FSS.1058", "BAD_IMPORT", InvalidArgument, IMPORT),
    function("FSS.1059", "TEMPLATE_NOT_FOUND", NotFound, "There is no such function template."),
    function("FSS.1060", "TEMPLATE_NOT_FOUND", NotFound, "There is no such event template."),
    function("FSS.1061", "FUNCTION_EXISTS", AlreadyExists, "The function exists already."),
    function("FSS.1062", "VERSION_EXISTS", AlreadyExists, "The version exists already."),
    function("FSS.1063", "ALIAS_EXISTS", AlreadyExists, "The alias exists already."),
    function("FSS.1064", "PACKAGE_EXISTS", AlreadyExists, "The package exists already."),
    function("FSS.1065", "DEPENDENCY_EXISTS", AlreadyExists, "The dependency exists already."),
    function("FSS.1066", VERSION_HAS_ALIAS, AlreadyExists, "Another alias stands for this version already."),
    function("FSS.1067", "TEMPLATE_EXISTS", AlreadyExists, "The template exists already."),
    function("FSS.1068", "TOO_MANY_EVENTS", ResourceExhausted, "The function has too many test events.").quota("project"),
    function("FSS.1069", "EVENT_TOO_LARGE", InvalidArgument, "A test event may have 4 KB."),
    function("FSS.1070", "EVENT_NOT_FOUND", NotFound, "There is no such test event."),
    function("FSS.1071", "CODE_TOO_LARGE", InvalidArgument, "The code package is larger than 50 MB; put it into OBS and give code_url."),
    function("FSS.1072", "CODE_TOO_LARGE", InvalidArgument, "Inline source is larger than 10 KB; send an archive."),
    function("FSS.1073", "EVENT_EXISTS", AlreadyExists, "The test event exists already."),
    function("FSS.1074", "BAD_FIELD", InvalidArgument, FIELD),
    function("FSS.1075", "BAD_USER_ID", InvalidArgument, "A user or group id is not allowed."),
    function("FSS.1090", "SUBNET_NOT_ACTIVE", FailedPrecondition, "The subnet is not active."),
    function("FSS.1091", "BAD_ALIAS_VERSION", InvalidArgument, "A version in additional_version_weights is not allowed."),
    function("FSS.1092", "BAD_ALIAS_WEIGHT", InvalidArgument, "A weight in additional_version_weights is not allowed."),
    function("FSS.1093", "BAD_ALIAS_VERSION", InvalidArgument, "The second version of the alias is the same as its first."),
    function("FSS.1094", "VERSION_IN_USE", FailedPrecondition, "An alias uses the version as its second one."),
    function("FSS.1095", "MOUNT_NOT_READY", FailedPrecondition, "The mounted resource is not ready."),
    function("FSS.1096", "MOUNT_NOT_NFS", FailedPrecondition, "The mounted resource is not NFS."),
    function("FSS.1101", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1102", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1106", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1107", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1108", "TRIGGER_CONFLICT", FailedPrecondition, "The trigger clashes with another one."),
    function("FSS.1109", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1111", "TRIGGER_SOURCE_NOT_FOUND", NotFound, "There is no such Kafka instance."),
    function("FSS.1112", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1113", "BAD_TRIGGER", InvalidArgument, "The Kafka instance needs a user and a password."),
    function("FSS.1114", "BAD_TRIGGER", InvalidArgument, "The Kafka instance is in another subnet than the function."),
    function("FSS.1115", "NETWORK_UNREACHABLE", Unavailable, NETWORK).unknown().transient(),
    function("FSS.1116", "BAD_TRIGGER", InvalidArgument, "The Kafka instance refuses the user or the password."),
    function("FSS.1117", "BAD_TRIGGER", InvalidArgument, "The Kafka instance could not be queried."),
    function("FSS.1118", "NOT_ALLOW_LISTED", PermissionDenied, "The account is not on the allow list of this feature."),
    function("FSS.1121", "AGENCY_FORBIDDEN", PermissionDenied, "The agency lacks a right."),
    function("FSS.1122", "AGENCY_FORBIDDEN", PermissionDenied, "The agency lacks a right."),
    function("FSS.1123", "TOO_MANY_TRIGGERS", ResourceExhausted, "The function has as many triggers as it may have.").quota("project"),
    function("FSS.1124", "TOO_MANY_TRIGGERS", ResourceExhausted, "There are as many APIs as there may be.").quota("project"),
    function("FSS.1125", "AGENCY_FORBIDDEN", PermissionDenied, "The agency lacks a right."),
    function("FSS.1126", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    function("FSS.1127", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    service("FSS.1128", FUNCTION_NOT_FOUND, NotFound, "There is no such function.").words(&["not exist"]),
    function("FSS.1128", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    function("FSS.1131", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1132", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1136", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1137", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1138", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1140", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1141", "TRIGGER_EXISTS", AlreadyExists, "The trigger or its path exists already."),
    function("FSS.1145", "TRIGGER_EXISTS", AlreadyExists, "The trigger or its path exists already."),
    function("FSS.1146", "TRIGGER_EXISTS", AlreadyExists, "The trigger or its path exists already."),
    function("FSS.1147", "TRIGGER_EXISTS", AlreadyExists, "The trigger or its path exists already."),
    function("FSS.1148", "TRIGGER_EXISTS", AlreadyExists, "The trigger or its path exists already."),
    function("FSS.1150", "TRIGGER_EXISTS", AlreadyExists, "The trigger or its path exists already."),
    function("FSS.1151", "BAD_TRIGGER", InvalidArgument, "The OBS bucket is in another region."),
    function("FSS.1152", "TRIGGER_SOURCE_NOT_USABLE", FailedPrecondition, "The OBS bucket cannot be used."),
    function("FSS.1153", "CONDITION_FAILED", FailedPrecondition, "A condition of the operation does not hold."),
    function("FSS.1154", "ALIAS_HAS_TRIGGER", FailedPrecondition, "A trigger is bound to the alias; delete the trigger first."),
    function("FSS.1162", "NOT_EFFECTIVE_YET", Internal, "The change is saved and not effective yet; read it again in a while.").execution(Execution::Completed),
    function("FSS.1169", "NETWORK_UNREACHABLE", Unavailable, NETWORK).unknown().transient(),
    function("FSS.1171", "TRIGGER_SOURCE_NOT_FOUND", NotFound, "There is no such SMN topic."),
    function("FSS.1172", "BAD_TRIGGER", InvalidArgument, "There is no such database or collection."),
    function("FSS.1174", "TRIGGER_NOT_FOUND", NotFound, "There is no such trigger."),
    function("FSS.1201", "BODY_TOO_LARGE", InvalidArgument, SIZE),
    function("FSS.1202", "BAD_TRIGGER_RESULT", Internal, "The function's result is not what its trigger needs.").unknown(),
    function("FSS.1206", "BAD_TRIGGER_RESULT", Internal, "The function's result is not what its trigger needs.").unknown(),
    function("FSS.1221", "LOGS_ALREADY_ON", FailedPrecondition, "Log Tank Service is switched on already."),
    function("FSS.1302", "TRIGGER_NOT_SAVED", Internal, "The service could not save the trigger.").unknown(),
    function("FSS.1303", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    function("FSS.1306", "TOO_MANY_TRIGGERS", ResourceExhausted, "The project has as many CTS triggers as it may have.").quota("project"),
    function("FSS.1307", "TRIGGER_EXISTS", AlreadyExists, "The trigger exists already."),
    function("FSS.1308", "TRIGGER_SOURCE_NOT_FOUND", NotFound, "What the CTS trigger names does not exist."),
    function("FSS.1309", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1310", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    function("FSS.1312", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1313", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1314", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1316", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1317", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1318", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.1319", "BAD_GATEWAY", Unavailable, "The service could not reach Cloud Trace Service.").unknown(),
    function("FSS.1401", "FUNCTION_NOT_READY", FailedPrecondition, NOT_READY).unknown(),
    function("FSS.1402", "FUNCTION_NOT_READY", FailedPrecondition, NOT_READY).unknown(),
    function("FSS.1403", "FUNCTION_NOT_READY", FailedPrecondition, NOT_READY).unknown(),
    function("FSS.1404", "FUNCTION_NOT_READY", FailedPrecondition, NOT_READY).unknown(),
    function("FSS.1405", "FUNCTION_NOT_READY", FailedPrecondition, NOT_READY).unknown(),
    function("FSS.1417", "BAD_TRIGGER", InvalidArgument, TRIGGER),
    function("FSS.4208", "CANCELLED", FailedPrecondition, "The run was cancelled."),
    // Codes of the API gateway: APIGW on Huawei Cloud, APIG on Open Telekom Cloud. Beyond 0202,
    // 0203 and 0601 the request never reached the functions service.
    gateway("APIGW.0101", reason::API_NOT_FOUND, Unimplemented, "The gateway knows no such operation: the region lacks it, or the target's region or base_url is wrong."),
    gateway("APIGW.0103", "BACKEND_BROKEN", Internal, "The gateway's definition of the operation is broken."),
    gateway("APIGW.0104", "BACKEND_BROKEN", Internal, "The gateway's definition of the operation is broken."),
    gateway("APIGW.0105", "BACKEND_BROKEN", Internal, "The gateway's definition of the operation is broken."),
    gateway("APIGW.0106", "BACKEND_BROKEN", Internal, "The gateway's definition of the operation is broken."),
    gateway("APIGW.0201", "BACKEND_TIMEOUT", DeadlineExceeded, "The functions service did not answer the gateway in time.").unknown().transient().statuses(504..=504),
    gateway("APIGW.0201", "BACKEND_UNAVAILABLE", Unavailable, "The gateway could not reach the functions service.").unknown().transient().statuses(502..=502),
    gateway("APIGW.0201", "BACKEND_FAILED", Internal, BACKEND_FAILED).unknown().transient().statuses(500..=u16::MAX),
    // A good status does not tell a bad request from a failed back end either.
    gateway("APIGW.0201", "BACKEND_FAILED", Internal, BACKEND_FAILED).unknown().transient().statuses(200..=299),
    gateway("APIGW.0201", reason::REQUEST_TOO_LARGE, InvalidArgument, "The body is larger than the gateway accepts (12 MB); put large code into OBS and give code_url.").statuses(413..=413),
    gateway("APIGW.0201", "URI_TOO_LONG", InvalidArgument, "The URL is longer than the gateway accepts (32 KB).").statuses(414..=414),
    gateway("APIGW.0201", "HEADERS_TOO_LARGE", InvalidArgument, "The headers are larger than the gateway accepts.").statuses(494..=494),
    gateway("APIGW.0201", reason::BAD_REQUEST, InvalidArgument, "The gateway could not read the request."),
    gateway("APIGW.0202", "BACKEND_UNAVAILABLE", Unavailable, "The gateway could not reach the functions service.").unknown().transient(),
    gateway("APIGW.0203", "BACKEND_TIMEOUT", DeadlineExceeded, "The functions service did not answer the gateway in time.").unknown().transient(),
    gateway("APIGW.0204", "TLS_REFUSED", FailedPrecondition, "The gateway refused the TLS version."),
    gateway("APIGW.0205", "TLS_REFUSED", FailedPrecondition, "The gateway refused the client certificate."),
    // 0301 says what is wrong in words alone. They are matched and never passed on: they may hold
    // the signed text.
    gateway("APIGW.0301", ACCESS_KEY_LOCKED, Unauthenticated, "The cloud has locked the access key for 5 minutes after several refused signatures; check the secret key before then.").words(&["failed to reach the limit"]).quiet().pause(LOCKED_S, LOCKED_S).cause(Cause::AccessKeyLocked),
    // The sidecar always sends one or the other, so a gateway that finds neither did not get it.
    gateway("APIGW.0301", "AUTHENTICATION_DROPPED", Unauthenticated, "The gateway found neither signature nor token, and the sidecar sent one: something on the way takes the header out.").words(&["x-auth-token not found"]).quiet().cause(Cause::AuthenticationDropped),
    gateway("APIGW.0301", SIGNATURE_EXPIRED, Unauthenticated, "The cloud finds the signature's time more than 15 minutes off; set this machine's clock.").words(&["signature expired"]).quiet().cause(Cause::ClockSkew),
    gateway("APIGW.0301", SIGNATURE_REFUSED, Unauthenticated, "The cloud computed another signature; check that the secret key belongs to the access key, and that nothing on the way rewrites the request.").words(&["signature fail", "verify aksk", "signature does not match", "verify signature"]).quiet(),
    gateway("APIGW.0301", TOKEN_REFUSED, Unauthenticated, TOKEN).words(&["token"]).quiet(),
    gateway("APIGW.0301", "ACCESS_KEY_UNKNOWN", Unauthenticated, "The cloud does not know the access key; check it, and that temporary keys have not ended.").words(&["get secretkey failed", "not exist"]).quiet().cause(Cause::AccessKeyUnknown),
    gateway("APIGW.0301", reason::AUTHENTICATION_FAILED, Unauthenticated, "The cloud refused the sidecar's credentials; check the key, its secret and the clock.").quiet(),
    gateway("APIGW.0302", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0303", "APP_AUTHENTICATION_FAILED", Unauthenticated, "The gateway refused the application's authentication."),
    gateway("APIGW.0304", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0305", reason::AUTHENTICATION_FAILED, Unauthenticated, "The gateway refused the authentication information."),
    gateway("APIGW.0306", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0307", TOKEN_REFUSED, Unauthenticated, TOKEN).quiet(),
    // The vendor asks for 2 to 5 s (API Gateway manual, 0308).
    gateway("APIGW.0308", "THROTTLED", ResourceExhausted, "The gateway limits the call rate.").transient().pause(2.0, 5.0),
    gateway("APIGW.0310", PROJECT_FROZEN, PermissionDenied, "The project is not available; it may be frozen for unpaid bills."),
    gateway("APIGW.0311", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0312", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0313", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0314", "NOT_AUTHORIZED", PermissionDenied, PERMISSION),
    gateway("APIGW.0401", ADDRESS_REFUSED, PermissionDenied, "The gateway refuses this network address."),
    gateway("APIGW.0402", ADDRESS_REFUSED, PermissionDenied, "The gateway refuses this network address."),
    gateway("APIGW.0404", ADDRESS_REFUSED, PermissionDenied, "The gateway refuses the back end's network address."),
    gateway("APIGW.0405", ADDRESS_REFUSED, PermissionDenied, "The gateway refuses the back end's network address."),
    gateway("APIGW.0501", "QUOTA_EXCEEDED", ResourceExhausted, "The application's call quota is used up."),
    gateway("APIGW.0502", APP_FROZEN, PermissionDenied, "The application is frozen."),
    gateway("APIGW.0601", "GATEWAY_FAILED", Internal, "The gateway failed internally.").unknown().transient(),
    gateway("APIGW.0602", "BAD_REQUEST", InvalidArgument, "The gateway could not read the request."),
    gateway("APIGW.0605", "GATEWAY_FAILED", Internal, "The gateway could not resolve the back end's name."),
    gateway("APIGW.0606", "GATEWAY_FAILED", Internal, "The gateway could not load its configuration."),
    gateway("APIGW.0607", "BAD_REQUEST", InvalidArgument, "The gateway does not take this protocol."),
    gateway("APIGW.0608", "GATEWAY_FAILED", Unavailable, "The gateway could not get a token of its own.").transient(),
    gateway("APIGW.0609", "GATEWAY_FAILED", Internal, "The gateway found no back end."),
    gateway("APIGW.0610", "GATEWAY_FAILED", Unavailable, "The gateway found no back end that works.").transient(),
    gateway("APIGW.0611", "GATEWAY_FAILED", Internal, "The gateway found no back end."),
    gateway("APIGW.0612", "GATEWAY_FAILED", Internal, "The gateway calls itself."),
    gateway("APIGW.0613", "IAM_UNAVAILABLE", Unavailable, "The gateway could not reach IAM.").transient(),
    gateway("APIGW.0705", "GATEWAY_FAILED", Internal, "The gateway could not sign for its back end."),
    gateway("APIGW.0802", REGION_DISABLED, PermissionDenied, "IAM does not let this account use the region."),
    gateway("APIGW.2102", reason::AUTHENTICATION_FAILED, Unauthenticated, "The gateway refused the authentication information."),
];
