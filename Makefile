# make demo   everything from nothing to a page in the browser      make test   all tests
# make setup  only the environment    make app  serve with hot reload    make check  lint, types, fast tests
# make docs   the documentation site, in site/
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
SUM := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.installed-$(SUM)
DOCS_STAMP := $(VENV)/.docs-$(SUM)
PORT ?= 8501
CATALOGUE ?=
export STREAMLIT_BROWSER_GATHER_USAGE_STATS = false

.PHONY: setup demo app test check docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "TerraSeek needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/python3"; exit 1; }
	@echo "Installing TerraSeek into $(VENV) (once, a few minutes: PyTorch is large)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[app,notebook,train,dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: setup
	$(BIN)/terraseek demo --port $(PORT)

app: setup
	PYTHONPATH=core:training:app:data $(BIN)/terraseek serve $(CATALOGUE) --port $(PORT) --reload

# The browser tests drive the system's Chromium; where it cannot be installed they are skipped by name.
# They come second and one by one: a page that draws in software wants both cores.
# A test that fails is tried twice more, and is listed as RERUN: somebody must look at it.
# pytest leaves with 5 when ARGS selects no test of a pass.
TEST = $(BIN)/python -m pytest -rsR --reruns 2 --timeout 900 --durations 20
test: setup
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; }; } || \
	echo "No Chromium, and apt-get cannot install it here: the browser tests will be skipped."
	@if command -v node >/dev/null; then node --test tests/javascript/; \
	else echo "No node: the unit tests of the map's JavaScript are skipped."; fi
	@$(TEST) -m "not browser and not network and not gpu" -n 2 --dist loadfile $(ARGS); first=$$?; \
	$(TEST) -m "browser" $(ARGS); second=$$?; \
	[ $$first = 5 ] && [ $$second = 5 ] && exit 5; \
	for code in $$first $$second; do [ $$code = 0 ] || [ $$code = 5 ] || exit $$code; done

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	@rm -f $(VENV)/.docs-*
	@touch $@

# The site reads the installed files alone and loads nothing from another host; a warning is an error.
docs: $(DOCS_STAMP)
	$(BIN)/python docs/make_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "Open site/index.html"

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
