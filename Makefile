# Every need has one command; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SOURCES := router services shards global_db deploy loadtests docshard_client plots tests
DEBIAN_POSTGRES := /usr/lib/postgresql/15/bin
# Test processes side by side: two fifths of their time is waiting, so three keep two cores busy. Tests
# of one file, and all tests of the common fleet, stay together.
TEST_PROCESSES ?= 3
# Where tests are that the version of PostgreSQL matters to.
VERSIONED := tests/integration tests/faults tests/migration
PYTEST := $(BIN)/pytest -n $(TEST_PROCESSES)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

LOCK_OPTIONS := --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --no-header --python-version 3.11 --quiet
# What the container needs of it; a test holds it to requirements.lock.
IMAGE_LOCK := deploy/container/requirements.lock

.DEFAULT_GOAL := help
.PHONY: up down clean-data test test-all test-versions torture torture-matrix check check-types check-lock check-style check-imports load bench \
	bench-quick bench-search bench-audit bench-replicas bench-planner bench-moves bench-faults bench-start bench-observability bench-sizes bench-scale bench-profile \
	help api configuration fmt lock install

help:  ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(INSTALLED)  ## Start a real local fleet in the background; repairs and upgrades one that exists.
	@$(BIN)/docshard up

down: $(INSTALLED)  ## Stop the local fleet; its data stays.
	@$(BIN)/docshard down

clean-data: $(INSTALLED)  ## Stop the local fleet and delete its data.
	@$(BIN)/docshard clean-data --confirm "$${DOCSHARD_HOME:-.docshard}"

test: test-all test-versions  ## Run all tests, and those of shards and recovery on PostgreSQL 15 too.

test-all: $(INSTALLED)
	$(PYTEST) -m "not torture"

test-versions: $(INSTALLED)
	@if [ -x $(DEBIAN_POSTGRES)/initdb ]; then \
		echo "$(PYTEST) -m versions, on PostgreSQL 15"; \
		DOCSHARD_POSTGRES=$(DEBIAN_POSTGRES) $(PYTEST) $(VERSIONED) -m "versions and not torture"; \
	elif [ -n "$$DOCSHARD_REQUIRE_ALL" ]; then \
		echo "$(DEBIAN_POSTGRES) is missing, and DOCSHARD_REQUIRE_ALL asks for it" >&2; exit 1; \
	else \
		echo "PostgreSQL 15 is not installed in $(DEBIAN_POSTGRES): tested on the wheel's alone"; \
	fi

torture-matrix: $(INSTALLED)  ## Strike moves at every step by every fault; DOCSHARD_POSTGRES says on which PostgreSQL.
	$(PYTEST) tests/faults/matrix -m "torture or not torture"

torture: $(INSTALLED)  ## Run the long rounds and the big tables.
	$(BIN)/pytest -m torture

check: check-types check-lock check-style check-imports  ## Check format, lint, types, import contracts and the lock.

check-types: $(INSTALLED)
	$(BIN)/mypy

check-style: $(INSTALLED)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

check-imports: $(INSTALLED)
	$(BIN)/lint-imports

# A fresh lock, seeded with the present one, must come out equal: newer releases change nothing,
# a changed dependency does.
check-lock: $(INSTALLED)
	@fresh=$$(mktemp) && cp requirements.lock "$$fresh" && \
		$(BIN)/uv pip compile $(LOCK_OPTIONS) --all-extras pyproject.toml -o "$$fresh" > /dev/null && \
		{ cmp -s "$$fresh" requirements.lock || \
			{ echo "requirements.lock is stale: run make lock" >&2; rm -f "$$fresh"; exit 1; }; } && \
		rm -f "$$fresh"

# What else there is: docshard load run --list. Others by LOAD="--seconds 60 --rate 50".
load: $(INSTALLED)  ## Load the running fleet by SCENARIO (smoke), print percentiles, keep a report.
	@$(BIN)/docshard load run --scenario "$${SCENARIO:-smoke}" $(LOAD)

bench: $(INSTALLED)  ## Measure the hot paths beside their peers; compare with the committed ratios.
	$(BIN)/python -m loadtests.bench

bench-quick: $(INSTALLED)  ## Print the ratios in under a minute; fail when a goal is missed.
	$(BIN)/python -m loadtests.bench --quick

bench-search: $(INSTALLED)  ## Measure every kind of list and search page at a million documents.
	$(BIN)/python -m loadtests.bench.search

api: $(INSTALLED)  ## Make openapi.json anew from the routes, and the SDK's models from it.
	$(BIN)/python -m router.openapi > openapi.json.new && mv openapi.json.new openapi.json
	$(BIN)/python -P docshard_client/generate.py

configuration: $(INSTALLED)  ## Make docs/configuration.md anew from the settings.
	$(BIN)/python -m router.configuration > docs/configuration.md.new && \
		mv docs/configuration.md.new docs/configuration.md

bench-audit: $(INSTALLED)  ## Measure what audit rows cost, and how fast they are linked.
	$(BIN)/python -m loadtests.bench.audit

bench-replicas: $(INSTALLED)  ## Measure what tokens cost and how much replicas serve.
	$(BIN)/python -m loadtests.bench.replicas

bench-moves: $(INSTALLED)  ## Measure the pause of moves, their copy rate, and batches against one by one.
	$(BIN)/python -m loadtests.bench.moves

bench-faults: $(INSTALLED)  ## Measure what faults of one shard, and slow clients, cost the others.
	$(BIN)/pytest -q tests/faults/resources/test_others_figures.py -m torture

bench-start: $(INSTALLED)  ## Measure what starting routers, workers and commands costs.
	$(BIN)/python -m loadtests.bench.start

bench-observability: $(INSTALLED)  ## Measure what figures and logs cost of a routed read.
	$(BIN)/pytest -q -s tests/acceptance/test_price_of_observing.py -m torture

bench-sizes: $(INSTALLED)  ## Measure bytes of documents and writes, memory of connections and routers.
	$(BIN)/python -m loadtests.bench.sizes

bench-profile: $(INSTALLED)  ## Show where the time of a routed read and of a page goes.
	$(BIN)/python -m loadtests.bench.profile

bench-scale: $(INSTALLED)  ## Measure what a request costs as directory, tenants and catalog grow.
	$(BIN)/python -m loadtests.bench.scale

bench-planner: $(INSTALLED)  ## Measure planning for a million clients on a thousand shards.
	$(BIN)/python -m loadtests.bench.planner

fmt: $(INSTALLED)  ## Format the code and mend what the linter can mend.
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lock: $(INSTALLED)  ## Make the locks anew from pyproject.toml.
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra build --constraint requirements.lock pyproject.toml \
		-o $(IMAGE_LOCK)

install: $(INSTALLED)

# Done again only when the lock or the project's metadata changed.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "docshard needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "installing into $(VENV) (once, and when requirements.lock changes)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@
