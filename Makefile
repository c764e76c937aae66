# `make demo` and `make test` need only Python; PYTHON=python3.12 chooses another one.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow coverage reliability fuzz kills check format bench audit clean

demo: $(VENV)/ready
	$(BIN)/latentlab demo --output demo --overwrite

# One process for each core, each of one thread: the networks of tests are too small for more.
QUICK := -m "not slow" -n auto --maxprocesses 8 --dist loadfile

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(QUICK) --durations 20

test-slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow --timeout 3600

# Prints the share of lines that the tests run, for each folder of code; TESTS chooses some of them.
coverage: $(VENV)/ready
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest $(QUICK) $(TESTS)
	$(BIN)/coverage combine --quiet
	@rm -f .coverage.*  # what tests that kill a process have left half-written
	@find latentlab metrics cli -name '*.py' -exec dirname {} + | sort -u | while read -r room; do \
		printf '%4s %%  %s\n' "$$($(BIN)/coverage report --include "$$room/*.py" --format total)" $$room; \
	done

# Prints the faults of docs/reliability.md beside the tests that show them; fails where one has none.
reliability: $(VENV)/ready
	$(BIN)/python -m tests.docs.faults

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.training --quick

# Known weaknesses of the versions that are pinned, as the package index lists them; no part of `make test`.
# A package that could not be looked up is a failure: not to know is not to have found nothing.
AUDIT := .venv-audit
audit: $(AUDIT)/ready
	@$(AUDIT)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict \
		--progress-spinner off || { echo "make audit: a weakness is listed above, or the \
	package index, which knows them, could not be asked." >&2; exit 1; }

$(AUDIT)/ready:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	touch $@

# Gives every reader, or READER, files that are nearly right, and says what becomes of them.
SEED ?= 1
CASES ?= 2000
READER ?=
fuzz: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzzing --seed $(SEED) --cases $(CASES) \
		--processes 2 $(addprefix --reader ,$(READER))

# Kills training, projections and a measurement, KILLS times each, and compares what they end with.
KILLS ?= 50
kills: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults --seed $(SEED) --kills $(KILLS)

# The constraints pin what was tested.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(AUDIT) demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
