# make help tells what there is. PYTHON=... chooses the interpreter for .venv (3.11 or newer).

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tried in this order when PYTHON is not given.
CANDIDATES := python3.11 python3 python3.14 python3.13 python3.12
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PACKAGES := seamless_queue transformer cli seamless migrations
# Tests mostly wait for processes that they have started; more at a time make them wait too long.
TESTERS := 2
# Named, because without a git repository around it ruff would read .demo and build as well.
SOURCES := $(PACKAGES) $(wildcard tests examples benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo test check style types layers tests stress bench clean installed-copy

help: ## Tell what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: $(INSTALLED) ## Run a real workflow: a second time it is answered from the store
	@$(BIN)/python examples/demo/demo.py

test: check ## The same as check; what continuous integration runs

check: style types layers tests ## Style, types, layers and tests, without the long ones

stress: $(INSTALLED) ## The long tests: workers and servers are killed at random
	$(BIN)/pytest -m stress

bench: $(INSTALLED) ## Measure speed, as ratios to other tools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	for part in run face files status care; do $(BIN)/python benchmarks/$$part.py || exit 1; done

clean: ## Remove everything that was made here, .venv and .demo too
	rm -rf $(VENV) .demo .zipf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

# -- the parts of check ----------------------------------------------------------------------
style: $(INSTALLED)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

# mypy and import-linter do not follow the folder names of an editable install, and would pass over
# whole packages without a word: they look at an installed copy, and the files are counted.
types: installed-copy
	@cd build/check && ../../$(BIN)/mypy --strict --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache \
	    -p seamless -p seamless_queue > ../mypy.txt || { cat ../mypy.txt; exit 1; }
	@cat build/mypy.txt
	@written=$$(find $(PACKAGES) -name '*.py' | wc -l); \
	checked=$$(sed -n 's/.* in \([0-9]*\) source files.*/\1/p' build/mypy.txt); \
	if [ "$${checked:-0}" -lt "$$written" ]; then \
	    echo "only $${checked:-0} of $$written files were checked: is a package missing in pyproject.toml?"; exit 1; \
	fi

layers: installed-copy
	cd build/check && PYTHONPATH=. ../../$(BIN)/lint-imports --config ../../pyproject.toml --no-cache

tests: $(INSTALLED)
	$(BIN)/pytest -m 'not stress' -n $(TESTERS) --dist worksteal

# setuptools copies whatever lies in build/lib, deleted modules too: it must be gone first.
installed-copy: $(INSTALLED)
	@rm -rf build
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/check .

# -- the environment -------------------------------------------------------------------------
$(INSTALLED): pyproject.toml
	@python="$(PYTHON)"; \
	for candidate in $(CANDIDATES); do \
	    [ -n "$$python" ] && break; \
	    $$candidate $(NEW_ENOUGH) 2> /dev/null && python=$$candidate; \
	done; \
	if [ -z "$$python" ] || ! "$$python" $(NEW_ENOUGH) 2> /dev/null; then \
	    echo "$${python:-python3} is missing or older than Python 3.11: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version > /dev/null 2>&1; then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    rm -rf $(VENV); "$$python" -m venv $(VENV) || exit 1; \
	fi
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
