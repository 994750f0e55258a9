# `make install` makes .venv and nothing else; the other targets need nothing else done before.
PYTHON ?= python3
VENV := .venv
JAX_VENV := .venv-jax
LOWEST_VENV := .venv-lowest
BIN := $(abspath $(VENV))/bin
JAX_BIN := $(abspath $(JAX_VENV))/bin
export PATH := $(BIN):$(PATH)
# Some images of Python forbid it to keep what it compiled: each program would then compile all of
# TensorFlow again, for eight seconds.
export PYTHONDONTWRITEBYTECODE :=

IN_PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

# Each room once, without what trains for long. Old packages beside new ones warn of deprecated names: no errors of ours.
ON_LOWEST := tests/analysis tests/data tests/figures tests/models tests/paths/test_lengths.py tests/pruning tests/statistics \
	tests/storage tests/lesions/test_lesion.py tests/lesions/test_plans.py tests/pipelines/test_check.py tests/test_cli.py \
	tests/test_extras.py tests/test_messages.py tests/unraveling/test_unravel.py

# Of what takes JAX minutes to compile: the engine, path gradients and a model taken apart, once each.
ON_JAX := tests/lesions/test_evaluation.py tests/paths/test_against_all_paths.py tests/unraveling/test_unravel.py -k \
	"(float32_equals and resnet) or carries_the_very or (is_its_model and residual_net) or deleting_is"

LOCK := uv pip compile --universal --python-version 3.11 $(if $(KEEP),,--upgrade) \
	--custom-compile-command "make lock" pyproject.toml

SUPPORTED := import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	f"error: this is Python {v[0]}.{v[1]}, TensorFlow 2.21 needs 3.11, 3.12 or 3.13: make PYTHON=python3.11 ...")
VENV_HINT := error: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv

.PHONY: install install-jax install-cluster install-hub reproduce test test-slow test-faults test-jax test-cluster test-hub \
	test-lowest docs coverage lint types check build benchmark screenshots lock clean clean-checkpoints

install: $(VENV)/.installed

install-jax: $(JAX_VENV)/.installed

install-cluster: $(VENV)/.installed-cluster

install-hub: $(VENV)/.installed-hub

$(VENV)/.installed-%: $(VENV)/.installed requirements-%.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --requirement requirements-$*.txt
	@touch $@

$(VENV)/.installed: requirements.txt pyproject.toml
	$(call make_venv,$(VENV),requirements.txt)

$(JAX_VENV)/.installed: requirements-jax.txt pyproject.toml
	$(call make_venv,$(JAX_VENV),requirements-jax.txt)

define make_venv
	@$(PYTHON) -c '$(SUPPORTED)'
	@$(PYTHON) -m venv $(1) || { echo "$(VENV_HINT)" >&2; rm -rf $(1); exit 1; }
	$(1)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --requirement $(2)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(1)/.installed
endef

reproduce: install ## the whole study on the embedded data set, from images to page
	python -m pipelines.reproduce

test: install ## the tests, a few minutes
	pytest $(IN_PARALLEL)

test-slow: install ## the tests that take longer
	pytest -m slow $(IN_PARALLEL)

test-jax: install install-jax ## models, training, lesions and paths on JAX, without TensorFlow
	RESIDUAL_ENSEMBLES_JAX_PYTHON=$(JAX_BIN)/python pytest -m jax
	KERAS_BACKEND=jax $(JAX_BIN)/python -m pytest $(IN_PARALLEL) tests/models tests/training tests/paths/test_lengths.py \
		tests/lesions/test_lesion.py tests/lesions/test_plans.py
	KERAS_BACKEND=jax $(JAX_BIN)/python -m pytest $(ON_JAX)

test-cluster: install-cluster ## on a Ray cluster of two nodes with one core each, on this machine
	pytest -m cluster tests/cluster

test-hub: install-hub ## networks of KerasHub, taken apart
	pytest -m slow tests/unraveling/test_kerashub.py

test-lowest: ## with the lowest versions that pyproject.toml promises (needs uv)
	uv venv --quiet --clear --python 3.11 $(LOWEST_VENV)
	VIRTUAL_ENV=$(LOWEST_VENV) uv pip install --quiet --resolution lowest-direct --editable ".[tensorflow,studies,test]"
	PATH=$(abspath $(LOWEST_VENV))/bin:$$PATH python -m pytest $(IN_PARALLEL) -W ignore::DeprecationWarning $(ON_LOWEST)

coverage: install ## the tests, and which lines and branches of the code they run
	pytest $(IN_PARALLEL) --cov --cov-report=term --cov-report=html:tmp/coverage

lint: install
	ruff check .
	ruff format --check .

types: install ## what the public interface says of its arguments
	mypy

check: lint types test ## what must be clean before a commit: linter, formatter, types, tests

build: install ## the wheel and the source distribution, in dist/
	python -m pip install --quiet --disable-pip-version-check build twine
	rm -rf dist
	python -m build
	twine check --strict dist/*

benchmark: install ## all benchmarks but cluster.py: one JSON object per line
	for name in starting training preparing lesions path_gradients scaling; do python benchmarks/$$name.py --json || exit 1; done

screenshots: reproduce ## the page and the explorer, phone and desk, light and dark, to be looked at
	python -m tests.helpers.screenshots

lock: ## pins requirements*.txt anew from pyproject.toml (needs uv); KEEP=1: only what is new
	$(LOCK) --extra tensorflow --extra studies --extra test --extra browser --output-file requirements.txt
	$(LOCK) --extra jax --extra studies --extra test --output-file requirements-jax.txt
	$(LOCK) --extra studies --extra cluster --constraint requirements.txt --output-file requirements-cluster.txt
	$(LOCK) --extra hub --constraint requirements.txt --output-file requirements-hub.txt
	$(LOCK) --extra docs --constraint requirements.txt --output-file requirements-docs.txt

clean: ## removes the environments; results and checkpoints stay
	rm -rf $(VENV) $(JAX_VENV) $(LOWEST_VENV)

clean-checkpoints: install ## lists what .checkpoints holds; DAYS=30: removes what is that old
	python -m pipelines.clean_checkpoints $(if $(DAYS),--older_than=$(DAYS))

docs: $(VENV)/.installed-docs ## the documentation, in docs/_build/html, and its tests
	python -m sphinx -W --keep-going --quiet -b html docs docs/_build/html
	pytest -m docs tests/docs

test-faults: install ## bad inputs and kills; FAULTS=1: all 2,160 and 200, which takes hours
	RESIDUAL_ENSEMBLES_FAULTS=$(or $(FAULTS),0.05) pytest -m faults tests/faults
