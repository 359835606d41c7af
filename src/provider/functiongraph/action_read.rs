//! Function objects in our words. Secrets stay out: of the encrypted variables the cloud shows
//! blanks, which nobody should write back.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::action_put::IMAGE_CODE;
use super::function::Function;
use super::wire::action as wire;
use crate::error::Result;
use crate::json;
use crate::names::FunctionUrn;
use crate::proto::exec::Code;
use crate::proto::*;
use crate::provider::checks::from_base64;
use crate::provider::lenient::{Seconds, Words};
use crate::provider::status::about;

/// A function as its configuration describes it; `code` as far as it was asked for or just written.
pub(super) fn action(
    found: wire::Function,
    code: Option<wire::Code<'_>>,
    asked: &Function,
    encoding: JsonEncoding,
) -> Result<Action> {
    let image = found
        .custom_image
        .as_ref()
        .filter(|image| image.enabled.0 != Some(false))
        .and_then(|i| i.image.0.clone());
    let (user_data, inexact) = match found.user_data.0.as_deref().and_then(variables) {
        Some(raw) => json::answer(&raw, encoding).map(|(json, inexact)| (Some(json), inexact))?,
        None => (None, false),
    };
    let mut graph = settings(&found);
    graph.user_data = user_data;
    let mut source = None;
    if let Some(code) = code {
        if image.is_none() {
            source = code
                .func_code
                .as_ref()
                .and_then(|body| read_code(body.file?, code.code_type.0.as_deref()));
        }
        graph.code_link = code
            .func_code
            .and_then(|body| body.link.0)
            .unwrap_or_default();
        let newer =
            |theirs: Words, ours: &mut String| theirs.0.into_iter().for_each(|text| *ours = text);
        newer(code.code_type, &mut graph.code_type);
        newer(code.code_url, &mut graph.code_url);
        newer(code.code_filename, &mut graph.code_filename);
        newer(code.digest, &mut graph.digest);
        graph.code_size_bytes = code.code_size.unwrap_or(graph.code_size_bytes);
        graph.last_modified = code.last_modified.or(graph.last_modified);
    }
    about(
        "action",
        found.func_name.0.as_deref().unwrap_or_default(),
        asked.name(),
    )?;
    leave_own(&mut graph, &mut source, image.is_some());
    let limits = (found.timeout.is_some() || found.memory_size.is_some()).then(|| Limits {
        timeout: found.timeout.map(Seconds::duration),
        memory_mb: found.memory_size.unwrap_or_default(),
    });
    Ok(Action {
        name: text(found.func_name).unwrap_or_else(|| asked.name().to_owned()),
        package_name: text(found.package).unwrap_or_else(|| asked.package().to_owned()),
        r#type: ActionType::Basic.into(),
        description: text(found.description).unwrap_or_default(),
        exec: Some(Exec {
            runtime: text(found.runtime).unwrap_or_default(),
            main: text(found.handler).unwrap_or_default(),
            code: source,
            image_uri: image.unwrap_or_default(),
            components: Vec::new(),
        }),
        limits,
        resource_id: urn(found.func_urn),
        version: text(found.version).unwrap_or_default(),
        inexact,
        function_graph: Some(graph),
        ..Action::default()
    })
}

/// A list item. A name that cannot be read stands in the URN, too.
pub(super) fn summary(item: wire::Item, package: &str) -> ActionSummary {
    let in_urn = || FunctionUrn::parse(item.func_urn.0.as_deref()?).map(|urn| urn.function);
    ActionSummary {
        name: item.func_name.0.or_else(in_urn).unwrap_or_default(),
        package_name: item.package.0.unwrap_or_else(|| package.to_owned()),
        r#type: ActionType::Basic.into(),
        runtime: item.runtime.0.unwrap_or_default(),
        description: item.description.0.unwrap_or_default(),
    }
}

/// A version, in a list or just published.
pub(super) fn version(item: wire::Item) -> ActionVersion {
    ActionVersion {
        description: item
            .version_description
            .0
            .or(item.description.0)
            .unwrap_or_default(),
        resource_id: urn(item.func_urn),
        runtime: item.runtime.0.unwrap_or_default(),
        digest: item.digest.0.unwrap_or_default(),
        code_size_bytes: item.code_size.unwrap_or_default(),
        last_modified: item.last_modified,
        version: item.version.0.unwrap_or_default(),
    }
}

/// URNs come raw and encoded; one spelling goes out.
pub(super) fn urn(urn: Words) -> String {
    let urn = urn.0.unwrap_or_default();
    FunctionUrn::parse(&urn).map_or(urn, |urn| urn.to_string())
}

/// JSON as text, if it is an object.
fn variables(text: &str) -> Option<Box<RawValue>> {
    let text = text.trim();
    text.starts_with('{')
        .then(|| RawValue::from_string(text.to_owned()).ok())?
}

/// Leaves out what belongs to another kind of code. Consoles and older versions of a function leave
/// such members behind, and a put refuses them.
fn leave_own(graph: &mut FunctionGraphAction, source: &mut Option<Code>, image: bool) {
    let kind = graph.code_type.as_str();
    let in_bucket =
        !graph.code_url.is_empty() && (kind == "obs" || (kind.is_empty() && source.is_none()));
    if (kind == IMAGE_CODE) != image || (kind == "obs" && !in_bucket) {
        graph.code_type.clear();
    }
    if in_bucket && !image {
        // The code is what the address names.
        *source = None;
    } else {
        graph.code_url.clear();
    }
    if !matches!(graph.code_type.as_str(), "zip" | "jar") {
        graph.code_filename.clear();
    }
}

/// Inline source is plain text, and everything else a file; some back ends zip inline source too.
fn read_code(file: &RawValue, code_type: Option<&str>) -> Option<Code> {
    let text: std::borrow::Cow<'_, str> = serde_json::from_str(file.get()).ok()?;
    let bytes = from_base64(&text).filter(|bytes| !bytes.is_empty())?;
    if code_type == Some("inline") && !bytes.starts_with(b"PK\x03\x04") {
        return match String::from_utf8(bytes) {
            Ok(source) => Some(Code::Source(source)),
            Err(binary) => Some(Code::Archive(Bytes::from(binary.into_bytes()))),
        };
    }
    Some(Code::Archive(Bytes::from(bytes)))
}

/// Where a function logs.
pub(super) fn log(found: wire::LogDetail) -> FunctionGraphLogConfig {
    FunctionGraphLogConfig {
        group_id: text(found.group_id).unwrap_or_default(),
        group_name: text(found.group_name).unwrap_or_default(),
        stream_id: text(found.stream_id).unwrap_or_default(),
        stream_name: text(found.stream_name).unwrap_or_default(),
    }
}

fn settings(found: &wire::Function) -> FunctionGraphAction {
    let text = |words: &Words| words.0.clone().unwrap_or_default();
    FunctionGraphAction {
        code_type: text(&found.code_type),
        code_url: text(&found.code_url),
        code_filename: text(&found.code_filename),
        xrole: text(&found.xrole),
        app_xrole: text(&found.app_xrole),
        func_vpc: found
            .func_vpc
            .as_ref()
            .filter(|vpc| vpc.vpc_id.0.is_some() && vpc.subnet_id.0.is_some())
            .map(vpc),
        mount_config: found.mount_config.as_ref().and_then(mounts),
        strategy_config: found
            .strategy_config
            .as_ref()
            .filter(|strategy| strategy.concurrency.is_some() || strategy.concurrent_num.is_some())
            .map(|strategy| FunctionGraphStrategyConfig {
                concurrency: strategy.concurrency,
                concurrent_num: strategy.concurrent_num,
            }),
        initializer_handler: text(&found.initializer_handler),
        initializer_timeout: hook(&found.initializer_handler, found.initializer_timeout),
        pre_stop_handler: text(&found.pre_stop_handler),
        pre_stop_timeout: hook(&found.pre_stop_handler, found.pre_stop_timeout),
        custom_image: found
            .custom_image
            .as_ref()
            .filter(|image| image.image.0.is_some() && image.enabled.0 != Some(false))
            .map(|image| FunctionGraphCustomImage {
                command: text(&image.command),
                args: text(&image.args),
                working_dir: text(&image.working_dir),
                uid: text(&image.uid),
                gid: text(&image.gid),
                is_public: image.is_public.0,
            }),
        depend_version_list: found.depend_version_list.clone().unwrap_or_default(),
        enterprise_project_id: text(&found.enterprise_project_id),
        r#type: text(&found.r#type),
        // With logs switched off the cloud refuses the names that it keeps.
        log_config: (found.enable_lts_log.0 != Some(false)
            && (found.log_group_id.0.is_some() || found.log_stream_id.0.is_some()))
        .then(|| FunctionGraphLogConfig {
            group_id: text(&found.log_group_id),
            stream_id: text(&found.log_stream_id),
            ..FunctionGraphLogConfig::default()
        }),
        enable_lts_log: found.enable_lts_log.0,
        lts_custom_tag: found
            .lts_custom_tag
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        network_controller: found.network_controller.as_ref().and_then(network),
        is_stateful_function: found.is_stateful_function.0,
        enable_dynamic_memory: found.enable_dynamic_memory.0,
        ephemeral_storage_mb: found.ephemeral_storage.unwrap_or_default(),
        gpu_memory_mb: found.gpu_memory.unwrap_or_default(),
        gpu_type: if found.gpu_memory.unwrap_or_default() == 0 {
            String::new()
        } else {
            text(&found.gpu_type)
        },
        domain_names: text(&found.domain_names),
        tags: text(&found.tags),
        user_data_encrypt_kms_key_id: text(&found.user_data_encrypt_kms_key_id),
        code_encrypt_kms_key_id: text(&found.code_encrypt_kms_key_id),
        peering_cidr: text(&found.peering_cidr),
        extend_config: text(&found.extend_config),
        heartbeat_handler: text(&found.heartbeat_handler),
        enable_class_isolation: found.enable_class_isolation.0,
        restore_hook_handler: text(&found.restore_hook_handler),
        restore_hook_timeout: hook(&found.restore_hook_handler, found.restore_hook_timeout),
        enable_auth_in_header: found.enable_auth_in_header.0,
        func_id: text(&found.func_id),
        project_name: text(&found.project_name),
        domain_id: text(&found.domain_id),
        digest: text(&found.digest),
        code_size_bytes: found.code_size.unwrap_or_default(),
        image_name: text(&found.image_name),
        cpu_millicores: found.cpu.unwrap_or_default(),
        long_time: found.long_time.0.unwrap_or_default(),
        reserved_instance_count: found.reserved_instance_count.unwrap_or_default(),
        last_modified: found.last_modified,
        ..FunctionGraphAction::default()
    }
}

/// A timeout that belongs to no handler is the cloud's noise, and would be refused in a put.
fn hook(handler: &Words, timeout: Option<Seconds>) -> Option<prost_types::Duration> {
    let timeout = timeout.filter(|timeout| handler.0.is_some() && timeout.0 > 0);
    timeout.map(Seconds::duration)
}

fn vpc(found: &wire::Vpc) -> FunctionGraphVpc {
    let text = |words: &Words| words.0.clone().unwrap_or_default();
    FunctionGraphVpc {
        vpc_id: text(&found.vpc_id),
        subnet_id: text(&found.subnet_id),
        vpc_name: text(&found.vpc_name),
        subnet_name: text(&found.subnet_name),
        cidr: text(&found.cidr),
        gateway: text(&found.gateway),
        security_groups: found.security_groups.clone().unwrap_or_default(),
        is_safety: found.is_safety.0,
        domain_id: text(&found.domain_id),
        namespace: text(&found.namespace),
    }
}

fn mounts(found: &wire::MountConfig) -> Option<FunctionGraphMountConfig> {
    let text = |words: &Words| words.0.clone().unwrap_or_default();
    let mounts = found
        .func_mounts
        .as_ref()
        .filter(|mounts| !mounts.is_empty())?;
    let mount = |mount: &wire::Mount| FunctionGraphMount {
        mount_type: text(&mount.mount_type),
        mount_resource: text(&mount.mount_resource),
        local_mount_path: text(&mount.local_mount_path),
        mount_share_path: text(&mount.mount_share_path),
    };
    Some(FunctionGraphMountConfig {
        mount_user: Some(FunctionGraphMountUser {
            user_id: mount_id(found.mount_user.as_ref().and_then(|user| user.user_id)),
            user_group_id: mount_id(
                found
                    .mount_user
                    .as_ref()
                    .and_then(|user| user.user_group_id),
            ),
        }),
        func_mounts: mounts.iter().map(mount).collect(),
    })
}

/// INFERRED: an id that is left out, or 0, which a put may not have, is -1, as the samples show it
/// for none.
fn mount_id(found: Option<i32>) -> i32 {
    found.filter(|id| *id != 0).unwrap_or(-1)
}

fn network(found: &wire::NetworkController) -> Option<FunctionGraphNetworkController> {
    let vpc = |vpc: &wire::TriggerVpc| FunctionGraphTriggerVpc {
        vpc_id: vpc.vpc_id.0.clone().unwrap_or_default(),
        vpc_name: vpc.vpc_name.0.clone().unwrap_or_default(),
    };
    let vpcs = found.trigger_access_vpcs.as_deref().unwrap_or_default();
    let is_empty = found.disable_public_network.0.is_none() && vpcs.is_empty();
    (!is_empty).then(|| FunctionGraphNetworkController {
        disable_public_network: found.disable_public_network.0,
        trigger_access_vpcs: vpcs.iter().map(vpc).collect(),
    })
}

fn text(words: Words) -> Option<String> {
    words.0
}
