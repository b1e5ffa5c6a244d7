# `make demo` and `make test` need Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# what test-all and lint need beside .[test], with commas between
EXTRAS := web-test,docs,onnx,hub,ray,heic
PIP    := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
# a folder with photos/ for the tests that need more photographs; they are skipped without
export PALETTE_TEST_DATA ?=

.PHONY: demo test test-all docs lint bench faults fuzz wheel-test clean help

help:
	@echo "make demo        install, restore photographs at every task, write a report"
	@echo "make test        install, run the tests (make test-all: the long ones too)"
	@echo "make docs        the documentation site, into build/docs"
	@echo "make lint        ruff and pyright"
	@echo "make wheel-test  build the wheel, unpack it alone, run it outside of the checkout"
	@echo "make bench       every benchmark, into docs/benchmarks.md (BENCH='--model RUN --data FOLDER')"
	@echo "make faults      kill training, packing and restoring 50 times each and compare"
	@echo "make fuzz        damage 10,000 files that are read, and sort what comes of it"
	@echo "make clean       remove the virtual environment and the demo's output"

# The environment is made once and again when the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "palette needs Python 3.11 or newer, this is " + sys.version)'
	@echo "installing palette and its requirements into $(VENV), which takes some minutes"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.extras-installed: $(VENV)/.installed
	@$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.docs-installed: $(VENV)/.installed
	@$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.lint-installed: $(VENV)/.extras-installed
	@$(PIP) --editable '.[lint]'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/palette demo --out palette-demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest

test-all: $(VENV)/.extras-installed
	$(BIN)/python -m pytest -m ''

docs: $(VENV)/.docs-installed
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "open build/docs/index.html"

lint: $(VENV)/.lint-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py $(BENCH)

faults: $(VENV)/.installed
	PALETTE_KILLS=50 $(BIN)/python -m pytest -s tests/faults/test_kills.py

fuzz: $(VENV)/.installed
	$(BIN)/python tests/faults/fuzz.py --count 10000

wheel-test: $(VENV)/.installed
	$(BIN)/python -m pytest -m '' tests/test_packaging.py

clean:
	rm -rf $(VENV) palette-demo build
