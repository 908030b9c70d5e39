# make demo     set up, index sample_data/ into .demo/, ask a few questions
# make test     set up, then everything that CI checks
# make torture  kill it, let its writes fail, cut its power, some thousand times; goes on where it was
# make crowd    ten minutes of threads and processes on one folder, interrupted and forked, each answer checked against a model
# make churn    half an hour of writing, watching, reading and compacting at once
# make test-install  build the wheel, install it with uv, with pipx, and without torch, use each; some minutes and 5 GB for a while
# make types    check the examples with mypy and pyright, which it installs, in their strictest modes
# make docs     make the references, the pictures and the outputs anew, and build the site

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
CHECKED := vecsearch migrations tests benchmarks docs examples
export HF_HUB_OFFLINE := 1

.PHONY: demo test lint types test-slow test-install torture crowd churn docs clean

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("vecsearch needs Python 3.11 or newer, this is " + sys.version)'
	@echo "Setting up $(VENV), once; this takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

demo: export VECSEARCH_DB := .demo
demo: $(READY)
	@rm -rf .demo; set -e; \
	ask() { printf '\n$$ vecsearch'; for word; do case "$$word" in *\ *) printf ' "%s"' "$$word";; *) printf ' %s' "$$word";; esac; done; \
		echo; $(BIN)/vecsearch "$$@"; }; \
	ask index sample_data/docs; \
	ask index sample_data/words.txt --split lines -c words; \
	ask index sample_data/words.jsonl -c entries; \
	ask search jump -n 5 -c words --chunks; \
	ask search jump -n 5 -c entries; \
	ask search "a model on the runway" -n 2; \
	ask search "a place that lends money" -n 2; \
	ask similar --id bound -n 4 -c entries; \
	printf '\n%s\n' 'To go on yourself, type or paste:' '  export PATH="$(CURDIR)/$(BIN):$$PATH" VECSEARCH_DB="$(CURDIR)/.demo"' \
		'  vecsearch search "a bird that waits for fish"' '  vecsearch search jump -c words' '  vecsearch status' '  vecsearch help'

test: export OMP_NUM_THREADS := 1
test: lint
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

lint: $(READY)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock pyright
	$(BIN)/pytest -m slow tests/test_examples.py

test-slow: export OMP_NUM_THREADS := 1
test-slow: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m slow

test-install: $(READY)
	$(BIN)/python -m tests.installing $(INSTALL)

torture: $(READY)
	$(BIN)/python -m tests.torture $(TORTURE)
	$(BIN)/python -m tests.torture.filling

crowd: $(READY)
	$(BIN)/python -m tests.torture.crowd $(CROWD)

churn: $(READY)
	$(BIN)/python -m benchmarks.churn

SITE := build/docs
docs: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev,docs]'
	$(BIN)/python -m docs.make
	$(BIN)/python -m docs.make.site $(SITE)
	$(BIN)/zensical build --clean --strict --config-file $(SITE)/zensical.toml

clean:
	rm -rf $(VENV) .demo build dist
