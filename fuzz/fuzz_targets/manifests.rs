//! See `faas_sidecar::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| faas_sidecar::fuzzing::manifests(data));
