//! The rules of an action put, all faults together.
//!
//! "Creating a Function" (`functiongraph_06_0108`), "Notes and Constraints" (Open Telekom Cloud
//! 2026-04). Open sets (runtimes, GPU models) are not checked; neither is a handler's form, which
//! differs by runtime.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{CUSTOM_IMAGE, IMAGE_CODE, Put};
use crate::error::Faults;
use crate::json;
use crate::proto::exec::Code;
use crate::proto::*;
use crate::provider::functiongraph::rules::{
    self, ARCHIVE_MAX, INITIALIZER_MAX_S, INLINE_MAX, MEMORY_MB, PLAIN_MEMORY_MAX, TIMEOUT_S,
    VARIABLES_MAX, VARIABLES_SIZE_MAX,
};

const CODE_TYPES: [&str; 5] = ["inline", "zip", "jar", "obs", IMAGE_CODE];
const ONLY_NCP: &str = "is for ncp targets only; leave it out.";

impl Put {
    /// Checks every documented rule; faults are named `action.…`.
    pub(in super::super) fn check(action: Action, faults: &mut Faults) -> Option<Self> {
        let basic = matches!(
            ActionType::try_from(action.r#type),
            Ok(ActionType::Unspecified | ActionType::Basic)
        );
        faults.require(
            basic,
            "action.type",
            || "must be ACTION_TYPE_BASIC or left out: functiongraph has no other.",
        );
        rules::description(&action.description, "action.description", faults);
        faults.require(
            action.parameters.is_none(),
            "action.parameters",
            || "is for ncp targets only; use function_graph.user_data for environment variables.",
        );
        faults.require(
            action.vpc.is_empty(),
            "action.vpc",
            || "is for ncp targets only; use function_graph.func_vpc.",
        );
        faults.require(!action.raw_http, "action.raw_http", || ONLY_NCP);
        faults.require(!action.custom_options, "action.custom_options", || ONLY_NCP);
        let exec = action.exec.unwrap_or_default();
        let mut graph = action.function_graph.unwrap_or_default();
        let code_type = check_code(&exec, &graph, faults);
        let (timeout, memory_mb) = check_limits(
            action.limits,
            graph.enable_dynamic_memory == Some(true),
            faults,
        );
        check_gpu(&exec, &graph, faults);
        check_numbers(&graph, faults);
        check_objects(&graph, faults);
        let field = "action.function_graph.user_data";
        let user_data = variables(graph.user_data.take(), field, false, faults);
        let field = "action.function_graph.encrypted_user_data";
        let encrypted_user_data = variables(graph.encrypted_user_data.take(), field, true, faults);
        let mut hook =
            |name: &str, handler: &str, timeout: &Option<prost_types::Duration>, longest: u64| {
                let field = format!("action.function_graph.{name}_timeout");
                faults.require(timeout.is_none() || !handler.is_empty(), &field, || {
                    format!("has no meaning without function_graph.{name}_handler.")
                });
                rules::seconds(timeout.as_ref(), 1..=longest, &field, faults)
            };
        let initializer_timeout = hook(
            "initializer",
            &graph.initializer_handler,
            &graph.initializer_timeout,
            INITIALIZER_MAX_S,
        );
        let pre_stop_timeout = hook(
            "pre_stop",
            &graph.pre_stop_handler,
            &graph.pre_stop_timeout,
            90,
        );
        let restore_hook_timeout = hook(
            "restore_hook",
            &graph.restore_hook_handler,
            &graph.restore_hook_timeout,
            300,
        );
        Some(Self {
            description: action.description,
            code_type: code_type?,
            timeout: timeout?,
            memory_mb,
            exec,
            graph,
            user_data,
            encrypted_user_data,
            initializer_timeout,
            pre_stop_timeout,
            restore_hook_timeout,
        })
    }
}

/// Runtime, handler and code; answers the code type.
fn check_code(exec: &Exec, graph: &FunctionGraphAction, faults: &mut Faults) -> Option<String> {
    faults.require(
        !exec.runtime.is_empty(),
        "action.exec.runtime",
        || "is required, such as Node.js18.15.",
    );
    faults.require(exec.components.is_empty(), "action.exec.components", || {
        ONLY_NCP
    });
    let image = !exec.image_uri.is_empty();
    let length = exec.main.chars().count();
    // An image's handler is `-`, which the documented minimum forgets.
    let shortest = if image { 1 } else { 3 };
    faults.require((shortest..=128).contains(&length), "action.exec.main", || {
        format!("has {length} characters; the handler must have {shortest} to 128, such as index.handler, or - for an image.")
    });
    let field = "action.function_graph.code_type";
    let code_type = match (&graph.code_type, &exec.code) {
        (given, _) if !given.is_empty() => given.as_str(),
        (_, Some(Code::Source(_))) => "inline",
        (_, Some(Code::Archive(_))) => "zip",
        (_, None) if image => IMAGE_CODE,
        (_, None) if !graph.code_url.is_empty() => "obs",
        (_, None) => {
            faults.add(
                "action.exec.code",
                "is required: set source, archive, image_uri or function_graph.code_url.",
            );
            return None;
        }
    };
    if !CODE_TYPES.contains(&code_type) {
        faults.add(
            field,
            format!(
                "is {code_type:?}; use one of {}, or leave it out.",
                CODE_TYPES.join(", ")
            ),
        );
        return None;
    }
    let fits = match &exec.code {
        Some(Code::Source(_)) => code_type == "inline",
        // Some back ends keep inline source zipped, and show it so.
        Some(Code::Archive(_)) => matches!(code_type, "zip" | "jar" | "inline"),
        None if image => code_type == IMAGE_CODE,
        None => code_type == "obs",
    };
    faults.require(fits, field, || {
        format!("is {code_type}, which does not go with exec.code: inline takes source, zip and jar take an archive, \
                 {IMAGE_CODE} takes image_uri, obs takes code_url alone.")
    });
    faults.require(
        (code_type == "obs") != graph.code_url.is_empty(),
        "action.function_graph.code_url",
        || "must be set with code type obs, and with no other.",
    );
    let file = matches!(code_type, "zip" | "jar");
    faults.require(
        graph.code_filename.is_empty() || file,
        "action.function_graph.code_filename",
        || "is for code types zip and jar only.",
    );
    match &exec.code {
        Some(Code::Source(text)) => {
            faults.require(text.len() <= INLINE_MAX, "action.exec.source", || {
                format!(
                    "is {} bytes long; inline source may have {INLINE_MAX}. Send an archive.",
                    text.len()
                )
            });
        }
        Some(Code::Archive(bytes)) => {
            faults.require(!bytes.is_empty(), "action.exec.archive", || "is empty.");
            faults.require(bytes.len() <= ARCHIVE_MAX, "action.exec.archive", || {
                format!(
                    "is {} bytes long; the limit is {ARCHIVE_MAX}. Put it into OBS and give code_url.",
                    bytes.len()
                )
            });
        }
        None => {}
    }
    faults.require(
        !image || exec.code.is_none(),
        "action.exec.code",
        || "must be absent beside image_uri: on functiongraph the image alone is the code.",
    );
    faults.require(
        !image || exec.runtime == CUSTOM_IMAGE,
        "action.exec.runtime",
        || format!("must be {CUSTOM_IMAGE:?} for an image, with the space."),
    );
    faults.require(
        graph.custom_image.is_none() || image,
        "action.function_graph.custom_image",
        || "is for exec.image_uri only.",
    );
    Some(code_type.to_owned())
}

fn check_limits(limits: Option<Limits>, dynamic: bool, faults: &mut Faults) -> (Option<u64>, i32) {
    let Some(limits) = limits else {
        faults.add("action.limits", "is required: timeout and memory_mb.");
        return (None, 0);
    };
    faults.require(
        limits.timeout.is_some(),
        "action.limits.timeout",
        || "is required.",
    );
    let timeout = rules::seconds(
        limits.timeout.as_ref(),
        TIMEOUT_S,
        "action.limits.timeout",
        faults,
    );
    let memory = limits.memory_mb;
    faults.require(
        MEMORY_MB.contains(&memory),
        "action.limits.memory_mb",
        || {
            format!(
                "is {memory}; it must be one of {}.",
                rules::list(&MEMORY_MB)
            )
        },
    );
    let plain = memory <= PLAIN_MEMORY_MAX || dynamic || !MEMORY_MB.contains(&memory);
    faults.require(plain, "action.limits.memory_mb", || {
        format!(
            "is {memory}; more than {PLAIN_MEMORY_MAX} needs function_graph.enable_dynamic_memory."
        )
    });
    (timeout, memory)
}

fn check_gpu(exec: &Exec, graph: &FunctionGraphAction, faults: &mut Faults) {
    let gpu = graph.gpu_memory_mb;
    let good = gpu == 0 || ((1024..=16384).contains(&gpu) && gpu % 1024 == 0);
    faults.require(good, "action.function_graph.gpu_memory_mb", || {
        format!("is {gpu}; it must be 1024 to 16384 in steps of 1024.")
    });
    let custom = matches!(exec.runtime.as_str(), "Custom" | CUSTOM_IMAGE);
    faults.require(
        gpu == 0 || custom,
        "action.function_graph.gpu_memory_mb",
        || "is for runtimes Custom and Custom Image only.",
    );
    faults.require(
        gpu != 0 || graph.gpu_type.is_empty(),
        "action.function_graph.gpu_type",
        || "has no meaning without gpu_memory_mb.",
    );
}

fn check_numbers(graph: &FunctionGraphAction, faults: &mut Faults) {
    faults.require(
        matches!(graph.r#type.as_str(), "" | "v1" | "v2"),
        "action.function_graph.type",
        || "must be v1 or v2, or left out.",
    );
    let storage = graph.ephemeral_storage_mb;
    faults.require(
        matches!(storage, 0 | 512 | 10240),
        "action.function_graph.ephemeral_storage_mb",
        || format!("is {storage}; it must be 512 or 10240."),
    );
    faults.require(
        graph.lts_custom_tag.len() <= 10,
        "action.function_graph.lts_custom_tag",
        || {
            format!(
                "has {} entries; the limit is 10.",
                graph.lts_custom_tag.len()
            )
        },
    );
    let Some(strategy) = &graph.strategy_config else {
        return;
    };
    let mut within = |number: Option<i32>, range: std::ops::RangeInclusive<i32>, name: &str| {
        let field = format!("action.function_graph.strategy_config.{name}");
        faults.require(
            number.is_none_or(|number| range.contains(&number)),
            &field,
            || format!("must be {} to {}.", range.start(), range.end()),
        );
    };
    within(strategy.concurrency, -1..=1000, "concurrency");
    // 0 and -1 mean 1 (Terraform's provider, PR 4293).
    within(strategy.concurrent_num, -1..=1000, "concurrent_num");
}

fn check_objects(graph: &FunctionGraphAction, faults: &mut Faults) {
    faults.require(
        graph.log_config.is_none() || graph.enable_lts_log != Some(false),
        "action.function_graph.log_config",
        || "is for functions with enable_lts_log; the cloud refuses it with false. Leave it out, or set true.",
    );
    if let Some(vpc) = &graph.func_vpc {
        needed(faults, &vpc.vpc_id, "action.function_graph.func_vpc.vpc_id");
        needed(
            faults,
            &vpc.subnet_id,
            "action.function_graph.func_vpc.subnet_id",
        );
    }
    if let Some(network) = &graph.network_controller {
        for (index, vpc) in network.trigger_access_vpcs.iter().enumerate() {
            needed(
                faults,
                &vpc.vpc_id,
                &format!(
                    "action.function_graph.network_controller.trigger_access_vpcs[{index}].vpc_id"
                ),
            );
        }
    }
    let Some(mounts) = &graph.mount_config else {
        return;
    };
    for (index, mount) in mounts.func_mounts.iter().enumerate() {
        let field =
            |name: &str| format!("action.function_graph.mount_config.func_mounts[{index}].{name}");
        needed(faults, &mount.mount_resource, &field("mount_resource"));
        needed(faults, &mount.local_mount_path, &field("local_mount_path"));
        let known = matches!(mount.mount_type.as_str(), "sfs" | "sfsTurbo" | "ecs");
        faults.require(
            known,
            &field("mount_type"),
            || "must be sfs, sfsTurbo or ecs.",
        );
    }
    let count = mounts.func_mounts.len();
    faults.require(
        (1..=5).contains(&count),
        "action.function_graph.mount_config.func_mounts",
        || format!("has {count} mounts; it must have 1 to 5."),
    );
    let Some(user) = &mounts.mount_user else {
        faults.add(
            "action.function_graph.mount_config.mount_user",
            "is required.",
        );
        return;
    };
    for (id, name) in [
        (user.user_id, "user_id"),
        (user.user_group_id, "user_group_id"),
    ] {
        let good = (-1..=65534).contains(&id) && !matches!(id, 0 | 1000 | 1002);
        faults.require(
            good,
            &format!("action.function_graph.mount_config.mount_user.{name}"),
            || format!("is {id}; it must be -1 to 65534, and not 0, 1000 or 1002."),
        );
    }
}

fn needed(faults: &mut Faults, text: &str, field: &str) {
    faults.require(!text.is_empty(), field, || "is required.");
}

/// Environment variables as the JSON text that the cloud wants, checked key by key.
fn variables(json: Option<Json>, field: &str, secret: bool, faults: &mut Faults) -> Option<String> {
    // A character has four bytes at most.
    let text = json::object_text(json, field, 4 * VARIABLES_SIZE_MAX, faults)?;
    let text = String::from_utf8(text.into()).ok()?;
    let length = text.chars().count();
    faults.require(length <= VARIABLES_SIZE_MAX, field, || {
        format!("is {length} characters of JSON; the limit is {VARIABLES_SIZE_MAX}.")
    });
    let read: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(&text);
    let Ok(entries) = read else {
        faults.add(field, "must be a JSON object.");
        return None;
    };
    let count = entries.len();
    faults.require(count <= VARIABLES_MAX, field, || {
        format!("has {count} keys; the limit is {VARIABLES_MAX}.")
    });
    for (key, value) in &entries {
        let field = format!("{field}[{key:?}]");
        match serde_json::from_str::<String>(value.get()) {
            Err(_) => faults.add(field, "must be text: the cloud keeps environment variables as text."),
            Ok(value) if is_blanked(&value, secret) => faults.add(
                field,
                "is a secret as the cloud shows it, blanked; writing it back would destroy the real one. Send the real \
                 value, or leave the key out.",
            ),
            Ok(_) => {}
        }
    }
    Some(text)
}

/// How the cloud blanks a secret is not documented. INFERRED: asterisks alone, or nothing.
fn is_blanked(value: &str, secret: bool) -> bool {
    (value.len() >= 3 && value.bytes().all(|byte| byte == b'*')) || (secret && value.is_empty())
}
