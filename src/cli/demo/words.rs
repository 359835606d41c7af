//! Between the API's messages and the words on the stage.

use crate::proto::json::Encoding;
use crate::proto::{Activation, ActivationStatus, Json};

/// JSON as text.
pub(super) fn json(text: &str) -> Json {
    Json {
        encoding: Some(Encoding::Text(text.to_owned())),
    }
}

/// The result as JSON text, which was asked for.
pub(super) fn text(run: &Activation) -> &str {
    match run
        .result
        .as_ref()
        .and_then(|result| result.encoding.as_ref())
    {
        Some(Encoding::Text(text)) => text,
        _ => "",
    }
}

/// The state in the API's words, without their common beginning.
pub(super) fn status(run: &Activation) -> String {
    let name = ActivationStatus::as_str_name(&run.status());
    name.trim_start_matches("ACTIVATION_STATUS_").to_owned()
}
