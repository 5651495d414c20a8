# The commands for people and for continuous integration. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The real interpreter: python3 may be a shim that starts more slowly than Python itself.
PYTHON ?= $(shell python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
PROGRAM := $(TARGET)/release/portpool
# Tests in other languages use the program just built, and the small programs built for the Rust tests.
WITH_PROGRAM = PORTPOOL_BINARY=$(PROGRAM) PORTPOOL_EXAMPLES=$(TARGET)/debug/examples PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) PORTPOOL_TEST_UV=$(UV_VENV)/bin/uv PORTPOOL_TEST_WHEELS=$(TARGET)/test-wheel
WITH_FLOORS = PORTPOOL_BINARY=$(PROGRAM) PORTPOOL_EXAMPLES=$(TARGET)/release/examples PORTPOOL_TEST_PYTHON=$(PYTHON)

# The peers of the benchmark, from the environment or from make.
export ERLPORT_EBIN POOLBOY_EBIN
BENCH_JSON := $(TARGET)/bench.json
PLOT_VENV := $(TARGET)/plot-venv

# The same interpreter, with the packages whose values the tests convert.
TEST_VENV := $(TARGET)/test-venv
TEST_PYTHON := $(TEST_VENV)/bin/python

# Type checker and linter of the Python package; what builds the wheel, and what makes it portable.
LINT_VENV := $(TARGET)/lint-venv
MATURIN_VENV := $(TARGET)/maturin-venv
ZIG_VENV := $(TARGET)/zig-venv

# uv, for the tests of `mix portpool.venv`.
UV_VENV := $(TARGET)/uv-venv

# What tests report beyond passing; shown at the end of a run.
SUMMARY := $(TARGET)/summary
SHOW_SUMMARY = @PYTHON=$(TEST_PYTHON) bin/show-summary $(SUMMARY)

.PHONY: help demo test new-summary build archive floors tools test-venv uv-venv lint-venv maturin-venv lint wheel test-wheel test-rust test-instructions test-python test-pythons test-package test-elixir test-demo test-repeat dialyzer instructions profile bench bench-docs bench-plots bench-codec bench-beside bench-template soak fmt clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

wheel: tools maturin-venv ## build portable wheels into target/wheels: make wheel TARGETS="x86_64-unknown-linux-gnu"
	@PYTHON=$(PYTHON) bin/setup-tools-venv $(ZIG_VENV) priv/python/zig-requirements.txt
	@MATURIN=$(MATURIN_VENV) ZIG=$(ZIG_VENV) $(PYTHON) bin/build-wheels $(TARGET)/wheels $(TARGETS)

demo: tools build ## plan four delivery jobs from Elixir in a pool of Python workers
	cd elixir_demo && PORTPOOL_BINARY=$(PROGRAM) mix portpool.venv --python $(PYTHON)
	cd elixir_demo && PORTPOOL_BINARY=$(PROGRAM) mix demo

.PHONY: demo-release test-matrix
demo-release: tools build ## build a release of the demo, move it, plan there, and stop it
	PORTPOOL_BINARY=$(PROGRAM) $(PYTHON) elixir_demo/bin/try-release

test soak: export PORTPOOL_SUMMARY = $(SUMMARY)
test: new-summary tools lint test-rust test-instructions test-python test-wheel test-pythons test-package test-elixir test-demo ## run all tests and print a summary
	$(SHOW_SUMMARY)

new-summary:
	@rm -rf $(SUMMARY)

build: ## build the program
	cargo build --release --locked

archive: ## pack the program for `mix portpool.install`, with its checksum, into target/archive: make archive [TRIPLE=aarch64-unknown-linux-gnu]
	cargo build --release --locked $(if $(TRIPLE),--target $(TRIPLE))
	bin/make-archive $(TARGET)/$(if $(TRIPLE),$(TRIPLE)/)release/portpool $(or $(TRIPLE),$$(rustc -vV | sed -n 's/^host: //p')) $(TARGET)/archive

floors: # the programs that the benchmarks compare with
	cargo build --release --locked --example port_echo --example two_hop_echo

tools: ## install what is missing: Erlang and Elixir, Python with venv, a C linker, valgrind
	@bin/install-tools

test-venv: tools ## create the tests' virtual environment with numpy, if it is missing
	@PYTHON=$(PYTHON) bin/setup-test-venv $(TEST_VENV)

# Without a network there is no uv, and its tests are skipped.
uv-venv: tools ## create the virtual environment with uv, if it is missing
	-@PYTHON=$(PYTHON) bin/setup-tools-venv $(UV_VENV) elixir/test/uv-requirements.txt

lint-venv: tools ## create the virtual environment with mypy and ruff, if it is missing
	@PYTHON=$(PYTHON) bin/setup-tools-venv $(LINT_VENV) priv/python/lint-requirements.txt

maturin-venv: tools
	@PYTHON=$(PYTHON) bin/setup-tools-venv $(MATURIN_VENV) priv/python/wheel-requirements.txt

lint: tools lint-venv ## check formatting, types and lints
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cd elixir && mix format --check-formatted
	cd elixir_demo && mix format --check-formatted
	$(LINT_VENV)/bin/mypy --cache-dir $(TARGET)/mypy-cache
	$(LINT_VENV)/bin/ruff check --quiet --cache-dir $(TARGET)/ruff-cache

test-rust: tools test-venv
	if cargo nextest --version >/dev/null 2>&1; then \
	  PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo nextest run --locked; \
	else \
	  PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo test --locked -- --show-output; \
	fi
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo test --locked --quiet --bench codec --bench pool_core --bench template

# A test in the form of a bench, because it counts the instructions of optimised code.
test-instructions: tools test-venv
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo bench --locked --bench instructions

dialyzer: tools build ## check the Elixir client with Dialyzer; the first run analyzes Erlang and Elixir too, for minutes
	PORTPOOL_BINARY=$(PROGRAM) bin/dialyze $(TARGET)/dialyzer

instructions: tools test-venv ## record how many instructions a call takes, for the tests to compare with
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo bench --locked --bench instructions -- renew

profile: tools test-venv ## show which functions of the server take the instructions of a small call
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo bench --locked --bench instructions -- profile

test-python: tools test-venv build
	cd priv/python && PORTPOOL_BINARY=$(PROGRAM) $(TEST_PYTHON) -m unittest discover -s tests

# That of this machine's linker, from what `build` has built: a portable one takes a build of its own.
test-wheel: tools build lint-venv maturin-venv ## install a wheel into a new virtual environment and use it
	rm -rf $(TARGET)/test-wheel
	$(MATURIN_VENV)/bin/maturin build --quiet --release --locked --target-dir $(TARGET) --compatibility linux --out $(TARGET)/test-wheel
	$(MATURIN_VENV)/bin/maturin sdist --out $(TARGET)/test-wheel
	WHEELS=$(TARGET)/test-wheel MATURIN=$(MATURIN_VENV) MYPY=$(LINT_VENV)/bin/mypy $(PYTHON) -m unittest discover -s tests/wheel

test-pythons: tools build ## run the Python tests and real calls on every CPython from 3.9 that pyenv or PATH has
	PORTPOOL_BINARY=$(PROGRAM) $(PYTHON) bin/test-pythons

test-package: tools test-venv ## pack the crate, and install it with cargo from nothing but that
	@PYTHON=$(TEST_PYTHON) CARGO_TARGET_DIR=$(TARGET) bin/test-package

test-elixir: tools test-venv uv-venv build
	cargo build --locked --example port_echo --example two_hop_echo
	cd elixir && $(WITH_PROGRAM) mix test --warnings-as-errors

test-demo: tools test-venv build
	cd elixir_demo && PORTPOOL_BINARY=$(PROGRAM) mix portpool.venv --python $(PYTHON)
	cd elixir_demo && priv/venv/bin/python -m unittest discover -s test/python
	cd elixir_demo && $(WITH_PROGRAM) mix test --warnings-as-errors

# The examples are built as make test-elixir does.
test-matrix: tools test-venv uv-venv build ## run the tests on other versions too, in a Debian of their own (as root): make test-matrix ARGS=--dialyzer; ARGS=--help
	cargo build --locked --example port_echo --example two_hop_echo
	-@PYTHON=$(PYTHON) bin/setup-tools-venv $(ZIG_VENV) priv/python/zig-requirements.txt
	PYTHON=$(TEST_PYTHON) ZIG=$(ZIG_VENV) $(WITH_PROGRAM) $(PYTHON) bin/test-matrix $(TARGET)/matrix $(ARGS)

test-repeat: tools test-venv uv-venv build ## run the suites N times without building in between: make test-repeat N=10 LOAD=4 SUITES="rust python elixir"
	cargo build --locked --example port_echo --example two_hop_echo
	$(WITH_PROGRAM) TEST_PYTHON=$(TEST_PYTHON) LOGS=$(TARGET)/test-repeat bin/test-repeat $(or $(N),10) $(or $(LOAD),0) "$(or $(SUITES),rust python elixir)" $(ARGS)

bench: tools build floors ## compare with ErlPort + Poolboy and plain echo programs: make bench ARGS="--quick --json out.json"; ARGS=--help
	cd elixir && MIX_ENV=bench PORTPOOL_BENCH_ROOT=$(CURDIR) $(WITH_FLOORS) mix run bench/compare.exs $(ARGS)

bench-docs: ## run the whole benchmark and put tables and plots into docs/ (needs a PYTHON with pandas, both peers, an idle machine)
	$(MAKE) bench ARGS="--json $(BENCH_JSON) --docs docs/performance.md"
	$(MAKE) bench-plots JSON=$(BENCH_JSON)

bench-plots: tools ## draw docs/plots from JSON, a file written by make bench
	test -x $(PLOT_VENV)/bin/python || $(PYTHON) -m venv $(PLOT_VENV)
	$(PLOT_VENV)/bin/python -m pip --disable-pip-version-check install --quiet -r elixir/bench/requirements.txt
	$(PLOT_VENV)/bin/python elixir/bench/plots.py $(or $(JSON),$(BENCH_JSON)) docs/plots

bench-codec: tools test-venv ## measure the codec and the pool's core
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo bench --locked --bench codec --bench pool_core
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo bench --locked --bench codec -- legs
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) cargo bench --locked --bench codec -- doubling

bench-beside: tools build floors ## measure small calls next to a stream of 64 MB calls, and a plain port echo
	cd elixir && MIX_ENV=prod $(WITH_FLOORS) mix run bench/beside.exs

bench-template: tools ## measure start time and memory of workers, with and without a template: make bench-template MODULES="numpy pandas"
	PORTPOOL_TEST_PYTHON=$(PYTHON) cargo bench --locked --bench template -- $(MODULES)

soak: new-summary tools test-venv ## run random faults for an hour (or SECONDS=n) and 100000 races (or HISTORIES=n); PORTPOOL_CHAOS_SEED repeats a run
	PORTPOOL_TEST_PYTHON=$(TEST_PYTHON) PORTPOOL_CHAOS_SECONDS=$(or $(SECONDS),3600) PORTPOOL_RACE_HISTORIES=$(or $(HISTORIES),100000) \
	  cargo test --release --locked --test integration -- --nocapture chaos:: races::
	$(SHOW_SUMMARY)

fmt: ## format everything
	cargo fmt
	cd elixir && mix format
	cd elixir_demo && mix format

clean: ## remove all build output
	cargo clean
	rm -rf elixir/_build elixir/priv/portpool elixir_demo/_build elixir_demo/priv/venv
