# mmnb: `make reproduce` runs every notebook, `make test` checks everything. Both prepare $(VENV) first, once.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup reproduce test nightly bench lint notebooks site browser lab

PYTHON ?= python3
VENV ?= .venv
PROFILE ?= laptop
JOBS ?= 1
ONLY ?=
RECORD ?=

# where an environment keeps its programs: venv and conda on Linux and macOS, venv on Windows, conda on Windows
ifeq ($(OS),Windows_NT)
  PY = $(firstword $(wildcard $(VENV)/Scripts/python.exe $(VENV)/python.exe) $(VENV)/Scripts/python.exe)
else
  PY = $(VENV)/bin/python
endif
READY := $(VENV)/.mmnb-ready

help:
	@echo "make reproduce   run all notebooks at profile laptop, end with the verdicts   (ONLY=01 PROFILE=smoke JOBS=2)"
	@echo "make test        lint, then the test suite"
	@echo "make nightly     the tests that take minutes: statistical coverage, many repeats"
	@echo "make bench       what EMAP costs: ratios, peak memory, growth with N; some minutes   (RECORD=1 writes data/results)"
	@echo "make lab         open the notebooks in JupyterLab"
	@echo "make notebooks   rebuild what is committed: executed notebooks, figures, results, tables   (ONLY=01)"
	@echo "make site        the same as one website in build/site; needs no network, executes nothing"
	@echo "make browser     the website in a real Chromium or Chrome, which must be installed   (MMNB_CHROMIUM=/path/to/it)"
	@echo "make lint        ruff: rules and format; codespell"
	@echo "make setup       only prepare the environment"
	@echo
	@echo "The environment is made once in .venv (about 6 GB, some minutes). To use one of your own, say where it is:"
	@echo "  make reproduce VENV=\"\$$VIRTUAL_ENV\"     or     VENV=\"\$$CONDA_PREFIX\""

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@if [ ! -x "$(PY)" ]; then \
	  "$(PYTHON)" -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"mmnb needs Python 3.11 to 3.13; $(PYTHON) is {sys.version.split()[0]}. Say which: make ... PYTHON=python3.12")'; \
	  echo "Preparing $(VENV) (once: about 6 GB, some minutes)"; "$(PYTHON)" -m venv "$(VENV)"; \
	else echo "Preparing $(VENV) (packages as in constraints.txt)"; fi
	@"$(PY)" -m pip install --progress-bar off -c constraints.txt -e ".[all]" | awk ' \
	  /^(Collecting|Processing|Requirement already)/ { if (++n % 20 == 0) { print "  " n " packages found"; fflush() } } \
	  /^Installing collected/ { print "  installing " split($$0, names, ",") " packages (the longest part)"; fflush() } \
	  /^Successfully installed/ { print "  installed"; fflush() }'
	@touch "$@"

reproduce: $(READY)
	@"$(PY)" -m mmnb run $(ONLY) --profile $(PROFILE) --jobs $(JOBS)

test: $(READY) lint
	@"$(PY)" -m pytest -n 2 --dist worksteal --durations 5

nightly: $(READY)
	@"$(PY)" -m pytest -n 2 --dist worksteal --durations 5 --timeout 1200 -m nightly

bench: $(READY)
	@"$(PY)" -m pytest tests/bench --benchmark-enable --benchmark-disable-gc --timeout 1800 $(if $(RECORD),--record)

lint: $(READY)
	@"$(PY)" -m ruff check .
	@"$(PY)" -m ruff format --check .
	@"$(PY)" -m codespell_lib notebooks mmnb docs README*.md CONTRIBUTING.md data/*.md data/claims

notebooks: $(READY)
	@"$(PY)" -m mmnb build $(ONLY)

site: $(READY)
	@"$(PY)" -m sphinx -W --keep-going -q -b html docs build/site
	@echo "build/site/index.html"

browser: $(READY)
	@MMNB_BROWSER=required "$(PY)" -m pytest tests/site

lab: $(READY)
	@"$(PY)" -m jupyter lab notebooks
