# One word of command. Everything a target makes, caches included, stays inside this clone.
# Needs: make, and a Python 3.11 or newer with pip. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ARGS ?=
UV_CACHE_DIR ?= $(CURDIR)/.cache/uv
export UV_CACHE_DIR
export UV_PYTHON_DOWNLOADS := never
# An activated environment elsewhere must not be written to.
unexport VIRTUAL_ENV
unexport PYTHONHOME

UV := $(shell sh tools/find-uv)
OWN_UV := .tools/bin/uv
VENV = .venv
BIN := $(VENV)/bin
BENCH_VENV = .venv-bench
PINNED := pyproject.toml constraints.txt
CODE = $(wildcard src tests tools examples benchmarks)
FAST_TESTS = $(wildcard tests/unit tests/property tests/packaging)
SLOW_TESTS = $(filter-out $(FAST_TESTS),$(patsubst %/,%,$(wildcard tests/*/)))
SPEED_TEST = tests/integration/test_speed.py
# Whether these have just passed, in `make check` and this environment, and nothing has changed since.
STAMP := .cache/fast-tests$(VENV:.venv%=%)
PASSED = $(if $(ARGS),,$(shell test -f $(STAMP) && ! find $(CODE) docs *.md $(PINNED) -type f ! -name '*.pyc' \
	-newer $(STAMP) | grep -q . && echo yes))
PYTEST = $(BIN)/python -m pytest
AT_ONCE = -n 2
# A file stays on one worker, with its servers. In their order: the files of few and long tests are not left to the end.
BY_FILE = --dist loadfile --no-loadscope-reorder

.PHONY: help sync demo check test test-python coverage mutants soak drills bench bench-python docs docs-check format lint types layers fast-tests constraints clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

sync: $(VENV)/.synced ## make .venv with everything needed to work here
demo: $(VENV)/.gear ## show it protecting real traffic (ARGS="--seconds 10")
	$(BIN)/switchgear demo --folder .cache/demo/$$(date +%Y%m%d-%H%M%S) $(ARGS)

check: format lint types layers docs-check fast-tests ## format, lint, types, layers, docs, unit and property tests

test: $(VENV)/.synced ## every test, real servers included (ARGS="-k breaker")
	$(PYTEST) $(AT_ONCE) $(FAST_TESTS) $(if $(PASSED),-m packaging) $(ARGS) || test $$? = 5 # 5: none of them was asked for
	$(PYTEST) $(AT_ONCE) $(BY_FILE) $(SLOW_TESTS) $(ARGS) --ignore=$(SPEED_TEST) || test $$? = 5
	$(PYTEST) $(SPEED_TEST) $(ARGS) || test $$? = 5 # by itself: it measures

# Its own environment, the same pins, the same tests: what is promised of other versions is tried by this.
test-python: ## every test on another Python, in an environment of its own (PYTHON=3.13)
	@test -n "$(PYTHON)" || { echo 'Say which: make test-python PYTHON=3.13, or PYTHON=/path/to/python' >&2; exit 1; }
	python="$$(sh tools/find-python)" && version="$$("$$python" -c 'import platform; print(platform.python_version())')" && \
	$(MAKE) test VENV=".venv-$$version" PYTHON="$$python"

coverage: $(VENV)/.synced ## unit and property tests with the lines and branches they miss
	$(BIN)/coverage run -m pytest $(FAST_TESTS) -m "not packaging"
	$(BIN)/coverage report

mutants: $(VENV)/.synced ## change one thing at a time in core and policies; what no test notices survives (ARGS="policies/retry")
	$(BIN)/python -m tools.mutants $(ARGS)

soak: $(VENV)/.synced ## kill -9 the engine 200 times and judge what is left (ARGS="--rounds 20 --seed 7")
	$(BIN)/python -m tools.kill_rounds $(ARGS)

drills: $(VENV)/.synced ## break what destructive operations rest on 1,000 times, and judge what was destroyed (ARGS="--runs 100 --seed 7")
	$(BIN)/python -m tools.outage_drills $(ARGS)

bench: $(BENCH_VENV)/.synced ## this project beside its peers, in one run
	$(BENCH_VENV)/bin/python -m benchmarks $(ARGS)

# How fast it is rests on how the interpreter was built, too.
bench-python: ## the same on another Python, in an environment of its own (PYTHON=/usr/bin/python3)
	@test -n "$(PYTHON)" || { echo 'Say which: make bench-python PYTHON=3.13, or PYTHON=/path/to/python' >&2; exit 1; }
	python="$$(sh tools/find-python)" && version="$$("$$python" -c 'import platform; print(platform.python_version())')" && \
	$(MAKE) bench BENCH_VENV=".venv-bench-$$version" PYTHON="$$python"

docs: $(VENV)/.synced ## write the generated reference pages
	$(if $(wildcard tools/generate_docs.py),$(BIN)/python -m tools.generate_docs,@echo "No page is generated yet.")

docs-check: $(VENV)/.synced
	$(if $(wildcard tools/generate_docs.py),$(BIN)/python -m tools.generate_docs --check,@echo "No page is generated yet.")

format: $(VENV)/.synced
	$(BIN)/ruff format --check $(CODE)

lint: $(VENV)/.synced
	$(BIN)/ruff check $(CODE)

types: $(VENV)/.synced
	$(BIN)/mypy $(CODE)

layers: $(VENV)/.synced
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	$(BIN)/python -m tools.import_laws

fast-tests: $(VENV)/.synced
	$(PYTEST) $(AT_ONCE) $(FAST_TESTS) -m "not packaging" $(ARGS)
	$(if $(ARGS),,@touch $(STAMP))

# Environments. A stamp is older than what it was made from only when there is something to do.
$(VENV)/.synced: $(PINNED) tools/find-python | $(UV)
	python="$$(sh tools/find-python)" && $(UV) venv --quiet --allow-existing --python "$$python" $(VENV)
	$(UV) pip install --python $(VENV) --exact -e '.[gear]' --group dev -c constraints.txt
	touch $(VENV)/.gear $@

# What a user needs, without the tools of a developer. Never removes those.
$(VENV)/.gear: $(PINNED) tools/find-python | $(UV)
	python="$$(sh tools/find-python)" && $(UV) venv --quiet --allow-existing --python "$$python" $(VENV)
	$(UV) pip install --python $(VENV) -e '.[gear]' -c constraints.txt
	touch $@

$(BENCH_VENV)/.synced: pyproject.toml constraints-bench.txt tools/find-python | $(UV)
	python="$$(sh tools/find-python)" && $(UV) venv --quiet --allow-existing --python "$$python" $(BENCH_VENV)
	$(UV) pip install --python $(BENCH_VENV) --exact -e '.[gear]' --group bench -c constraints-bench.txt
	touch $@

$(OWN_UV):
	python="$$(sh tools/find-python)" && "$$python" -m pip install --quiet --no-cache-dir --disable-pip-version-check --target .tools -c constraints.txt uv

constraints: | $(UV) ## choose the pinned versions anew (ARGS="--upgrade")
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --extra gear --group dev \
	  --no-header --no-annotate --no-emit-index-url --quiet $(ARGS) -o constraints.txt
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --extra gear --group bench \
	  --no-header --no-annotate --no-emit-index-url --quiet $(ARGS) -o constraints-bench.txt

clean: ## remove caches and everything built
	rm -rf .cache .hypothesis .coverage build dist
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## clean, and remove the environments too
	rm -rf .venv .venv-* .tools
