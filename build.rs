//! Compiles `proto/` without `protoc`: protox parses, tonic-prost-build generates messages and
//! clients; the table of RPCs that the server and the providers work through is written here.
//!
//! `google.protobuf.Value` is mapped to our own type, which keeps the wire bytes (see
//! `src/json/value.rs`).

use std::fmt::Write as _;
use std::path::PathBuf;

use protox::prost::Message as _;
use protox::prost_reflect::prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HEALTH: &str = "grpc/health/v1/health.proto";

const PROTOS: [&str; 6] = [
    "faas/v1/action.proto",
    "faas/v1/common.proto",
    "faas/v1/invocation.proto",
    "faas/v1/package.proto",
    "faas/v1/trigger.proto",
    HEALTH,
];

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script through its environment"
)]
fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(PROTOS)?;
    // Reflection shows the comments to users, and of the source info these alone: where a word
    // stands in a file they do not have says nothing to them, and each answer is held until it is
    // read.
    let mut shown = compiler.file_descriptor_set();
    for info in shown
        .file
        .iter_mut()
        .filter_map(|file| file.source_code_info.as_mut())
    {
        info.location.retain(|place| {
            let comments = [&place.leading_comments, &place.trailing_comments];
            !place.leading_detached_comments.is_empty()
                || comments.iter().any(|comment| comment.is_some())
        });
    }
    std::fs::write(out.join("faas_v1_descriptor.bin"), shown.encode_to_vec())?;
    let files = compiler.file_descriptor_set();
    let faas: Vec<_> = files
        .file
        .iter()
        .filter(|file| file.package() == "faas.v1")
        .collect();
    std::fs::write(out.join("faas_v1_rpcs.rs"), rpcs(&faas)?)?;
    std::fs::write(out.join("faas_v1_messages.rs"), messages(&faas)?)?;
    let (health, faas) = files
        .file
        .into_iter()
        .partition(|file| file.name() == HEALTH);
    tonic_prost_build::configure().compile_fds(FileDescriptorSet { file: health })?;
    // The server calls by the table of RPCs.
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.protobuf.Value", "crate::json::Value")
        .bytes(".faas.v1.Activation.result_bytes")
        .bytes(".faas.v1.Exec.archive")
        .skip_debug([
            "faas.v1.GithubSource",
            "faas.v1.FunctionGraphAction",
            "faas.v1.Json",
        ])
        .compile_fds(FileDescriptorSet { file: faas })?;
    Ok(())
}

/// The macros that hand every RPC of `faas.v1`, or every one with one response, to another macro, by
/// path.
fn rpcs(files: &[&FileDescriptorProto]) -> Result<String> {
    let mut rows = Vec::new();
    for (service, method) in methods(files) {
        let (name, request) = (method.name(), message(files, method.input_type())?);
        let takes_request_id = has(request, "request_id");
        let kind = match (method.server_streaming(), takes_request_id) {
            (true, _) => "streaming",
            (false, true) => "repeatable",
            (false, false) => "unary",
        };
        rows.push(format!(
            "\"faas.v1.{service}/{name}\" {kind} {name} {}({}) -> {} \
             {{ takes_request_id: {takes_request_id}, invokes: {} }};\n",
            snake_case(name),
            request.name(),
            message(files, method.output_type())?.name(),
            takes_request_id && has(request, "action_name"),
        ));
    }
    rows.sort();
    let unary: Vec<_> = rows
        .iter()
        .filter(|row| !row.contains(" streaming "))
        .cloned()
        .collect();
    let define = |name: &str, rows: &[String]| {
        let rows = rows.concat();
        format!("macro_rules! {name} {{\n($each:ident) => {{ $each! {{\n{rows}}} }};\n}}\n")
    };
    Ok(define("for_each_rpc", &rows) + &define("for_each_unary_rpc", &unary))
}

/// What the requests and responses of all RPCs have in common, read from their fields.
fn messages(files: &[&FileDescriptorProto]) -> Result<String> {
    let mut text = String::new();
    for (service, method) in methods(files) {
        let request = message(files, method.input_type())?;
        let response = message(files, method.output_type())?;
        let resource = if has(request, "trigger_name") {
            "Trigger(&self.trigger_name)"
        } else if has(request, "action_name") {
            "Action(&self.package_name, &self.action_name)"
        } else if has(request, "package_name") {
            "Package(&self.package_name)"
        } else if service == "TriggerService" {
            "AllTriggers"
        } else {
            "AllActions"
        };
        // The caller's word where the request has room for it; else what the verb says, as it does
        // in HTTP. A verb that is not listed here does harm when it is repeated.
        let idempotent = if has(request, "idempotent") {
            "self.idempotent"
        } else if ["Cancel", "Delete", "Get", "List", "Put", "Unlink", "Watch"]
            .iter()
            .any(|verb| method.name().starts_with(verb))
        {
            "true"
        } else {
            "false"
        };
        write!(
            text,
            "impl RpcRequest for {} {{\n\
             fn target(&self) -> &str {{ &self.target }}\n\
             fn resource(&self) -> Resource<'_> {{ Resource::{resource} }}\n\
             fn is_idempotent(&self) -> bool {{ {idempotent} }}\n",
            request.name()
        )?;
        for field in ["activation_id", "request_id"] {
            if has(request, field) {
                writeln!(text, "fn {field}(&self) -> &str {{ &self.{field} }}")?;
            }
        }
        if let Some(json) = json_path(files, request)? {
            writeln!(text, "fn json(&self) -> Option<&Json> {{ {json} }}")?;
        }
        writeln!(text, "}}\nimpl RpcResponse for {} {{", response.name())?;
        if has(response, "activation") {
            text.push_str(
                "fn activation(&self) -> Option<&Activation> { self.activation.as_ref() }\n",
            );
        } else if has(response, "activation_id") {
            text.push_str(
                "fn activation_id(&self) -> Option<&str> { Some(&self.activation_id) }\n",
            );
        }
        text.push_str("}\n");
    }
    Ok(text)
}

/// The JSON that a request brings: its own, or that of what it puts.
fn json_path(files: &[&FileDescriptorProto], request: &DescriptorProto) -> Result<Option<String>> {
    for field in &request.field {
        let name = field.name();
        if field.type_name() == ".faas.v1.Json" {
            return Ok(Some(format!("self.{name}.as_ref()")));
        }
        let inner = match field.type_name() {
            "" => None,
            type_name => message(files, type_name).ok(),
        };
        if inner.is_some_and(|inner| has(inner, "parameters")) {
            return Ok(Some(format!(
                "self.{name}.as_ref().and_then(|{name}| {name}.parameters.as_ref())"
            )));
        }
    }
    Ok(None)
}

fn methods<'a>(
    files: &'a [&FileDescriptorProto],
) -> impl Iterator<Item = (&'a str, &'a MethodDescriptorProto)> {
    let services = files.iter().flat_map(|file| &file.service);
    services.flat_map(|service| {
        let methods = service.method.iter();
        methods.map(|method| (service.name(), method))
    })
}

fn message<'a>(files: &[&'a FileDescriptorProto], type_name: &str) -> Result<&'a DescriptorProto> {
    let mut messages = files.iter().flat_map(|file| &file.message_type);
    let name = type_name.strip_prefix(".faas.v1.");
    messages
        .find(|message| Some(message.name()) == name)
        .ok_or_else(|| format!("no message {type_name}").into())
}

fn has(message: &DescriptorProto, field: &str) -> bool {
    message.field.iter().any(|known| known.name() == field)
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
