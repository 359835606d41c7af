//! Function objects, versions and aliases as they are read. Everything is optional: samples leave
//! out what the schema calls required, and write null for objects and lists.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use serde_json::value::RawValue;

use crate::provider::lenient::{Flag, JsonText, List, Loose, Seconds, Words, object};

object! {
    /// A page of functions.
    pub(crate) struct Functions {
        pub(crate) functions: List<Item>,
        pub(crate) next_marker: Loose,
        pub(crate) count: Option<i64>,
    }

    /// A page of versions.
    pub(crate) struct Versions {
        pub(crate) versions: List<Item>,
        pub(crate) next_marker: Loose,
        pub(crate) count: Option<i64>,
    }

    /// A function or a version in a list.
    pub(crate) struct Item, identity: func_urn | func_name | version {
        pub(crate) func_urn: Words,
        pub(crate) func_name: Words,
        pub(crate) package: Words,
        pub(crate) runtime: Words,
        pub(crate) description: Words,
        pub(crate) version: Words,
        pub(crate) version_description: Words,
        pub(crate) digest: Words,
        pub(crate) code_size: Option<i64>,
        pub(crate) last_modified: Option<Timestamp>,
    }

    /// A function on its own: the answer of create, and of get and update of its configuration.
    pub(crate) struct Function {
        pub(crate) func_id: Words,
        pub(crate) func_urn: Words,
        pub(crate) func_name: Words,
        pub(crate) package: Words,
        pub(crate) project_name: Words,
        pub(crate) domain_id: Words,
        pub(crate) version: Words,
        pub(crate) image_name: Words,
        pub(crate) enterprise_project_id: Words,
        pub(crate) runtime: Words,
        pub(crate) handler: Words,
        pub(crate) timeout: Option<Seconds>,
        pub(crate) memory_size: Option<i32>,
        pub(crate) cpu: Option<i32>,
        pub(crate) gpu_memory: Option<i32>,
        pub(crate) gpu_type: Words,
        pub(crate) ephemeral_storage: Option<i32>,
        pub(crate) long_time: Flag,
        pub(crate) r#type: Words = "type",
        pub(crate) code_type: Words,
        pub(crate) code_url: Words,
        pub(crate) code_filename: Words,
        pub(crate) code_size: Option<i64>,
        pub(crate) digest: Words,
        pub(crate) depend_version_list: Option<Vec<String>>,
        pub(crate) strategy_config: Option<Strategy>,
        pub(crate) initializer_handler: Words,
        pub(crate) initializer_timeout: Option<Seconds>,
        pub(crate) pre_stop_handler: Words,
        pub(crate) pre_stop_timeout: Option<Seconds>,
        pub(crate) heartbeat_handler: Words,
        pub(crate) restore_hook_handler: Words,
        pub(crate) restore_hook_timeout: Option<Seconds>,
        pub(crate) enable_class_isolation: Flag,
        pub(crate) is_stateful_function: Flag,
        pub(crate) enable_dynamic_memory: Flag,
        pub(crate) enable_auth_in_header: Flag,
        pub(crate) reserved_instance_count: Option<i32>,
        pub(crate) user_data: JsonText,
        pub(crate) user_data_encrypt_kms_key_id: Words,
        pub(crate) code_encrypt_kms_key_id: Words,
        pub(crate) xrole: Words,
        pub(crate) app_xrole: Words,
        pub(crate) description: Words,
        pub(crate) extend_config: Words,
        pub(crate) domain_names: Words,
        pub(crate) tags: Words,
        pub(crate) peering_cidr: Words,
        pub(crate) func_vpc: Option<Vpc>,
        pub(crate) mount_config: Option<MountConfig>,
        pub(crate) custom_image: Option<CustomImage>,
        pub(crate) network_controller: Option<NetworkController>,
        pub(crate) log_group_id: Words,
        pub(crate) log_stream_id: Words,
        pub(crate) enable_lts_log: Flag,
        pub(crate) lts_custom_tag: Option<BTreeMap<String, String>>,
        pub(crate) last_modified: Option<Timestamp>,
    }

    /// How much runs at once.
    pub(crate) struct Strategy {
        pub(crate) concurrency: Option<i32>,
        pub(crate) concurrent_num: Option<i32>,
    }

    /// Vpc, as the function has it.
    pub(crate) struct Vpc {
        pub(crate) vpc_id: Words,
        pub(crate) subnet_id: Words,
        pub(crate) vpc_name: Words,
        pub(crate) subnet_name: Words,
        pub(crate) cidr: Words,
        pub(crate) gateway: Words,
        pub(crate) security_groups: Option<Vec<String>>,
        pub(crate) is_safety: Flag,
        pub(crate) domain_id: Words,
        pub(crate) namespace: Words,
    }

    /// `MountConfig`, as the function has it.
    pub(crate) struct MountConfig {
        pub(crate) mount_user: Option<MountUser>,
        pub(crate) func_mounts: Option<Vec<Mount>>,
    }

    /// Documented as integers, and as texts by Open Telekom Cloud.
    pub(crate) struct MountUser {
        pub(crate) user_id: Option<i32>,
        pub(crate) user_group_id: Option<i32>,
    }

    /// Mount, as the function has it.
    pub(crate) struct Mount, identity: mount_type | mount_resource | local_mount_path {
        pub(crate) mount_type: Words,
        pub(crate) mount_resource: Words,
        pub(crate) local_mount_path: Words,
        pub(crate) mount_share_path: Words,
    }

    /// `CustomImage`, as the function has it.
    pub(crate) struct CustomImage {
        pub(crate) enabled: Flag,
        pub(crate) image: Words,
        pub(crate) command: Words,
        pub(crate) args: Words,
        pub(crate) working_dir: Words,
        pub(crate) uid: Words,
        pub(crate) gid: Words,
        pub(crate) is_public: Flag,
    }

    /// `NetworkController`, as the function has it.
    pub(crate) struct NetworkController {
        pub(crate) disable_public_network: Flag,
        pub(crate) trigger_access_vpcs: Option<Vec<TriggerVpc>>,
    }

    /// `TriggerVpc`, as the function has it.
    pub(crate) struct TriggerVpc, identity: vpc_id {
        pub(crate) vpc_id: Words,
        pub(crate) vpc_name: Words,
    }

    /// The answer of get and put of the code. The file stays raw until it is wanted.
    pub(crate) struct Code<'a> {
        pub(crate) code_type: Words,
        pub(crate) code_url: Words,
        pub(crate) code_filename: Words,
        pub(crate) code_size: Option<i64>,
        pub(crate) digest: Words,
        pub(crate) last_modified: Option<Timestamp>,
        pub(crate) func_code: Option<FuncCode<'a>>,
    }

    /// Where a function logs.
    pub(crate) struct LogDetail {
        pub(crate) group_id: Words,
        pub(crate) group_name: Words,
        pub(crate) stream_id: Words,
        pub(crate) stream_name: Words,
    }

    /// `FuncCode`, as the function has it.
    pub(crate) struct FuncCode<'a> {
        pub(crate) file: Option<&'a RawValue>,
        pub(crate) link: Words,
    }

    /// An alias.
    pub(crate) struct Alias, identity: name | alias_urn {
        pub(crate) name: Words,
        pub(crate) version: Words,
        pub(crate) description: Words,
        pub(crate) last_modified: Option<Timestamp>,
        pub(crate) alias_urn: Words,
        pub(crate) additional_version_weights: Option<BTreeMap<String, i32>>,
        pub(crate) additional_version_strategy: Option<BTreeMap<String, AliasStrategy>>,
    }

    /// `AliasStrategy`, as the function has it.
    pub(crate) struct AliasStrategy {
        pub(crate) combine_type: Words,
        pub(crate) rules: Option<Vec<AliasRule>>,
    }

    /// `AliasRule`, as the function has it.
    pub(crate) struct AliasRule {
        pub(crate) rule_type: Words,
        pub(crate) param: Words,
        pub(crate) op: Words,
        pub(crate) value: Words,
    }
}
