//! Code that comes with a create or a PUT of the code (`functiongraph_06_0108`; error table for the
//! sizes).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha512};

use crate::functiongraph::body::Fields;
use crate::functiongraph::codes::{self, Refusal};
use crate::functiongraph::model::CodeInfo;
use crate::functiongraph::options::Limits;
use crate::runtime::is_archive;

const IMAGE: &str = "Custom-Image-Swr";

/// Code that was found right.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) info: CodeInfo,
    pub(super) bytes: Vec<u8>,
}

pub(super) fn read(
    fields: &Fields<'_>,
    runtime: &str,
    handler: &str,
    limits: &Limits,
) -> Result<Upload, Refusal> {
    let image = fields.object("custom_image", codes::PARAMETER)?.is_some();
    let kind = match fields.string("code_type", codes::CODE_TYPE)? {
        // Optional for an image only (create page).
        None if image => IMAGE,
        None => return Err(codes::CODE_TYPE.refuse("code_type is required")),
        Some(kind) => kind,
    };
    let url = fields
        .string("code_url", codes::CODE_URL)?
        .unwrap_or_default();
    let filename = fields
        .string("code_filename", codes::FILE_NAME)?
        .unwrap_or_default();
    let bytes = match kind {
        "inline" => inline(fields, runtime, handler, limits)?,
        "zip" | "jar" => {
            if filename.is_empty() {
                return Err(codes::FILE_NAME.refuse("code_filename is required for zip and jar"));
            }
            package(fields, limits)?
        }
        "obs" => {
            if !url.starts_with("https://") {
                return Err(codes::CODE_URL.refuse("code_url must be the address of an OBS object"));
            }
            Vec::new()
        }
        IMAGE => Vec::new(),
        _ => return Err(codes::CODE_TYPE.into()),
    };
    Ok(Upload {
        info: CodeInfo {
            kind: kind.to_owned(),
            url: url.to_owned(),
            filename: match (kind, filename) {
                ("inline", "") => "index.zip".into(),
                (_, name) => name.to_owned(),
            },
            size: bytes.len() as u64,
            digest: hex::encode(Sha512::digest(&bytes)),
        },
        bytes,
    })
}

/// The bytes of `func_code.file`; `None` when it is empty.
fn file(fields: &Fields<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(code) = fields.object("func_code", codes::CODE)? else {
        return Err(codes::CODE_MISSING.refuse("func_code is required"));
    };
    match Fields::new(code).string("file", codes::CODE)? {
        None | Some("") => Ok(None),
        Some(text) => STANDARD
            .decode(text)
            .map(Some)
            .map_err(|_| codes::CODE.refuse("func_code.file must be base64")),
    }
}

fn inline(
    fields: &Fields<'_>,
    runtime: &str,
    handler: &str,
    limits: &Limits,
) -> Result<Vec<u8>, Refusal> {
    let Some(source) = file(fields)? else {
        return Ok(default_source(runtime, handler).into_bytes());
    };
    if source.len() > limits.inline_code {
        return Err(codes::INLINE_TOO_LARGE.into());
    }
    match std::str::from_utf8(&source) {
        Ok(_) => Ok(source),
        // INFERRED: some back ends show inline code zipped, so that it is taken back so.
        Err(_) if is_archive(&source) => Ok(source),
        Err(_) => Err(codes::CODE.refuse("inline code must be UTF-8 source text in base64")),
    }
}

fn package(fields: &Fields<'_>, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let bytes = file(fields)?.ok_or(codes::CODE_MISSING)?;
    if bytes.len() > limits.package_code {
        return Err(codes::PACKAGE_TOO_LARGE.into());
    }
    if is_archive(&bytes) {
        Ok(bytes)
    } else {
        Err(codes::CODE.into())
    }
}

/// An empty file means the default code (create page). INFERRED: what that code says.
fn default_source(runtime: &str, handler: &str) -> String {
    let function = handler.rsplit('.').next().unwrap_or("handler");
    if runtime.starts_with("Python") {
        format!(
            "def {function}(event, context):\n    return {{'statusCode': 200, 'body': event}}\n"
        )
    } else {
        format!(
            "exports.{function} = async (event, context) => ({{ statusCode: 200, body: event }});\n"
        )
    }
}
