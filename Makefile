# `make demo` and `make test` set up all they need in .venv; nothing else on the machine is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FRESH := $(VENV)-fresh
WHEELS := $(VENV)/wheels
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
MANIFESTS := $(addsuffix /pyproject.toml,$(PACKAGES)) constraints.txt
EDITABLE := $(foreach package,$(PACKAGES),-e ./$(package))
BUILD := hatchling editables
DEV := grpcio-tools hypothesis import-linter kubernetes-validate matplotlib mypy pytest \
       pytest-asyncio pytest-randomly pytest-timeout pytest-xdist python-socks ruff socksio trustme \
       types-protobuf types-PyYAML

# Builds get what is installed instead of an environment of their own, whose versions nothing would pin.
PIP_INSTALL := python -m pip install --disable-pip-version-check --no-build-isolation
PIP_LOG := $(VENV)/pip.log

# $(call install,what,words for pip): a dot a second, and where it fails pip's last words and a remedy.
define install
	@printf 'Installing %s ' '$(1)'
	@$(BIN)/$(PIP_INSTALL) -c constraints.txt $(2) >$(PIP_LOG) 2>&1 & pip=$$!; \
	while kill -0 $$pip 2>/dev/null; do printf .; sleep 1; done; echo; \
	wait $$pip || { grep '^ERROR' $(PIP_LOG) >&2; echo "Could not install $(1): is the package index reachable from here? All that pip said is in $(PIP_LOG)" >&2; exit 1; }
endef

# $(call pin,title,words for pip): add what pip newly installs as a section of constraints.new.
define pin
	$(FRESH)/bin/$(PIP_INSTALL) -q -c $(FRESH)/all $(2)
	$(FRESH)/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | LC_ALL=C sort >$(FRESH)/now
	{ printf '\n# %s\n' '$(1)'; LC_ALL=C comm -13 $(FRESH)/before $(FRESH)/now; } >>constraints.new
	mv $(FRESH)/now $(FRESH)/before
endef

.DEFAULT_GOAL := help
.PHONY: help demo test docker-test install-test simulate chaos soak fuzz bench check format venues protos constraints dist clean

help:
	@echo "make demo         three simulated venues, the whole system, a live ladder"
	@echo "make test         the tests"
	@echo "make docker-test  the tests of what runs in containers; needs a Docker engine"
	@echo "make install-test the wheels of make dist, installed where nothing else is, and the demo out of them"
	@echo "make simulate     all of it in one process: a seed a system, a network, its faults"
	@echo "make chaos        two minutes of faults of every kind, every book judged"
	@echo "make soak         an hour with a fault a minute: memory, latency, right books"
	@echo "make bench        latency, cost per message and how both grow, in fourteen minutes"
	@echo "make fuzz         hostile input for every parser, the bus and the gateway"
	@echo "make check        format, lint, types, imports, and whether generated code is current"
	@echo "make format       mend format and lint where a tool can"
	@echo "make protos       generate the Python of protos/"
	@echo "make venues       write the deployment files' part of each venue"
	@echo "make constraints  pin the newest versions of everything, and the hashes of what images install"
	@echo "make dist         wheels, a bill of materials (CycloneDX) and the notices of others, in dist"
	@echo "make clean        remove what the others made"
	@echo "ARGS=\"…\" goes to the demo, to pytest, to the simulation, chaos, fuzz, the soak or the benchmarks; PYTHON=… is the Python to set up with"

demo: $(VENV)/.installed
	@$(BIN)/dragonfly demo $(ARGS)

test: $(VENV)/.tools
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

docker-test: $(VENV)/.tools
	@$(BIN)/python -m pytest -m docker $(ARGS)

# The tests ask no index: what others made is fetched here, in the pinned versions.
install-test: $(VENV)/.tools $(WHEELS)/.fetched dist
	@$(BIN)/python -m pytest -m wheels tests/test_wheels.py $(ARGS)

simulate: $(VENV)/.tools
	@PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

chaos: $(VENV)/.tools
	@$(BIN)/python bench/chaos.py $(ARGS)

bench: $(VENV)/.tools
	@$(BIN)/python bench/run.py $(ARGS)

soak: $(VENV)/.tools
	@$(BIN)/python bench/soak.py $(ARGS)

fuzz: $(VENV)/.tools
	@$(BIN)/python tests/fuzz $(ARGS)

check: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	for part in $(PACKAGES); do $(BIN)/mypy $$part/src $$part/tests || exit 1; done
	$(BIN)/mypy conftest.py protos/generate.py deploy/pin_hashes.py deploy/bill_of_materials.py deploy/venues.py tests bench
	$(BIN)/mypy tests/conftest.py
	$(BIN)/lint-imports
	$(BIN)/python protos/generate.py --check

format: $(VENV)/.tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

venues: $(VENV)/.tools
	$(BIN)/python deploy/venues.py

protos: $(VENV)/.tools
	$(BIN)/python protos/generate.py

# With the oldest Python that is supported: it needs every backport that others need.
constraints:
	rm -rf $(FRESH)
	$(PYTHON) -m venv $(FRESH)
	$(FRESH)/bin/python -m pip install -q --upgrade setuptools $(BUILD) $(EDITABLE) $(DEV)
	$(FRESH)/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip==' >constraints.all
	rm -rf $(FRESH)
	$(PYTHON) -m venv $(FRESH)
	$(FRESH)/bin/python -m pip uninstall -q -y setuptools
	mv constraints.all $(FRESH)/all
	: >$(FRESH)/before
	echo '# Every version that is installed, written by `make constraints`.' >constraints.new
	$(call pin,To build the packages,$(BUILD))
	$(call pin,To run them,$(EDITABLE))
	$(call pin,To test and check them,$(DEV))
	mv constraints.new constraints.txt
	$(FRESH)/bin/python deploy/pin_hashes.py
	rm -rf $(FRESH)

dist: $(VENV)/.installed
	rm -rf dist
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w dist libs/* services/*
	$(BIN)/python deploy/bill_of_materials.py sbom $(VENV)/lib/python3*/site-packages hashes.txt >dist/sbom.cdx.json
	$(BIN)/python deploy/bill_of_materials.py notices $(VENV)/lib/python3*/site-packages hashes.txt >dist/THIRD-PARTY-NOTICES.txt
	@ls dist

$(WHEELS)/.fetched: $(VENV)/.installed constraints.txt
	rm -rf $(WHEELS)
	mkdir $(WHEELS)
	sed -n '/^# To run them/,/^# To test/p; /socks/p' constraints.txt >$(WHEELS)/requirements.txt
	$(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -r $(WHEELS)/requirements.txt -d $(WHEELS)
	@touch $@

clean:
	rm -rf $(VENV) $(FRESH) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or later, or say which with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), and 3.11 or later is needed: say which with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (on Debian: python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python $(MANIFESTS)
	$(call install,what builds the packages,$(BUILD))
	$(call install,the packages and what they need,$(EDITABLE))
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(call install,the tools for tests and checks,$(DEV))
	@touch $@
