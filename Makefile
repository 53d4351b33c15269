# Everything starts from here; `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The tests wait for the disk and for browsers more than they compute: twice as many workers as cores fill the gaps.
PYTEST := $(BIN)/python -m pytest -n 4 --dist worksteal
# What no fast test is in need not be read.
FAST := $(addprefix tests/,domain simulator services)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast storm sync-soak benchmarks check format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## Install everything into .venv (git, make and python3 >= 3.11 suffice)

$(STAMP): pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $(STAMP)

demo: $(STAMP) ## Play a day at a shop against the simulator and stay up (ONCE=1: end after the comparison)
	@$(BIN)/wecom-app demo $(if $(ONCE),--once)

test: $(STAMP) ## Run all tests (on PostgreSQL too where TEST_POSTGRES_URL is set)
	@sh scripts/browser.sh
	$(PYTEST) -q

test-fast: $(STAMP) ## Run the fast tests: the rules, the simulator, the services on SQLite
	$(PYTEST) -n 2 -q -m fast $(FAST)

storm: $(STAMP) ## Kill the application ten times under 2,000 scans and judge both ledgers
	STORM_SCANS=2000 STORM_KILLS=10 $(BIN)/python -m pytest -q tests/flows/test_storm.py

sync-soak: $(STAMP) ## Play 5,000 histories of marks and 1,000 of the tag library (SYNC_SOAK_EXAMPLES=n, SYNC_SOAK_DEFINITIONS=n, SYNC_SOAK_WORKERS=n processes); goes on where it was stopped
	$(BIN)/python -m tests.stateful.soak

benchmarks: $(STAMP) ## Run every benchmark and print its figures (FULL=1: the last two at full size)
	@for name in intake end_to_end welcome_delay idle_memory recommendations profile my_customers on_demand full_pull push; do $(BIN)/python -m benchmarks.$$name || exit 1; done

check: $(STAMP) ## Style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment and what runs leave behind
	rm -rf $(VENV) var dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
