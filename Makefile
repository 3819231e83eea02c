# `make` alone prints this list. Variables pass through: make demo DURATION=20s ARGS="--json"
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: help
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/ready ## a virtual environment in .venv with the hash-pinned dependencies

# uv installs the pinned set in seconds; it is itself pinned and lives in a corner of the same environment.
.venv/ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "strikewire needs Python 3.11, 3.12 or 3.13 on the PATH" >&2; exit 2; }
	@echo "setting up .venv (once)" >&2
	@$(PYTHON) -m venv .venv >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt >&2
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/bootstrap.txt requirements/dev.txt >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . >&2
	@touch $@

.PHONY: kafka
kafka: .venv/ready ## a Kafka broker on 127.0.0.1:9092, in the foreground (ARGS="--port N")
	@$(BIN)/python -m deploy.kafka.broker $(ARGS)
