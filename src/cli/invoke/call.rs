//! The call itself: [`InvokeInput`] → one gRPC call (a second for a log that is kept elsewhere) →
//! [`Report`] or [`ClientFailure`]. JSON goes and comes as text, so that no number changes on the way.

use std::time::Duration;

use super::{InvokeInput, Report};
use crate::cli::client::ClientFailure;
use crate::cli::client::{Client, failure};
use crate::proto::json::Encoding;
use crate::proto::{
    Activation, ActivationStatus, GetActivationRequest, InvokeAsyncRequest, InvokeRequest, Json,
    JsonEncoding,
};

/// Calls the function through the sidecar. Beside the report there may be a remark about what it
/// lacks.
pub(super) async fn call(input: &InvokeInput) -> Result<(Report, Option<String>), ClientFailure> {
    let client = Client::connect(&input.reach, input.timeout).await?;
    let answered = if input.asynchronous {
        let request = client.request(start_request(input));
        let answer = client.invocation().invoke_async(request).await;
        answer
            .map_err(|status| failure(&status))?
            .into_inner()
            .activation
    } else {
        let request = client.request(run_request(input)?);
        let answer = client.invocation().invoke(request).await;
        answer
            .map_err(|status| failure(&status))?
            .into_inner()
            .activation
    };
    let mut report = report(answered.unwrap_or_default(), input);
    let mut remark = None;
    if input.logs && report.finished && report.logs.is_empty() {
        match logs(&client, input, &report.activation_id).await {
            Ok(lines) => report.logs = lines,
            Err(why) => remark = why,
        }
    }
    Ok((report, remark))
}

/// The log of a run, from its record: some clouds keep it only there. The error is a remark, or
/// nothing worth one.
async fn logs(
    client: &Client,
    input: &InvokeInput,
    activation_id: &str,
) -> Result<Vec<String>, Option<String>> {
    let request = client.request(GetActivationRequest {
        target: input.target.clone(),
        package_name: input.name.package.clone(),
        action_name: input.name.action.clone(),
        activation_id: activation_id.to_owned(),
        result_encoding: JsonEncoding::Text.into(),
        ..GetActivationRequest::default()
    });
    match client.invocation().get_activation(request).await {
        Ok(answer) => Ok(answer.into_inner().activation.unwrap_or_default().logs),
        // A cloud that keeps no record has sent what log there was.
        Err(status)
            if matches!(
                status.code(),
                tonic::Code::Unimplemented | tonic::Code::FailedPrecondition
            ) =>
        {
            Err(None)
        }
        Err(status) if status.code() == tonic::Code::NotFound => Err(Some(
            "the log is not there yet; the cloud shows it some 30 to 40 seconds after the run (GetActivation)".to_owned(),
        )),
        Err(status) => Err(Some(format!("the log cannot be read: {}", status.message()))),
    }
}

fn run_request(input: &InvokeInput) -> Result<InvokeRequest, ClientFailure> {
    let wait = input
        .wait
        .map(prost_types::Duration::try_from)
        .transpose()
        .map_err(|_| ClientFailure {
            code: "INVALID_ARGUMENT".to_owned(),
            message: "--wait is longer than a duration can be; shorten it".to_owned(),
            ..ClientFailure::default()
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
    let duration = activation
        .duration
        .and_then(|duration| Duration::try_from(duration).ok());
    Report {
        action: full_name(&activation, input),
        status: status
            .as_str_name()
            .trim_start_matches("ACTIVATION_STATUS_")
            .to_owned(),
        status_text: remark_on(status, activation.status_text),
        finished: !unfinished,
        success: activation.success,
        asynchronous: input.asynchronous,
        start_time: activation
            .start_time
            .map(|time| time.to_string())
            .unwrap_or_default(),
        duration_ms: duration.and_then(|duration| u64::try_from(duration.as_millis()).ok()),
        result: activation.result.and_then(json_text),
        result_bytes: activation.result_bytes.to_vec(),
        // An answer may hold a log that nobody asked for.
        logs: if input.logs {
            activation.logs
        } else {
            Vec::new()
        },
        upstream_request_id: activation.upstream_request_id,
        activation_id: activation.activation_id,
    }
}

/// The cloud's words on the status, unless they only say it once more.
fn remark_on(status: ActivationStatus, text: String) -> String {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', ' '], "");
    let name = plain(
        status
            .as_str_name()
            .trim_start_matches("ACTIVATION_STATUS_"),
    );
    if plain(&text).trim_start_matches("action") == name {
        String::new()
    } else {
        text
    }
}

fn full_name(activation: &Activation, input: &InvokeInput) -> String {
    let or = |answered: &str, asked: &str| {
        if answered.is_empty() {
            asked.to_owned()
        } else {
            answered.to_owned()
        }
    };
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
