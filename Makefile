PYTHON ?= python3
VENV := .venv
COTNB := $(VENV)/bin/python -m cotnb

.PHONY: help install run test lint lab render bench
help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cotnb needs Python 3.11 or later: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements.txt
	@touch $@

install: $(VENV)/installed ## make the environment in .venv

run: install ## the insights at one seed and two sizes, 12 minutes on 2 cores
	$(COTNB) run --profile quick
	$(COTNB) aggregate --profile quick
	$(COTNB) verdicts --profile quick

test: install ## every test: side by side, then alone those that measure time
	@failed=0; \
	$(VENV)/bin/python -m pytest -m "not alone" -n auto --dist loadfile --no-loadscope-reorder || failed=1; \
	$(VENV)/bin/python -m pytest -m alone || failed=1; \
	exit $$failed

lint: install ## what the tests ask of the style
	$(VENV)/bin/ruff format --check . && $(VENV)/bin/ruff check .

lab: install ## open the notebooks
	$(VENV)/bin/jupyter lab notebooks

render: install ## run the teaching notebooks again and keep their outputs
	$(COTNB) render

$(VENV)/installed-bench: $(VENV)/installed benchmarks/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r benchmarks/requirements.txt
	@touch $@

bench: $(VENV)/installed-bench ## speed, side by side with what you would run instead
	$(VENV)/bin/python -m benchmarks
