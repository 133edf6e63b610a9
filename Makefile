# make demo: the shipped example from trajectory to report; make test: all tests; make docs: the site, in site/; make torture: the
# promises of docs/reliability.md put to the test.
# Each installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test torture fuzz mutants lint docs notebooks clean

demo: $(VENV)/.installed
	$(BIN)/python preprocess/build_graphs.py --edges distance --out graphs.demo --overwrite
	$(BIN)/python train.py --graphs graphs.demo --run runs/demo --n-states 2 --tau 20 --n-restarts 2 --seed 1 --overwrite
	$(BIN)/python analysis/report.py runs/demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov=gdynet_tf --cov-report=term --cov-fail-under=90

# Commands killed, starved and crowded, and what they leave: 45 minutes at most; see docs/reliability.md.
torture: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/torture

# Any input: results against brute force (hypothesis), and damaged files of every format. About two hours on one core.
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/test_properties.py --hypothesis-profile=fuzz
	$(BIN)/python benchmarks/fuzz.py

# Would the tests notice a fault? Small faults put into the core modules one at a time, 60 of each, and those that no test
# saw: half an hour to an hour on one core. All of them (`benchmarks/mutants.py --sample 0`) take hours.
mutants: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet mutmut
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutants.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

# Run the notebooks and store what they show, as the site shows it.
notebooks: $(VENV)/.installed-dev
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/jupyter-execute --inplace --NotebookClient.record_timing=False examples/*.ipynb

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet -e ".[dev]"
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/pip install --quiet -e ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) graphs.demo runs/demo site
