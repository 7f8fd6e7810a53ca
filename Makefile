# make demo    the main job from end to end, on the event logs in tests/fixtures
# make test    everything that must hold: format, lints, tests, documentation, the C interface
# make test-c  the C interface alone: tests/c/Makefile tells what is in it
# make install PREFIX=/usr/local: libopenwa with header and openwa.pc
# make bench   the figures of docs/benchmarks.md
# make crash   the long fault tests: 200 kills, 30 seconds of two processes, a full disk

CARGO ?= cargo
FEATURES := --features openwa-store/cli
PROFILE_DIR := $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-c lint doc bench crash install

help:
	@sed -n '1,/^$$/s/^# //p' $(firstword $(MAKEFILE_LIST))

# All that is needed is Rust; Cargo fetches the rest, and SQLite and zstd are built in.
setup:
	@command -v $(CARGO) >/dev/null || { \
	  echo "Rust 1.90 or newer is missing: install it with rustup, then open a new shell."; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "A C compiler is missing. On Debian or Ubuntu: sudo apt-get install build-essential"; exit 1; }

build: setup
	$(CARGO) build --release -p openwa-store $(FEATURES)

demo: build
	@OPENWA=$(PROFILE_DIR)/openwa examples/demo.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

doc: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps $(FEATURES)

test: lint
	$(CARGO) test --workspace $(FEATURES)
	$(MAKE) doc
	$(MAKE) test-c

test-c: setup
	$(MAKE) -C tests/c

install: setup
	PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR=$(DESTDIR) PROFILE=$(PROFILE) ffi/install.sh

bench: setup
	$(CARGO) bench -p openwa-store
	$(CARGO) bench -p openwa-ffi

crash: setup
	OPENWA_CRASH_ROUNDS=200 OPENWA_STRESS_SECONDS=30 $(CARGO) test --release -p openwa-tests --test faults
