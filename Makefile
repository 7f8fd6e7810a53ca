# make demo    the main job from end to end, on the event logs in tests/fixtures
# make test    everything that must hold: format, lints, tests, documentation
# make test-python    the part of it that is about the Python package
# make bench   the figures of docs/benchmarks.md
# make bench-python   the figures of the Python package, beside sqlite3 and SQLAlchemy
# make crash   the long fault tests: 200 kills, 30 seconds of two processes, a full disk, an export of 1 GB, a million calls
#              from Python

CARGO ?= cargo
FEATURES := --features openwa-store/cli
PROFILE_DIR := $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help
.PHONY: help setup servers build demo test test-python lint doc bench bench-python crash

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
	$(MAKE) test-python
	$(MAKE) doc

# It makes its own environments under target/python, for every Python from 3.10 on that it finds.
test-python: setup
	bindings-python/run-tests

bench-python: setup
	bindings-python/run-benches

bench: setup servers
	$(CARGO) bench -p openwa-store --bench store
	$(CARGO) bench -p openwa-tests --bench postgres

crash: setup servers
	OPENWA_CRASH_ROUNDS=200 OPENWA_STRESS_SECONDS=30 $(CARGO) test --release -p openwa-tests --test faults
	OPENWA_TAKEOVER_MB=1024 $(CARGO) test --release -p openwa-tests --test takeover_scale
	OPENWA_LEAK_CALLS=1000000 bindings-python/run-tests -k memory
