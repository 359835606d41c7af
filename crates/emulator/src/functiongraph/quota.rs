//! Quotas of the account (OpenAPI, `ListQuotas`).

use serde_json::json;

use super::cloud::{Call, Cloud, FUNCTIONS};
use super::codes::Refusal;
use super::model::Function;
use crate::http::Reply;

pub(super) fn list(cloud: &Cloud, call: &Call<'_>) -> Result<Reply, Refusal> {
    let limits = &cloud.options.limits;
    let all = cloud
        .store
        .list::<Function>(FUNCTIONS, &format!("{}/", call.project.id))?;
    let functions = all.iter().filter(|function| function.is_latest()).count();
    let megabytes = all.iter().map(|function| function.code.size).sum::<u64>() >> 20;
    let resources = json!([
        {"type": "fgs_func_num", "quota": limits.functions, "used": functions},
        {"type": "fgs_func_code_size", "quota": limits.code_total >> 20, "used": megabytes, "unit": "MB"},
        {"type": "fgs_func_occurs", "quota": limits.concurrency, "used": 0},
        {"type": "fgs_on_demand_instance_limit", "quota": 1000, "used": 0},
    ]);
    Ok(Reply::json(
        200,
        &json!({"quotas": {"resources": resources}}),
    ))
}
