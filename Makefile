# Every target sets up first what it needs; nothing here needs root or Docker.
.DEFAULT_GOAL := help

# The first of these that is new enough makes the virtual environment.
PYTHONS ?= python3 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(VENV)/bin
# Each done once, and again when what it is made from changes.
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
# Test processes: each brings a PostgreSQL of its own.
WORKERS ?= 2
PYTEST_ARGS ?=
# uv trusts the system's certificates, as pip does, not only those it brings.
export UV_SYSTEM_CERTS := 1

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock' $(LOCK_ARGS)

.PHONY: help setup demo test check serve bench format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Make .venv from the hash-pinned requirements (part of the others)

demo: $(READY) ## Deploy, score, update, roll back and delete a real model, end to end
	$(BIN)/slipway demo

test: $(READY) ## Run every test, on real PostgreSQL and real processes
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

check: $(READY) ## Check format, lint, types, import contracts and the house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/house $(PYTEST_ARGS)

serve: $(READY) ## Run the API, a worker and PostgreSQL in one process, until Ctrl-C
	$(BIN)/slipway serve

bench: $(READY) ## Print the figures of the design as ratios of one run
	$(BIN)/python -m bench

format: $(READY) ## Put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What ships is what was tested: the other files are held to dev.txt's versions.
# LOCK_ARGS=--upgrade moves everything to the newest that pyproject.toml admits.
lock: $(READY) ## Write requirements/*.txt anew from pyproject.toml
	$(UV_COMPILE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(UV_COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	$(UV_COMPILE) pyproject.toml -c requirements/dev.txt \
		--extra embedded --extra worker -o requirements/worker.txt
	$(UV_COMPILE) --group build -c requirements/dev.txt \
		-o requirements/build.txt

clean: ## Remove the virtual environment and everything generated
	rm -rf $(VENV) build dist .coverage* .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Hashes are checked by uv and by pip alike. pip is slower and stands in for uv
# where that cannot run or cannot reach the index.
$(INSTALLED): requirements/build.txt requirements/dev.txt
	@for python in $(PYTHONS); do \
		if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
			2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
		echo "Slipway needs Python 3.11, 3.12 or 3.13, and none of these is one:" \
			"$(PYTHONS). Name yours: make setup PYTHONS=/path/to/python3.13" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version)"; \
	$$found -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements/build.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes \
		-r requirements/dev.txt || { \
		echo "uv could not; pip takes about ninety seconds." >&2; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--require-hashes -r requirements/dev.txt; }
	@touch $@

# The environment stays as it is; only the project's own metadata is read again.
$(READY): $(INSTALLED) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-index --no-build-isolation --editable .
	@touch $@
