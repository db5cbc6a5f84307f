# `make demo` and `make test` set everything up by themselves, into .venv in this folder.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
READY := .venv/.ready

.PHONY: install demo test check bench bench-demo clean

install: $(READY)

# torch first and pinned: where a CPU build of it is at hand, pip takes that one
$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: install
	$(BIN)/python bootstrap_loop.py --config configs/demo.yaml --resume

test: install check
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m eval.bench

bench-demo: install
	$(BIN)/python -m eval.bench_demo

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
