# The few commands of this project; every one makes the environment it needs first.

PYTHON ?= python3
ENV := .venv
# Named after the lock's content: a checkout that only touches the file's date rebuilds nothing.
LOCKED := $(ENV)/.locked-$(shell cksum < requirements.lock | cut -d ' ' -f 1)
INSTALLED := $(ENV)/.installed
LOCK_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test batch-demo decisions app screenshots bench verify lint lock

help:            ## this list
	@sed -n 's/^\([a-z-]*\): .*## /  make \1\t/p' $(MAKEFILE_LIST)

run: $(INSTALLED)  ## answer the shipped question and write runs/support-triage
	$(ENV)/bin/tunepoint compare --out runs/support-triage

test: $(INSTALLED)  ## the fast tests, and the examples in the docstrings
	$(ENV)/bin/python -m pytest

DEMO := runs/article-cases
DEMO_RUN := $(ENV)/bin/tunepoint batch scenarios/batches/article-cases.yaml --out $(DEMO) --on processes:2
batch-demo: $(INSTALLED)  ## seven cases x 25 volumes x 4 prompts, killed half-way and resumed
	rm -rf $(DEMO)
	@$(DEMO_RUN) & client=$$!; \
	while kill -0 $$client && [ $$(find $(DEMO) -name '*.parquet' | wc -l) -lt 70 ]; do sleep 0.1; done 2>/dev/null; \
	kill -9 $$client; echo "killed with $$(find $(DEMO) -name '*.parquet' | wc -l) of 140 files written; now the rest"
	$(DEMO_RUN) --resume

decisions: $(INSTALLED)  ## was tuning regretted? decided anew every month since September 2024, pictured in docs
	$(ENV)/bin/tunepoint batch scenarios/batches/decided-monthly.yaml --out runs/decided-monthly
	$(ENV)/bin/tunepoint export runs/decided-monthly --format png --out docs

app: $(INSTALLED)  ## open the dashboard
	$(ENV)/bin/tunepoint app

screenshots: $(INSTALLED)  ## every page of the dashboard, light and dark, wide and narrow, into docs/screenshots
	$(ENV)/bin/python -m bench._screenshots docs/screenshots

bench: $(INSTALLED)  ## measure speed, as CPU seconds and ratios (bench/)
	$(ENV)/bin/python -m bench

verify: $(INSTALLED)  ## large runs against theory and measurement (verification/)
	$(ENV)/bin/python -m pytest verification -s

lint: $(INSTALLED)  ## ruff over everything, mypy --strict over both packages
	$(ENV)/bin/python -m ruff check .
	$(ENV)/bin/python -m mypy

# Present pins are kept where they still fit; `make lock LOCK_FLAGS=--upgrade` takes the newest of everything.
lock: $(INSTALLED)  ## resolve pyproject.toml into requirements.lock
	$(ENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate $(LOCK_FLAGS) \
	  --extra dev --extra export --extra cluster --extra prices \
	  pyproject.toml --output-file requirements.lock
	@! grep -n '://' requirements.lock || { echo "requirements.lock holds an address; no address may be in it."; exit 1; }

$(LOCKED):
	rm -rf $(ENV)
	$(PYTHON) -m venv $(ENV)
	$(ENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	$(ENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
