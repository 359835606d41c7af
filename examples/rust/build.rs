//! Generates the clients. protox reads the protos, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let protos = [
        "faas/v1/action.proto",
        "faas/v1/invocation.proto",
        "grpc/health/v1/health.proto",
    ];
    let parsed = protox::compile(protos, ["../../proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(parsed)?;
    Ok(())
}
