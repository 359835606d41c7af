//! What a put of an action may say (NCP docs: putaction v2 and v2.0; cloudfunctions-spec for the
//! limits).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::ncp::body::{self, Fields};
use crate::ncp::cloud::Call;
use crate::ncp::codes::{self, Refusal};
use crate::ncp::model::{Action, Code, Exec, Kind, NO_PACKAGE, Vpc};
use crate::ncp::route::is_name;
use crate::ncp::site::{Generation, Platform};

/// Bytes of an archive before base64, and of source text together with `main` (NCP docs v3:
/// type-actioncode, 38 MB and 48 MB). INFERRED that the older generations count alike.
const MAX_ARCHIVE: usize = 38 << 20;
const MAX_SOURCE: usize = 48 << 20;
const TIMEOUT_MS: std::ops::RangeInclusive<i64> = 500..=300_000;
/// v2.1 lists these; the guide of v2.0 gives a range.
const MEMORY_MB: [i64; 4] = [128, 256, 512, 1024];
const CUSTOM_IMAGE: &str = "custom image";

/// A body that was found right.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) kind: Kind,
    description: String,
    parameters: Map<String, Value>,
    exec: Exec,
    vpc: Vec<Vpc>,
    raw_http: bool,
    custom_options: bool,
}

impl Definition {
    pub(super) fn into_action(self, package: &str, name: &str, platform: Platform) -> Action {
        Action {
            name: name.to_owned(),
            package: package.to_owned(),
            platform,
            kind: self.kind,
            description: self.description,
            parameters: self.parameters,
            exec: self.exec,
            vpc: self.vpc,
            raw_http: self.raw_http,
            custom_options: self.custom_options,
        }
    }
}

/// Reads the body under the rules of its generation.
pub(super) fn read(
    call: &Call,
    present: Option<&Action>,
    namespace: &str,
) -> Result<Definition, Refusal> {
    let map = body::object(&call.body, codes::ACTION_BODY_TYPE)?;
    let fields = Fields::new(&map, "", body::ACTION);
    let exec_map = fields.need("exec", Fields::object)?;
    let exec = Fields::new(exec_map, "exec.", body::ACTION);
    let runtime = exec.need("kind", Fields::filled)?;
    let kind = kind(call, &fields, runtime, present)?;
    let description = fields.description()?.unwrap_or_default();
    if kind.is_sequence() {
        return Ok(Definition {
            kind,
            description,
            parameters: Map::new(),
            exec: sequence(&exec, runtime, namespace)?,
            vpc: Vec::new(),
            raw_http: false,
            custom_options: false,
        });
    }
    let (raw_http, custom_options) = (
        flag(&fields, "raw-http", kind)?,
        flag(&fields, "custom-options", kind)?,
    );
    Ok(Definition {
        kind,
        description,
        parameters: fields.parameters()?.unwrap_or_default(),
        exec: Exec::Code(code(call.generation, &fields, &exec, runtime)?),
        vpc: vpc(call, &fields)?,
        raw_http,
        custom_options,
    })
}

/// v2.1 takes the kind from the query, v2.0 from `web` and `exec.kind`.
fn kind(
    call: &Call,
    fields: &Fields<'_>,
    runtime: &str,
    present: Option<&Action>,
) -> Result<Kind, Refusal> {
    match call.generation {
        Generation::V21 => {
            let asked = call.query.get("type").unwrap_or("basic");
            Kind::parse(asked).ok_or_else(|| {
                codes::ACTION_INVALID_TYPE
                    .refuse("type must be basic, web, sequence or sequence-web")
            })
        }
        Generation::V20 => {
            // Of the two documented defaults on update this is the older, harmless one: the present
            // kind stays.
            let web = fields
                .boolean("web")?
                .unwrap_or_else(|| present.is_some_and(|a| a.kind.is_web()));
            Ok(match (runtime == "sequence", web) {
                (false, false) => Kind::Basic,
                (false, true) => Kind::Web,
                (true, false) => Kind::Sequence,
                (true, true) => Kind::SequenceWeb,
            })
        }
    }
}

/// A part may also be named as Apache OpenWhisk writes it, with the account's namespace in front
/// (INFERRED).
fn sequence(exec: &Fields<'_>, runtime: &str, namespace: &str) -> Result<Exec, Refusal> {
    if runtime != "sequence" {
        return exec.wrong_value("kind", "must be sequence");
    }
    let mut components = exec.need("components", Fields::strings)?;
    for component in &mut components {
        if let Some(part) = component.strip_prefix(&format!("/{namespace}/")) {
            *component = if part.contains('/') {
                part.to_owned()
            } else {
                format!("{NO_PACKAGE}/{part}")
            };
        }
    }
    if components.is_empty() {
        return exec.wrong_value("components", "must not be empty");
    }
    for component in &components {
        let well_formed = component.split_once('/').is_some_and(|(package, name)| {
            (package == NO_PACKAGE || is_name(package)) && is_name(name)
        });
        if !well_formed {
            return exec.wrong_value(
                "components",
                "must be {packageName}/{actionName}, with - for no package",
            );
        }
    }
    Ok(Exec::Sequence(components))
}

/// `raw-http` and `custom-options` are for web actions.
fn flag(fields: &Fields<'_>, name: &str, kind: Kind) -> Result<bool, Refusal> {
    match fields.boolean(name)? {
        Some(true) if kind != Kind::Web => fields.wrong_value(name, "is for web actions only"),
        value => Ok(value.unwrap_or(false)),
    }
}

fn code(
    generation: Generation,
    fields: &Fields<'_>,
    exec: &Fields<'_>,
    runtime: &str,
) -> Result<Code, Refusal> {
    let limits = Fields::new(
        fields.need("limits", Fields::object)?,
        "limits.",
        body::ACTION,
    );
    let timeout = limits.need("timeout", Fields::integer)?;
    if !TIMEOUT_MS.contains(&timeout) {
        return limits.wrong_value("timeout", "must be from 500 to 300000 milliseconds");
    }
    let memory = limits.need("memory", Fields::integer)?;
    let fits = match generation {
        Generation::V21 => MEMORY_MB.contains(&memory),
        Generation::V20 => (128..=1024).contains(&memory),
    };
    if !fits {
        return limits.wrong_value("memory", "must be 128, 256, 512 or 1024 MB");
    }
    if runtime == "sequence" {
        return exec.wrong_value("kind", "is sequence, but the type is not");
    }
    let limits = (timeout.unsigned_abs(), memory.unsigned_abs());
    let image_uri = image_uri(generation, exec, runtime)?;
    let binary = exec.need("binary", Fields::boolean)?;
    let code = exec.need("code", Fields::string)?;
    let main = exec.need("main", Fields::filled)?;
    check_code(exec, runtime, binary, (code, main))?;
    Ok(Code {
        runtime: runtime.to_owned(),
        binary,
        code: code.to_owned(),
        main: main.to_owned(),
        image_uri,
        timeout_ms: limits.0,
        memory_mb: limits.1,
    })
}

/// Runtimes are an open set: old and unknown ones are taken, as existing actions keep them.
fn check_code(
    exec: &Fields<'_>,
    runtime: &str,
    binary: bool,
    (code, main): (&str, &str),
) -> Result<(), Refusal> {
    let family = runtime.split(':').next().unwrap_or_default();
    if matches!(family, "java" | "dotnet") && !binary {
        return exec.wrong_value("binary", "must be true for java and dotnet");
    }
    if code.is_empty() {
        return exec.wrong_value("code", "must not be empty");
    }
    if !binary {
        return match code.len() + main.len() {
            ..=MAX_SOURCE => Ok(()),
            _ => exec.wrong_value(
                "code",
                "must have 48 MB at most as text, together with main",
            ),
        };
    }
    match STANDARD.decode(code).map(|bytes| bytes.len()) {
        Err(_) => exec.wrong_value("code", "must be base64 when binary is true"),
        Ok(..=MAX_ARCHIVE) => Ok(()),
        Ok(_) => exec.wrong_value("code", "must have 38 MB at most before base64"),
    }
}

/// The image runs the code that comes with it: `exec.binary`, `exec.code` and `exec.main` are
/// required beside it (NCP docs: putaction v2; in words on the page of v3).
fn image_uri(
    generation: Generation,
    exec: &Fields<'_>,
    runtime: &str,
) -> Result<Option<String>, Refusal> {
    if runtime != CUSTOM_IMAGE {
        return Ok(None);
    }
    if generation == Generation::V20 {
        return exec.wrong_value("kind", "custom image is not in this generation");
    }
    let uri = exec.need("imageUri", Fields::filled)?;
    if !uri.contains('/') {
        return exec.wrong_value("imageUri", "must be {registryName}/{imageName}:{tag}");
    }
    Ok(Some(uri.to_owned()))
}

/// v2.1: an array, required on VPC. v2.0: one object, optional, on VPC only. INFERRED: refused on
/// Classic in both.
fn vpc(call: &Call, fields: &Fields<'_>) -> Result<Vec<Vpc>, Refusal> {
    let maps: Vec<&Map<String, Value>> = match (call.generation, call.platform) {
        (Generation::V21, Platform::Vpc) => fields.need("vpc", Fields::objects)?,
        (Generation::V20, Platform::Vpc) => fields.object("vpc")?.into_iter().collect(),
        (Generation::V21, Platform::Classic) => fields.objects("vpc")?.unwrap_or_default(),
        (Generation::V20, Platform::Classic) => fields.object("vpc")?.into_iter().collect(),
    };
    match (call.platform, call.generation, maps.is_empty()) {
        (Platform::Classic, _, false) => {
            return fields.wrong_value("vpc", "is for the platform vpc only");
        }
        (Platform::Vpc, Generation::V21, true) => {
            return fields.wrong_value("vpc", "must not be empty");
        }
        _ => {}
    }
    let read = |map: &Map<String, Value>| {
        let item = Fields::new(map, "vpc.", body::ACTION);
        Ok(Vpc {
            subnet: item.need("subnetNo", Fields::integer)?,
            vpc: item.need("vpcNo", Fields::integer)?,
        })
    };
    maps.into_iter().map(read).collect()
}
