# The few commands people type. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

# Tests start processes by the hundred: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo up lab lab-down lab-binary lint check test test-long test-train test-all bench bench-throughput bench-faults table protos charts schemas constraints base-image images audit test-images clean

help: ## what can be typed here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

install: $(STAMP) ## one environment, .venv, for everything but training

$(STAMP): constraints/development.txt pyproject.toml
	@echo "Installing what constraints/development.txt pins into $(VENV): 1 GB, 2 to 3 minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints/development.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: $(STAMP) ## the mesh at work on recorded input: scores, latencies, failures
	$(BIN)/berth demo

up: $(STAMP) ## the mesh on this machine, until Ctrl-C
	$(BIN)/berth up

lab: $(STAMP) ## a Kubernetes control plane on this machine, in the background; see tests/lab/README.md
	$(BIN)/python -m tests.lab up

lab-down: $(STAMP) ## end it
	$(BIN)/python -m tests.lab down

lint: $(STAMP) ## lint, types, floors, stubs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m protos.generate --check
	$(BIN)/python -m charts.schema --check

HERE := not long and not train and not images
# Two at once (tests/conftest.py says what stays together, and what comes first); what measures time or memory runs by itself.
# Not by their number of tests: the lab's faults, few and long, would come last and leave one worker idle. A third worker saves
# half a minute, and now and then a pod's call takes 200 ms.
TWO := --numprocesses 2 --no-loadscope-reorder

check: lint ## that, and fast tests: under a minute
	$(PYTEST) -q $(TWO) -m "not mesh and not lab and not process and not timed and $(HERE)"

lab-binary: $(STAMP)
	$(BIN)/python -m tests.lab.build all

test: $(STAMP) ## that, and each promise once on a real mesh and control plane: 6 to 8 minutes, and 8 more to build the lab once
	$(MAKE) --jobs 2 lint lab-binary
	$(PYTEST) $(TWO) -m "not timed and $(HERE)"
	$(PYTEST) -m "timed and $(HERE)"

test-long: $(STAMP) ## full lengths, repeats, and what needs a mesh or a cluster of its own: half an hour
	$(PYTEST) $(TWO) -m "long and not timed and not train"
	$(PYTEST) -m "long and timed and not train"

# Torch is 5 GB: its own environment, made when asked for.
TRAIN := .venv-train
$(TRAIN)/.installed: constraints/training.txt pyproject.toml
	@echo "Installing what constraints/training.txt pins into $(TRAIN): 6 GB, 2 to 4 minutes, once."
	$(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints/training.txt
	$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(TRAIN)/.installed

test-train: $(TRAIN)/.installed ## what needs torch
	$(TRAIN)/bin/python -m pytest -m train

test-all: test test-long test-train ## every tier

bench: $(STAMP) ## latencies, side by side; results in benchmarks/results
	$(BIN)/python -m benchmarks.latency --nodes 100,1000,5000 --json benchmarks/results/latency.json
	$(MAKE) table

ONE_CORE := noop-go,noop-fastapi,berth-off,berth-shadow,berth-active,berth-active-new-snapshots
bench-throughput: $(STAMP) ## pods a second with real kube-scheduler, over an hour; results in benchmarks/results
	$(BIN)/python -m benchmarks.throughput --json benchmarks/results/throughput.json --plot benchmarks/results/throughput.svg
	$(BIN)/python -m benchmarks.throughput --one-core --setups $(ONE_CORE) --json benchmarks/results/throughput-one-core.json
	$(MAKE) table

bench-faults: $(STAMP) ## what faults cost a stream of pods with real kube-scheduler, 5 minutes; results in benchmarks/results
	BERTH_RESULTS=1 $(PYTEST) -m long tests/lab/test_faults.py
	$(MAKE) table

table: $(STAMP) ## the documents' tables from benchmarks/results
	$(BIN)/python -m benchmarks.table

charts: $(STAMP) ## the charts with their dependencies, packed into dist/
	$(BIN)/python -m tests.charts.pack dist

schemas: $(STAMP) ## the charts' values.schema.json, again
	$(BIN)/python -m charts.schema

protos: $(STAMP) ## the committed stubs, again
	$(BIN)/python -m protos.generate

UV_COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --quiet --custom-compile-command "make constraints"
constraints: ## pinned requirements with hashes, again (needs uv)
	$(UV_COMPILE) --extra extender --extra telemetry --extra cli --extra evaluation --extra benchmarks --extra check \
		-o constraints/development.txt
	$(UV_COMPILE) --extra extender --extra telemetry --extra training --extra benchmarks --extra check \
		-o constraints/training.txt
	$(UV_COMPILE) --extra audit -o constraints/audit.txt
	for image in $(IMAGES); do $(UV_COMPILE) --constraint constraints/development.txt --extra $$image \
		-o constraints/$$image.txt; done

# Images; images/README.md says what is in them.
IMAGES := extender telemetry load-predictor placement-scorer anomaly-detector

base-image: ## berth-base:bookworm from Debian's packages, in place of python:3.11-slim (root; needs debootstrap)
	images/base/build

WHEELS := images/wheels/.complete
$(WHEELS): $(IMAGES:%=constraints/%.txt)
	@echo "Downloading what the images install into images/wheels: 190 MB, once; building them needs no index then."
	PYTHON=$(PYTHON) images/fetch $(IMAGES)

images: $(WHEELS) ## every image that docker-compose.yml names, and their sizes
	images/build $(IMAGES)

AUDIT := .venv-audit
$(AUDIT)/.installed: constraints/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints/audit.txt
	touch $(AUDIT)/.installed

audit: $(STAMP) $(AUDIT)/.installed ## of each image: bill of materials (CycloneDX), licences, known weaknesses; into dist/audit
	PYTHON=$(BIN)/python TOOLS=$(AUDIT)/bin images/audit $(IMAGES)

ENGINE := docker.io iptables debootstrap docker-compose
test-images: $(STAMP) ## images and docker-compose.yml with a real engine, as root (Debian's packages are installed)
	-@test "$$(id -u)" != 0 || { command -v dockerd debootstrap && { docker compose version || command -v docker-compose; }; } \
		>/dev/null 2>&1 || apt-get install --quiet --yes --no-install-recommends $(ENGINE)
	$(PYTEST) -m images

clean: ## remove what was made here
	rm -rf $(VENV) $(TRAIN) $(AUDIT) dist .berth .prometheus .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache images/wheels/*.whl $(WHEELS) .env
