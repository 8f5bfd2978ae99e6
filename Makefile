# Every target installs what is missing first (scripts/bootstrap), so a fresh clone needs nothing by hand.
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--exclude-newer '7 days' --custom-compile-command 'make requirements'

.DEFAULT_GOAL := help
.PHONY: help bootstrap chaos demo serve test lint format bench fuzz requirements clean screenshots

help: ## show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 24

bootstrap: ## install what is missing: Debian packages and .venv
	@scripts/bootstrap

demo: bootstrap ## run one task from prompt to pull request on a temporary server
	@$(BIN)/journeyman demo $(ARGS)

serve: bootstrap ## start the server (ARGS="--port 8080")
	@$(BIN)/journeyman serve $(ARGS)

test: lint ## lint, then run every test
	@scripts/bootstrap system postgres browser npm oauth containers machines $(if $(CI),ssh)
	@$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

chaos: bootstrap ## kill and stop processes at random while tasks run (CHAOS_TASKS=200 CHAOS_FAULTS=24)
	@scripts/bootstrap system postgres npm
	@CHAOS_TASKS=$(or $(CHAOS_TASKS),200) CHAOS_FAULTS=$(or $(CHAOS_FAULTS),24) CHAOS_WORKERS=$(or $(CHAOS_WORKERS),4) \
		$(BIN)/python -m pytest -rP tests/e2e/test_chaos.py $(ARGS)

lint: bootstrap ## check format, style, types and layers; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

format: bootstrap ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

bench: bootstrap ## measure and print a table
	@scripts/bootstrap system postgres
	@$(BIN)/python -m benchmarks $(ARGS)

fuzz: bootstrap ## make 10,000 requests up from the API's description and check every answer
	@FUZZ_CASES=10000 $(BIN)/python -m pytest --quiet --timeout=0 tests/conformance/test_fuzz.py $(ARGS)

screenshots: bootstrap ## make the pictures of the dashboard in docs/pictures
	@scripts/bootstrap system browser
	@$(BIN)/python -m tests.browser.screenshots

requirements: bootstrap ## pin again, to releases at least a week old (ARGS=--upgrade for newer ones)
	@$(COMPILE) $(ARGS) pyproject.toml -o requirements/runtime.txt
	@$(COMPILE) $(ARGS) pyproject.toml requirements/dev.in -c requirements/runtime.txt -o requirements/dev.txt

clean: ## remove .venv, caches and build results
	@rm -rf .cache .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
