//! The bodies of create and update. An absent field is left out: whether the cloud then keeps or
//! clears it is not documented, so nothing is sent that the caller did not say.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

/// The body of a create, and of an update of the configuration: the latter without package, code
/// and type, and with the settings that creation does not know.
#[derive(Serialize, Default)]
pub(crate) struct Function<'a> {
    pub(crate) func_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<&'a str>,
    pub(crate) runtime: &'a str,
    pub(crate) handler: &'a str,
    pub(crate) memory_size: i32,
    pub(crate) timeout: u64,
    #[serde(flatten)]
    pub(crate) code: Option<&'a Code<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_image: Option<CustomImage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encrypted_user_data: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) xrole: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) app_xrole: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) func_vpc: Option<Vpc<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mount_config: Option<MountConfig<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) depend_version_list: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) initializer_handler: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) initializer_timeout: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) pre_stop_handler: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pre_stop_timeout: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) enterprise_project_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_config: Option<LogConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_lts_log: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lts_custom_tag: Option<&'a HashMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network_controller: Option<NetworkController<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is_stateful_function: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_dynamic_memory: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gpu_memory: Option<i32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) gpu_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) domain_names: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) tags: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) user_data_encrypt_kms_key_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) code_encrypt_kms_key_id: &'a str,
    #[serde(flatten)]
    pub(crate) later: Option<Later<'a>>,
}

/// Settings that only an update knows.
#[derive(Serialize)]
pub(crate) struct Later<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy_config: Option<Strategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ephemeral_storage: Option<i32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) peering_cidr: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) extend_config: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) heartbeat_handler: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_class_isolation: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) restore_hook_handler: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restore_hook_timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_auth_in_header: Option<bool>,
}

/// The code, in a create and on its own. `func_code` is always there: some back ends demand it even
/// where it is empty (terraform-huaweicloud issue #1160).
#[derive(Serialize)]
pub(crate) struct Code<'a> {
    pub(crate) code_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) code_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_filename: Option<String>,
    pub(crate) func_code: FuncCode,
}

#[derive(Serialize, Default)]
pub(crate) struct FuncCode {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
}

/// The body of an update of the code.
#[derive(Serialize)]
pub(crate) struct PutCode<'a> {
    #[serde(flatten)]
    pub(crate) code: &'a Code<'a>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) depend_version_list: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) code_encrypt_kms_key_id: &'a str,
}

#[derive(Serialize)]
pub(crate) struct CustomImage<'a> {
    /// Without it the image is not used (terraform-otc issue #2932).
    pub(crate) enabled: bool,
    pub(crate) image: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) command: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) args: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) working_dir: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) uid: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) gid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is_public: Option<bool>,
}

#[derive(Serialize)]
pub(crate) struct Vpc<'a> {
    pub(crate) vpc_id: &'a str,
    pub(crate) subnet_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) vpc_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) subnet_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) cidr: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) gateway: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) security_groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is_safety: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) domain_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) namespace: &'a str,
}

#[derive(Serialize)]
pub(crate) struct MountConfig<'a> {
    pub(crate) mount_user: MountUser,
    pub(crate) func_mounts: Vec<Mount<'a>>,
}

#[derive(Serialize)]
pub(crate) struct MountUser {
    pub(crate) user_id: i32,
    pub(crate) user_group_id: i32,
}

#[derive(Serialize)]
pub(crate) struct Mount<'a> {
    pub(crate) mount_type: &'a str,
    pub(crate) mount_resource: &'a str,
    pub(crate) local_mount_path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) mount_share_path: &'a str,
}

#[derive(Serialize)]
pub(crate) struct LogConfig<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) group_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) group_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) stream_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) stream_name: &'a str,
}

#[derive(Serialize)]
pub(crate) struct NetworkController<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disable_public_network: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trigger_access_vpcs: Vec<TriggerVpc<'a>>,
}

#[derive(Serialize)]
pub(crate) struct TriggerVpc<'a> {
    pub(crate) vpc_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) vpc_name: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Strategy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) concurrent_num: Option<i32>,
}

/// The body of a publish.
#[derive(Serialize)]
pub(crate) struct Publish<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) digest: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) description: &'a str,
}

/// The body of an alias; its name on creation only.
#[derive(Serialize)]
pub(crate) struct Alias<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) description: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) additional_version_weights: BTreeMap<&'a str, i32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) additional_version_strategy: BTreeMap<&'a str, AliasStrategy<'a>>,
}

#[derive(Serialize)]
pub(crate) struct AliasStrategy<'a> {
    pub(crate) combine_type: &'a str,
    pub(crate) rules: Vec<AliasRule<'a>>,
}

#[derive(Serialize)]
pub(crate) struct AliasRule<'a> {
    pub(crate) rule_type: &'a str,
    pub(crate) param: &'a str,
    pub(crate) op: &'a str,
    pub(crate) value: &'a str,
}
