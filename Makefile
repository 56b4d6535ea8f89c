# Every target sets itself up: Python 3.11 or later and make are all it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
CHECKED := batcher benchmarks tests sample_data

# A mirror may fail once, and the machine may be installing something itself.
APT := apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300
DEBIAN := $(APT) update -q && $(APT) install -yq --no-install-recommends

APART := $(addprefix --ignore=tests/,airflow benchmarks browser container cron faults laws notebook objects \
	overload tutorial)

TARGETS := $(shell sed -n 's/^\([a-z-]*\):.* ## .*/\1/p' $(MAKEFILE_LIST))
.PHONY: $(TARGETS)

demo: $(READY) ## Answer 200 sample prompts with the embedded simulator, and show the first results.
	$(BIN)/batcher run sample_data/prompts.jsonl --simulate
	$(BIN)/batcher head sample_data/prompts.batch

test: $(READY) ## Run the tests, less those of the targets below.
	$(BIN)/pytest -n auto $(APART)

laws: $(READY) ## Try what holds for whole runs in outages, and every property on many random inputs.
	$(BIN)/pytest -n auto -m 'not hypothesis' tests/laws tests/overload
	$(BIN)/pytest -n auto -m hypothesis --hypothesis-profile=thorough $(filter-out %laws %overload,$(APART))

test-benchmarks: $(READY) ## Run the tests of the benchmarks.
	$(BIN)/pytest -n auto tests/benchmarks

tutorial: $(READY) ## Type every command of docs/tutorial.md.
	$(BIN)/pytest tests/tutorial

cron: $(READY) ## Let nights pass under a cron daemon and in a systemd service's surroundings (root, Debian).
	[ -x /usr/sbin/cron ] || { $(DEBIAN) cron; }
	$(BIN)/pytest tests/cron

faults: $(READY) ## Disturb runs in every way of the fault matrix, and print it with the verdicts.
	$(BIN)/pytest -n auto tests/faults

CONTAINER := $(VENV)-container
container: $(CONTAINER)/.ready ## Check the Dockerfile, build it, and run the image (root, Debian; no engine needed).
	(command -v buildah && command -v mmdebstrap) > /dev/null || { $(DEBIAN) buildah mmdebstrap; }
	PYTHONPATH=$(CURDIR) $(CONTAINER)/bin/pytest tests/container

NOTEBOOK := $(VENV)-notebook
notebook: $(NOTEBOOK)/.ready ## Run the example notebook, and the tests with pandas and Polars.
	PYTHONPATH=$(CURDIR) $(NOTEBOOK)/bin/pytest tests/notebook

BROWSER := $(VENV)-browser
browser: $(BROWSER)/.ready ## Look at the pages of runs in Chromium.
	PYTHONPATH=$(CURDIR) $(BROWSER)/bin/pytest tests/browser

OBJECTS := $(VENV)-objects
objects: $(OBJECTS)/.ready ## Run from and to an S3 server, disturb it, and compare its ledger.
	PYTHONPATH=$(CURDIR) $(OBJECTS)/bin/pytest tests/objects

screenshots: $(BROWSER)/.ready ## Make the pictures of the docs again, of a run of 20,000 rows.
	PYTHONPATH=$(CURDIR) $(BROWSER)/bin/python -m tests.browser.screenshots docs/pictures

AIRFLOW := $(VENV)-airflow
airflow: $(AIRFLOW)/.ready ## Run tasks in a real Airflow, kill and stop some, and check types against its own.
	$(AIRFLOW)/bin/mypy batcher/airflow tests/airflow
	$(AIRFLOW)/bin/pytest tests/airflow

SEEDS ?= 500
torture: $(READY) ## Kill runs at SEEDS random moments, and count what the oracle objects to.
	$(BIN)/python -m tests.faults.torture $(SEEDS)

bench: $(READY) ## Print every ratio of performance, goal and reached (under 20 minutes).
	$(BIN)/python -m benchmarks.compare

bench-quick: $(READY) ## The same, only where the ratios are taken (under 3 minutes).
	$(BIN)/python -m benchmarks.compare --quick

bench-limits: $(READY) ## Compare `batcher run` with a naive loop, where servers have limits and troubles.
	$(BIN)/python benchmarks/limits.py $(BENCH)

lint: $(READY) ## Check style and formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Check types.
	$(BIN)/mypy $(CHECKED)

contracts: $(READY) ## Check the direction of imports, and each library's one door.
	$(BIN)/lint-imports

coverage: $(READY) ## Run the tests and print the branch coverage of each module.
	$(BIN)/pytest -n auto $(APART) --cov --cov-report=term-missing:skip-covered

CRITICAL := batcher.checkpoint batcher.copies batcher.engine batcher.executors batcher.providers
coverage-critical: $(READY) ## Hold the parts that must lose nothing to 100 % branch coverage.
	$(BIN)/pytest -n auto tests/checkpoint tests/copies tests/engine tests/executors tests/providers \
		$(CRITICAL:%=--cov=%) --cov-report=term-missing --cov-fail-under=100

# Pinned by hash, without the address they came from: any index serves the same files.
$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# What one suite needs alone is in an environment of its own.
$(VENV)-%/.ready: requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r $<
	touch $@

# Airflow's own constraints take the place of hashes for its users; here the hashes are constraints.
$(AIRFLOW)/.ready: requirements/airflow.txt pyproject.toml
	$(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes \
		-r requirements/airflow.txt
	$(AIRFLOW)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps \
		--no-build-isolation -e .
	touch $@

# With their extras: pip takes a requirement of `coverage[toml]` for one that `coverage==7` does not
# pin, as soon as there is a newer coverage. (Constraints must have none.)
PINNING := --quiet --upgrade --generate-hashes --no-strip-extras --allow-unsafe --no-annotate \
	--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
LOCK := $(VENV)-lock
lock: ## Pin the newest versions that pyproject.toml allows.
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python -m pip --quiet install pip-tools
	$(LOCK)/bin/pip-compile $(PINNING) --extra dev --extra otel -o requirements/dev.txt pyproject.toml
	sed -E 's/^([A-Za-z0-9._-]+)\[[^]]*\]/\1/' requirements/dev.txt > $(LOCK)/dev.txt
	$(LOCK)/bin/pip-compile $(PINNING) --extra notebook -c $(LOCK)/dev.txt \
		-o requirements/notebook.txt pyproject.toml
	$(LOCK)/bin/pip-compile $(PINNING) --extra browser -c $(LOCK)/dev.txt \
		-o requirements/browser.txt pyproject.toml
	$(LOCK)/bin/pip-compile $(PINNING) --extra airflow --extra dev -c $(LOCK)/dev.txt \
		-o $(LOCK)/airflow.txt pyproject.toml
	awk "$$TWINS" $(LOCK)/airflow.txt > requirements/airflow.txt
	$(LOCK)/bin/pip-compile $(PINNING) --extra container -c $(LOCK)/dev.txt \
		-o requirements/container.txt pyproject.toml
	$(LOCK)/bin/pip-compile $(PINNING) --extra otel --extra hf -c $(LOCK)/dev.txt \
		-o requirements/runtime.txt pyproject.toml
	$(LOCK)/bin/pip-compile $(PINNING) --only-build-deps --build-deps-for wheel -c $(LOCK)/dev.txt \
		-o requirements/build.txt pyproject.toml
	$(LOCK)/bin/pip-compile $(PINNING) --extra objects -c $(LOCK)/dev.txt \
		-o requirements/objects.txt pyproject.toml
	rm -r $(LOCK)

# What is pinned with extras, pinned without them as well: here some require the one, some the other.
define TWINS
/^[^ ]/ { put() }
{ block = block $$0 "\n" }
END { put() }
function put(  plain) {
	plain = block
	if (sub(/^[^ []*\[[^]]*\]/, substr(block, 1, index(block, "[") - 1), plain)) printf "%s", plain
	printf "%s", block
	block = ""
}
endef
export TWINS

clean: ## Remove what the other targets made.
	rm -rf $(VENV) $(wildcard $(VENV)-*) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
