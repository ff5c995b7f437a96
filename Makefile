# fallline: `make compare` runs the main job, `make test` everything that a change must pass.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
BENCH_VENV := .venv-bench

# Real data beside the repository is found without being named.
ifneq ($(wildcard ../shared/data),)
export FALLLINE_DATA ?= $(abspath ../shared/data)
endif

.PHONY: compare reproduce test test-all lint check bench docs lock proofs clean

compare: $(INSTALLED)
	@$(BIN)/fallline compare digits-mlp

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEVELOPED): pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(INSTALLED)

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(DEVELOPED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BENCH_VENV)/.installed: benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

BENCHMARKS := steps study roofline breakdown scaling gpu compare_peers cold_start reproductions \
	validity
PAGE = docs/performance.md
WITH_PEERS := steps study roofline breakdown compare_peers

# One of them: make bench-steps. With options: make bench-steps BENCH='--cases mlp-32 --rounds 3'.
bench: $(BENCHMARKS:%=bench-%)

.PHONY: $(BENCHMARKS:%=bench-%)
$(BENCHMARKS:%=bench-%): bench-%: $(INSTALLED)
	$(BIN)/python benchmarks/$*.py $(PEERS) --table $(PAGE) $(BENCH)

$(WITH_PEERS:%=bench-%): $(BENCH_VENV)/.installed
bench-reproductions: BENCH += --docs docs/studies
bench-validity: PAGE = docs/validity.md
$(WITH_PEERS:%=bench-%): PEERS = --peers-python $(BENCH_VENV)/bin/python

# The five studies in minutes, each with its report.
reproduce: $(INSTALLED)
	$(BIN)/fallline reproduce all --quick --quiet

# Damaged input for every reader, 100,000 each; with options: make fuzz FUZZ='csv --seed 1'.
.PHONY: fuzz
fuzz: $(INSTALLED)
	$(BIN)/python benchmarks/fuzz.py $(FUZZ)

# Inputs led by the code that they reach, for the readers of IDX, CSV and study folders.
GUIDED_VENV := .venv-guided

$(GUIDED_VENV)/.installed: benchmarks/requirements-guided.txt pyproject.toml
	$(PYTHON) -m venv $(GUIDED_VENV)
	$(GUIDED_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $< --editable .
	@touch $@

.PHONY: fuzz-guided
fuzz-guided: $(GUIDED_VENV)/.installed
	$(GUIDED_VENV)/bin/python benchmarks/fuzz_guided.py $(FUZZ)

# Faults that really happen to studies, 8 minutes; with options: make faults FAULTS='kills'.
.PHONY: faults
faults: $(INSTALLED)
	$(BIN)/python benchmarks/faults.py $(FAULTS)

# All of it, and what keeping costs, for docs/reliability.md: an hour. What fails is on the page.
.PHONY: reliability
reliability: $(INSTALLED) $(GUIDED_VENV)/.installed
	-$(BIN)/python benchmarks/faults.py
	-$(BIN)/python benchmarks/fuzz.py --json $(FUZZED)
	-$(GUIDED_VENV)/bin/python benchmarks/fuzz_guided.py --json $(FUZZED)
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/reliability.py

FUZZED = benchmarks/results/fuzz.json

# What the optimizers' tests compare them with, for their pages.
proofs: $(DEVELOPED)
	$(BIN)/python docs/proofs.py

docs: $(DEVELOPED)
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/dependencies.py

# The newest versions that pyproject.toml allows, with the checksums of their files. Needs uv.
LOCKED = uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock'

lock:
	$(LOCKED) --output-file requirements.lock
	$(LOCKED) --extra dev --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(GUIDED_VENV) build .pytest_cache .mypy_cache .ruff_cache
