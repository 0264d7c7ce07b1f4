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
DEV := cryptography grpcio-tools hypothesis import-linter kubernetes-validate matplotlib mypy pytest \
       pytest-asyncio pytest-randomly pytest-timeout pytest-xdist python-socks ruff socksio trustme \
       types-protobuf types-PyYAML
# What makes the site of the documentation, apart from it too.
DOCS := $(VENV)/docs
SITE := build/site
# What the examples need besides: tables and notebooks.
EXAMPLES := -e './libs/dragonfly_client[data]' ipykernel nbclient
# Clients of others that judge ours, with all that they bring, are kept apart from it.
JUDGES := $(VENV)/judges

# What Python compiles is kept, whatever the environment says: each process of the tests would do it anew.
export PYTHONDONTWRITEBYTECODE :=

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
.PHONY: help demo test long-test browser-test rest-test docker-test docs examples monitoring-test fix-interop install-test simulate simulate-engine kill-engine chaos soak fuzz bench check format venues protos constraints dist clean

help:
	@echo "make demo         three simulated venues, the whole system, a live ladder, a page"
	@echo "make test         the tests"
	@echo "make long-test    in full what \`make test\` cuts short: more examples, seeds, damage"
	@echo "make browser-test the page in Chromium; skipped where that is not installed"
	@echo "make rest-test    REST, examined by schemathesis; fetches it"
	@echo "make docker-test  the tests of what runs in containers; needs a Docker engine"
	@echo "make docs         the documentation as a site, in build/site/html, every link checked"
	@echo "make examples     tables, the notebook, the examples in Node and Go: fetches what they need"
	@echo "make monitoring-test  each alert fires and ends, each panel shows something; needs Prometheus"
	@echo "make fix-interop  engines of FIX that others wrote follow our gateway; fetches them"
	@echo "make install-test the wheels of make dist, installed where nothing else is, and the demo out of them"
	@echo "make simulate     all of it in one process: a seed a system, a network, its faults"
	@echo "make simulate-engine  the execution engine: a seed is venues with faults, customers, crashes"
	@echo "make kill-engine  the engine at venues by their own protocols: 500 kills during 200 orders"
	@echo "make chaos        two minutes of faults of every kind, every book judged"
	@echo "make soak         an hour with a fault a minute: memory, latency, right books"
	@echo "make bench        latency, cost per message and how both grow, in fourteen minutes"
	@echo "make fuzz         hostile input for every parser, the bus and the gateway"
	@echo "make judges       the venues' own clients, by which tests judge ours"
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

# Six at a time for two cores: much of it waits.
test: $(VENV)/.tools
	@$(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder $(ARGS)

long-test: $(VENV)/.tools
	@$(BIN)/python -m pytest -n 4 --long -m "hypothesis or long" $(ARGS)

docs: $(VENV)/.installed
	@test -x $(DOCS)/bin/zensical || $(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip install -q --disable-pip-version-check --no-deps -r docs/requirements.txt
	$(BIN)/python deploy/site_pages.py lay $(SITE)/pages
	$(DOCS)/bin/zensical build --strict
	$(BIN)/python deploy/site_pages.py check $(SITE)/html

# Tables and notebooks are large, and only these tests need them.
examples: $(VENV)/.tools
	$(call install,what the examples need,$(EXAMPLES))
	@$(BIN)/python -m pytest -m examples libs/dragonfly_client/tests tests/test_documented_commands.py $(ARGS)

monitoring-test: $(VENV)/.tools
	@$(BIN)/python -m pytest -m monitoring tests/test_monitoring.py $(ARGS)

fix-interop: $(VENV)/.tools
	@$(BIN)/python -m pytest -n 2 --dist loadfile -rP -m fix_interop tests/fix_interop $(ARGS)

docker-test: $(VENV)/.tools
	@$(BIN)/python -m pytest -m docker tests $(ARGS)

# The tests ask no index: what others made is fetched here, in the pinned versions.
install-test: $(VENV)/.tools $(WHEELS)/.fetched dist
	@$(BIN)/python -m pytest -m wheels tests/test_wheels.py $(ARGS)

simulate: $(VENV)/.tools
	@PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

simulate-engine: $(VENV)/.tools
	@PYTHONPATH=tests $(BIN)/python services/execution_engine/tests/engine_simulation.py $(ARGS)

kill-engine: $(VENV)/.tools
	@PYTHONPATH=tests $(BIN)/python tests/engine_at_venues.py $(ARGS)

chaos: $(VENV)/.tools
	@$(BIN)/python bench/chaos.py $(ARGS)

bench: $(VENV)/.tools
	@$(BIN)/python bench/run.py $(ARGS)

soak: $(VENV)/.tools
	@$(BIN)/python bench/soak.py $(ARGS)

fuzz: $(VENV)/.tools
	@$(BIN)/python tests/fuzz $(ARGS)

# What drives a browser is large, and few need it. The browser itself is the machine's.
browser-test: $(VENV)/.tools
	@$(BIN)/python -m pip install -q --no-deps axe-playwright-python==0.1.8 greenlet==3.5.6 playwright==1.65.2 pyee==13.0.1
	@$(BIN)/python -m pytest -m browser tests/test_page_in_browser.py $(ARGS)

# It brings thirty packages that nothing else here needs.
rest-test: $(VENV)/.tools
	@test -x $(VENV)/schemathesis/bin/st || $(PYTHON) -m venv $(VENV)/schemathesis
	@$(VENV)/schemathesis/bin/python -m pip install -q --disable-pip-version-check schemathesis==4.32.5
	@$(BIN)/python -m pytest -m rest tests/test_rest_by_schemathesis.py $(ARGS)

judges: $(VENV)/.tools
	$(PYTHON) -m venv $(JUDGES)
	$(JUDGES)/bin/python -m pip install -q -c constraints.txt binance-fix-connector==1.2.0 simplefix==1.0.17

check: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	for part in $(PACKAGES); do $(BIN)/mypy $$part/src $$part/tests || exit 1; done
	$(BIN)/mypy conftest.py protos/generate.py deploy/pin_hashes.py deploy/bill_of_materials.py deploy/dashboards.py deploy/moving_picture.py deploy/site_pages.py deploy/prometheus/webhook.py deploy/venues.py tests bench
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
	$(FRESH)/bin/python -m pip install -q --upgrade setuptools $(BUILD) $(EDITABLE) $(DEV) $(EXAMPLES)
	$(FRESH)/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip==' >constraints.all
	rm -rf $(FRESH)
	$(PYTHON) -m venv $(FRESH)
	$(FRESH)/bin/python -m pip uninstall -q -y setuptools
	mv constraints.all $(FRESH)/all
	: >$(FRESH)/before
	echo '# Every version that is installed, written by `make constraints`.' >constraints.new
	$(call pin,To build the packages,$(BUILD))
	$(call pin,To run them,$(EDITABLE) cryptography)
	$(call pin,To test and check them,$(DEV))
	$(call pin,To run the examples,$(EXAMPLES))
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
