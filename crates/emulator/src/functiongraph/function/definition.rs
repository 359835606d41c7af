//! What a create or a PUT of the configuration may say (`functiongraph_06_0108`; OpenAPI,
//! `UpdateFunctionConfig`).

use serde_json::{Map, Value};

use crate::functiongraph::body::Fields;
use crate::functiongraph::codes::{self, Refusal};
use crate::functiongraph::model::StrategyChange;

/// FunctionGraph user manual, "Notes and Constraints"; sync page for what dynamic memory adds.
const MEMORY_MB: [i64; 13] = [
    128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096,
];
const DYNAMIC_MEMORY_MB: [i64; 2] = [8192, 10240];
/// Create page: 3 to 259200 seconds.
const TIMEOUT_S: std::ops::RangeInclusive<i64> = 3..=259_200;
/// Environment variables of either kind: 20 keys, 4,096 characters (create page; others say 4 KB,
/// FSS.1018 itself 2 KB).
const MAX_VARIABLES: usize = 20;
const MAX_VARIABLE_CHARACTERS: usize = 4 << 10;

/// Optional fields that are texts. Their contents are not looked at, except where [`read`] says.
const TEXTS: [&str; 20] = [
    "xrole",
    "app_xrole",
    "description",
    "user_data",
    "encrypted_user_data",
    "initializer_handler",
    "pre_stop_handler",
    "enterprise_project_id",
    "type",
    "gpu_type",
    "domain_names",
    "tags",
    "peering_cidr",
    "extend_config",
    "heartbeat_handler",
    "restore_hook_handler",
    "user_data_encrypt_kms_key_id",
    "code_encrypt_kms_key_id",
    "log_group_id",
    "log_stream_id",
];
const FLAGS: [&str; 5] = [
    "enable_lts_log",
    "is_stateful_function",
    "enable_dynamic_memory",
    "enable_class_isolation",
    "enable_auth_in_header",
];
const OBJECTS: [&str; 6] = [
    "func_vpc",
    "mount_config",
    "custom_image",
    "log_config",
    "lts_custom_tag",
    "network_controller",
];

/// A body that was found right.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) runtime: String,
    pub(super) handler: String,
    pub(super) memory_mb: i64,
    pub(super) timeout_s: i64,
    pub(super) settings: Map<String, Value>,
    pub(super) strategy: StrategyChange,
}

pub(super) fn read(fields: &Fields<'_>) -> Result<Definition, Refusal> {
    // Runtimes differ by region and grow: any text is taken.
    let runtime = fields.need_string("runtime", codes::RUNTIME)?;
    let handler = fields.need_string("handler", codes::HANDLER)?;
    check_handler(runtime, handler)?;
    let settings = settings(fields)?;
    let memory_mb = fields.need_integer("memory_size", codes::MEMORY)?;
    let dynamic = settings.get("enable_dynamic_memory") == Some(&Value::Bool(true));
    let fits =
        MEMORY_MB.contains(&memory_mb) || (dynamic && DYNAMIC_MEMORY_MB.contains(&memory_mb));
    if !fits {
        return Err(codes::MEMORY.refuse(format!("memory_size must be one of {MEMORY_MB:?}")));
    }
    let timeout_s = fields.need_integer("timeout", codes::TIMEOUT)?;
    if !TIMEOUT_S.contains(&timeout_s) {
        return Err(codes::TIMEOUT.refuse("timeout must be from 3 to 259200 seconds"));
    }
    Ok(Definition {
        runtime: runtime.to_owned(),
        handler: handler.to_owned(),
        memory_mb,
        timeout_s,
        settings,
        strategy: strategy(fields)?,
    })
}

/// `file.function`, 3 to 128 characters (create page). Only the languages whose rule is known to
/// need a dot are checked for it; an image has `-`.
fn check_handler(runtime: &str, handler: &str) -> Result<(), Refusal> {
    if runtime == "Custom Image" {
        return Ok(());
    }
    if !(3..=128).contains(&handler.chars().count()) {
        return Err(codes::HANDLER.refuse("handler must have 3 to 128 characters"));
    }
    let needs_dot = ["Node.js", "Python", "PHP", "Java"]
        .iter()
        .any(|language| runtime.starts_with(language));
    let parts = handler.rsplit_once('.');
    if needs_dot && !parts.is_some_and(|(file, function)| !file.is_empty() && !function.is_empty())
    {
        return Err(codes::HANDLER.refuse("handler must be in the format of file.function"));
    }
    Ok(())
}

fn settings(fields: &Fields<'_>) -> Result<Map<String, Value>, Refusal> {
    let mut settings = Map::new();
    for name in TEXTS {
        let code = if name.ends_with("user_data") {
            codes::USER_DATA
        } else {
            codes::PARAMETER
        };
        if fields.string(name, code)?.is_some() {
            settings.extend(
                fields
                    .get(name)
                    .map(|value| (name.to_owned(), value.clone())),
            );
        }
    }
    for name in FLAGS {
        settings.extend(
            fields
                .boolean(name)?
                .map(|flag| (name.to_owned(), flag.into())),
        );
    }
    for name in OBJECTS {
        let object = fields.object(name, codes::PARAMETER)?;
        settings.extend(object.map(|map| (name.to_owned(), Value::Object(map.clone()))));
    }
    if settings.get("enable_lts_log") == Some(&Value::Bool(false))
        && settings.contains_key("log_config")
    {
        // terraform-provider-huaweicloud, pull request 7435. INFERRED: the code.
        return Err(codes::PARAMETER.refuse("log_config is for functions with enable_lts_log"));
    }
    let list = fields.strings("depend_version_list")?;
    settings.extend(list.map(|list| ("depend_version_list".to_owned(), list.clone())));
    // Create page: 1 to 90 seconds, and 1 to 300 for the initializer, for which the page of the
    // limits has 259200; OpenAPI for the others.
    for (name, range, step) in [
        ("initializer_timeout", 1..=259_200, 1),
        ("pre_stop_timeout", 1..=90, 1),
        ("restore_hook_timeout", 1..=300, 1),
        ("gpu_memory", 1024..=16384, 1024),
        ("ephemeral_storage", 512..=10240, 10240 - 512),
    ] {
        if fields.get(name).is_some() {
            let from = *range.start();
            let number = fields.within(name, range, 0, codes::PARAMETER)?;
            if (number - from) % step != 0 {
                return Err(codes::PARAMETER.refuse(format!("{name} goes in steps of {step}")));
            }
            settings.insert(name.to_owned(), number.into());
        }
    }
    if settings
        .get("lts_custom_tag")
        .and_then(Value::as_object)
        .is_some_and(|tags| tags.len() > 10)
    {
        return Err(codes::PARAMETER.refuse("lts_custom_tag has 10 entries at most"));
    }
    super::description(fields, codes::DESCRIPTION)?;
    for name in ["user_data", "encrypted_user_data"] {
        let text = settings
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if variables(name, text)?.len() > MAX_VARIABLES {
            return Err(codes::TOO_MANY_VARIABLES.into());
        }
        if text.chars().count() > MAX_VARIABLE_CHARACTERS {
            return Err(codes::VARIABLES_TOO_LARGE.into());
        }
    }
    Ok(settings)
}

/// A JSON object as text, with text values. INFERRED: an empty text is no variables, other values
/// are refused.
fn variables(name: &str, text: &str) -> Result<Map<String, Value>, Refusal> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) if map.values().all(Value::is_string) => Ok(map),
        _ => {
            Err(codes::USER_DATA
                .refuse(format!("{name} must be the text of a JSON object of texts")))
        }
    }
}

/// Create page: `concurrency` −1 to 1000. `concurrent_num` is taken from −1 on, and 0 and −1 mean 1
/// (terraform-provider-huaweicloud, pull request 4293).
fn strategy(fields: &Fields<'_>) -> Result<StrategyChange, Refusal> {
    let Some(map) = fields.object("strategy_config", codes::CONCURRENCY)? else {
        return Ok(StrategyChange::default());
    };
    let fields = Fields::new(map);
    let member = |name: &str| -> Result<Option<i64>, Refusal> {
        let present = fields.get(name).is_some();
        let number = fields.within(name, -1..=1000, 0, codes::CONCURRENCY)?;
        Ok(present.then_some(number))
    };
    Ok(StrategyChange {
        concurrency: member("concurrency")?,
        concurrent_num: member("concurrent_num")?,
    })
}
