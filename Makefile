# Everything that is done with this repository. Each target makes what it needs first: the virtual
# environment in .venv from the locked packages, again only when the locks change. POSIX sh.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

# What you may set: PYTHON (the interpreter to make .venv with), ARGS (passed on to the command).
PYTHON ?=
ARGS ?=
export PYTHON

VENV := .venv
PY := $(VENV)/bin/python
TANDEM := $(VENV)/bin/tandem
READY := $(VENV)/.installed

# The web apps: built from apps/ into src/tandem/web/apps, which the server serves and the wheel has.
NODE_PATH := .node/path
NPM = PATH="$$(cat $(NODE_PATH)):$$PATH" npm --prefix apps --silent
MODULES := apps/node_modules/.installed
API_TYPES := apps/lib/api/schema.ts
BUILT := apps/node_modules/.built
APP_SOURCES := $(shell find apps -name node_modules -prune -o -type f ! -path '$(API_TYPES)' -print)

# What `make docs` writes into docs/reference: FILE=COMMAND, words joined by +.
REFERENCES := \
	openapi.json=api+openapi \
	cli.md=help-reference \
	errors.md=api+errors \
	events.md=api+events

LOCK := .venv-lock/bin/uv pip compile --universal --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --quiet

.PHONY: help
help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(READY) $(BUILT) ## run the story with real payments, then serve until Ctrl-C (ARGS=--once: end there)
	@$(TANDEM) demo $(ARGS)

.PHONY: up
up: $(READY) $(BUILT) ## serve Tandem
	@$(TANDEM) up $(ARGS)

.PHONY: test
test: $(READY) $(BUILT) ## run all tests (ARGS="-k refund": some of Python's)
	@tools/browser.sh
	@failed=0; \
	[ -n '$(subst ','\'',$(ARGS))' ] || $(MAKE) test-apps || failed=1; \
	$(PY) -m pytest $(ARGS) || failed=1; \
	exit "$$failed"

.PHONY: screens
screens: $(READY) $(BUILT) ## take the pictures of docs/screens anew
	@rm -rf build/screens && mkdir -p build/screens
	@TANDEM_TEST_SCREENS=build/screens $(PY) -m pytest tests/e2e
	@rm -f docs/screens/component-*.png
	@for kept in docs/screens/*.png build/screens/component-*.png; do \
		name="$$(basename "$$kept")"; cp "build/screens/$$name" "docs/screens/$$name"; \
	done

.PHONY: test-apps
test-apps: $(BUILT) ## run the tests of the apps that need no server
	@$(NPM) test

.PHONY: lint
lint: $(READY) $(MODULES) $(API_TYPES) ## check style, formatting, types and floors
	@failed=0; \
	check() { echo "$$*" | sed 's/.* -m //; s/.*bin\///'; "$$@" || failed=1; }; \
	check $(PY) -m ruff check --quiet .; \
	check $(PY) -m ruff format --quiet --check .; \
	check $(PY) -m mypy --no-error-summary; \
	check $(VENV)/bin/lint-imports; \
	for script in lint format:check check; do \
		echo "apps: $$script"; $(NPM) run "$$script" || failed=1; \
	done; \
	exit "$$failed"

.PHONY: format
format: $(READY) $(MODULES) ## format the code and mend what can be mended
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .
	@$(NPM) run format

.PHONY: apps
apps: $(BUILT) ## build the web apps into src/tandem/web/apps

.PHONY: bench
bench: $(READY) ## measure against the usual way, on one PostgreSQL with fsync on
	@$(PY) -m bench $(ARGS)

.PHONY: fuzz
fuzz: $(READY) ## fuzz what reads bytes of others, a minute each (ARGS="--seconds 600 kernel": longer)
	@$(PY) tests/fuzz/fuzzing.py $(ARGS)

.PHONY: docs
docs: $(READY) ## write docs/reference anew: OpenAPI, command line, errors, events
	@mkdir -p docs/reference
	@for reference in $(REFERENCES); do \
		file="docs/reference/$${reference%%=*}"; \
		words="$$(echo "$${reference#*=}" | tr + ' ')"; \
		echo "$$file"; \
		$(TANDEM) $$words >"$$file.new" && mv "$$file.new" "$$file" \
			|| { rm -f "$$file.new"; exit 1; }; \
	done

.PHONY: lock
lock: .venv-lock/.installed ## lock the dependencies of pyproject.toml, with hashes (ARGS=--upgrade: the newest)
	@echo 'requirements/run.txt' && $(LOCK) -o requirements/run.txt $(ARGS) pyproject.toml
	@echo 'requirements/dev.txt' && $(LOCK) --group dev -o requirements/dev.txt $(ARGS) pyproject.toml
	@echo 'requirements/tap.txt' && $(LOCK) --extra tap -o requirements/tap.txt $(ARGS) pyproject.toml
	@echo 'requirements/hsm.txt' && $(LOCK) --extra hsm -o requirements/hsm.txt $(ARGS) pyproject.toml
	@echo 'requirements/node.txt' && $(LOCK) --group node -o requirements/node.txt $(ARGS)
	@echo 'requirements/lock.txt' && $(LOCK) --group lock -o requirements/lock.txt $(ARGS)

.PHONY: wheel
wheel: $(READY) $(BUILT) ## build the wheel into dist
	@$(PY) -m hatchling build --target wheel

.PHONY: clean
clean: ## remove what make has made (never a data folder)
	@rm -rf $(VENV) .venv-lock .venv-emv .venv-node .node build dist .coverage
	@rm -rf apps/node_modules $(API_TYPES) src/tandem/web/apps
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -type d \( -name .git -o -name __pycache__ \) -prune -name __pycache__ -exec rm -rf {} +

# An environment whose interpreter is gone (a new system Python) or that was never finished is made
# anew; one that was made by hand is used as it is.
whole = $(and $(wildcard $1/bin/python),$(wildcard $1/bin/pip))

.PHONY: always
%/.made:
	@$(if $(call whole,$*),,tools/venv.sh $*)
	@touch $@

ifeq ($(call whole,$(VENV)),)
$(VENV)/.made: always
endif
ifeq ($(call whole,.venv-lock),)
.venv-lock/.made: always
endif

$(VENV)/.locked: requirements/dev.txt $(VENV)/.made
	@$(PY) tools/install.py requirements/dev.txt
	@touch $@

$(READY): pyproject.toml $(VENV)/.locked $(VENV)/.readers $(VENV)/.hsm
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input \
		--no-build-isolation --no-deps --editable .
	@touch $@

# Readers are an extra: where they cannot be had a line says why, and all the rest goes on.
$(VENV)/.readers: requirements/tap.txt $(VENV)/.locked
	@tools/readers.sh $(VENV)
	@touch $@

# Keys in an HSM are an extra, too.
$(VENV)/.hsm: requirements/hsm.txt $(VENV)/.locked
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
		--only-binary :all: -r requirements/hsm.txt >/dev/null 2>&1 </dev/null \
		|| echo "Keys in an HSM are left out: PyPI's python-pkcs11 has no wheel for this machine."
	@touch $@

$(NODE_PATH): tools/node.sh requirements/node.txt
	@tools/node.sh $@

$(MODULES): apps/package.json apps/package-lock.json apps/.npmrc $(NODE_PATH)
	@echo 'Installing what apps/package-lock.json names, with everything'"'"'s hash checked.' >&2
	@cd apps && PATH="$$(cat ../$(NODE_PATH)):$$PATH" npm ci --silent
	@touch $@

$(API_TYPES): docs/reference/openapi.json apps/build/api.js $(MODULES)
	@$(NPM) run api

$(BUILT): $(APP_SOURCES) $(API_TYPES) $(MODULES)
	@echo 'Building the apps.' >&2
	@$(NPM) run build
	@touch $@

.venv-lock/.installed: requirements/lock.txt .venv-lock/.made
	@.venv-lock/bin/python tools/install.py requirements/lock.txt
	@touch $@
