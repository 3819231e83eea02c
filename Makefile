# `make` alone prints this list. Variables pass through: make demo DURATION=20s ARGS="--json"
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: help
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/ready ## a virtual environment in .venv with the hash-pinned dependencies

# uv installs the pinned set in seconds; it is itself pinned and lives in a corner of the same environment. Everything
# is told on stderr, so that what a command prints on stdout is the command's alone.
define environment
	@test -n "$(PYTHON)" || { echo "strikewire needs Python 3.11, 3.12 or 3.13 on the PATH" >&2; exit 2; }
	@echo "setting up $(@D) (once)" >&2
	@$(PYTHON) -m venv $(@D) >&2
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt >&2
	@$(@D)/bin/uv pip sync --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes requirements/bootstrap.txt $(1) >&2
	@$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation --editable . >&2
	@touch $@
endef

.venv/ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	$(call environment,requirements/dev.txt)

# The peers that benchmarks measure against stay out of the environment that is developed and tested in.
.venv-bench/ready: requirements/bootstrap.txt requirements/bench.txt pyproject.toml
	$(call environment,requirements/bench.txt)

.PHONY: demo
demo: setup ## live alerts from a seeded market, no account and no network: DURATION=20s ARGS="--json"
	@$(BIN)/strikewire demo $(if $(DURATION),--duration $(DURATION)) $(ARGS)

.PHONY: test
# One file of tests stays in one process, since an embedded warehouse belongs to one. Files are taken in their order: the
# services come early, and what is left at the end is short.
test: setup ## every test; a missing service is skipped, or a failure with REQUIRE_SERVICES=1: ARGS="-k sweep"
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: check
check: setup ## format, lint, types and the plan of the house; under a minute
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/architecture

.PHONY: bench
bench: .venv-bench/ready ## ratios against named peers, into bench/results.json: ONLY=replay_trades_per_s
	@.venv-bench/bin/python -m bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

.PHONY: requirements
requirements: setup ## pin pyproject.toml's dependencies again, by hash: ARGS=--upgrade for newer ones
	@for set in "runtime " "dev --group dev" "bench --group dev --group bench"; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(ARGS) \
			pyproject.toml $${set#* } --output-file requirements/$${set%% *}.txt >/dev/null || exit 1; \
	done

.PHONY: kafka
kafka: .venv/ready ## a Kafka broker on 127.0.0.1:9092, in the foreground (ARGS="--port N")
	@$(BIN)/python -m deploy.kafka.broker $(ARGS)

.PHONY: torture
torture: .venv/ready ## kill -9 the whole chain N times under load, then count what is lost or doubled (N=20)
	@$(BIN)/python -m tests.torture $(if $(N),--kills $(N)) $(ARGS)

.PHONY: campaign
campaign: .venv/ready ## N sessions with bad days drawn from a seed; every event accounted for, replay equal (N=200)
	@$(BIN)/python -m tests.simulation.campaign $(if $(N),--sessions $(N)) $(ARGS)

.PHONY: up
up: setup ## Kafka, warehouse, Redis, gateway on the stand-in, agents, sink: ARGS="--speed 5 --agents 4"
	@$(BIN)/python deploy/local.py up $(ARGS)

.PHONY: down
down: ## end what `make up` started
	@$(BIN)/python deploy/local.py down $(ARGS)
