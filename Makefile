# `make demo` and `make test` set up all they need in .venv; nothing else on the machine is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(wildcard libs/*) $(wildcard services/*)
MANIFESTS := $(addsuffix /pyproject.toml,$(PACKAGES)) constraints.txt
EDITABLE := $(foreach package,$(PACKAGES),-e ./$(package))
DEV := grpcio-tools hypothesis import-linter mypy pytest pytest-asyncio pytest-randomly \
       pytest-timeout ruff types-protobuf
INSTALL = PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help demo test check format protos constraints clean

help:
	@echo "make demo     three simulated venues, the whole system, a live ladder"
	@echo "make test     the tests"
	@echo "make check    format, lint, types, imports, and whether generated code is current"
	@echo "make format   mend format and lint where a tool can"
	@echo "make protos   generate the Python of protos/"

demo: $(VENV)/.installed
	@$(BIN)/dragonfly demo $(ARGS)

test: $(VENV)/.tools
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	for part in $(PACKAGES); do $(BIN)/mypy $$part/src $$part/tests || exit 1; done
	$(BIN)/mypy conftest.py
	$(BIN)/mypy tests bench
	$(BIN)/lint-imports
	$(BIN)/python protos/generate.py --check

format: $(VENV)/.tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: $(VENV)/.tools
	$(BIN)/python protos/generate.py

# Newest versions of everything, written down.
constraints:
	rm -rf $(VENV)-fresh
	$(PYTHON) -m venv $(VENV)-fresh
	$(VENV)-fresh/bin/python -m pip install -q hatchling $(EDITABLE) $(DEV)
	(grep '^#' constraints.txt; $(VENV)-fresh/bin/python -m pip freeze --exclude-editable --all \
	    | grep -vE '^(pip|setuptools)==') > constraints.new
	mv constraints.new constraints.txt
	rm -rf $(VENV)-fresh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or later, or say which with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), and 3.11 or later is needed: say which with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (on Debian: python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python $(MANIFESTS)
	@echo "Installing the packages …"
	@$(INSTALL) $(EDITABLE) || { echo "The packages could not be installed: is the package index reachable from here?" >&2; exit 1; }
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	@echo "Installing the tools for tests and checks …"
	@$(INSTALL) $(DEV) || { echo "The tools could not be installed: is the package index reachable from here?" >&2; exit 1; }
	@touch $@
