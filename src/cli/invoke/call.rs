//! The call itself: [`InvokeInput`] → one gRPC call → [`Report`] or [`Failure`]. JSON goes and comes as text, so that no
//! number changes on the way.

use std::time::Duration;

use super::{Failure, InvokeInput, Report};
use crate::cli::client::{Client, failure};
use crate::proto::json::Encoding;
use crate::proto::{Activation, ActivationStatus, InvokeAsyncRequest, InvokeRequest, Json, JsonEncoding};

/// Calls the function through the sidecar.
pub(super) async fn call(input: &InvokeInput) -> Result<Report, Failure> {
    let client = Client::connect(&input.address, input.timeout).await?;
    let activation = if input.asynchronous {
        let request = client.request(start_request(input));
        let answer = client.invocation().invoke_async(request).await;
        answer.map_err(|status| failure(&status))?.into_inner().activation
    } else {
        let request = client.request(run_request(input)?);
        let answer = client.invocation().invoke(request).await;
        answer.map_err(|status| failure(&status))?.into_inner().activation
    };
    Ok(report(activation.unwrap_or_default(), input))
}

fn run_request(input: &InvokeInput) -> Result<InvokeRequest, Failure> {
    let wait = input.wait.map(prost_types::Duration::try_from).transpose().map_err(|_| Failure {
        code: "INVALID_ARGUMENT".to_owned(),
        message: "--wait is longer than a duration can be; shorten it".to_owned(),
        ..Failure::default()
    })?;
    Ok(InvokeRequest {
        target: input.target.clone(),
        package_name: input.name.package.clone(),
        action_name: input.name.action.clone(),
        arguments: Some(text(&input.arguments)),
        result_encoding: JsonEncoding::Text.into(),
        wait,
        idempotent: input.idempotent,
        request_id: input.request_id.clone(),
        include_logs: input.logs,
        ..InvokeRequest::default()
    })
}

fn start_request(input: &InvokeInput) -> InvokeAsyncRequest {
    InvokeAsyncRequest {
        target: input.target.clone(),
        package_name: input.name.package.clone(),
        action_name: input.name.action.clone(),
        arguments: Some(text(&input.arguments)),
        idempotent: input.idempotent,
        request_id: input.request_id.clone(),
        ..InvokeAsyncRequest::default()
    }
}

fn text(json: &str) -> Json {
    Json {
        encoding: Some(Encoding::Text(json.to_owned())),
    }
}

fn report(activation: Activation, input: &InvokeInput) -> Report {
    let status = activation.status();
    let unfinished = matches!(
        status,
        ActivationStatus::Unspecified | ActivationStatus::Running | ActivationStatus::Queued
    );
    let duration = activation.duration.and_then(|duration| Duration::try_from(duration).ok());
    Report {
        action: full_name(&activation, input),
        status: status.as_str_name().trim_start_matches("ACTIVATION_STATUS_").to_owned(),
        status_text: activation.status_text,
        finished: !unfinished,
        success: activation.success,
        asynchronous: input.asynchronous,
        start_time: activation.start_time.map(|time| time.to_string()).unwrap_or_default(),
        duration_ms: duration.and_then(|duration| u64::try_from(duration.as_millis()).ok()),
        result: activation.result.and_then(json_text),
        // Some clouds send the log unasked.
        logs: if input.logs { activation.logs } else { Vec::new() },
        upstream_request_id: activation.upstream_request_id,
        activation_id: activation.activation_id,
    }
}

fn full_name(activation: &Activation, input: &InvokeInput) -> String {
    let or = |answered: &str, asked: &str| if answered.is_empty() { asked.to_owned() } else { answered.to_owned() };
    let package = or(&activation.package_name, &input.name.package);
    let action = or(&activation.action_name, &input.name.action);
    match package.as_str() {
        "" | "-" => action,
        package => format!("{package}/{action}"),
    }
}

/// The document, whichever arm it came in.
fn json_text(json: Json) -> Option<String> {
    match json.encoding? {
        Encoding::Text(text) => Some(text),
        Encoding::Value(value) => String::from_utf8(value.to_json().ok()?.to_vec()).ok(),
    }
}
