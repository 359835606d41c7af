//! The bodies of an action put, and which of them are needed.
//!
//! "Creating a Function" (`functiongraph_06_0108`), update of configuration and code (API-Explorer
//! definitions 2026-03-13). Creation takes one call and the settings that it does not know a
//! second; an update takes configuration and code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::rules;
use super::wire::put as wire;
use crate::error::Result;
use crate::proto::exec::Code;
use crate::proto::*;

mod check;
mod steps;

/// The runtime that runs a container image; spelt with a space.
const CUSTOM_IMAGE: &str = "Custom Image";
/// Its code type.
pub(super) const IMAGE_CODE: &str = "Custom-Image-Swr";

/// A checked put.
pub(super) struct Put {
    description: String,
    exec: Exec,
    graph: FunctionGraphAction,
    code_type: String,
    timeout: u64,
    memory_mb: i32,
    user_data: Option<String>,
    encrypted_user_data: Option<String>,
    initializer_timeout: Option<u64>,
    pre_stop_timeout: Option<u64>,
    restore_hook_timeout: Option<u64>,
}

impl Put {
    /// The runtime asked for.
    pub(super) fn runtime(&self) -> &str {
        &self.exec.runtime
    }

    /// True when a container image is the code, which changes with the configuration.
    pub(super) fn is_image(&self) -> bool {
        self.code_type == IMAGE_CODE
    }

    /// True when creation leaves something to an update.
    pub(super) fn has_later(&self) -> bool {
        let graph = &self.graph;
        graph.strategy_config.is_some()
            || graph.ephemeral_storage_mb != 0
            || graph.enable_class_isolation.is_some()
            || graph.enable_auth_in_header.is_some()
            || [
                &graph.peering_cidr,
                &graph.extend_config,
                &graph.heartbeat_handler,
                &graph.restore_hook_handler,
            ]
            .iter()
            .any(|text| !text.is_empty())
    }

    /// The body of a create.
    pub(super) fn create(&self, name: &str, package: &str) -> Result<Bytes> {
        let code = self.code(name);
        let mut body = self.configuration(name);
        body.package = Some(package);
        body.code = Some(&code);
        body.r#type = &self.graph.r#type;
        rules::to_body(&body)
    }

    /// True when an update needs more of the log than the caller said: with logs switched on the
    /// cloud refuses one that does not name the log, and shows no names in the configuration
    /// (terraform-provider-huaweicloud, pull request 6987). Where the caller does not say whether,
    /// the function's present state counts (INFERRED).
    pub(super) fn wants_log(&self, logs: bool) -> bool {
        let log = self.graph.log_config.as_ref();
        let is_whole =
            |log: &FunctionGraphLogConfig| texts(log).iter().all(|text| !text.is_empty());
        self.graph.enable_lts_log.unwrap_or(logs) && !log.is_some_and(is_whole)
    }

    /// Completes what the caller said of the log by where the function logs, unless that is
    /// somewhere else.
    pub(super) fn complete_log(&mut self, found: &FunctionGraphLogConfig) {
        let mut log = self.graph.log_config.clone().unwrap_or_default();
        let known = |text: &str| !text.is_empty();
        let differ =
            |(ours, theirs): (&&String, &&String)| known(ours) && known(theirs) && ours != theirs;
        if *found == FunctionGraphLogConfig::default()
            || texts(&log).iter().zip(&texts(found)).any(differ)
        {
            return;
        }
        let ours = [
            &mut log.group_id,
            &mut log.group_name,
            &mut log.stream_id,
            &mut log.stream_name,
        ];
        for (ours, theirs) in ours.into_iter().zip(texts(found)) {
            if ours.is_empty() {
                ours.clone_from(theirs);
            }
        }
        self.graph.log_config = Some(log);
        self.graph.enable_lts_log = Some(true);
    }

    /// The body of an update of the configuration.
    pub(super) fn update(&self, name: &str) -> Result<Bytes> {
        let graph = &self.graph;
        let mut body = self.configuration(name);
        body.later = Some(wire::Later {
            strategy_config: graph
                .strategy_config
                .as_ref()
                .map(|strategy| wire::Strategy {
                    concurrency: strategy.concurrency,
                    concurrent_num: strategy.concurrent_num,
                }),
            ephemeral_storage: some(graph.ephemeral_storage_mb),
            peering_cidr: &graph.peering_cidr,
            extend_config: &graph.extend_config,
            heartbeat_handler: &graph.heartbeat_handler,
            enable_class_isolation: graph.enable_class_isolation,
            restore_hook_handler: &graph.restore_hook_handler,
            restore_hook_timeout: self.restore_hook_timeout,
            enable_auth_in_header: graph.enable_auth_in_header,
        });
        rules::to_body(&body)
    }

    /// The body of an update of the code.
    pub(super) fn update_code(&self, name: &str) -> Result<Bytes> {
        rules::to_body(&wire::PutCode {
            code: &self.code(name),
            depend_version_list: &self.graph.depend_version_list,
            code_encrypt_kms_key_id: &self.graph.code_encrypt_kms_key_id,
        })
    }

    fn code(&self, name: &str) -> wire::Code<'_> {
        let file = match &self.exec.code {
            Some(Code::Source(text)) => Some(STANDARD.encode(text)),
            Some(Code::Archive(bytes)) => Some(STANDARD.encode(bytes)),
            None => None,
        };
        let given = &self.graph.code_filename;
        let code_filename = match self.code_type.as_str() {
            "zip" | "jar" if given.is_empty() => Some(format!("{name}.{}", self.code_type)),
            "zip" | "jar" => Some(given.clone()),
            _ => None,
        };
        wire::Code {
            code_type: &self.code_type,
            code_url: &self.graph.code_url,
            code_filename,
            func_code: wire::FuncCode { file },
        }
    }

    fn configuration<'a>(&'a self, name: &'a str) -> wire::Function<'a> {
        let graph = &self.graph;
        wire::Function {
            func_name: name,
            runtime: &self.exec.runtime,
            handler: &self.exec.main,
            memory_size: self.memory_mb,
            timeout: self.timeout,
            description: &self.description,
            custom_image: self.image(),
            user_data: self.user_data.as_deref(),
            encrypted_user_data: self.encrypted_user_data.as_deref(),
            xrole: &graph.xrole,
            app_xrole: &graph.app_xrole,
            func_vpc: graph.func_vpc.as_ref().map(vpc),
            mount_config: graph.mount_config.as_ref().map(mounts),
            depend_version_list: &graph.depend_version_list,
            initializer_handler: &graph.initializer_handler,
            initializer_timeout: self.initializer_timeout,
            pre_stop_handler: &graph.pre_stop_handler,
            pre_stop_timeout: self.pre_stop_timeout,
            enterprise_project_id: &graph.enterprise_project_id,
            log_config: graph.log_config.as_ref().map(|log| wire::LogConfig {
                group_id: &log.group_id,
                group_name: &log.group_name,
                stream_id: &log.stream_id,
                stream_name: &log.stream_name,
            }),
            enable_lts_log: graph.enable_lts_log,
            lts_custom_tag: (!graph.lts_custom_tag.is_empty()).then_some(&graph.lts_custom_tag),
            network_controller: graph.network_controller.as_ref().map(network),
            is_stateful_function: graph.is_stateful_function,
            enable_dynamic_memory: graph.enable_dynamic_memory,
            gpu_memory: some(graph.gpu_memory_mb),
            gpu_type: &graph.gpu_type,
            domain_names: &graph.domain_names,
            tags: &graph.tags,
            user_data_encrypt_kms_key_id: &graph.user_data_encrypt_kms_key_id,
            code_encrypt_kms_key_id: &graph.code_encrypt_kms_key_id,
            ..wire::Function::default()
        }
    }

    fn image(&self) -> Option<wire::CustomImage<'_>> {
        let image = Some(self.exec.image_uri.as_str()).filter(|image| !image.is_empty())?;
        let settings = self.graph.custom_image.as_ref();
        let text = |field: fn(&FunctionGraphCustomImage) -> &String| {
            settings.map_or("", |image| field(image).as_str())
        };
        Some(wire::CustomImage {
            enabled: true,
            image,
            command: text(|image| &image.command),
            args: text(|image| &image.args),
            working_dir: text(|image| &image.working_dir),
            uid: text(|image| &image.uid),
            gid: text(|image| &image.gid),
            is_public: settings.and_then(|image| image.is_public),
        })
    }
}

fn texts(log: &FunctionGraphLogConfig) -> [&String; 4] {
    [
        &log.group_id,
        &log.group_name,
        &log.stream_id,
        &log.stream_name,
    ]
}

fn some(number: i32) -> Option<i32> {
    (number != 0).then_some(number)
}

fn vpc(vpc: &FunctionGraphVpc) -> wire::Vpc<'_> {
    wire::Vpc {
        vpc_id: &vpc.vpc_id,
        subnet_id: &vpc.subnet_id,
        vpc_name: &vpc.vpc_name,
        subnet_name: &vpc.subnet_name,
        cidr: &vpc.cidr,
        gateway: &vpc.gateway,
        security_groups: &vpc.security_groups,
        is_safety: vpc.is_safety,
        domain_id: &vpc.domain_id,
        namespace: &vpc.namespace,
    }
}

fn mounts(config: &FunctionGraphMountConfig) -> wire::MountConfig<'_> {
    let user = config.mount_user.unwrap_or_default();
    wire::MountConfig {
        mount_user: wire::MountUser {
            user_id: user.user_id,
            user_group_id: user.user_group_id,
        },
        func_mounts: config.func_mounts.iter().map(mount).collect(),
    }
}

fn mount(mount: &FunctionGraphMount) -> wire::Mount<'_> {
    wire::Mount {
        mount_type: &mount.mount_type,
        mount_resource: &mount.mount_resource,
        local_mount_path: &mount.local_mount_path,
        mount_share_path: &mount.mount_share_path,
    }
}

fn network(controller: &FunctionGraphNetworkController) -> wire::NetworkController<'_> {
    wire::NetworkController {
        disable_public_network: controller.disable_public_network,
        trigger_access_vpcs: controller
            .trigger_access_vpcs
            .iter()
            .map(|vpc| wire::TriggerVpc {
                vpc_id: &vpc.vpc_id,
                vpc_name: &vpc.vpc_name,
            })
            .collect(),
    }
}
