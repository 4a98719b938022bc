# `make demo` and `make test` set up what they need, on a machine with Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

# Some machines set it; then every process that a test starts compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo dist facts test test-fast test-nightly check docs images reference refresh bench requirements clean

demo: $(READY)
	@$(BIN)/lambda-layers demo

test: $(READY)
	@$(BIN)/pytest -n 3 --dist worksteal --durations 10

# While editing: the tests that start no server, process or container, and have small inputs.
test-fast: $(READY)
	@$(BIN)/pytest -n 2 --fast --quiet

# What takes minutes; above all, forty real layers that handlers use in AWS's emulator.
test-nightly: $(READY)
	@$(BIN)/pytest -n 2 --nightly -m nightly

# Does the newest botocore know runtimes, operations or limits that this project does not?
facts: $(READY)
	@$(BIN)/uv run --quiet --no-project --with botocore .github/facts.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml run/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet --persona pedantic .
	$(BIN)/pre-commit validate-manifest .pre-commit-hooks.yaml

# Fails on broken links and anchors, and on pages outside the navigation.
docs: .venv/docs/ready
	.venv/docs/bin/mkdocs build --strict --quiet --site-dir build-output/site

.venv/docs/ready: requirements/docs.txt | $(READY)
	$(PYTHON) -m venv .venv/docs
	.venv/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

# Writes docs/reference from the code; a test compares them.
reference: $(READY)
	$(BIN)/python docs/reference/generate.py

# Records what lock tests need of the package index; needs the runtimes' Pythons.
refresh: $(READY)
	$(BIN)/python tests/record_index.py
	cd tests/data/real && ../../../$(BIN)/lambda-layers lock --upgrade

# Writes the pictures of the README; needs Chromium.
images: $(READY)
	$(BIN)/python docs/images/generate.py

# What PyPI gets: the sdist, and the wheel that it builds.
dist: $(READY)
	rm -rf build-output/dist
	$(BIN)/python -m hatchling build --directory build-output/dist

# Compares with uv, pex and the SAM CLI, in an environment of their own; needs zip, unzip, Python 3.11 and Docker.
bench: $(READY) .venv/bench/bin/sam
	BENCH_TOOLS=$(CURDIR)/.venv/bench/bin $(BIN)/python benchmarks/assemble.py --write docs/benchmarks.md
	$(BIN)/python benchmarks/lock.py --write docs/benchmarks.md
	$(BIN)/python benchmarks/start.py --write docs/benchmarks.md
	$(BIN)/python benchmarks/rollout.py
	$(BIN)/python benchmarks/image.py --write docs/benchmarks.md

.venv/bench/bin/sam:
	$(PYTHON) -m venv .venv/bench
	.venv/bench/bin/python -m pip install --quiet --disable-pip-version-check uv pex aws-sam-cli

$(READY): pyproject.toml requirements/dev.txt
	@echo 'setting up .venv, once'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Needs Python 3.13, the image's version, for image.txt, build.txt, docs.txt and publish.txt. dev.txt is for all platforms of CI.
COMPILE := -m piptools compile --quiet --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
requirements: $(READY)
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --python-version 3.11 --extra dev \
	  --custom-compile-command 'make requirements' -o requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --python-version 3.11 --extra all \
	  --custom-compile-command 'make requirements' -o requirements/action.txt pyproject.toml
	for name in image build docs publish; do \
	  CUSTOM_COMPILE_COMMAND='make requirements' $(BIN)/python $(COMPILE) --upgrade --generate-hashes -o requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
