//! The rules and bodies of an action put, which differ by type and by generation.
//!
//! NCP docs: compute-cloudfunctions-v2-putaction and compute-cloudfunctions-putaction (fin, gov,
//! public; read 2026-10). 2.1 names the type in the query and takes an array of VPCs; 2.0 has `web`
//! in the body and one VPC object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::endpoint::{ApiVersion, Endpoint};
use super::rules::{self, ARCHIVE_MAX, MEMORY_MB, PARAMETERS_MAX, SOURCE_MAX, TIMEOUT_MS};
use super::{to_body, wire};
use crate::error::{Faults, Result};
use crate::json;
use crate::names::NcpName;
use crate::proto::exec::Code;
use crate::proto::*;

/// The pseudo runtime of sequences.
const SEQUENCE: &str = "sequence";
/// The runtime that runs a container image; spelt with a space.
pub(super) const CUSTOM_IMAGE: &str = "custom image";

/// A checked put.
pub(super) struct Put {
    kind: ActionType,
    description: String,
    parameters: Option<Bytes>,
    exec: Exec,
    limits: Option<wire::Limits>,
    vpc: Vec<wire::Vpc>,
    raw_http: bool,
    custom_options: bool,
}

impl Put {
    /// Checks every documented rule; faults are named `action.…`.
    pub(super) fn check(
        action: Action,
        place: &Endpoint,
        platform: Platform,
        faults: &mut Faults,
    ) -> Option<Self> {
        let kind = match ActionType::try_from(action.r#type) {
            Ok(ActionType::Unspecified) => ActionType::Basic,
            Ok(kind) => kind,
            Err(_) => {
                faults.add(
                    "action.type",
                    "is not a known value; use one of ActionType.",
                );
                return None;
            }
        };
        rules::description(&action.description, "action.description", faults);
        faults.require(
            action.function_graph.is_none(),
            "action.function_graph",
            || "is for functiongraph targets only.",
        );
        if kind != ActionType::Web {
            let rule = || "is for web actions only: set type to ACTION_TYPE_WEB, or leave it out.";
            faults.require(!action.raw_http, "action.raw_http", rule);
            faults.require(!action.custom_options, "action.custom_options", rule);
        }
        let exec = action.exec.unwrap_or_default();
        let (limits, parameters, vpc) = if is_sequence(kind) {
            check_sequence(
                &exec,
                &action.limits,
                &action.parameters,
                &action.vpc,
                faults,
            );
            (None, None, Vec::new())
        } else {
            check_exec(&exec, place, faults);
            let parameters = json::object_text(
                action.parameters,
                "action.parameters",
                PARAMETERS_MAX,
                faults,
            );
            (
                check_limits(action.limits, place, faults),
                parameters,
                check_vpc(action.vpc, place, platform, faults),
            )
        };
        Some(Self {
            kind,
            description: action.description,
            parameters,
            exec,
            limits,
            vpc,
            raw_http: action.raw_http,
            custom_options: action.custom_options,
        })
    }

    /// The query beside `platform`.
    pub(super) fn query(&self, place: &Endpoint) -> &'static [(&'static str, &'static str)] {
        match (place.version, self.kind) {
            (ApiVersion::V20, _) => &[],
            (ApiVersion::V21, ActionType::Web) => &[("type", "web")],
            (ApiVersion::V21, ActionType::Sequence) => &[("type", "sequence")],
            (ApiVersion::V21, ActionType::SequenceWeb) => &[("type", "sequence-web")],
            (ApiVersion::V21, _) => &[("type", "basic")],
        }
    }

    /// The document to send.
    pub(super) fn body(&self, place: &Endpoint) -> Result<Bytes> {
        let old = place.version == ApiVersion::V20;
        let parameters = match &self.parameters {
            Some(text) => Some(json::embed(text, "action.parameters")?),
            None => None,
        };
        let archive;
        let (binary, code) = match &self.exec.code {
            Some(Code::Source(text)) => (Some(false), Some(text.as_str())),
            Some(Code::Archive(bytes)) => {
                archive = STANDARD.encode(bytes);
                (Some(true), Some(archive.as_str()))
            }
            None => (None, None),
        };
        let sequence = is_sequence(self.kind);
        let web = is_web(self.kind);
        let vpc = match (self.vpc.first(), old) {
            (None, _) => None,
            (Some(first), true) => Some(wire::OneOrMany::One(*first)),
            (Some(_), false) => Some(wire::OneOrMany::Many(self.vpc.clone())),
        };
        to_body(&wire::PutAction {
            description: &self.description,
            parameters: parameters.as_deref(),
            limits: self.limits,
            exec: wire::PutExec {
                kind: if sequence {
                    SEQUENCE
                } else {
                    &self.exec.runtime
                },
                binary,
                code,
                image_uri: (!self.exec.image_uri.is_empty())
                    .then_some(self.exec.image_uri.as_str()),
                main: (!self.exec.main.is_empty()).then_some(self.exec.main.as_str()),
                components: &self.exec.components,
            },
            vpc,
            raw_http: (self.kind == ActionType::Web).then_some(self.raw_http),
            custom_options: (self.kind == ActionType::Web).then_some(self.custom_options),
            // Its default on update is documented in two ways, so it is always said.
            web: old.then_some(web),
        })
    }
}

fn is_web(kind: ActionType) -> bool {
    matches!(kind, ActionType::Web | ActionType::SequenceWeb)
}

pub(super) fn is_sequence(kind: ActionType) -> bool {
    matches!(kind, ActionType::Sequence | ActionType::SequenceWeb)
}

fn check_sequence(
    exec: &Exec,
    limits: &Option<Limits>,
    parameters: &Option<Json>,
    vpc: &[Vpc],
    faults: &mut Faults,
) {
    let none = |what: &str| {
        format!("has no meaning for a sequence: its actions have their own {what}. Leave it out.")
    };
    faults.require(
        matches!(exec.runtime.as_str(), "" | SEQUENCE),
        "action.exec.runtime",
        || "must be empty or \"sequence\" for a sequence.",
    );
    faults.require(exec.code.is_none(), "action.exec.code", || none("code"));
    faults.require(exec.image_uri.is_empty(), "action.exec.image_uri", || {
        none("image")
    });
    faults.require(exec.main.is_empty(), "action.exec.main", || {
        none("entry function")
    });
    faults.require(limits.is_none(), "action.limits", || none("limits"));
    faults.require(parameters.is_none(), "action.parameters", || {
        none("parameters")
    });
    faults.require(vpc.is_empty(), "action.vpc", || none("VPC"));
    faults.require(
        !exec.components.is_empty(),
        "action.exec.components",
        || "is required for a sequence: the actions to run, each as package/action or -/action.",
    );
    for (index, component) in exec.components.iter().enumerate() {
        faults.require(
            is_component(component),
            &format!("action.exec.components[{index}]"),
            || {
                format!(
                    "is {component:?}; write package/action, or -/action for one without a package."
                )
            },
        );
    }
}

/// `package/action`, or as Apache OpenWhisk answers it, with the namespace:
/// `/namespace/package/action`, or `/namespace/action` for an action without a package. A namespace
/// may be another account's, so that it stays.
fn is_component(text: &str) -> bool {
    let mut faults = Faults::new();
    let mut name = |name: &str| NcpName::parse(name, "", &mut faults).is_some();
    match text.split('/').collect::<Vec<_>>()[..] {
        [package, action] => (package == "-" || name(package)) && name(action),
        ["", namespace, action] => !namespace.is_empty() && name(action),
        ["", namespace, package, action] => !namespace.is_empty() && name(package) && name(action),
        _ => false,
    }
}

fn check_exec(exec: &Exec, place: &Endpoint, faults: &mut Faults) {
    let runtime = exec.runtime.as_str();
    faults.require(
        !runtime.is_empty(),
        "action.exec.runtime",
        || "is required, such as nodejs:22 or python:3.13.",
    );
    faults.require(
        runtime != SEQUENCE,
        "action.exec.runtime",
        || "is sequence: set type to ACTION_TYPE_SEQUENCE or ACTION_TYPE_SEQUENCE_WEB.",
    );
    faults.require(
        exec.components.is_empty(),
        "action.exec.components",
        || "is for sequences only.",
    );
    faults.require(
        !exec.main.is_empty(),
        "action.exec.main",
        || "is required: the entry function, such as main.",
    );
    let image = runtime == CUSTOM_IMAGE;
    check_image(&exec.image_uri, image, place, faults);
    match &exec.code {
        // The documents require the code for every runtime; an image runs the code it is sent.
        None if image => faults.add(
            "action.exec.code",
            "is required beside image_uri: the image runs the code in source or archive.",
        ),
        None => faults.add("action.exec.code", "is required: set source or archive."),
        Some(Code::Source(text)) => {
            let compiled = ["java", "dotnet"]
                .iter()
                .any(|name| runtime.split(':').next() == Some(name));
            faults.require(!compiled, "action.exec.source", || {
                format!("cannot be used with {runtime}: send the .jar or .zip as archive.")
            });
            faults.require(!text.is_empty(), "action.exec.source", || "is empty.");
            let size = text.len().saturating_add(exec.main.len());
            faults.require(size <= SOURCE_MAX, "action.exec.source", || {
                format!("is {size} bytes long together with main; the limit is {SOURCE_MAX} bytes (48 MB).")
            });
        }
        Some(Code::Archive(bytes)) => {
            faults.require(!bytes.is_empty(), "action.exec.archive", || "is empty.");
            faults.require(bytes.len() <= ARCHIVE_MAX, "action.exec.archive", || {
                format!(
                    "is {} bytes long; the limit is {ARCHIVE_MAX} bytes (38 MB).",
                    bytes.len()
                )
            });
        }
    }
}

fn check_image(uri: &str, image: bool, place: &Endpoint, faults: &mut Faults) {
    let field = "action.exec.image_uri";
    faults.require(image || uri.is_empty(), field, || {
        format!("needs the runtime \"{CUSTOM_IMAGE}\".")
    });
    faults.require(!image || !uri.is_empty(), field, || {
        format!("is required with the runtime \"{CUSTOM_IMAGE}\": write registry/image:tag.")
    });
    faults.require(
        uri.is_empty() || place.version == ApiVersion::V21,
        field,
        || "needs api_version 2.1; this target speaks 2.0.",
    );
}

fn check_limits(
    limits: Option<Limits>,
    place: &Endpoint,
    faults: &mut Faults,
) -> Option<wire::Limits> {
    // The guide of 2.0 gives a range where 2.1 lists the sizes.
    let old = place.version == ApiVersion::V20;
    let sizes = if old {
        "from 128 to 1024"
    } else {
        "128, 256, 512 or 1024"
    };
    let Some(limits) = limits else {
        faults.add(
            "action.limits",
            format!("is required: timeout (0.5s to 300s) and memory_mb ({sizes})."),
        );
        return None;
    };
    let timeout = match &limits.timeout {
        None => {
            faults.add("action.limits.timeout", "is required: 0.5s to 300s.");
            None
        }
        Some(timeout) => {
            let millis = rules::millis(timeout).filter(|millis| TIMEOUT_MS.contains(millis));
            faults.require(millis.is_some(), "action.limits.timeout", || {
                format!(
                    "is {}; it must be 500 to 300000 whole milliseconds.",
                    rules::spell(timeout)
                )
            });
            millis
        }
    };
    let memory = limits.memory_mb;
    let fits = MEMORY_MB.contains(&memory) || (old && (128..=1024).contains(&memory));
    faults.require(fits, "action.limits.memory_mb", || {
        format!("is {memory}; it must be {sizes}.")
    });
    Some(wire::Limits {
        timeout: timeout?,
        memory,
    })
}

fn check_vpc(
    mut vpc: Vec<Vpc>,
    place: &Endpoint,
    platform: Platform,
    faults: &mut Faults,
) -> Vec<wire::Vpc> {
    if vpc.is_empty() && platform != Platform::Classic {
        vpc.extend(place.default_vpc());
    }
    if platform == Platform::Classic {
        faults.require(
            vpc.is_empty(),
            "action.vpc",
            || "is for the VPC platform; this action is on Classic.",
        );
    } else if place.version == ApiVersion::V21 {
        faults.require(
            !vpc.is_empty(),
            "action.vpc",
            || {
                "is required on the VPC platform: vpc_no and subnet_no. The VPC console shows both numbers under Subnet \
                 Management; the target's key vpc in the configuration (targets.*.vpc) sets a default."
            },
        );
    } else {
        faults.require(
            vpc.len() <= 1,
            "action.vpc",
            || "holds more than one; api_version 2.0 takes one.",
        );
    }
    for (index, vpc) in vpc.iter().enumerate() {
        faults.require(
            vpc.vpc_no > 0,
            &format!("action.vpc[{index}].vpc_no"),
            || "must be a positive number.",
        );
        faults.require(
            vpc.subnet_no > 0,
            &format!("action.vpc[{index}].subnet_no"),
            || "must be a positive number.",
        );
    }
    vpc.iter()
        .map(|vpc| wire::Vpc {
            vpc_no: vpc.vpc_no,
            subnet_no: vpc.subnet_no,
        })
        .collect()
}
