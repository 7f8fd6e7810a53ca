# make demo    the main job from end to end, on the event logs in tests/fixtures
# make test    everything that must hold: format, lints, tests, documentation
# make bench   the figures of docs/benchmarks.md
# make test-node, bench-node   the same for the npm package alone
# make crash   the long fault tests: 200 kills, 30 seconds of two processes, a full disk

CARGO ?= cargo
FEATURES := --features openwa-store/cli
PROFILE_DIR := $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help
.PHONY: help setup servers build demo test lint doc bench crash node test-node bench-node crash-node

help:
	@sed -n '1,/^$$/s/^# //p' $(firstword $(MAKEFILE_LIST))

# All that is needed is Rust; Cargo fetches the rest, and SQLite and zstd are built in.
setup:
	@command -v $(CARGO) >/dev/null || { \
	  echo "Rust 1.90 or newer is missing: install it with rustup, then open a new shell."; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "A C compiler is missing. On Debian or Ubuntu: sudo apt-get install build-essential"; exit 1; }

# The tests start PostgreSQL and PgBouncer themselves; here they are installed, or the reader is told to.
servers:
	@tests/setup.sh

build: setup
	$(CARGO) build --release -p openwa-store $(FEATURES)

demo: build
	@OPENWA=$(PROFILE_DIR)/openwa examples/demo.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

doc: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps $(FEATURES)

test: lint servers
	$(CARGO) test --workspace $(FEATURES)
	$(MAKE) doc
	$(MAKE) test-node

bench: setup servers
	$(CARGO) bench -p openwa-store --bench store
	$(CARGO) bench -p openwa-tests --bench postgres

crash: setup servers
	OPENWA_CRASH_ROUNDS=200 OPENWA_STRESS_SECONDS=30 $(CARGO) test --release -p openwa-tests --test faults
	$(MAKE) crash-node

# The npm package. Its development dependencies come without their install scripts: no browser, no compiler.
node: setup
	@command -v npm >/dev/null || { \
	  echo "Node 20 or newer is missing: get it from your distribution or from nodejs.org."; exit 1; }
	@cd bindings-node && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts; }

test-node: node
	cd bindings-node && npm run build:native && npm run build:ts && npm test

# The addon as it is published, a hundred kills and a million calls.
crash-node: node
	cd bindings-node && npm run build && OPENWA_CRASH_ROUNDS=100 OPENWA_LEAK_CALLS=1000000 npm test

bench-node: node
	cd bindings-node && npm run build
	cd bindings-node/bench && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci; } && node --expose-gc main.mjs
