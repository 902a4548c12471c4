# `make demo` and `make test` need Python 3.11 or newer, pip and make; they set up everything else in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test bench-test lint format docs snapshots protos score collector bench-ingest bench-steps bench-analysis bench-latency clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("tracelens needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": set PYTHON=python3.x") if sys.version_info < (3, 11) else 0'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing tracelens into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/development: $(VENV)/runtime
	@echo "installing the development tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/runtime ## a report over recorded traces of a small shop
	@$(BIN)/tracelens report --fail-on never sample_traces/demo

test: $(VENV)/development ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup

bench-test: $(VENV)/development ## the benchmarks at small sizes: that what they measure is right
	$(BIN)/python -m pytest -q -m bench tests/test_bench.py

lint: $(VENV)/development ## formatter, linter, types, SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar --nocolor tracelens

format: $(VENV)/development ## rewrite the code the way lint wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/development ## rewrite generated pages
	$(BIN)/python docs/generate.py

snapshots: $(VENV)/development ## rewrite the findings expected of sample_traces
	UPDATE_SNAPSHOTS=1 $(BIN)/python -m pytest -q -n 2 tests/test_passes.py tests/report

# An old protoc on purpose: what it generates loads on every protobuf from 5.26 on, which newer ones refuse.
protos: ## regenerate proto_stubs from its .proto files
	$(PYTHON) -m venv $(VENV)-protos
	$(VENV)-protos/bin/pip install --quiet grpcio-tools==1.65.5 mypy-protobuf==3.6.0
	PATH=$(VENV)-protos/bin:$$PATH $(VENV)-protos/bin/python -m grpc_tools.protoc -I . --python_out=. --mypy_out=quiet:. proto_stubs/*.proto

score: $(VENV)/development ## recall and precision over labelled recordings: make score TRACES=folder
	$(BIN)/python bench/score.py $(or $(TRACES),sample_traces/stacks)

collector: $(VENV)/development ## build the Collector that tests/collector runs; takes Go, some minutes and a gigabyte
	@nice $(BIN)/python bench/collector/build.py

bench-ingest: $(VENV)/development ## what a span costs to take in, beside the Collector and others: bench/README.md
	$(BIN)/python bench/ingest.py --write

bench-steps: $(VENV)/development ## where that time goes
	$(BIN)/python bench/steps.py --write

bench-analysis: $(VENV)/development ## the model and all passes over up to ten million spans
	$(BIN)/python bench/analysis.py --write

bench-latency: $(VENV)/development ## from a span to its event, and a cold report
	$(BIN)/python bench/latency.py --write

clean: ## remove everything that the targets made
	rm -rf $(VENV) $(VENV)-protos build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
