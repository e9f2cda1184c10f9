# Two commands do everything: `make demo` sets up and runs the main job, `make test` sets up and passes the tests.
# Python 3.11 or newer and make are all that must be there. A virtual environment is made in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
SEED ?= $(shell date +%s)

.PHONY: demo test check soak golden bench clean

demo: $(VENV)/runs
	@$(BIN)/digest-mailer demo

test: $(VENV)/tests
	@$(BIN)/python -m pytest

check: $(VENV)/tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/unit

# The property tests at high counts, and hundreds of kills; the seed that it prints repeats a run: make soak SEED=1
soak: $(VENV)/tests
	@echo "seed $(SEED)"
	$(BIN)/python -m pytest tests/unit tests/integration -m hypothesis --hypothesis-profile=soak --hypothesis-seed=$(SEED) -p no:randomly -p no:cacheprovider
	$(BIN)/python -m pytest tests/integration/test_crash.py --hypothesis-profile=soak -p no:randomly -p no:cacheprovider -s

# What the golden editions of the tests became; asks before it accepts, or takes everything: make golden ACCEPT=1
golden: $(VENV)/tests
	@PYTHONPATH=tests $(BIN)/python tests/golden_support.py $(if $(ACCEPT),--accept)

# How fast: rendering beside a loop that tells how fast this machine is at the moment, segments, drafts from feeds,
# imports, delivery beside other senders.
# The last takes half an hour; less of it: make bench DELIVERY="--quick --only fast tls" IMPORTING="--people 100000"
bench: $(VENV)/tests
	@$(BIN)/python benchmarks/rendering.py
	@$(BIN)/python benchmarks/segments.py
	@$(BIN)/python benchmarks/drafts.py
	@$(BIN)/python benchmarks/importing.py $(IMPORTING)
	@$(BIN)/python benchmarks/letters.py $(LETTERS)
	@$(BIN)/python benchmarks/delivery.py $(DELIVERY)

$(VENV)/runs: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make a virtual environment: apt install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up .venv (once)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/tests: $(VENV)/runs
	@echo "Adding what the tests need (once)"
	@$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
