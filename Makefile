# `make demo` and `make test` need Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# tests that need photographs of your own take them from here, and are skipped without
export PALETTE_TEST_DATA ?=

.PHONY: demo test test-all lint bench wheel-test clean help

help:
	@echo "make demo      install, train a small model for two minutes, write a report"
	@echo "make test      install, run the tests (make test-all: the long ones too)"
	@echo "make lint      ruff and pyright"
	@echo "make bench     every benchmark, into docs/benchmarks.md (BENCH='--model RUN --data FOLDER')"
	@echo "make clean     remove the virtual environment and the demo's output"

# The environment is made once and again when the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "palette needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/.lint-installed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lint]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/palette demo --out palette-demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest

test-all: $(VENV)/.installed
	$(BIN)/python -m pytest -m ''

lint: $(VENV)/.lint-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py $(BENCH)

# the wheel, installed alone and run outside of the checkout
wheel-test: $(VENV)/.lint-installed
	rm -rf build dist && $(BIN)/python -m build --wheel --quiet
	$(BIN)/python -m pytest -m '' tests/test_packaging.py

clean:
	rm -rf $(VENV) palette-demo build dist
