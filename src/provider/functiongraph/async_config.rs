//! Settings of a function's asynchronous runs (API-Explorer definitions 2026-03-13).

use http::Method;

use super::function::Function;
use super::wire::{AsyncConfig, Destination, Destinations};
use super::{FunctionGraph, action_read, rules};
use crate::call::Call;
use crate::error::{Faults, Result};
use crate::proto::*;
use crate::provider::lenient::{JsonText, Seconds};
use crate::transport::Response;

pub(super) const PATH: &str = "/async-invoke-config";
/// How long a call may wait to be run, in seconds; older documents begin at 60.
const AGE_S: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Repetitions: 0 to 3 in the newest request schema, 0 to 8 in older ones. The wider is let
/// through.
const RETRIES_MAX: i32 = 8;

impl FunctionGraph {
    pub(super) async fn get_async_invoke_config(
        &self,
        call: &mut Call,
        request: GetAsyncInvokeConfigRequest,
    ) -> Result<GetAsyncInvokeConfigResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let url = function.url(place, PATH, vec![])?;
        let response = self
            .get(call, place, url)
            .await
            .map_err(|error| function.named(error))?;
        Ok(GetAsyncInvokeConfigResponse {
            config: Some(self.read_config(&response)?),
        })
    }

    pub(super) async fn put_async_invoke_config(
        &self,
        call: &mut Call,
        request: PutAsyncInvokeConfigRequest,
    ) -> Result<PutAsyncInvokeConfigResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        faults.require(request.config.is_some(), "config", || "is required.");
        let body = check(request.config.unwrap_or_default(), &mut faults);
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let url = function.url(place, PATH, vec![])?;
        let response = self
            .put_body(call, place, Method::PUT, url, rules::to_body(&body)?)
            .await
            .map_err(|error| function.named(error))?;
        Ok(PutAsyncInvokeConfigResponse {
            config: Some(self.read_config(&response)?),
        })
    }

    pub(super) async fn delete_async_invoke_config(
        &self,
        call: &mut Call,
        request: DeleteAsyncInvokeConfigRequest,
    ) -> Result<DeleteAsyncInvokeConfigResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let url = function.url(place, PATH, vec![])?;
        self.delete(call, place, url)
            .await
            .map_err(|error| function.named(error))?;
        Ok(DeleteAsyncInvokeConfigResponse {})
    }

    pub(super) fn read_config(&self, response: &Response) -> Result<AsyncInvokeConfig> {
        let found: AsyncConfig = self.read(response)?;
        // A service without a place in it is none.
        let place = |found: Option<Destination>| {
            let found = found.filter(|found| !found.destination.is_empty())?;
            Some(AsyncDestination {
                destination: found.destination,
                param: found.param.0?,
            })
        };
        let destinations = found
            .destination_config
            .map(|config| AsyncDestinationConfig {
                on_success: place(config.on_success),
                on_failure: place(config.on_failure),
            });
        Ok(AsyncInvokeConfig {
            // 0 is none.
            max_async_event_age: found
                .max_async_event_age_in_seconds
                .filter(|age| age.0 > 0)
                .map(Seconds::duration),
            max_async_retry_attempts: found.max_async_retry_attempts,
            destination_config: destinations
                .filter(|config| *config != AsyncDestinationConfig::default()),
            enable_async_status_log: found.enable_async_status_log,
            log_group_id: found.log_group_id.unwrap_or_default(),
            log_group_name: found.log_group_name.unwrap_or_default(),
            log_stream_id: found.log_stream_id.unwrap_or_default(),
            log_stream_name: found.log_stream_name.unwrap_or_default(),
            resource_id: action_read::urn(found.func_urn),
            created_time: found.created_time,
            last_modified: found.last_modified,
        })
    }
}

fn check(config: AsyncInvokeConfig, faults: &mut Faults) -> AsyncConfig {
    let age = rules::seconds(
        config.max_async_event_age.as_ref(),
        AGE_S,
        "config.max_async_event_age",
        faults,
    );
    let retries = config.max_async_retry_attempts;
    faults.require(
        retries.is_none_or(|retries| (0..=RETRIES_MAX).contains(&retries)),
        "config.max_async_retry_attempts",
        || format!("must be 0 to {RETRIES_MAX} (newer regions: 0 to 3)."),
    );
    let text = |text: String| (!text.is_empty()).then_some(text);
    let mut destination = |given: Option<AsyncDestination>, name: &str| {
        let given = given?;
        check_destination(&given, &format!("config.destination_config.{name}"), faults);
        Some(Destination {
            destination: given.destination,
            param: JsonText(Some(given.param)),
        })
    };
    AsyncConfig {
        max_async_event_age_in_seconds: age.and_then(|age| i64::try_from(age).ok()).map(Seconds),
        max_async_retry_attempts: retries,
        destination_config: config.destination_config.map(|config| Destinations {
            on_success: destination(config.on_success, "on_success"),
            on_failure: destination(config.on_failure, "on_failure"),
        }),
        enable_async_status_log: config.enable_async_status_log,
        log_group_id: text(config.log_group_id),
        log_group_name: text(config.log_group_name),
        log_stream_id: text(config.log_stream_id),
        log_stream_name: text(config.log_stream_name),
        ..AsyncConfig::default()
    }
}

fn check_destination(given: &AsyncDestination, field: &str, faults: &mut Faults) {
    let needed = match given.destination.as_str() {
        "OBS" => "bucket",
        "SMN" => "topic_urn",
        "DIS" => "stream_name",
        "FunctionGraph" => "func_urn",
        _ => {
            faults.add(
                format!("{field}.destination"),
                "must be OBS, SMN, DIS or FunctionGraph.",
            );
            return;
        }
    };
    let field = format!("{field}.param");
    let Ok(param) =
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&given.param)
    else {
        faults.add(
            field,
            format!("must be a JSON object as text, with {needed}."),
        );
        return;
    };
    let present = param
        .get(needed)
        .and_then(serde_json::Value::as_str)
        .is_some_and(|text| !text.is_empty());
    faults.require(present, &field, || {
        format!("must have {needed} for {}.", given.destination)
    });
    if let Some(expires) = param.get("expires") {
        let days = expires.as_i64().or_else(|| expires.as_str()?.parse().ok());
        faults.require(
            days.is_some_and(|days| (0..=365).contains(&days)),
            &field,
            || "has expires, which must be 0 to 365 days (0 = for ever).",
        );
    }
}
