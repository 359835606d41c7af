# The image: one static binary and its bill of materials; no shell, no package, nothing to write to.
#
#   docker build --tag faas-sidecar .                                  the sidecar
#   docker build --tag faas-sidecar:emulator --target emulator .       the same with both clouds' emulators
#   docker build --build-arg BINARY=ready .                            compiles nothing: takes what `packaging/files` wrote to target/image/
#
# Needs a builder that leaves out stages nobody asks for: BuildKit, or buildah, whose version 1.28 must be told --build-arg BINARY=compiled.
ARG BINARY=compiled

FROM rust:1.95.0-bookworm AS compiler
# The toolchain of the image, without the components that rust-toolchain.toml asks for.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /faas-sidecar
COPY . .

FROM compiler AS compiled-sidecar
RUN packaging/files sidecar

FROM compiler AS compiled-emulator
RUN packaging/files emulator

FROM scratch AS ready-sidecar
COPY target/image/sidecar/ /faas-sidecar/target/image/sidecar/

FROM scratch AS ready-emulator
COPY target/image/emulator/ /faas-sidecar/target/image/emulator/

FROM ${BINARY}-sidecar AS files-sidecar
FROM ${BINARY}-emulator AS files-emulator

FROM scratch AS base
LABEL org.opencontainers.image.title="faas-sidecar" \
      org.opencontainers.image.description="A gRPC sidecar that calls NAVER Cloud Functions and Huawei FunctionGraph with signed REST requests." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# As a number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/faas-sidecar"]
CMD ["serve"]

FROM base AS emulator
COPY --from=files-emulator /faas-sidecar/target/image/emulator/ /

FROM base AS sidecar
COPY --from=files-sidecar /faas-sidecar/target/image/sidecar/ /
