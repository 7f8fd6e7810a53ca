# make demo    the main job from end to end, on the event logs in tests/fixtures
# make test    everything that must hold: format, lints, tests of all faces, documentation
# make test-rust, test-c, test-node, test-python   parts of it
# make install PREFIX=/usr/local   libopenwa with header and openwa.pc
# make bench, bench-c, bench-node, bench-python   the figures of docs/benchmarks.md
# make crash   the long fault tests: hundreds of kills, a full disk, a gigabyte taken over

CARGO ?= cargo
FEATURES := --features openwa-store/cli
PROFILE_DIR := $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help
.PHONY: help setup servers node build demo lint doc test test-rust test-c test-node test-python install \
        bench bench-c bench-node bench-python crash crash-node crash-python

help:
	@sed -n '1,/^$$/s/^# //p' $(firstword $(MAKEFILE_LIST))

# All that the library needs is Rust; Cargo fetches the rest, and SQLite and zstd are built in.
setup:
	@command -v $(CARGO) >/dev/null || { \
	  echo "Rust 1.91 or newer is missing: install it with rustup, then open a new shell."; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "A C compiler is missing. On Debian or Ubuntu: sudo apt-get install build-essential"; exit 1; }

# The tests start PostgreSQL, PgBouncer and S3 storage themselves; here they are installed, or the reader is told to.
servers:
	@tests/setup.sh

# The npm package. Its development dependencies come without their install scripts: no browser, no compiler.
node: setup
	@command -v npm >/dev/null || { \
	  echo "Node 20 or newer is missing: get it from your distribution or from nodejs.org."; exit 1; }
	@cd bindings-node && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts; }

build: setup
	$(CARGO) build --release -p openwa-store $(FEATURES)

demo: build
	@OPENWA=$(PROFILE_DIR)/openwa examples/demo.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

doc: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps $(FEATURES)

test: lint test-rust doc test-c test-node test-python

test-rust: setup servers
	$(CARGO) test --workspace $(FEATURES)

# The C interface: tests/c/Makefile tells what is in it, and installs what it needs.
test-c: setup
	$(MAKE) -C tests/c

test-node: node servers
	cd bindings-node && npm run build:native && npm run build:ts && npm test

# It makes its own environments under target/python, for every Python from 3.10 on that it finds.
test-python: setup servers
	bindings-python/run-tests

bench: setup servers
	$(CARGO) bench -p openwa-store --bench store
	$(CARGO) bench -p openwa-tests --bench postgres
	$(CARGO) bench -p openwa-tests --bench backup -- --rows 1000000

bench-c: setup
	$(CARGO) bench -p openwa-ffi

bench-node: node
	cd bindings-node && npm run build
	cd benches/node && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci; } && node --expose-gc main.mjs

bench-python: setup
	bindings-python/run-benches

crash: setup servers crash-node crash-python
	OPENWA_CRASH_ROUNDS=200 OPENWA_STRESS_SECONDS=30 $(CARGO) test --release -p openwa-tests --test faults
	OPENWA_BACKUP_KILLS=100 OPENWA_LOADED_BACKUPS=20 OPENWA_BACKUP_ROWS=60000 OPENWA_BACKUP_HOURS=24 \
	  $(CARGO) test --release -p openwa-tests --test backup --test backup_kills --bins
	OPENWA_SEAL_CRASHES=100 OPENWA_KEY_CHANGES=40 $(CARGO) test --release -p openwa-tests --test secrets
	OPENWA_VACUUM_KILLS=100 $(CARGO) test --release -p openwa-tests --test vacuum
	OPENWA_TAKEOVER_MB=1024 $(CARGO) test --release -p openwa-tests --test takeover_scale
	OPENWA_SAME_MESSAGES=20000 OPENWA_SERVER_CRASHES=20 OPENWA_POOLED_OPERATIONS=2000 OPENWA_BUSY_MESSAGES=1000000 \
	  $(CARGO) test --release -p openwa-tests --test postgres_processes --test postgres_outage --test postgres_pool \
	  --test postgres_busy

# The addon as it is published, a hundred kills and a million calls.
crash-node: node servers
	cd bindings-node && npm run build && OPENWA_CRASH_ROUNDS=100 OPENWA_LEAK_CALLS=1000000 npm test

# A million calls.
crash-python: setup
	OPENWA_LEAK_CALLS=1000000 bindings-python/run-tests -k memory

install: setup
	PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR=$(DESTDIR) PROFILE=$(PROFILE) ffi/install.sh
