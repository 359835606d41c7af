//! The targets in every test run: the seeds of `fuzz/corpus`, then mutations of them from a fixed
//! seed.

use std::path::Path;

use super::TARGETS;
use crate::env::Env;

/// Mutations a target; `FAAS_FUZZ_ROUNDS` asks for more.
const ROUNDS: u32 = 3000;
/// Bytes that mean something to one of the decoders.
const TELLING: &[u8] = b"\0\x01\x0a\x80\xff\"\\{}[]:,.-+eE%&=/?#!~ <>|\n0019";

fn rounds() -> u32 {
    Env::process()
        .get("FAAS_FUZZ_ROUNDS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|why| panic!("{}: {why}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    // The order of a folder is the file system's.
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// A few small changes: bytes flipped, put in, taken out or copied, or two seeds joined.
fn mutated(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut data = random.choice(seeds).unwrap().clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=data.len());
        match random.u8(0..6) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(0..8),
            1 => data.insert(at, *random.choice(TELLING).unwrap()),
            2 if at < data.len() => drop(data.remove(at)),
            3 => data.truncate(at),
            4 => {
                let from = random.usize(0..=data.len());
                let piece = data[from.min(at)..from.max(at)].to_vec();
                data.splice(at..at, piece);
            }
            _ => {
                let other = random.choice(seeds).unwrap();
                let from = random.usize(0..=other.len());
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
        }
        data.truncate(1 << 14);
    }
    data
}

#[test]
fn every_target_holds_for_its_seeds_and_for_mutations_of_them() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has too few seeds");
        let mut random = fastrand::Rng::with_seed(0x5eed);
        let mutations = (0..rounds()).map(|_| mutated(&seeds, &mut random));
        for data in seeds.iter().cloned().chain(mutations) {
            let outcome = std::panic::catch_unwind(|| target(&data));
            assert!(outcome.is_ok(), "{name} fails on {}", data.escape_ascii());
        }
    }
}

#[test]
fn every_target_has_its_libfuzzer_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let file = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains("faas_sidecar::fuzzing::"), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
