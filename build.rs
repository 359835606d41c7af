//! Compiles `proto/` without `protoc`: protox parses, tonic-prost-build generates.
//!
//! `google.protobuf.Value` is mapped to our own type, which keeps the wire bytes (see
//! `src/json/value.rs`).

use std::path::PathBuf;

use protox::prost::Message as _;

const PROTOS: [&str; 6] = [
    "faas/v1/action.proto",
    "faas/v1/common.proto",
    "faas/v1/invocation.proto",
    "faas/v1/package.proto",
    "faas/v1/trigger.proto",
    "grpc/health/v1/health.proto",
];

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script through its environment"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    tonic_prost_build::configure()
        .extern_path(".google.protobuf.Value", "crate::json::Value")
        .bytes(".faas.v1.Activation.result_bytes")
        .bytes(".faas.v1.Exec.archive")
        .skip_debug([
            "faas.v1.GithubSource",
            "faas.v1.FunctionGraphAction",
            "faas.v1.Json",
        ])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
