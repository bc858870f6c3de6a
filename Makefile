# The commands of the project. Python's tools live in .venv, which the first command makes, and makes anew where PYTHON
# is another version than the one in it.
#
#   make demo        the main job, from a bare machine to out/report.html, .pdf, .docx, out/results.json and the notebook
#   make test        every check
#   make quick       the loop while working: fmt, clippy, the tests of one Rust file (T=ols) and one Python room (P=test_ols.py)
#   make docs        the documentation, with what its code gives, to site/index.html
#   make rust        the tests of the core and of the evidence; needs no Python
#   make bench       cargo bench
#   make bench-frames what users wait for from a data frame, written to docs/benchmarks-frames.md
#   make bench-peers ratios against other packages, in one run, written to docs/benchmarks.md and docs/benchmarks-power.md
#   make package     the packed crate, and its own tests out of the package
#   make floors      the Python tests with the oldest dependencies allowed
#   make reference   the reference values again, from R
#   make evidence    the simulations of docs/evidence again, about half an hour on two cores; one topic alone: TOPIC=few
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
export PYO3_PYTHON := $(BIN)/python
export CARGO_TARGET_DIR := $(TARGET)
# Notebooks show their figures with the backend of their kernel; only the tests name one, which needs no screen.
unexport MPLBACKEND
# maturin installs into the environment that is activated: here, always into ours.
export VIRTUAL_ENV := $(VENV)
unexport CONDA_PREFIX PYTHONHOME PYTHONPATH

.PHONY: demo test quick setup lint rust python types docs notebooks bench bench-frames bench-peers package floors reference evidence clean

# What extension modules are named by: version, threads and platform, so that an environment of any other Python shows.
TAG := import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))
WANTED := $(shell $(PYTHON) -c '$(TAG)' 2>/dev/null)
FOUND := $(shell $(BIN)/python -c '$(TAG)' 2>/dev/null)
ifneq ($(WANTED),)
ifneq ($(WANTED),$(FOUND))
.PHONY: $(BIN)/python
endif
endif

$(BIN)/python:
	rm -rf $(VENV)
	@# Debian splits pip out of venv: without it, the pip that is there installs into the new environment.
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install -q pip; }
	$(BIN)/python -m pip install -q --upgrade pip

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q --group demo
	@touch $@

$(VENV)/.tools: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q "maturin>=1.9.4,<2" --group test --group demo --group docs
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/python -m pip install -q '.[pdf,word]'
	mkdir -p out
	$(BIN)/python -m jupytext --to ipynb --execute --run-path . --output out/project_crewe.ipynb examples/project_crewe.py
	@$(BIN)/python tests/count_figures.py out/project_crewe.ipynb 14
	@echo "The report is out/report.html, out/report.pdf and out/report.docx, its numbers are out/results.json,"
	@echo "and the executed notebook is out/project_crewe.ipynb."

setup: $(VENV)/.tools
	$(BIN)/maturin develop -q

# One Rust test file and one room of the Python tests, with the build of the package that is there.
T ?= ols
P ?= test_ols.py
quick:
	cargo fmt --all
	cargo clippy --quiet --lib --test $(T) -- -D warnings
	cargo test --quiet --test $(T)
	MPLBACKEND=agg PYTHONPATH=python $(or $(wildcard $(BIN)/python),$(PYTHON)) -m pytest -q -x tests/python/$(P)

test: lint rust python types notebooks docs
	@echo "Every check passed."

lint: $(VENV)/.tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo clippy --no-default-features --all-targets --quiet -- -D warnings
	$(BIN)/ruff check -q python tests benches examples docs
	$(BIN)/ruff format -q --check python tests benches examples docs
	$(BIN)/python tests/house.py
	@# The packed crate must hold what its tests read, and nothing of Python.
	cargo package --list --allow-dirty --quiet > $(TARGET)/packed.txt 2>/dev/null
	grep -qx tests/common/mod.rs $(TARGET)/packed.txt && grep -qx tests/reference/expected/ols.json $(TARGET)/packed.txt
	! grep -v '^tests/reference/' $(TARGET)/packed.txt | grep -E '\.py$$|^\.?venv'

rust:
	cargo test --quiet
	cargo test --quiet -p crewe-evidence
	@# Every bench once: without --bench, divan only tests that they run.
	cargo test --quiet --bench '*'
	@# The core without the ledger compiles for WebAssembly. In a browser the application chooses where randomness
	@# comes from, so this names no source.
	@for target in wasm32-wasip1 wasm32-unknown-unknown; do \
		if rustc --print target-libdir --target $$target 2>/dev/null | xargs test -d; then \
			case $$target in *unknown-unknown) flags='--cfg getrandom_backend="unsupported"';; *) flags=;; esac; \
			RUSTFLAGS="$$flags" cargo check --quiet --no-default-features --target $$target || exit 1; \
		else \
			echo "NOTE: $$target was not checked, for it is not installed (rustup target add $$target)."; \
		fi; \
	done

python: setup
	MPLBACKEND=agg $(BIN)/python -m pytest -q -n 2
	MPLBACKEND=agg $(BIN)/python -m pytest -q --doctest-modules python/crewe
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		echo "NOTE: the browser checks of the report were skipped, for there is no chromium on this machine."
	@test -n "$$CREWE_REFERENCE_DATA" || \
		echo "NOTE: the Dickinson counties were not checked, for CREWE_REFERENCE_DATA names no folder that holds them."

types: setup
	cd python && $(BIN)/mypy
	@# What they must refuse.
	cd python && $(BIN)/mypy ../tests/typing/words.py
	cd python && $(BIN)/python -m mypy.stubtest crewe._core --ignore-disjoint-bases --allowlist stubs_allowlist.txt \
		--mypy-config-file ../pyproject.toml
	$(BIN)/pyright --pythonpath $(BIN)/python

notebooks: setup
	mkdir -p out
	for name in project_crewe enrol; do \
		$(BIN)/python -m jupytext --to ipynb --execute --run-path . --output out/$$name.ipynb examples/$$name.py || exit 1; \
	done
	$(BIN)/python tests/count_figures.py out/project_crewe.ipynb 14

docs: setup
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet
	@# Every page is run, and what came out written beside its code; then the site, whose links must lead somewhere.
	$(BIN)/python docs/make
	PYTHONPATH=docs/make $(BIN)/zensical build --strict --clean
	$(BIN)/python docs/make check

bench:
	cargo bench

# lifelines holds pandas back, so the survival peers have an environment of their own.
BENCH_VENV := $(CURDIR)/.venv-bench

$(BENCH_VENV)/.peers: $(BIN)/python pyproject.toml
	rm -rf $(BENCH_VENV)
	$(PYTHON) -m venv --without-pip $(BENCH_VENV)
	$(BIN)/python -m pip --python $(BENCH_VENV)/bin/python install -q --group bench-survival
	@touch $@

bench-peers: $(VENV)/.tools $(BENCH_VENV)/.peers
	$(BIN)/python -m pip install -q --group bench
	$(BIN)/maturin develop -q --release
	rm -rf $(TARGET)/bench
	$(BIN)/maturin build -q --release --out $(TARGET)/bench
	$(BIN)/python -m pip --python $(BENCH_VENV)/bin/python install -q --force-reinstall --no-deps $(TARGET)/bench/*.whl
	$(BIN)/python -m pip --python $(BENCH_VENV)/bin/python install -q $(TARGET)/bench/*.whl
	$(BIN)/python benches/peers/run.py $(BENCH_VENV)/bin/python
	$(BIN)/python benches/peers/power.py

bench-frames: setup
	$(BIN)/maturin develop -q --release
	$(BIN)/python benches/frames.py > docs/benchmarks-frames.md
	@cat docs/benchmarks-frames.md

package:
	cargo package --quiet --no-verify --allow-dirty
	rm -rf $(TARGET)/package/unpacked && mkdir -p $(TARGET)/package/unpacked
	tar xf $(TARGET)/package/crewe-*.crate -C $(TARGET)/package/unpacked --strip-components 1
	cd $(TARGET)/package/unpacked && cargo test --quiet

# A Python for which the oldest numpy has wheels.
OLD_PYTHON ?= python3.10
OLDEST := import re, sys; print(*re.findall(r"(?m)^  .([\w-]+>=[\d.]+)", sys.stdin.read().split("[dependency-groups]")[0]))
floors: setup
	rm -rf $(TARGET)/floors
	$(OLD_PYTHON) -m venv $(TARGET)/floors
	$(TARGET)/floors/bin/python -m pip install -q $$($(BIN)/python -c '$(OLDEST)' < pyproject.toml | sed 's/>=/==/g') \
		pytest hypothesis polars pyarrow duckdb
	PYTHONPATH=python $(TARGET)/floors/bin/python -m pytest -q -p no:cacheprovider tests/python

reference:
	for script in tests/reference/*.R; do Rscript $$script || exit 1; done

# All topics, or one alone: make evidence TOPIC=few. Its cells can be run in parts, PART=3/15, and put together, JOIN=15, so
# that what breaks off loses a part only.
ONLY := $(if $(TOPIC),--topic $(TOPIC) $(if $(PART),--part $(PART)) $(if $(JOIN),--join $(JOIN)))
evidence: $(if $(TOPIC),,setup)
	cargo run --release --quiet -p crewe-evidence -- --out docs/evidence $(ONLY)
	@# What results quote of few clusters.
	cp docs/evidence/few.tsv src/inference/few.tsv
ifeq ($(TOPIC),)
	CREWE_TABLES=100 $(BIN)/python -m pytest -q -k no_reader_bounds tests/python/test_disclosure.py
	CREWE_EVIDENCE_FULL=1 cargo test --release --quiet -p crewe-evidence
	CREWE_LEDGER_FULL=1 cargo test --release --quiet -p crewe --test ledger_torture > $(TARGET)/ledger.txt
	mv $(TARGET)/ledger.txt docs/evidence/ledger.txt
	cargo run --release --quiet -p crewe-evidence -- --out docs/evidence --pages
	PYTHONPATH=python $(BIN)/python tests/evidence_power.py
endif

clean:
	rm -rf $(VENV) $(BENCH_VENV) out site
