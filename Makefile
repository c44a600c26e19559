# Everything a newcomer needs: `make playbook` prints the demo shop's playbook, `make test` tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RESOLVE := uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group build --quiet

.PHONY: help setup playbook test engines check notebooks lock clean

help: ## Say what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv from requirements.lock and install the package into it

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "loyalty_lab needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing. On Debian: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

playbook: setup ## Make a demo shop in build/demo and print its playbook
	@test -e build/demo/shop.toml || $(BIN)/loyalty-lab demo build/demo
	$(BIN)/loyalty-lab playbook build/demo --warm --jobs 2

# Three at a time on two cores: some of them wait for kernels and a browser.
test: setup ## Run every test: modules, notebooks against their stored outputs, documentation
	$(BIN)/python -m pytest -n 3 --dist loadfile
	JUPYTER_PATH=src/loyalty_lab/kernels/jupyter $(BIN)/python -m pytest --nbval --nbval-kernel-name loyalty-lab-warm -o addopts= notebooks

engines: setup ## Test what runs on Spark and Dask, in an environment on top of the first; without Java Spark is left out
	$(PYTHON) -m venv build/engines
	printf '%s\n' $(CURDIR)/$(VENV)/lib/python*/site-packages $(CURDIR)/src > $$(echo build/engines/lib/python*/site-packages)/below.pth
	build/engines/bin/pip install --disable-pip-version-check --quiet --require-hashes -r requirements-spark.lock -r requirements-dask.lock
	build/engines/bin/python -m pytest -n 0 tests/test_clusters.py $(if $(shell command -v java),tests/test_spark.py)

check: setup ## Look for faults of style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: setup ## Execute the notebooks on the demo shop and store their outputs
	$(BIN)/python -m loyalty_lab.run

lock: ## Resolve requirements.lock and those of the extras bench, dask and spark anew (needs uv)
	$(RESOLVE) --extra lab --extra test -o requirements.lock
	for extra in bench dask spark; do $(RESOLVE) --extra $$extra --constraint requirements.lock -o requirements-$$extra.lock || exit 1; done

clean: ## Remove what was built
	rm -rf build $(VENV)
